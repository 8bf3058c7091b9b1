package controllers

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/amconfig"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/status"
)

// TestRoutesReachTheStatus: an AlertRule says where its alerts go, and what is in the way; when the server's routing
// changes, so does that.
func TestRoutesReachTheStatus(t *testing.T) {
	c := newCluster(t, operator(t.Context()))
	ps := &v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Name: "main"}, Spec: v1alpha1.PrometheusServerSpec{
		Rules: &v1alpha1.ObjectSelector{Selector: &metav1.LabelSelector{}},
		Alerting: &v1alpha1.Alerting{
			Alertmanager: &v1alpha1.Alertmanager{},
			Receivers:    []v1alpha1.Receiver{{Name: "pager", Webhook: []v1alpha1.WebhookReceiver{{URL: "http://pager/"}}}},
			Route:        &v1alpha1.Route{Receiver: "pager"},
		},
	}}
	c.create(t, ps)
	ar := &v1alpha1.AlertRule{ObjectMeta: metav1.ObjectMeta{Name: "rules"}, Spec: groups("vector(1)")}
	ar.Spec.Receivers = []v1alpha1.Receiver{
		{Name: "team", Webhook: []v1alpha1.WebhookReceiver{{URL: "http://team/"}}},
		{Name: "secret", Discord: []v1alpha1.DiscordReceiver{{WebhookURL: v1alpha1.SecretKey{Name: "discord", Key: "url"}}}},
	}
	ar.Spec.Notify = []v1alpha1.Notify{
		{Receiver: "team", Matchers: []v1alpha1.Matcher{`severity="critical"`}},
		{Receiver: "pager", Matchers: []v1alpha1.Matcher{`alertname="A"`}},
	}
	c.create(t, ar)
	here := c.namespace + "/main"
	c.routed(t, "rules", "False", "Secret "+c.namespace+"/discord: waiting for the Alertmanager to read it", []v1alpha1.AlertRoute{{
		Server: here, Group: "g", Alert: "A", Receivers: []v1alpha1.RoutedReceiver{
			{Receiver: c.namespace + "/team", When: `severity="critical"`},
			{Receiver: "pager", When: `unless severity="critical"`},
		},
	}})

	// Without that receiver all is in force.
	change(t, c, "rules", ar, func(ar *v1alpha1.AlertRule) { ar.Spec.Receivers = ar.Spec.Receivers[:1] })
	// But for that no Alertmanager runs here, which could have loaded it.
	c.routed(t, "rules", "False", "the Alertmanager has not loaded revision", nil)

	// The server's receiver gets another name, and nobody has touched the AlertRule.
	change(t, c, "main", ps, func(ps *v1alpha1.PrometheusServer) {
		ps.Spec.Alerting.Receivers[0].Name, ps.Spec.Alerting.Route.Receiver = "other", "other"
	})
	c.routed(t, "rules", "False", "receiver pager is unknown", []v1alpha1.AlertRoute{{
		Server: here, Group: "g", Alert: "A", Receivers: []v1alpha1.RoutedReceiver{
			{Receiver: c.namespace + "/team", When: `severity="critical"`},
			{Receiver: "other", When: `unless severity="critical"`},
		},
	}})

	// A server without an Alertmanager routes nothing.
	change(t, c, "main", ps, func(ps *v1alpha1.PrometheusServer) { ps.Spec.Alerting = nil })
	c.routed(t, "rules", "False", "has no Alertmanager of its own", []v1alpha1.AlertRoute{})
}

// routed waits for the condition Routed and, unless they are nil, the routes.
func (c *cluster) routed(t *testing.T, name, status, message string, routes []v1alpha1.AlertRoute) {
	t.Helper()
	eventually(t, func() error {
		ar := &v1alpha1.AlertRule{}
		c.get(t, name, ar)
		condition := meta.FindStatusCondition(ar.Status.Conditions, v1alpha1.ConditionRouted)
		if condition == nil || string(condition.Status) != status || !strings.Contains(condition.Message, message) {
			return fmt.Errorf("Routed is %+v, want %s with %q", condition, status, message)
		}
		if routes != nil && len(routes)+len(ar.Status.Routes) > 0 && !cmp.Equal(routes, ar.Status.Routes) {
			return fmt.Errorf("routes: %s", cmp.Diff(routes, ar.Status.Routes))
		}
		return nil
	})
}

// TestRoutedMeansLoaded: what is published is not in force before every replica of the Alertmanager has loaded it.
func TestRoutedMeansLoaded(t *testing.T) {
	routes, server := NewRoutes(), types.NamespacedName{Namespace: "monitoring", Name: "main"}
	routing := &stack.Routing{Config: amconfig.Routing{}, Verdicts: []stack.RouteVerdict{{Namespace: "team", Name: "nodes", Notifies: true}}}
	set := func(generation, revision int64, problem string) {
		routes.Set(t.Context(), server, routing, []stack.Verdict{{Namespace: "team", Name: "nodes", Generation: generation}, {Namespace: "team", Name: "other"}}, revision, problem)
	}
	events := func() int {
		n := 0
		for ; ; n++ {
			select {
			case <-routes.Events():
			default:
				return n
			}
		}
	}
	want := func(loading, problem string, told int) {
		t.Helper()
		verdict := Verdict{Routing: &amconfig.Contribution{}}
		got, err := routes.Of(nodesRule, verdict, []status.RuleServer{{Namespace: "monitoring", Name: "main"}}, func() (*v1alpha1.AlertRule, error) { return &v1alpha1.AlertRule{}, nil })
		must(t, err)
		if n := events(); n != told {
			t.Errorf("told %d times, want %d", n, told)
		}
		if loading == "unknown" {
			if got != nil {
				t.Errorf("before anything is known: %+v", got)
			}
			return
		}
		if len(got) != 1 || got[0].Loading != loading || !strings.Contains(strings.Join(got[0].Problems, " "), problem) || len(got[0].Problems) > 0 != (problem != "") {
			t.Errorf("got %+v, want loading %q, problem %q", got, loading, problem)
		}
	}
	set(1, 5, "")
	want("unknown", "", 2)
	routes.Loaded(t.Context(), server, 4, "")
	want("the Alertmanager has not loaded revision 5 yet", "", 1)
	routes.Loaded(t.Context(), server, 4, "connection refused")
	want("the Alertmanager has not loaded revision 5: connection refused", "", 1)
	routes.Loaded(t.Context(), server, 5, "")
	want("", "", 1)
	routes.Loaded(t.Context(), server, 0, "it is starting") // a replica is restarted
	want("", "", 0)
	set(1, 6, "") // somebody else's routes
	want("", "", 0)
	set(2, 6, "") // its own, in the same revision
	routes.Loaded(t.Context(), server, 5, "")
	want("the Alertmanager has not loaded revision 6 yet", "", 2) // one for the generation, one for what it waits for
	routes.Loaded(t.Context(), server, 6, "")
	want("", "", 1)
	set(2, 6, "no such file")
	want("", "what was published before stays: no such file", 2)
}

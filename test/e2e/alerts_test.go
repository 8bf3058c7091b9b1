package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// two are two series, and many a match of two with two, which no evaluation can decide.
const (
	two  = `(label_replace(vector(1), "a", "x", "", "") or label_replace(vector(2), "a", "y", "", ""))`
	many = two + " + on() " + two
)

// What a rule's own status says of its alerts: that they fire, wait, or can't be evaluated.
func TestAlertsInStatus(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	ps := g.server()
	ps.Spec.Rules.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "infra"}}
	waits := alert("Waits", "vector(1)")
	waits.For = "1h"
	rule := g.rule("rule", alert("Fires", two), waits)
	g.create(ps, rule)
	g.await(2*time.Minute, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, "")

	c, _ := g.await(30*time.Second, rule, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNotSelected)
	if want := fmt.Sprintf("server %s/main wants label team=infra; this has no label team", g.servers); !strings.Contains(c.Message, want) {
		t.Errorf("the nearest miss is not said\nwant: %s\ngot:  %s", want, c.Message)
	}
	t.Log(c.Message)
	change(g, rule, func(r *v1alpha1.AlertRule) { r.Labels = map[string]string{"team": "infra"} })
	g.awaitAlerts(rule, 2, 1, "")
	g.show(g.servers, "alertrules")

	change(g, rule, func(r *v1alpha1.AlertRule) { r.Spec.Groups[0].Rules[1].Expr = v1alpha1.Expression(many) })
	// Prometheus goes on with the alerts of the last evaluation that went well.
	g.awaitAlerts(rule, 2, 1, "spec.groups[rule-group].rules[1] (Waits): ")
	c, _ = g.await(10*time.Second, rule, v1alpha1.ConditionEvaluationFailing, metav1.ConditionTrue, v1alpha1.ReasonEvaluationError)
	t.Log(c.Message)
	if !strings.Contains(c.Message, "many-to-many") {
		t.Errorf("that is not Prometheus' own text: %s", c.Message)
	}
	// The end of what was under way may still be written, and what goes on forever never has an end.
	eventually(t, time.Minute, func() error {
		version := rule.ResourceVersion
		time.Sleep(20 * time.Second)
		err := g.get(rule)
		if err == nil && rule.ResourceVersion != version {
			err = fmt.Errorf("an error that stays is written again: %s", text(rule.Status))
		}
		return err
	})

	change(g, rule, func(r *v1alpha1.AlertRule) {
		r.Spec.Groups[0].Rules = []v1alpha1.Rule{alert("Fires", "vector(1) == 0")}
	})
	g.awaitAlerts(rule, 0, 0, "")
	if c := meta.FindStatusCondition(rule.Status.Conditions, v1alpha1.ConditionEvaluationFailing); c != nil {
		t.Errorf("a rule that is evaluated well is still %+v", c)
	}
}

func (g *ground) awaitAlerts(rule *v1alpha1.AlertRule, firing, pending int32, lastError string) {
	g.t.Helper()
	took := eventually(g.t, 90*time.Second, func() error {
		if err := g.get(rule); err != nil {
			return err
		}
		s := rule.Status
		if len(s.Servers) != 1 || !s.Servers[0].Loaded || ptr.Deref(s.Firing, -1) != firing || s.Servers[0].Firing != firing || s.Servers[0].Pending != pending ||
			(lastError == "") != (s.Servers[0].LastError == "") || !strings.Contains(s.Servers[0].LastError, lastError) {
			return fmt.Errorf("want %d firing, %d pending, error %q: %s", firing, pending, lastError, text(s))
		}
		return nil
	})
	g.t.Logf("%d firing, %d pending, error %q after %s", firing, pending, rule.Status.Servers[0].LastError, took)
}

// What somebody gets who applies a bad rule.
func TestWebhook(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	// The other tests leave the webhook out.
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]any{"monitoring.hearth.dev/validate": nil}}})
	must(t, err)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: g.servers}}
	must(t, kube.api.Patch(t.Context(), ns, client.RawPatch("application/merge-patch+json", patch)))
	eventually(t, time.Minute, func() error {
		bad := g.rule("bad", record("a:b", "vector(1)"), alert("Bad", "sum(rate(x[5m])"))
		err := kube.api.Create(t.Context(), bad, client.DryRunAll)
		if err == nil {
			return fmt.Errorf("a bad rule is taken")
		}
		if !strings.Contains(err.Error(), "spec.groups[bad-group].rules[1] (Bad)") || !strings.Contains(err.Error(), "1:16: parse error") {
			return fmt.Errorf("it is refused without the group, the rule or the position: %w", err)
		}
		t.Log(err)
		return nil
	})
	started := time.Now()
	g.create(g.rule("good", alert("Good", "vector(1)")))
	t.Logf("a good one is taken within %s", time.Since(started).Round(time.Millisecond))
}

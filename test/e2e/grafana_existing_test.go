package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/controllers/grafana/grafanatest"
)

// An existing Grafana is told once the commands in the condition have been run, with the operator's own rights and from its own pod,
// and when the server is deleted, or its namespace, nothing of it is left.
func TestExistingGrafana(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	grafana := grafanatest.NewAt(listenForPods(t))
	t.Cleanup(grafana.Close)
	const token = "glsa_a-token-for-e2e"
	grafana.AddToken(token, 1)
	grafana.Edit(1, func(o *grafanatest.Org) {
		o.AddDashboard(grafanatest.Dashboard{UID: "theirs", Model: map[string]any{"title": "Theirs"}})
	})
	names := func() (out []string) {
		grafana.Edit(1, func(o *grafanatest.Org) { out = o.Names() })
		return out
	}
	ps := g.server()
	ps.Spec.Replicas = ptr.To(int32(0)) // nobody looks into it
	ps.Spec.Grafana = &v1alpha1.Grafana{Existing: &v1alpha1.GrafanaExisting{URL: v1alpha1.URL(grafana.URL), TokenSecret: v1alpha1.SecretKey{Name: "grafana", Key: "token"}}}
	g.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: g.servers, Name: "grafana"}, StringData: map[string]string{"token": token}}, ps)

	var commands []string
	eventually(t, 2*time.Minute, func() error {
		if err := g.get(ps); err != nil {
			return err
		}
		for _, c := range ps.Status.Conditions {
			if c.Type == v1alpha1.ConditionGrafanaReady && c.Reason == v1alpha1.ReasonNotGranted {
				lines := strings.Split(c.Message, "\n")
				commands = slices.DeleteFunc(lines, func(line string) bool { return !strings.HasPrefix(line, "kubectl create ") })
			}
		}
		if len(commands) != 2 {
			return fmt.Errorf("want two commands: %+v", ps.Status.Conditions)
		}
		return nil
	})
	for _, command := range commands {
		kubectl(t, strings.Fields(command)[1:]...)
	}
	_, took := g.await(2*time.Minute, ps, v1alpha1.ConditionGrafanaReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	all := names()
	t.Logf("%v after the commands it has %v", took, all)
	if len(all) != 1+1+6+1 {
		t.Errorf("it has %v, want theirs, a datasource, six dashboards and a folder", all)
	}

	left := func() error {
		if left := names(); len(left) != 1 {
			return fmt.Errorf("left: %v", left)
		}
		return nil
	}
	must(t, kube.api.Delete(t.Context(), ps))
	t.Logf("%v after the server was deleted, theirs is left and nothing else", eventually(t, 2*time.Minute, left))

	// With its namespace go the token, the grant and the record. The operator still knows where it was.
	g.gone(time.Minute, ps)
	again := ps.DeepCopy()
	again.ObjectMeta, again.Status = metav1.ObjectMeta{Namespace: ps.Namespace, Name: ps.Name}, v1alpha1.PrometheusServerStatus{}
	g.create(again)
	g.await(2*time.Minute, again, v1alpha1.ConditionGrafanaReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	must(t, kube.api.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: g.servers}}))
	t.Logf("%v after the namespace was deleted, theirs is left and nothing else", eventually(t, 2*time.Minute, left))
}

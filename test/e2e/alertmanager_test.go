package e2e

import (
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// The server's Alertmanager: up, it has the alert that Prometheus raises, three replicas find each other, and gone when it is
// no longer declared.
func TestAlertmanager(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	ps := g.server()
	ps.Spec.Rules.Selector = &metav1.LabelSelector{}
	ps.Spec.Alerting = &v1alpha1.Alerting{Alertmanager: &v1alpha1.Alertmanager{}}
	g.create(ps, g.rule("rule", alert("Watchdog", "vector(1)")))
	g.await(2*time.Minute, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	g.await(time.Minute, ps, v1alpha1.ConditionAlertmanagerReady, metav1.ConditionTrue, "")
	g.alerts(ps, 1, "1/1")
	set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: ps.Namespace, Name: "alertmanager-" + ps.Name}}
	t.Run("three", func(t *testing.T) {
		g := g.in(t)
		change(g, ps, func(s *v1alpha1.PrometheusServer) { s.Spec.Alerting.Alertmanager.Replicas = new(int32(3)) })
		g.await(3*time.Minute, ps, v1alpha1.ConditionAlertmanagerReady, metav1.ConditionTrue, "")
		g.alerts(ps, 1, "3/3")
	})
	t.Run("gone", func(t *testing.T) {
		g := g.in(t)
		change(g, ps, func(s *v1alpha1.PrometheusServer) { s.Spec.Alerting = nil })
		t.Logf("its StatefulSet is gone after %s", g.gone(time.Minute, set))
	})
}

// alerts waits until the Alertmanager has that many alerts and replicas that are ready.
func (g *ground) alerts(ps *v1alpha1.PrometheusServer, active int32, ready string) {
	g.t.Helper()
	took := eventually(g.t, 2*time.Minute, func() error {
		if err := g.get(ps); err != nil {
			return err
		}
		am := ps.Status.Alertmanager
		if am == nil || am.Alerts == nil || am.Alerts.Active != active || am.Ready != ready {
			return fmt.Errorf("status.alertmanager is %+v", am)
		}
		return nil
	})
	g.t.Logf("%d alerts at %s Alertmanagers after %s", active, ready, took)
}

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
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
	g.pulledFrom(ps, 1)
	set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: ps.Namespace, Name: "alertmanager-" + ps.Name}}
	t.Run("three", func(t *testing.T) {
		g := g.in(t)
		change(g, ps, func(s *v1alpha1.PrometheusServer) { s.Spec.Alerting.Alertmanager.Replicas = new(int32(3)) })
		g.await(3*time.Minute, ps, v1alpha1.ConditionAlertmanagerReady, metav1.ConditionTrue, "")
		g.alerts(ps, 1, "3/3")
		g.pulledFrom(ps, 3)
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

// pulledFrom waits until all targets are up, which the Alertmanager's replicas and each reloader are among, and each reloader's figures
// say what the status says.
func (g *ground) pulledFrom(ps *v1alpha1.PrometheusServer, replicas int32) {
	g.t.Helper()
	want := map[string]int32{"prometheus": 1, "hearth-reloader": 1, "alertmanager": replicas, "hearth-reloader/alertmanager": replicas}
	took := eventually(g.t, 2*time.Minute, func() error {
		if err := g.get(ps); err != nil || ps.Status.Targets == nil {
			return fmt.Errorf("no status of targets, error %w", err)
		}
		up := map[string]int32{}
		for _, j := range ps.Status.Targets.Jobs {
			up[j.Name] = j.Up
		}
		if diff := cmp.Diff(want, up); diff != "" || !meta.IsStatusConditionTrue(ps.Status.Conditions, v1alpha1.ConditionTargetsHealthy) {
			return fmt.Errorf("up by job (-want +got):\n%s%s", diff, text(ps.Status.Conditions))
		}
		return nil
	})
	g.t.Logf("%v are up after %s", want, took)
	eventually(g.t, time.Minute, func() error {
		if err := g.get(ps); err != nil {
			return err
		}
		revisions := map[string]int64{ps.Namespace + "/" + ps.Name: ps.Status.Configuration.Loaded}
		for i := range replicas {
			revisions[fmt.Sprintf("%s/alertmanager-%s-%d", ps.Namespace, ps.Name, i)] = ps.Status.Alertmanager.Configuration.Loaded
		}
		found, err := through(ps).query(g.t.Context(), `hearth_reloader_loaded_revision{job="hearth-reloader"}`)
		got := map[string]int64{}
		for _, s := range found {
			got[s.Metric["instance"]] = int64(s.Value.float())
		}
		if diff := cmp.Diff(revisions, got); err != nil || diff != "" {
			return fmt.Errorf("revisions as the reloaders count them (-want +got):\n%s%w", diff, err)
		}
		return nil
	})
}

package controllers

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/controllers/grafana/grafanatest"
)

// TestExistingGrafanaReachesTheStatus: a server says in its status what its Grafana has, keeps saying it, and is not held up by it.
func TestExistingGrafanaReachesTheStatus(t *testing.T) {
	s := newGrafana(t)
	c := &shown{cluster: newCluster(t, operator(t.Context())), grafana: s}
	c.ps = &v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Name: "main"}, Spec: v1alpha1.PrometheusServerSpec{
		Replicas: ptr.To(int32(0)),
		Grafana:  &v1alpha1.Grafana{Existing: &v1alpha1.GrafanaExisting{URL: v1alpha1.URL(s.URL + "/"), TokenSecret: v1alpha1.SecretKey{Name: "grafana", Key: "token"}}},
	}}
	c.create(t, c.ps)
	c.ready(t, metav1.ConditionFalse, v1alpha1.ReasonSecretsMissing, "Secret grafana of namespace "+c.namespace+" does not exist")
	c.secret(t, "grafana", map[string]string{"token": grafanaToken})
	c.ready(t, metav1.ConditionTrue, v1alpha1.ReasonReady, "1 datasource and 6 dashboards")
	s.Edit(1, func(o *grafanatest.Org) {
		uid := "prometheus_" + c.namespace + "_main"
		if ds := o.DataSource(uid); ds == nil || ds.URL != "http://prometheus-main."+c.namespace+".svc:9090" || ds.IsDefault || ds.JSONData["prometheusType"] != "Prometheus" {
			t.Errorf("datasource %s of %v: %+v", uid, o.Names(), ds)
		}
	})

	// It is looked at again and again, and nothing is written anywhere.
	eventually(t, func() error { // until what was going on before has ended
		c.writes.take()
		c.looked(t)
		if got := c.writes.take(); len(got) > 0 {
			return fmt.Errorf("idle, the operator writes %v", got)
		}
		return nil
	})

	s.SetMode(grafanatest.Mode{Proxied: true})
	c.ready(t, metav1.ConditionFalse, v1alpha1.ReasonUnreachable, "502")
	c.get(t, "main", c.ps)
	if !meta.IsStatusConditionTrue(c.ps.Status.Conditions, v1alpha1.ConditionReady) {
		t.Errorf("a Grafana that is down makes the server unready: %+v", c.ps.Status.Conditions)
	}
	change(t, c.cluster, "main", c.ps, func(ps *v1alpha1.PrometheusServer) { ps.Spec.Grafana.Dashboards = ptr.To(false) })
	s.SetMode(grafanatest.Mode{})
	c.ready(t, metav1.ConditionTrue, v1alpha1.ReasonReady, "1 datasource and 0 dashboards")
	has(t, s, 1)

	change(t, c.cluster, "main", c.ps, func(ps *v1alpha1.PrometheusServer) { ps.Spec.Grafana = nil })
	has(t, s, 0)
	eventually(t, func() error {
		c.get(t, "main", c.ps)
		if is := meta.FindStatusCondition(c.ps.Status.Conditions, v1alpha1.ConditionGrafanaReady); is != nil {
			return fmt.Errorf("without a Grafana it says %+v", is)
		}
		return nil
	})
	c.recorded(t, false)
}

// ready waits for the condition.
func (c *shown) ready(t *testing.T, is metav1.ConditionStatus, reason, text string) {
	t.Helper()
	eventually(t, func() error {
		c.get(t, "main", c.ps)
		got := meta.FindStatusCondition(c.ps.Status.Conditions, v1alpha1.ConditionGrafanaReady)
		if got == nil || got.Status != is || got.Reason != reason || !strings.Contains(got.Message, text) {
			return fmt.Errorf("GrafanaReady is %+v, wanted %s %s with %q", got, is, reason, text)
		}
		return nil
	})
}

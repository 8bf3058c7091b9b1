package e2e

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// A rule's way: loaded, evaluated, firing, broken, mended, removed; and another one beside it that nothing happens to.
func TestRules(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	ps := g.server()
	ps.Spec.Rules.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "infra"}}
	other := g.rule("other", record("e2e:other", "vector(7)"))
	other.Labels = map[string]string{"team": "infra"}
	g.create(ps, other)
	g.await(2*time.Minute, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	g.await(30*time.Second, other, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	server := through(ps)
	server.value(t, "e2e:other")
	must(t, g.get(other))
	before := other.Status

	rule := g.rule("rule", record("e2e:answer", "vector(42)"), alert("E2E", "e2e:answer == 42"))
	t.Run("not selected", func(t *testing.T) {
		g := g.in(t)
		g.create(rule)
		c, _ := g.await(30*time.Second, rule, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNotSelected)
		t.Log(c.Message)
	})
	t.Run("loaded", func(t *testing.T) {
		g := g.in(t)
		change(g, rule, func(r *v1alpha1.AlertRule) { r.Labels = map[string]string{"team": "infra"} })
		_, took := g.await(30*time.Second, rule, v1alpha1.ConditionLoaded, metav1.ConditionTrue, "")
		t.Logf("from apply to Loaded: %s; status.loaded %s, revision %d", took, rule.Status.Loaded, rule.Status.Servers[0].Revision)
		took = eventually(t, 30*time.Second, func() error { return wantValue(t, server, "e2e:answer", 42) })
		t.Logf("from Loaded to a recorded sample: %s", took)
		g.firing(ps, 1)
	})
	t.Run("broken", func(t *testing.T) { g.in(t).brokenRule(ps, rule) })
	t.Run("mended", func(t *testing.T) {
		g := g.in(t)
		change(g, rule, func(r *v1alpha1.AlertRule) { r.Spec.Groups[0].Rules[0].Expr = v1alpha1.Expression("vector(43)") })
		_, took := g.await(30*time.Second, rule, v1alpha1.ConditionLoaded, metav1.ConditionTrue, "")
		t.Logf("from apply to Loaded: %s", took)
		eventually(t, 30*time.Second, func() error { return wantValue(t, server, "e2e:answer", 43) })
		g.firing(ps, 0)
		g.await(30*time.Second, ps, v1alpha1.ConditionRulesAccepted, metav1.ConditionTrue, "")
	})
	t.Run("deleted", func(t *testing.T) {
		must(t, kube.api.Delete(t.Context(), rule))
		took := eventually(t, time.Minute, func() error {
			groups, err := server.groups(t.Context())
			if _, there := groups["rule-group"]; err == nil && there {
				err = fmt.Errorf("Prometheus still has the group: %v", groups)
			}
			return err
		})
		t.Logf("gone from /api/v1/rules after %s", took)
	})
	must(t, g.get(other))
	if other.Status.Servers[0].Revision != before.Servers[0].Revision || text(other.Status.Conditions) != text(before.Conditions) {
		t.Errorf("another rule's status changed\nfrom %s\nto   %s", text(before), text(other.Status))
	}
	must(t, wantValue(t, server, "e2e:other", 7))
}

// in is the same ground for a subtest.
func (g *ground) in(t *testing.T) *ground { return &ground{t: t, servers: g.servers, nodes: g.nodes} }

func wantValue(t *testing.T, server prometheus, expr string, want float64) error {
	t.Helper()
	result, err := server.query(t.Context(), expr)
	if err != nil {
		return err
	}
	if len(result) != 1 || result[0].Value.float() != want {
		return fmt.Errorf("%s is %v, want %v", expr, result, want)
	}
	return nil
}

func (g *ground) firing(ps *v1alpha1.PrometheusServer, want int32) {
	g.t.Helper()
	took := eventually(g.t, 30*time.Second, func() error {
		if err := g.get(ps); err != nil {
			return err
		}
		if ps.Status.Alerts == nil || ps.Status.Alerts.Firing != want {
			return fmt.Errorf("status.alerts is %+v, want %d firing", ps.Status.Alerts, want)
		}
		return nil
	})
	g.t.Logf("status.alerts.firing is %d after %s", want, took)
}

func (g *ground) brokenRule(ps *v1alpha1.PrometheusServer, rule *v1alpha1.AlertRule) {
	change(g, rule, func(r *v1alpha1.AlertRule) { r.Spec.Groups[0].Rules[0].Expr = v1alpha1.Expression("sum(") })
	// The rule itself is judged at once; that the last good version stays is what the server says a moment later.
	g.await(30*time.Second, rule, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonInvalidRules)
	message, took := g.awaitMessage(30*time.Second, rule, v1alpha1.ConditionReady, "rule-group", "e2e:answer", "last good")
	g.t.Logf("after %s: %s", took, message)
	g.await(30*time.Second, rule, v1alpha1.ConditionLoaded, metav1.ConditionFalse, v1alpha1.ReasonLastGoodLoaded)
	g.await(30*time.Second, rule, v1alpha1.ConditionValid, metav1.ConditionFalse, "")
	c, _ := g.await(30*time.Second, ps, v1alpha1.ConditionRulesAccepted, metav1.ConditionFalse, v1alpha1.ReasonRulesRejected)
	g.t.Logf("server: %s; %s", c.Message, text(ps.Status.Rules))
	g.await(30*time.Second, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	// Evaluated now, not a sample of before.
	asked := time.Now()
	eventually(g.t, 30*time.Second, func() error {
		result, err := through(ps).query(g.t.Context(), "timestamp(e2e:answer)")
		if err == nil && (len(result) != 1 || result[0].Value.float() < float64(asked.Unix())) {
			err = fmt.Errorf("the last good rule has not been evaluated since: %v", result)
		}
		return err
	})
	must(g.t, wantValue(g.t, through(ps), "e2e:answer", 42))
	g.firing(ps, 1)
}

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// A rule on a metric that the server has no series of: its status names the metric and stays Ready, until the metric is there.
func TestMissingMetrics(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	ps := g.server()
	rule := g.rule("rule", alert("Typo", "e2e_late > 1 or e2e_later > 1"), alert("Well", "up == 0 unless on (job) e2e_late"), alert("Watched", "absent(e2e_late) and on () vector(0) == 1"))
	quiet := g.rule("quiet", alert("Rare", "e2e_late > 1"))
	quiet.Spec.MissingMetrics = v1alpha1.MissingMetricsIgnore
	g.create(ps, rule, quiet)
	g.await(2*time.Minute, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	c, took := g.await(3*time.Minute, rule, v1alpha1.ConditionMetricsMissing, metav1.ConditionTrue, v1alpha1.ReasonNoSeries)
	t.Logf("after %s: %s", took, c.Message)
	want := []string{"spec.groups[rule-group].rules[0] (Typo): e2e_late or e2e_later"}
	if got := rule.Status.Servers[0].MissingMetrics; text(got) != text(want) || !strings.Contains(c.Message, want[0]) {
		t.Errorf("missing is %q, want %q", got, want)
	}
	if !meta.IsStatusConditionTrue(rule.Status.Conditions, v1alpha1.ConditionReady) {
		t.Errorf("it is advice, and the rule is not Ready: %s", text(rule.Status.Conditions))
	}
	g.show(g.servers, "alertrules")

	g.create(g.rule("late", record("e2e_later", "vector(2)")))
	took = eventually(t, 2*time.Minute, func() error {
		if err := g.get(rule); err != nil {
			return err
		}
		if c := meta.FindStatusCondition(rule.Status.Conditions, v1alpha1.ConditionMetricsMissing); c != nil {
			return fmt.Errorf("still %+v", c)
		}
		return nil
	})
	t.Logf("no longer missing after %s", took)
	must(t, g.get(quiet))
	if c := meta.FindStatusCondition(quiet.Status.Conditions, v1alpha1.ConditionMetricsMissing); c != nil {
		t.Errorf("it is switched off, and said: %+v", c)
	}
}

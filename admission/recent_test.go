package admission

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/rules"
)

// What was judged at admission is the reconciler's without judging it again, once, and never that of another spec or name.
func TestRecent(t *testing.T) {
	rule := func(name, expr string) *v1alpha1.AlertRule {
		return &v1alpha1.AlertRule{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: v1alpha1.AlertRuleSpec{
			Groups: []v1alpha1.RuleGroup{{Name: "g", Rules: []v1alpha1.Rule{{Alert: "A", Expr: v1alpha1.Expression(expr)}}}},
		}}
	}
	recent := &Recent{}
	good, bad := rule("a", "up == 0"), rule("b", "up ==")
	for _, ar := range []*v1alpha1.AlertRule{good, bad} {
		if diff := cmp.Diff(rules.Judge(ar), recent.Judge(ar)); diff != "" {
			t.Errorf("%s (-judged +remembered):\n%s", ar.Name, diff)
		}
	}
	// Marked, so that one sees which is the remembered one.
	for key, verdict := range recent.verdicts {
		verdict.Warnings = append(verdict.Warnings, "remembered")
		recent.verdicts[key] = verdict
	}
	remembered := func(ar *v1alpha1.AlertRule) bool {
		verdict := recent.Take(ar)
		marked := len(verdict.Warnings) > 0 && verdict.Warnings[len(verdict.Warnings)-1] == "remembered"
		if marked {
			verdict.Warnings = verdict.Warnings[:len(verdict.Warnings)-1]
		}
		if diff := cmp.Diff(rules.Judge(ar).Problems, verdict.Problems); diff != "" {
			t.Errorf("%s (-judged +remembered):\n%s", ar.Name, diff)
		}
		return marked
	}
	for _, c := range []struct {
		ar   *v1alpha1.AlertRule
		want bool
	}{{rule("a", "up == 1"), false}, {rule("c", "up == 0"), false}, {good, true}, {good, false}, {bad, true}} {
		if got := remembered(c.ar); got != c.want {
			t.Errorf("%s with %s is remembered: %t, want %t", c.ar.Name, c.ar.Spec.Groups[0].Rules[0].Expr, got, c.want)
		}
	}
	for i := range 2 * recentVerdicts {
		recent.Judge(rule(fmt.Sprint("many-", i), "up == 0"))
	}
	if len(recent.verdicts) != recentVerdicts {
		t.Errorf("%d are remembered, want %d", len(recent.verdicts), recentVerdicts)
	}
}

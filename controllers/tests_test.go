package controllers

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// TestFailingTestsKeepTheLastGoodRules has the tests of an AlertRule fail and pass: what its tests refute isn't published,
// and nobody else's rules are held up by it.
func TestFailingTestsKeepTheLastGoodRules(t *testing.T) {
	c := newCluster(t, operator(t.Context()))
	_, ps, ar := c.declared(t)
	other := &v1alpha1.AlertRule{ObjectMeta: metav1.ObjectMeta{Name: "other"}, Spec: groups("vector(2)")}
	c.create(t, other)
	eventually(t, func() error { return c.publishes("vector(1)", "vector(2)")(t, ps) })

	spec := `{"spec":{"groups":[{"name":"g","rules":[{"alert":"A","expr":"vector(%d)"}]}],
		"tests":[{"name":"four","promql_expr_test":[{"expr":"ALERTS","eval_time":"1m","exp_samples":[
			{"labels":"ALERTS{alertname=\"A\",alertstate=\"firing\"}","value":%d}]}]}]}}`
	c.patch(t, ar, fmt.Sprintf(spec, 4, 2)) // ALERTS is 1
	c.patch(t, other, `{"spec":{"groups":[{"name":"g","rules":[{"alert":"A","expr":"vector(3)"}]}]}}`)
	eventually(t, func() error { return c.publishes("vector(1)", "vector(3)")(t, ps) })
	eventually(t, func() error {
		if err := c.observed(t, ar, ps); err != nil {
			return err
		}
		tested, ready := meta.FindStatusCondition(ar.Status.Conditions, v1alpha1.ConditionTested), meta.FindStatusCondition(ar.Status.Conditions, v1alpha1.ConditionReady)
		if tested == nil || tested.Reason != v1alpha1.ReasonTestsFailed || !strings.Contains(tested.Message, "four") || !strings.Contains(ready.Message, "last good") {
			return fmt.Errorf("tested: %+v, ready: %+v", tested, ready)
		}
		if !meta.IsStatusConditionTrue(ar.Status.Conditions, v1alpha1.ConditionValid) || ps.Status.Rules.Rejected != 1 {
			return fmt.Errorf("conditions: %+v, rules: %+v", ar.Status.Conditions, ps.Status.Rules)
		}
		return nil
	})
	t.Log(meta.FindStatusCondition(ar.Status.Conditions, v1alpha1.ConditionTested).Message)

	c.patch(t, ar, fmt.Sprintf(spec, 4, 1))
	eventually(t, func() error { return c.publishes("vector(4)", "vector(3)")(t, ps) })
	eventually(t, func() error {
		if err := c.observed(t, ar); err != nil {
			return err
		}
		if !meta.IsStatusConditionTrue(ar.Status.Conditions, v1alpha1.ConditionTested) {
			return fmt.Errorf("conditions: %+v", ar.Status.Conditions)
		}
		return nil
	})
}

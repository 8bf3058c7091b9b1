package controllers

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/ruletest"
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

// TestNamespacesTakeTurnsWithTests: a hundred slow ones of one tenant hold up nobody else's.
func TestNamespacesTakeTurnsWithTests(t *testing.T) {
	slow, began := make(chan struct{}), make(chan string, 200)
	tests := newTests(t.Context(), func(ctx context.Context, ar *v1alpha1.AlertRule) ruletest.Result {
		began <- ar.Namespace + "/" + ar.Name
		if ar.Namespace == "slow" {
			select {
			case <-slow:
			case <-ctx.Done():
			}
		}
		return ruletest.Result{Passed: true}
	})
	rule := func(namespace string, i int) *v1alpha1.AlertRule {
		return &v1alpha1.AlertRule{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprint(i), Generation: 1}}
	}
	next := func(want string) {
		t.Helper()
		select {
		case got := <-began:
			if got != want {
				t.Errorf("%s began, want %s", got, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s did not begin", want)
		}
	}
	for i := range 100 {
		tests.Take(rule("slow", i))
	}
	next("slow/0")
	for i := range 3 {
		tests.Take(rule("quick", i))
		next(fmt.Sprint("quick/", i))
		if e := <-tests.Events(); e.Object.GetNamespace() != "quick" || tests.Take(rule("quick", i)) == nil {
			t.Errorf("%s has ended, and %d has no result", e.Object.GetName(), i)
		}
	}
	// A run that nobody asks for any more never begins, and one that has begun makes room.
	tests.Forget(types.NamespacedName{Namespace: "slow", Name: "1"})
	tests.Forget(types.NamespacedName{Namespace: "slow", Name: "0"})
	next("slow/2")
	close(slow)
	for i := 3; i < 100; i++ {
		next(fmt.Sprint("slow/", i))
	}
}

package e2e

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// A server pulls from the operator, whose certificate it checks and which asks the API server who it is: what the shipped alert on
// the operator is about is there.
func TestOperatorIsScraped(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: g.servers}}
	change(g, namespace, func(n *corev1.Namespace) { n.Labels["monitoring.hearth.dev/reach"] = "cluster" })
	ps := g.server()
	ps.Spec.Targets = &v1alpha1.Targets{Operator: &v1alpha1.OperatorTargets{}}
	g.create(ps)
	g.await(2*time.Minute, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	g.create(g.rule("rule", record("e2e:answer", "vector(42)")))
	took := eventually(t, time.Minute, func() error {
		result, err := through(ps).query(t.Context(), `sum(hearth_rule_apply_to_loaded_seconds_count{job="hearth"}) > 0`)
		if err == nil && len(result) == 0 {
			err = fmt.Errorf("no hearth_rule_apply_to_loaded_seconds; targets are %s", text(ps.Status.Targets))
			_ = g.get(ps) // for the text of the next attempt
		}
		return err
	})
	t.Logf("hearth_rule_apply_to_loaded_seconds is there after %s", took)
}

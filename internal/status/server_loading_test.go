package status_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/status"
)

// A new revision comes from an edit of a rule, which leaves a server ready, or from one of the server's own spec, after
// which ready has to mean that it is loaded.
func TestReadyWhileARevisionIsLoaded(t *testing.T) {
	loading := &status.Server{Replicas: 1, Revision: 4, Updated: 1, Pods: []status.Pod{healthy(0)}} // which runs revision 3
	for name, c := range map[string]struct {
		observed int64 // generation
		was      metav1.ConditionStatus
		want     bool
	}{
		"a rule was edited":                {observed: 2, was: metav1.ConditionTrue, want: true},
		"the spec was edited":              {observed: 1, was: metav1.ConditionTrue, want: false},
		"the spec's edit is still loading": {observed: 2, was: metav1.ConditionFalse, want: false},
	} {
		t.Run(name, func(t *testing.T) {
			ps := &v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Name: "main", Namespace: "monitoring", Generation: 2}}
			ps.Status.ObservedGeneration = c.observed
			ps.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: c.was}}
			got := status.OfServer(ps, loading, nil).Conditions
			if ready := meta.IsStatusConditionTrue(got, v1alpha1.ConditionReady); ready != c.want {
				t.Errorf("Ready is %v: %+v", ready, meta.FindStatusCondition(got, v1alpha1.ConditionReady))
			}
			if meta.IsStatusConditionTrue(got, v1alpha1.ConditionLoaded) {
				t.Error("Loaded is True")
			}
		})
	}
}

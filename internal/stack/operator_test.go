package stack

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// TestOperatorTarget: a token is shown to nobody whose certificate can't be checked, and nothing is granted without the label.
func TestOperatorTarget(t *testing.T) {
	known := Operator{Namespace: "hearth-system", ServerName: "hearth", Authorities: []byte("pem")}
	for name, c := range map[string]struct {
		targets  *v1alpha1.Targets
		operator Operator
		reach    string
		want     *Operator
		withheld int
	}{
		"as declared":           {&v1alpha1.Targets{Operator: &v1alpha1.OperatorTargets{}}, known, ReachCluster, &known, 0},
		"not declared":          {&v1alpha1.Targets{}, known, ReachCluster, nil, 0},
		"no targets":            {nil, known, ReachCluster, nil, 0},
		"without a certificate": {&v1alpha1.Targets{Operator: &v1alpha1.OperatorTargets{}}, Operator{Namespace: "hearth-system"}, ReachCluster, nil, 1},
		"without the label":     {&v1alpha1.Targets{Operator: &v1alpha1.OperatorTargets{}}, known, "", nil, 1},
	} {
		in := Inputs{
			Server:          &v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "main"}, Spec: v1alpha1.PrometheusServerSpec{Targets: c.targets}},
			NamespaceLabels: map[string]map[string]string{"monitoring": {LabelReach: c.reach}}, Operator: c.operator,
		}
		r := newReach(in)
		if diff := cmp.Diff(c.want, operator(in, r)); diff != "" || len(r.withheld) != c.withheld || (len(r.bindings) > 0) != (c.want != nil) {
			t.Errorf("%s: %s withheld %v, bindings %v", name, diff, r.withheld, r.bindings)
		}
	}
}

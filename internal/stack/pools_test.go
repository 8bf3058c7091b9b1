package stack_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// Few keys and values, so that pools and nodes meet often.
var (
	labelKeys   = []string{"a", "b", "c", "d"}
	labelValues = []string{"1", "2", "3"}
)

func randomLabels(r *rand.Rand, most int) map[string]string {
	out := map[string]string{}
	for range r.IntN(most + 1) {
		out[labelKeys[r.IntN(len(labelKeys))]] = labelValues[r.IntN(len(labelValues))]
	}
	return out
}

// randomAffinity has up to two terms, of which one may be empty, or is nil.
func randomAffinity(r *rand.Rand) *corev1.NodeAffinity {
	if r.IntN(2) == 0 {
		return nil
	}
	var terms []corev1.NodeSelectorTerm
	for range 1 + r.IntN(2) {
		var term corev1.NodeSelectorTerm
		for k, v := range randomLabels(r, 2) {
			operator := []corev1.NodeSelectorOperator{corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn}[r.IntN(2)]
			term.MatchExpressions = append(term.MatchExpressions, corev1.NodeSelectorRequirement{Key: k, Operator: operator, Values: []string{v}})
		}
		terms = append(terms, term)
	}
	return &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms}}
}

// TestANodeBelongsToTheFirstPoolThatTakesIt tries random pools on random nodes.
func TestANodeBelongsToTheFirstPoolThatTakesIt(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	resolved, placed := 0, 0
	for range 2000 {
		ne := &v1alpha1.NodeExporter{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "node"}}
		ne.Spec.Affinity = randomAffinity(r)
		for i := range 1 + r.IntN(4) {
			ne.Spec.Pools = append(ne.Spec.Pools, v1alpha1.NodePool{Name: fmt.Sprintf("p%d", i), NodeSelector: randomLabels(r, 3)})
		}
		e, errs := stack.ResolveExporter(stack.ExporterInputs{Exporter: ne})
		if len(errs) > 0 {
			continue // such as a pool for which no node is left
		}
		resolved++
		for range 30 {
			node := randomLabels(r, 4)
			want := firstPool(&ne.Spec, node)
			var got []string
			for _, pool := range e.Pools {
				if hasAll(node, pool.NodeSelector) && admits(pool.NodeAffinity, node) {
					got = append(got, pool.Name)
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("node %v belongs to %q, want %q\npools %+v\naffinity %v", node, got, want, ne.Spec.Pools, ne.Spec.Affinity)
			}
			placed += len(got)
		}
	}
	if resolved < 500 || placed < 5000 {
		t.Errorf("%d sets of pools and %d nodes in a pool: too few to say anything", resolved, placed)
	}
}

// firstPool is what the documentation of spec.pools says.
func firstPool(spec *v1alpha1.NodeExporterSpec, node map[string]string) []string {
	for _, pool := range spec.Pools {
		if hasAll(node, pool.NodeSelector) {
			if admits(spec.Affinity, node) {
				return []string{pool.Name}
			}
			return nil
		}
	}
	return nil
}

func hasAll(node, selector map[string]string) bool {
	for k, v := range selector {
		if node[k] != v {
			return false
		}
	}
	return true
}

// admits evaluates required affinity as the scheduler does: terms are alternatives, and an empty one matches nothing.
func admits(affinity *corev1.NodeAffinity, node map[string]string) bool {
	if affinity == nil || affinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return true
	}
	return slices.ContainsFunc(affinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms, func(term corev1.NodeSelectorTerm) bool {
		for _, r := range term.MatchExpressions {
			value, ok := node[r.Key]
			if in := ok && slices.Contains(r.Values, value); in != (r.Operator == corev1.NodeSelectorOpIn) {
				return false
			}
		}
		return len(term.MatchExpressions) > 0
	})
}

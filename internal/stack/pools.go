package stack

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// maxTerms bounds the node selector terms of a pool. What earlier pools take is excluded by a product of their labels.
const maxTerms = 64

// everyTaint is the toleration with which a DaemonSet reaches every node.
func everyTaint() []corev1.Toleration {
	return []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
}

func resolvePools(spec *v1alpha1.NodeExporterSpec, base string, path *field.Path) ([]Pool, field.ErrorList) {
	if len(spec.Pools) == 0 {
		pool := newPool(spec, v1alpha1.NodePool{Name: DefaultPool, NodeSelector: spec.NodeSelector}, base)
		return []Pool{pool}, nil
	}
	var errs field.ErrorList
	pools := make([]Pool, 0, len(spec.Pools))
	for i, declared := range spec.Pools {
		at := path.Child("pools").Index(i)
		errs = append(errs, checkCollectors(declared.Collectors, spec.HostNetwork, at.Child("collectors"))...)
		pool := newPool(spec, declared, base+"-"+declared.Name)
		affinity, err := excluding(spec.Affinity, declared, spec.Pools[:i])
		if err != nil {
			errs = append(errs, field.Invalid(at.Child("nodeSelector"), declared.NodeSelector, err.Error()))
		}
		pool.NodeAffinity = affinity
		pools = append(pools, pool)
	}
	return pools, errs
}

func newPool(spec *v1alpha1.NodeExporterSpec, declared v1alpha1.NodePool, daemonSet string) Pool {
	pool := Pool{
		Name:         declared.Name,
		DaemonSet:    daemonSet,
		NodeSelector: declared.NodeSelector,
		NodeAffinity: spec.Affinity,
		Tolerations:  everyTaint(),
		Resources:    valueOr(firstSet(declared.Resources, spec.Resources), defaultExporterResources()),
		Collectors:   valueOr(firstSet(declared.Collectors, spec.Collectors), v1alpha1.Collectors{}),
	}
	pool.Access = AccessOf(pool.Collectors)
	if spec.Tolerations != nil {
		pool.Tolerations = spec.Tolerations
	}
	if declared.Tolerations != nil {
		pool.Tolerations = declared.Tolerations
	}
	return pool
}

func firstSet[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

// excluding adds to an affinity that a node must not match the selector of an earlier pool. Not to match it means that at
// least one of its labels differs, so each earlier pool multiplies the terms, which are alternatives, by its labels.
func excluding(affinity *corev1.NodeAffinity, pool v1alpha1.NodePool, earlier []v1alpha1.NodePool) (*corev1.NodeAffinity, error) {
	terms := []corev1.NodeSelectorTerm{{}}
	if affinity != nil && affinity.RequiredDuringSchedulingIgnoredDuringExecution != nil {
		// An empty term matches no node; with an exclusion added to it, it would match most of them.
		terms = slices.DeleteFunc(slices.Clone(affinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms),
			func(t corev1.NodeSelectorTerm) bool { return len(t.MatchExpressions) == 0 && len(t.MatchFields) == 0 })
	}
	changed := false
	for _, other := range earlier {
		if len(other.NodeSelector) == 0 {
			return nil, fmt.Errorf("pool %q comes first and, having no nodeSelector, takes every node: move it to the end", other.Name)
		}
		if disjoint(pool.NodeSelector, other.NodeSelector) {
			continue
		}
		if subset(other.NodeSelector, pool.NodeSelector) {
			return nil, fmt.Errorf("no node is left for this pool: pool %q comes first and takes every node that has these labels; move it behind this one", other.Name)
		}
		changed = len(terms) > 0
		if terms = product(terms, other.NodeSelector); len(terms) > maxTerms {
			return nil, fmt.Errorf("telling this pool from the earlier ones takes more than %d node selector terms: select pools by one label with different values", maxTerms)
		}
	}
	if !changed {
		return affinity, nil
	}
	out := &corev1.NodeAffinity{}
	if affinity != nil {
		out = affinity.DeepCopy()
	}
	out.RequiredDuringSchedulingIgnoredDuringExecution = &corev1.NodeSelector{NodeSelectorTerms: terms}
	return out, nil
}

func product(terms []corev1.NodeSelectorTerm, selector map[string]string) []corev1.NodeSelectorTerm {
	var out []corev1.NodeSelectorTerm
	for _, term := range terms {
		for _, key := range slices.Sorted(maps.Keys(selector)) {
			more := *term.DeepCopy()
			more.MatchExpressions = append(more.MatchExpressions, corev1.NodeSelectorRequirement{
				Key: key, Operator: corev1.NodeSelectorOpNotIn, Values: []string{selector[key]},
			})
			out = append(out, more)
		}
	}
	return out
}

// disjoint says that no node can match both: they want different values of the same label.
func disjoint(a, b map[string]string) bool {
	for key, value := range a {
		if other, ok := b[key]; ok && other != value {
			return true
		}
	}
	return false
}

// subset says that whatever matches b matches a as well.
func subset(a, b map[string]string) bool {
	for key, value := range a {
		if other, ok := b[key]; !ok || other != value {
			return false
		}
	}
	return true
}

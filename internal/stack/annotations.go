package stack

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hearth-monitoring/hearth/internal/monitors"
)

// The scrape jobs of what is annotated.
const (
	JobPods             = "kubernetes-pods"
	JobServiceEndpoints = "kubernetes-service-endpoints"
)

// Annotations are the pods and Services that say themselves that they are to be scraped.
type Annotations struct {
	Pods, Services bool
	// Namespaces are where; nil: everywhere.
	Namespaces []string
	// Label has to have the namespace, too; empty: none.
	Label string
	// Bounds of each target. How many targets there may be is not among them: everybody's are in the same job.
	Bounds monitors.Bounds
}

// annotations resolves where annotations count. A selector that matches no namespace today is no mistake: nothing is
// discovered until one does.
func annotations(in Inputs, tenancy *Tenancy, reach *reach, path *field.Path) (*Annotations, field.ErrorList) {
	if in.Server.Spec.Targets == nil || in.Server.Spec.Targets.Annotations == nil {
		return nil, nil
	}
	declared := in.Server.Spec.Targets.Annotations
	out := &Annotations{Pods: declared.Pods != nil, Services: declared.Services != nil, Label: tenancy.Label, Bounds: tenancy.Bounds}
	out.Bounds.Targets = 0
	var needs []Binding
	switch selector := declared.NamespaceSelector; {
	case selector == nil:
		out.Namespaces = []string{in.Server.Namespace}
	case len(selector.MatchLabels) == 0 && len(selector.MatchExpressions) == 0:
		needs = []Binding{{Role: RoleDiscovery}}
	default:
		var err error
		if out.Namespaces, err = matching(selector, in.NamespaceLabels); err != nil {
			return nil, field.ErrorList{field.Invalid(path.Child("namespaceSelector"), selector, err.Error())}
		}
	}
	for _, namespace := range out.Namespaces {
		needs = append(needs, Binding{Role: RoleDiscovery, Namespace: namespace})
	}
	if len(needs) == 0 || !reach.allow(path.String(), needs...) {
		return nil, nil
	}
	return out, nil
}

// matching are the namespaces that a selector matches, sorted.
func matching(selector *metav1.LabelSelector, namespaceLabels map[string]map[string]string) ([]string, error) {
	compiled, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, namespace := range slices.Sorted(maps.Keys(namespaceLabels)) {
		if compiled.Matches(labels.Set(namespaceLabels[namespace])) {
			out = append(out, namespace)
		}
	}
	return out, nil
}

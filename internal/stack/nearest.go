package stack

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// maxMisses bounds the servers that are named to somebody whose object none selects.
const maxMisses = 3

// selectsNothing is how far a server is from any object that has no selector for the kind at all: farther than one whose
// selector differs in a few labels.
const selectsNothing = 100

// NearestToRule says, for an AlertRule that no server selects, what keeps the servers that come closest from it: label by
// label, namespace by namespace.
func NearestToRule(servers []v1alpha1.PrometheusServer, ar *v1alpha1.AlertRule, namespaceLabels map[string]map[string]string) []string {
	return nearest(servers, wanted{
		kind: "AlertRule", path: "spec.rules", labels: ar.Labels, namespace: ar.Namespace, namespaceLabels: namespaceLabels[ar.Namespace],
		selector: func(ps *v1alpha1.PrometheusServer) *v1alpha1.ObjectSelector { return ps.Spec.Rules },
	})
}

// NearestToExporter is NearestToRule for a NodeExporter.
func NearestToExporter(servers []v1alpha1.PrometheusServer, ne *v1alpha1.NodeExporter, namespaceLabels map[string]map[string]string) []string {
	return nearest(servers, wanted{
		kind: "NodeExporter", path: "spec.targets.nodeExporters", labels: ne.Labels, namespace: ne.Namespace, namespaceLabels: namespaceLabels[ne.Namespace],
		selector: NodeExporterSelector,
	})
}

// wanted is an object that a server should select.
type wanted struct {
	kind, path              string
	labels, namespaceLabels map[string]string
	namespace               string
	selector                func(*v1alpha1.PrometheusServer) *v1alpha1.ObjectSelector
}

func nearest(servers []v1alpha1.PrometheusServer, w wanted) []string {
	var misses []Miss
	for i := range servers {
		if m, missed := w.miss(&servers[i]); missed {
			misses = append(misses, m)
		}
	}
	return nearestTexts(misses)
}

// Miss is a server that does not select an object, and what keeps it from that.
type Miss struct {
	Namespace, Server string
	// Text goes on from the server's name.
	Text     string
	distance int
}

// nearestTexts sorts the misses and puts the first few into words.
func nearestTexts(misses []Miss) []string {
	slices.SortFunc(misses, func(a, b Miss) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Server, b.Server))
	})
	var out []string
	for _, m := range misses[:min(len(misses), maxMisses)] {
		out = append(out, "server "+m.Namespace+"/"+m.Server+" "+m.Text)
	}
	return out
}

// miss is what keeps a server from selecting the object, if anything does.
func (w wanted) miss(ps *v1alpha1.PrometheusServer) (m Miss, missed bool) {
	if ps.DeletionTimestamp != nil {
		return m, false
	}
	m = Miss{Namespace: ps.Namespace, Server: ps.Name, distance: selectsNothing,
		Text: fmt.Sprintf("selects no %ss: set %s.selector ({} is all of them)", w.kind, w.path)}
	if s := w.selector(ps); s != nil && s.Selector != nil {
		differences := w.differences(s, ps.Namespace)
		if len(differences) == 0 {
			return m, false
		}
		m.distance, m.Text = len(differences), strings.Join(differences, ", and ")
	}
	m.distance *= 2
	if ps.Namespace != w.namespace {
		m.distance++ // of two that are as near, the one beside the object
	}
	return m, true
}

// differences are what would have to change for a selector to take the object.
func (w wanted) differences(s *v1alpha1.ObjectSelector, home string) []string {
	out := labelled{what: "label", whose: "this", labels: w.labels}.unmet(s.Selector)
	switch {
	case s.NamespaceSelector == nil && w.namespace != home:
		out = append(out, fmt.Sprintf("selects %ss of its own namespace only; this is in %s: set %s.namespaceSelector", w.kind, w.namespace, w.path))
	case s.NamespaceSelector != nil:
		namespace := labelled{what: "namespaces with label", whose: "namespace " + w.namespace, labels: w.namespaceLabels}
		out = append(out, namespace.unmet(s.NamespaceSelector)...)
	}
	return out
}

// labelled is what a label selector looks at, and what to call it.
type labelled struct {
	// what the selector wants of it: a label, or namespaces with a label.
	what string
	// whose the labels are.
	whose  string
	labels map[string]string
}

// unmet are the requirements that the labels don't meet, in words.
func (l labelled) unmet(s *metav1.LabelSelector) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(s.MatchLabels)) {
		want := s.MatchLabels[key]
		switch value, ok := l.labels[key]; {
		case ok && value == want:
		case key == corev1.LabelMetadataName:
			out = append(out, fmt.Sprintf("wants namespace %s; this is in %s", want, l.labels[key]))
		default:
			out = append(out, fmt.Sprintf("wants %s %s=%s; %s", l.what, key, want, l.has(key)))
		}
	}
	for _, r := range s.MatchExpressions {
		if !l.meet(r) {
			out = append(out, l.wants(r)+"; "+l.has(r.Key))
		}
	}
	return out
}

// has is what there is of a label, in words.
func (l labelled) has(key string) string {
	if value, ok := l.labels[key]; ok {
		return fmt.Sprintf("%s has %s=%s", l.whose, key, value)
	}
	return fmt.Sprintf("%s has no label %s", l.whose, key)
}

// meet says whether the labels meet an expression. One that nobody knows is met: validation has more to say about it.
func (l labelled) meet(r metav1.LabelSelectorRequirement) bool {
	value, ok := l.labels[r.Key]
	switch r.Operator {
	case metav1.LabelSelectorOpIn:
		return ok && slices.Contains(r.Values, value)
	case metav1.LabelSelectorOpNotIn:
		return !ok || !slices.Contains(r.Values, value)
	case metav1.LabelSelectorOpExists:
		return ok
	case metav1.LabelSelectorOpDoesNotExist:
		return !ok
	}
	return true
}

// wants is an expression in words.
func (l labelled) wants(r metav1.LabelSelectorRequirement) string {
	list := strings.Join(r.Values, ", ")
	switch r.Operator {
	case metav1.LabelSelectorOpIn:
		return fmt.Sprintf("wants %s %s in (%s)", l.what, r.Key, list)
	case metav1.LabelSelectorOpNotIn:
		return fmt.Sprintf("wants %s %s not in (%s)", l.what, r.Key, list)
	case metav1.LabelSelectorOpDoesNotExist:
		return fmt.Sprintf("wants no %s %s", l.what, r.Key)
	}
	return fmt.Sprintf("wants %s %s", l.what, r.Key)
}

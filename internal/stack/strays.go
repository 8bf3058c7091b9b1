package stack

import (
	"cmp"
	"slices"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/monitors"
)

// Stray is an object of monitoring.coreos.com that no server selects, though there are servers that select others of its kind.
type Stray struct {
	Kind            monitors.Kind
	Namespace, Name string
	// Miss is what keeps the server that comes closest from selecting it.
	Miss string

	distance int
}

// Strays are those that come closer to one server than to any other.
type Strays struct {
	Count int
	// Nearest are some of them, those that miss by least first.
	Nearest []Stray
}

// maxNearest bounds Strays.Nearest.
const maxNearest = 5

// Add counts one more.
func (s *Strays) Add(stray Stray) {
	s.Count++
	i, _ := slices.BinarySearchFunc(s.Nearest, stray, func(a, b Stray) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	if i < maxNearest {
		s.Nearest = slices.Insert(s.Nearest, i, stray)
		s.Nearest = s.Nearest[:min(len(s.Nearest), maxNearest)]
	}
}

// Finder tells strays from what is selected.
type Finder struct {
	namespaceLabels map[string]map[string]string
	readers         map[monitors.Kind][]foreignReader
}

// foreignReader is a server that selects objects of a kind.
type foreignReader struct {
	server    *v1alpha1.PrometheusServer
	selection Selection
}

// NewFinder knows what these servers select. A kind that none of them selects has no strays: on a cluster where another
// operator has its objects, nobody has asked for them.
func NewFinder(servers []v1alpha1.PrometheusServer, namespaceLabels map[string]map[string]string) *Finder {
	f := &Finder{namespaceLabels: namespaceLabels, readers: map[monitors.Kind][]foreignReader{}}
	for i := range servers {
		ps := &servers[i]
		if ps.DeletionTimestamp != nil {
			continue
		}
		for _, kind := range append(monitorKinds(), monitors.PrometheusRuleKind) {
			selector, _ := ForeignSelector(ps, kind)
			if selector == nil || selector.Selector == nil {
				continue
			}
			if selection, errs := Selected(selector, ps.Namespace, nil); len(errs) == 0 {
				f.readers[kind] = append(f.readers[kind], foreignReader{ps, selection})
			}
		}
	}
	return f
}

// Kinds are those that a server selects, sorted.
func (f *Finder) Kinds() []monitors.Kind {
	var out []monitors.Kind
	for kind := range f.readers {
		out = append(out, kind)
	}
	slices.Sort(out)
	return out
}

// IsStray says whether an object of one of the kinds is selected by none.
func (f *Finder) IsStray(kind monitors.Kind, labels map[string]string, namespace string) bool {
	return !slices.ContainsFunc(f.readers[kind], func(r foreignReader) bool {
		return r.selection.Takes(labels, namespace, f.namespaceLabels)
	})
}

// Nearest is the server that comes closest to a stray, and what keeps it and the next ones from selecting it.
func (f *Finder) Nearest(kind monitors.Kind, labels map[string]string, namespace, name string) (first *v1alpha1.PrometheusServer, stray Stray, texts []string) {
	w := wanted{kind: string(kind), labels: labels, namespace: namespace, namespaceLabels: f.namespaceLabels[namespace]}
	w.selector = func(ps *v1alpha1.PrometheusServer) *v1alpha1.ObjectSelector {
		selector, _ := ForeignSelector(ps, kind)
		return selector
	}
	var misses []Miss
	for _, r := range f.readers[kind] {
		_, w.path = ForeignSelector(r.server, kind)
		if m, missed := w.miss(r.server); missed {
			misses = append(misses, m)
		}
	}
	if len(misses) == 0 {
		return nil, stray, nil
	}
	texts = nearestTexts(misses)
	for _, r := range f.readers[kind] {
		if r.server.Namespace == misses[0].Namespace && r.server.Name == misses[0].Server {
			first = r.server
		}
	}
	return first, Stray{Kind: kind, Namespace: namespace, Name: name, Miss: misses[0].Text, distance: misses[0].distance}, texts
}

// ForeignSelector is a server's selector for a kind of monitoring.coreos.com, nil where it has none, and its field.
func ForeignSelector(ps *v1alpha1.PrometheusServer, kind monitors.Kind) (selector *v1alpha1.ObjectSelector, path string) {
	if kind == monitors.PrometheusRuleKind {
		return ps.Spec.PrometheusRules, "spec.prometheusRules"
	}
	selector, name := MonitorSelector(ps, kind)
	return selector, "spec.targets." + name
}

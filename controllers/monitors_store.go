package controllers

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/hearth-monitoring/hearth/internal/monitors"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

var _ toolscache.ReflectorStore = (*monitorStore)(nil)

// monitorStore is where a watch leaves the monitors of one kind. It compiles them as they come, and keeps what they become
// instead of them. An object is read by itself: the list of a typed client fails for one that can't be read.
type monitorStore struct {
	watching
	// entries are behind all.mu.
	entries map[types.NamespacedName]monitorEntry
	// sorted are their monitors by namespace and name, nil when one has changed. It is never changed itself.
	sorted []*stack.Monitor
}

type monitorEntry struct {
	*stack.Monitor
	uid        types.UID
	generation int64
	created    time.Time
}

// Add is called by the watch.
func (s *monitorStore) Add(o any) error {
	u, ok := o.(*unstructured.Unstructured)
	if !ok {
		return fmt.Errorf("%T is not a monitor", o)
	}
	s.all.mu.Lock()
	before, known := s.entries[nameOf(u)]
	s.all.mu.Unlock()
	// Outside of the lock, because it takes a while. Only the watch writes.
	after := s.entry(u, before, known)
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	if known && same(before, after) {
		return nil // somebody wrote a status into it
	}
	s.entries[nameOf(u)], s.sorted = after, nil
	poke(s.all.changed)
	return nil
}

// Update is called by the watch.
func (s *monitorStore) Update(o any) error { return s.Add(o) }

// Delete is called by the watch.
func (s *monitorStore) Delete(o any) error {
	u, ok := o.(metav1.Object)
	if !ok {
		return fmt.Errorf("%T is not a monitor", o)
	}
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	delete(s.entries, nameOf(u))
	s.sorted = nil
	poke(s.all.changed)
	return nil
}

// Replace is called by the watch with what there is at its beginning.
func (s *monitorStore) Replace(list []any, _ string) error {
	s.all.mu.Lock()
	before := maps.Clone(s.entries)
	s.all.mu.Unlock()
	entries := make(map[types.NamespacedName]monitorEntry, len(list))
	for _, o := range list {
		if u, ok := o.(*unstructured.Unstructured); ok {
			known, is := before[nameOf(u)]
			entries[nameOf(u)] = s.entry(u, known, is)
		}
	}
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	s.entries, s.sorted, s.listed, s.err = entries, nil, true, nil
	poke(s.all.changed)
	return nil
}

// monitors are all there are, by namespace and name. It is called with the lock held.
func (s *monitorStore) monitors() []*stack.Monitor {
	if s.sorted == nil {
		for _, entry := range s.entries {
			s.sorted = append(s.sorted, entry.Monitor)
		}
		slices.SortFunc(s.sorted, func(a, b *stack.Monitor) int {
			return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
		})
	}
	return s.sorted
}

// Resync is called by nobody: there is no period for it.
func (s *monitorStore) Resync() error { return nil }

func nameOf(o metav1.Object) types.NamespacedName {
	return types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}
}

func same(a, b monitorEntry) bool {
	return a.uid == b.uid && a.generation == b.generation && maps.Equal(a.Labels, b.Labels)
}

// entry is what a monitor becomes. One that was compiled is not compiled again: others write statuses into it. Where its
// current version can't be, what was before stays.
func (s *monitorStore) entry(u *unstructured.Unstructured, before monitorEntry, known bool) monitorEntry {
	out := monitorEntry{uid: u.GetUID(), generation: u.GetGeneration(), created: u.GetCreationTimestamp().Time, Monitor: &stack.Monitor{
		Kind: s.kind, Namespace: u.GetNamespace(), Name: u.GetName(), Labels: u.GetLabels(),
		Created: u.GetCreationTimestamp(),
	}}
	known = known && before.uid == out.uid
	if known && before.generation == out.generation {
		out.Compiled, out.Problem = before.Compiled, before.Problem
		return out
	}
	compiled, problem := monitors.Compile(s.kind, u.Object)
	out.Compiled, out.Problem = compiled, problem
	if problem != "" && known {
		out.Compiled = before.Compiled
	}
	return out
}

package controllers

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/klauspost/compress/s2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/rules"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// ruleJudges is how many PrometheusRules are judged at once.
const ruleJudges = 2

var _ toolscache.TransformingStore = (*ruleStore)(nil)

// ruleStore is where the watch of PrometheusRules leaves them. There may be ten thousand: each is packed as it comes, judged
// beside the watch, and then only the verdict on it is kept. What is not judged yet stays as it is published.
type ruleStore struct {
	watching
	queue workqueue.TypedInterface[types.NamespacedName]

	// These are behind all.mu.
	entries map[types.NamespacedName]*ruleEntry
	// sorted is what the servers had last and is never changed; stale is what is another one by now.
	sorted []*stack.AlertRule
	stale  map[types.NamespacedName]bool
}

type ruleEntry struct {
	rule *stack.AlertRule
	// packed has the spec until it is judged.
	packed *v1alpha1.AlertRule
}

func newRuleStore(ctx context.Context, w watching) *ruleStore {
	s := &ruleStore{
		watching: w, queue: workqueue.NewTyped[types.NamespacedName](),
		entries: map[types.NamespacedName]*ruleEntry{}, stale: map[types.NamespacedName]bool{},
	}
	context.AfterFunc(ctx, s.queue.ShutDown)
	for range ruleJudges {
		go s.work()
	}
	return s
}

// Transformer has the watch hold no more of an object than Add keeps of it.
func (s *ruleStore) Transformer() toolscache.TransformFunc {
	return func(o any) (any, error) { return s.packed(o) }
}

// packed is a PrometheusRule as the AlertRule with the same groups, packed. Its fields are those of Prometheus' rule files,
// and so are an AlertRule's; what can't be read is for the verdict to say.
func (s *ruleStore) packed(o any) (*v1alpha1.AlertRule, error) {
	if ar, ok := o.(*v1alpha1.AlertRule); ok {
		return ar, nil
	}
	u, ok := o.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("%T is not a PrometheusRule", o)
	}
	groups, _, err := unstructured.NestedFieldNoCopy(u.Object, "spec", "groups")
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(map[string]any{"groups": groups})
	if err != nil {
		return nil, err
	}
	return &v1alpha1.AlertRule{ObjectMeta: metav1.ObjectMeta{
		Namespace: u.GetNamespace(), Name: u.GetName(), UID: u.GetUID(), Generation: u.GetGeneration(), Labels: u.GetLabels(),
		ResourceVersion: u.GetResourceVersion(), CreationTimestamp: u.GetCreationTimestamp(), Annotations: map[string]string{packedSpec: string(s2.Encode(nil, text))},
	}}, nil
}

// Add is called by the watch.
func (s *ruleStore) Add(o any) error {
	ar, err := s.packed(o)
	if err != nil {
		return err
	}
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	name := nameOf(ar)
	before := s.entries[name]
	after := s.entry(ar, before)
	s.entries[name] = after
	// Until there is a verdict on it nothing has changed.
	if after.packed == nil && !maps.Equal(before.rule.Labels, after.rule.Labels) {
		s.changed(name)
	}
	return nil
}

// entry is that of a newer version of an object. Unless its spec has changed too, the verdict on it stays.
func (s *ruleStore) entry(ar *v1alpha1.AlertRule, before *ruleEntry) *ruleEntry {
	out := &ruleEntry{packed: ar, rule: &stack.AlertRule{
		Namespace: ar.Namespace, Name: ar.Name, UID: string(ar.UID), Generation: ar.Generation, Labels: ar.Labels,
		Created: ar.CreationTimestamp,
	}}
	if before != nil && before.packed == nil && before.rule.UID == out.rule.UID && before.rule.Generation == out.rule.Generation {
		rule := *before.rule
		rule.Labels = ar.Labels
		return &ruleEntry{rule: &rule}
	}
	s.queue.Add(nameOf(ar))
	return out
}

// changed is called with the lock held.
func (s *ruleStore) changed(name types.NamespacedName) {
	s.stale[name] = true
	s.all.verdicts.Touch()
	poke(s.all.changed)
}

// Update is called by the watch.
func (s *ruleStore) Update(o any) error { return s.Add(o) }

// Delete is called by the watch.
func (s *ruleStore) Delete(o any) error {
	gone, ok := o.(metav1.Object)
	if !ok {
		return fmt.Errorf("%T is not a PrometheusRule", o)
	}
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	delete(s.entries, nameOf(gone))
	s.changed(nameOf(gone))
	return nil
}

// Replace is called by the watch with what there is at its beginning.
func (s *ruleStore) Replace(list []any, _ string) error {
	packed := make([]*v1alpha1.AlertRule, 0, len(list))
	for _, o := range list {
		if ar, err := s.packed(o); err == nil {
			packed = append(packed, ar)
		}
	}
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	entries := make(map[types.NamespacedName]*ruleEntry, len(packed))
	for _, ar := range packed {
		entries[nameOf(ar)] = s.entry(ar, s.entries[nameOf(ar)])
	}
	s.entries, s.sorted, s.listed, s.err = entries, nil, true, nil
	s.all.verdicts.Touch()
	poke(s.all.changed)
	return nil
}

// Resync is called by nobody: there is no period for it.
func (s *ruleStore) Resync() error { return nil }

// work judges what comes until the queue is shut down.
func (s *ruleStore) work() {
	for {
		name, shutdown := s.queue.Get()
		if shutdown {
			return
		}
		s.judge(name)
		s.queue.Done(name)
	}
}

func (s *ruleStore) judge(name types.NamespacedName) {
	s.all.mu.Lock()
	entry := s.entries[name]
	s.all.mu.Unlock()
	if entry == nil || entry.packed == nil {
		return
	}
	problem, file := s.verdict(entry.packed.DeepCopy())
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	if s.entries[name] != entry {
		return // there is a newer one, and it is in the queue
	}
	judged := *entry.rule
	judged.Judged, judged.Problem, judged.File = true, problem, file
	entry.packed, entry.rule = nil, &judged
	s.changed(name)
}

// verdict is why a PrometheusRule must not be loaded, or else the file it becomes.
func (s *ruleStore) verdict(ar *v1alpha1.AlertRule) (string, bundle.File) {
	if err := unpack(ar); err != nil {
		return fmt.Sprintf("spec.groups: %v", err), bundle.File{}
	}
	// Whom to tell of them there is not: its status is somebody else's.
	ar.Spec.MissingMetrics = v1alpha1.MissingMetricsIgnore
	verdict := rules.JudgePrometheusRule(ar)
	if problem := verdict.Problem(); problem != "" {
		return problem, bundle.File{}
	}
	content := bundle.NewContent(verdict.File.Text)
	return "", bundle.File{Path: verdict.File.Path, Content: content, Rules: verdict.File.Rules}
}

// rules are all there are, by namespace and name. It is called with the lock held.
func (s *ruleStore) rules() []*stack.AlertRule {
	switch {
	case s.sorted == nil || len(s.stale) > maxChanges:
		s.sorted = make([]*stack.AlertRule, 0, len(s.entries))
		for _, entry := range s.entries {
			s.sorted = append(s.sorted, entry.rule)
		}
		slices.SortFunc(s.sorted, func(a, b *stack.AlertRule) int {
			return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
		})
	case len(s.stale) > 0:
		s.sorted = slices.Clone(s.sorted)
		for name := range s.stale {
			var now []*stack.AlertRule // none, if it is gone
			if entry := s.entries[name]; entry != nil {
				now = append(now, entry.rule)
			}
			i, found := slices.BinarySearchFunc(s.sorted, name, compareNames)
			end := i
			if found {
				end++
			}
			s.sorted = slices.Replace(s.sorted, i, end, now...)
		}
	}
	clear(s.stale)
	return s.sorted
}

package controllers

import (
	"context"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/ruletest"
)

// How many AlertRules' tests run side by side, and how many of those are of one namespace: there is always a place that one
// tenant's slow tests can't take from the others.
const (
	testsAtOnce       = 2
	testsPerNamespace = 1
)

// Tests has the unit tests of AlertRules run beside the reconcilers: tests may take seconds, and no other AlertRule waits
// for them. Namespaces take turns.
type Tests struct {
	ctx    context.Context
	events chan event.GenericEvent
	test   func(context.Context, *v1alpha1.AlertRule) ruletest.Result

	mu   sync.Mutex
	runs map[types.NamespacedName]*testRun
	// waiting are the runs that have not begun, by namespace; turns are those namespaces, the next first.
	waiting map[string][]*testRun
	turns   []string
	// running counts those that have begun, by namespace, and atOnce all of them.
	running map[string]int
	atOnce  int
}

// testRun is the run of one generation.
type testRun struct {
	ctx        context.Context
	ar         *v1alpha1.AlertRule
	uid        types.UID
	generation int64
	stop       context.CancelFunc
	result     *ruletest.Result // nil while it goes on
}

// NewTests runs tests until ctx ends.
func NewTests(ctx context.Context) *Tests {
	return newTests(ctx, func(ctx context.Context, ar *v1alpha1.AlertRule) ruletest.Result {
		return ruletest.Run(ctx, ar, ruletest.DefaultLimits())
	})
}

func newTests(ctx context.Context, test func(context.Context, *v1alpha1.AlertRule) ruletest.Result) *Tests {
	return &Tests{ctx: ctx, test: test, events: make(chan event.GenericEvent, 1024), runs: map[types.NamespacedName]*testRun{},
		waiting: map[string][]*testRun{}, running: map[string]int{}}
}

// Events has an AlertRule whenever its tests are done.
func (t *Tests) Events() <-chan event.GenericEvent { return t.events }

// Take is the result for this generation of an AlertRule of the cache, once: who takes it keeps it. It is nil while the
// tests run, and if they don't yet, they begin when it is their turn. A run of an earlier generation is stopped.
func (t *Tests) Take(ar *v1alpha1.AlertRule) *ruletest.Result {
	rule := client.ObjectKeyFromObject(ar)
	t.mu.Lock()
	defer t.mu.Unlock()
	if run, ok := t.runs[rule]; ok {
		if run.uid == ar.UID && run.generation == ar.Generation {
			if run.result != nil {
				delete(t.runs, rule)
			}
			return run.result
		}
		run.stop()
	}
	ctx, stop := context.WithCancel(t.ctx)
	run := &testRun{ctx: ctx, ar: ar.DeepCopy(), uid: ar.UID, generation: ar.Generation, stop: stop}
	t.runs[rule] = run
	if len(t.waiting[ar.Namespace]) == 0 {
		t.turns = append(t.turns, ar.Namespace)
	}
	t.waiting[ar.Namespace] = append(t.waiting[ar.Namespace], run)
	t.begin()
	return nil
}

// begin begins what may be begun; t.mu is held.
func (t *Tests) begin() {
	for t.atOnce < testsAtOnce {
		i := slices.IndexFunc(t.turns, func(namespace string) bool { return t.running[namespace] < testsPerNamespace })
		if i < 0 {
			return
		}
		namespace := t.turns[i]
		t.turns = slices.Delete(t.turns, i, i+1)
		run := t.waiting[namespace][0]
		if t.waiting[namespace] = t.waiting[namespace][1:]; len(t.waiting[namespace]) > 0 {
			t.turns = append(t.turns, namespace)
		} else {
			delete(t.waiting, namespace)
		}
		if run.ctx.Err() != nil {
			continue // Nobody asks for this generation any more.
		}
		t.running[namespace]++
		t.atOnce++
		go t.run(run)
	}
}

// Forget stops the tests of an AlertRule that is gone.
func (t *Tests) Forget(rule types.NamespacedName) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if run, ok := t.runs[rule]; ok {
		run.stop()
		delete(t.runs, rule)
	}
}

func (t *Tests) run(run *testRun) {
	defer run.stop()
	result := t.test(run.ctx, run.ar)
	t.mu.Lock()
	namespace := run.ar.Namespace
	t.atOnce--
	if t.running[namespace]--; t.running[namespace] == 0 {
		delete(t.running, namespace)
	}
	t.begin()
	stopped := run.ctx.Err() != nil // Nobody asks for this generation any more.
	if !stopped {
		run.result = &result
	}
	t.mu.Unlock()
	if stopped {
		return
	}
	object := &v1alpha1.AlertRule{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: run.ar.Name}}
	select {
	case t.events <- event.GenericEvent{Object: object}:
	case <-t.ctx.Done():
	}
}

package controllers

import (
	"context"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/ruletest"
)

// Tests has the unit tests of AlertRules run beside the reconcilers: tests may take seconds, and no other AlertRule waits
// for them.
type Tests struct {
	ctx    context.Context
	events chan event.GenericEvent

	mu   sync.Mutex
	runs map[types.NamespacedName]*testRun
}

// testRun is the run of one generation.
type testRun struct {
	uid        types.UID
	generation int64
	stop       context.CancelFunc
	result     *ruletest.Result // nil while it goes on
}

// NewTests runs tests until ctx ends.
func NewTests(ctx context.Context) *Tests {
	return &Tests{ctx: ctx, events: make(chan event.GenericEvent, 1024), runs: map[types.NamespacedName]*testRun{}}
}

// Events has an AlertRule whenever its tests are done.
func (t *Tests) Events() <-chan event.GenericEvent { return t.events }

// Take is the result for this generation of an AlertRule of the cache, once: who takes it keeps it. It is nil while the
// tests run, and if they don't yet, they begin. A run of an earlier generation is stopped.
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
	run := &testRun{uid: ar.UID, generation: ar.Generation, stop: stop}
	t.runs[rule] = run
	go t.run(ctx, run, ar.DeepCopy())
	return nil
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

func (t *Tests) run(ctx context.Context, run *testRun, ar *v1alpha1.AlertRule) {
	defer run.stop()
	result := ruletest.Run(ctx, ar, ruletest.DefaultLimits())
	if ctx.Err() != nil {
		return // Nobody asks for this generation any more.
	}
	t.mu.Lock()
	run.result = &result
	t.mu.Unlock()
	object := &v1alpha1.AlertRule{ObjectMeta: metav1.ObjectMeta{Namespace: ar.Namespace, Name: ar.Name}}
	select {
	case t.events <- event.GenericEvent{Object: object}:
	case <-ctx.Done():
	}
}

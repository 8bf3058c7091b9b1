package controllers

import (
	"context"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// Ledger is what the servers' reconciler tells the AlertRules' one: which generation of a rule a server has published, and
// whether its replicas have loaded that. It is kept in memory because it follows from objects of the cluster; after a
// start, each server's first reconcile fills it again.
type Ledger struct {
	events chan event.GenericEvent

	mu      sync.Mutex
	servers map[types.NamespacedName]map[types.NamespacedName]Entry
}

// Entry is what a server has of one AlertRule.
type Entry struct {
	// Generation the server has judged.
	Generation int64
	// Revision of the server's configuration in which that generation first was.
	Revision int64
	// Loaded is true when every replica runs Revision or a later one.
	Loaded bool
	// LastGood is true when the generation is invalid and an earlier one is loaded instead.
	LastGood bool
	// Problem is why the generation is not in the configuration.
	Problem string
}

// NewLedger is an empty ledger.
func NewLedger() *Ledger {
	return &Ledger{
		events:  make(chan event.GenericEvent, 1024),
		servers: map[types.NamespacedName]map[types.NamespacedName]Entry{},
	}
}

// Events has an AlertRule whenever a server's entry for it changes.
func (l *Ledger) Events() <-chan event.GenericEvent { return l.events }

// Of is the entry of a server for a rule, and whether there is one.
func (l *Ledger) Of(server, rule types.NamespacedName) (Entry, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	entry, ok := l.servers[server][rule]
	return entry, ok
}

// Knows says whether a server's entries are known. They are not right after a start.
func (l *Ledger) Knows(server types.NamespacedName) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.servers[server]
	return ok
}

// Set replaces the entries of a server: these verdicts are published as this revision, and every replica runs at least
// the revision loaded.
func (l *Ledger) Set(ctx context.Context, server types.NamespacedName, verdicts []stack.Verdict, revision, loaded int64) {
	l.mu.Lock()
	before := l.servers[server]
	now := make(map[types.NamespacedName]Entry, len(verdicts))
	for _, v := range verdicts {
		rule := types.NamespacedName{Namespace: v.Namespace, Name: v.Name}
		entry := Entry{Generation: v.Generation, Revision: revision, LastGood: v.LastGood, Problem: v.Problem}
		if known, ok := before[rule]; ok && known.Generation == v.Generation && known.Problem == v.Problem {
			entry.Revision = known.Revision
		}
		entry.Loaded = entry.Problem == "" && loaded >= entry.Revision
		now[rule] = entry
	}
	l.servers[server] = now
	l.mu.Unlock()
	l.tell(ctx, before, now)
}

// Forget removes a server that is gone.
func (l *Ledger) Forget(ctx context.Context, server types.NamespacedName) {
	l.mu.Lock()
	before := l.servers[server]
	delete(l.servers, server)
	l.mu.Unlock()
	l.tell(ctx, before, nil)
}

// tell waits where the queue of events is full, which ends with ctx.
func (l *Ledger) tell(ctx context.Context, before, now map[types.NamespacedName]Entry) {
	send := func(rule types.NamespacedName) {
		object := &v1alpha1.AlertRule{ObjectMeta: metav1.ObjectMeta{Namespace: rule.Namespace, Name: rule.Name}}
		select {
		case l.events <- event.GenericEvent{Object: object}:
		case <-ctx.Done():
		}
	}
	for rule, entry := range now {
		if known, ok := before[rule]; !ok || known != entry {
			send(rule)
		}
	}
	for rule := range before {
		if _, ok := now[rule]; !ok {
			send(rule)
		}
	}
}

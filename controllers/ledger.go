package controllers

import (
	"context"
	"sync"
	"time"

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
	servers map[types.NamespacedName]*account
}

// account is the entries of one server. A revision concerns one rule among ten thousand, so only what is new is looked at.
type account struct {
	verdicts []stack.Verdict // that the entries were made from
	entries  map[types.NamespacedName]Entry
	// waiting are the rules that are published and that not every replica has loaded.
	waiting map[types.NamespacedName]bool
}

// Entry is what a server has of one AlertRule.
type Entry struct {
	// Generation the server has judged.
	Generation int64
	// Revision of the server's configuration in which that generation first was.
	Revision int64
	// Loaded is true once every replica ran Revision or a later one. It stays so: that a replica is restarted is for the
	// server's status to say, and would be said in ten thousand others too.
	Loaded bool
	// LoadedAt is when that was heard of.
	LoadedAt time.Time
	// Refused is true while a replica can't load what it is in, and it is not loaded.
	Refused bool
	// LastGood is true when the generation is invalid and an earlier one is loaded instead.
	LastGood bool
	// Problem is why the generation is not in the configuration.
	Problem string
}

// NewLedger is an empty ledger.
func NewLedger() *Ledger {
	return &Ledger{events: make(chan event.GenericEvent, 1024), servers: map[types.NamespacedName]*account{}}
}

// Events has an AlertRule whenever a server's entry for it changes.
func (l *Ledger) Events() <-chan event.GenericEvent { return l.events }

// Of is the entry of a server for a rule, and whether there is one.
func (l *Ledger) Of(server, rule types.NamespacedName) (Entry, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, ok := l.servers[server]
	if !ok {
		return Entry{}, false
	}
	entry, ok := a.entries[rule]
	return entry, ok
}

// Knows says whether a server's entries are known. They are not right after a start.
func (l *Ledger) Knows(server types.NamespacedName) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.servers[server]
	return ok
}

// Set makes these verdicts the entries of a server: they are published as this revision, and every replica runs at least
// the revision loaded. The verdicts must not be changed afterwards.
func (l *Ledger) Set(ctx context.Context, server types.NamespacedName, verdicts []stack.Verdict, revision, loaded int64) {
	l.mu.Lock()
	a, ok := l.servers[server]
	if !ok {
		a = &account{entries: map[types.NamespacedName]Entry{}, waiting: map[types.NamespacedName]bool{}}
		l.servers[server] = a
	}
	changed := map[types.NamespacedName]bool{}
	if !ok || !sameVerdicts(a.verdicts, verdicts) {
		a.set(verdicts, revision, changed)
	}
	a.load(loaded, changed)
	l.mu.Unlock()
	l.tell(ctx, changed)
}

// Refuse notes whether a replica of a server can't load what is published. All that waits to be loaded waits for that.
func (l *Ledger) Refuse(ctx context.Context, server types.NamespacedName, refused bool) {
	l.mu.Lock()
	changed := map[types.NamespacedName]bool{}
	if a, ok := l.servers[server]; ok {
		for rule := range a.waiting {
			if entry := a.entries[rule]; entry.Refused != refused {
				entry.Refused = refused
				a.entries[rule], changed[rule] = entry, true
			}
		}
	}
	l.mu.Unlock()
	l.tell(ctx, changed)
}

// Forget removes a server that is gone.
func (l *Ledger) Forget(ctx context.Context, server types.NamespacedName) {
	l.mu.Lock()
	changed := map[types.NamespacedName]bool{}
	if a, ok := l.servers[server]; ok {
		for rule := range a.entries {
			changed[rule] = true
		}
	}
	delete(l.servers, server)
	l.mu.Unlock()
	l.tell(ctx, changed)
}

func sameVerdicts(a, b []stack.Verdict) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

func (a *account) set(verdicts []stack.Verdict, revision int64, changed map[types.NamespacedName]bool) {
	gone, came := differing(a.verdicts, verdicts)
	a.verdicts = verdicts
	for i := range came {
		v := &came[i]
		rule := judgedRule(v)
		known, ok := a.entries[rule]
		if v.Pending {
			// Nothing is said of a generation before there is a verdict on it.
			if !ok {
				a.entries[rule] = Entry{}
			}
			continue
		}
		if ok && known.Generation == v.Generation && known.Problem == v.Problem && known.LastGood == v.LastGood {
			continue
		}
		entry := Entry{Generation: v.Generation, Revision: revision, LastGood: v.LastGood, Problem: v.Problem}
		a.entries[rule], changed[rule] = entry, true
		a.wait(rule, v.Problem == "")
	}
	a.drop(gone, came, changed)
}

// differing are those parts of two lists between the first and the last verdict that differ.
func differing(a, b []stack.Verdict) (gone, came []stack.Verdict) {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return a, b
}

func (a *account) wait(rule types.NamespacedName, is bool) {
	if is {
		a.waiting[rule] = true
	} else {
		delete(a.waiting, rule)
	}
}

// drop removes what there is no verdict on any more.
func (a *account) drop(gone, came []stack.Verdict, changed map[types.NamespacedName]bool) {
	left := make(map[types.NamespacedName]bool, len(came))
	for i := range came {
		left[judgedRule(&came[i])] = true
	}
	for i := range gone {
		if rule := judgedRule(&gone[i]); !left[rule] {
			delete(a.entries, rule)
			delete(a.waiting, rule)
			changed[rule] = true
		}
	}
}

// judgedRule is the AlertRule that a verdict is on.
func judgedRule(v *stack.Verdict) types.NamespacedName {
	return types.NamespacedName{Namespace: v.Namespace, Name: v.Name}
}

// load notes what every replica has loaded.
func (a *account) load(loaded int64, changed map[types.NamespacedName]bool) {
	for rule := range a.waiting {
		entry := a.entries[rule]
		if loaded < entry.Revision {
			continue
		}
		entry.Loaded, entry.LoadedAt, entry.Refused = true, time.Now(), false
		a.entries[rule], changed[rule] = entry, true
		delete(a.waiting, rule)
	}
}

// tell waits where the queue of events is full, which ends with ctx.
func (l *Ledger) tell(ctx context.Context, changed map[types.NamespacedName]bool) {
	for rule := range changed {
		object := &v1alpha1.AlertRule{ObjectMeta: metav1.ObjectMeta{Namespace: rule.Namespace, Name: rule.Name}}
		select {
		case l.events <- event.GenericEvent{Object: object}:
		case <-ctx.Done():
			return
		}
	}
}

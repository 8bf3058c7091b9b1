package controllers

import (
	"context"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/hearth-monitoring/hearth/admission"
	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/amconfig"
	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/rules"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/status"
	"github.com/hearth-monitoring/hearth/ruletest"
)

// Verdicts is what the AlertRules' reconciler tells the servers' one: whether the newest generation of each AlertRule can
// be loaded, and the file it becomes. Each generation is judged once, whatever number of servers select it. It is kept in
// memory because it follows from the objects; after a start it fills again, and until then what is published stays.
type Verdicts struct {
	events chan event.GenericEvent
	recent *admission.Recent

	mu      sync.Mutex
	rules   map[types.NamespacedName]Verdict
	arrived map[types.NamespacedName]arrival
	version uint64
	changes changes
}

// Verdict is the one on one generation of an AlertRule.
type Verdict struct {
	UID        types.UID
	Generation int64
	// Rules is the number of rules in the spec.
	Rules int
	// Problem is why this generation must not be loaded, empty if it may.
	Problem string
	// Warnings are doubts about it, which keep it from nothing.
	Warnings []string
	// Tests is how its unit tests went. Those that fail are a Problem too.
	Tests status.Tests
	// File is what it becomes, if it may be loaded.
	File bundle.File
	// Routing is what it says about receivers and routes, nil for nothing.
	Routing *amconfig.Contribution
}

// arrival is when a generation was first heard of.
type arrival struct {
	generation int64
	at         time.Time
}

// NewVerdicts is a store without verdicts, which need not judge what recent has.
func NewVerdicts(recent *admission.Recent) *Verdicts {
	return &Verdicts{
		events:  make(chan event.GenericEvent, 1024),
		recent:  recent,
		rules:   map[types.NamespacedName]Verdict{},
		arrived: map[types.NamespacedName]arrival{},
	}
}

// Events has an AlertRule whenever there is a verdict on it.
func (v *Verdicts) Events() <-chan event.GenericEvent { return v.events }

// Of is the verdict on exactly this generation of an AlertRule, and whether there is one.
func (v *Verdicts) Of(ar *v1alpha1.AlertRule) (Verdict, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.of(ar)
}

func (v *Verdicts) of(ar *v1alpha1.AlertRule) (Verdict, bool) {
	verdict, ok := v.rules[client.ObjectKeyFromObject(ar)]
	return verdict, ok && verdict.UID == ar.UID && verdict.Generation == ar.Generation
}

// Judge is the verdict on an AlertRule that has its spec. It takes a few milliseconds.
func (v *Verdicts) Judge(ar *v1alpha1.AlertRule) Verdict {
	out := Verdict{UID: ar.UID, Generation: ar.Generation, Rules: rules.Count(&ar.Spec), Routing: amconfig.Contribute(ar)}
	judged := v.recent.Take(ar)
	out.Problem, out.Warnings = judged.Problem(), judged.Warnings
	if out.Problem == "" {
		out.File = bundle.File{Path: judged.File.Path, Content: bundle.NewContent(judged.File.Text), Rules: judged.File.Rules}
	}
	return out
}

// tested adds how the unit tests went. Rules that don't do what their author says they do are not loaded.
func (v *Verdict) tested(result *ruletest.Result) {
	v.Tests = status.Tests{Count: result.Tests, Failures: result.Failures}
	if !result.Passed {
		v.Problem = strings.Join(result.Failures, "\n")
		v.File = bundle.File{}
	}
}

// Set makes a verdict known, and has the servers look that select the AlertRule.
func (v *Verdicts) Set(ctx context.Context, ar *v1alpha1.AlertRule, verdict Verdict) {
	v.mu.Lock()
	v.rules[client.ObjectKeyFromObject(ar)] = verdict
	v.changed(client.ObjectKeyFromObject(ar))
	v.mu.Unlock()
	select {
	case v.events <- event.GenericEvent{Object: ar}:
	case <-ctx.Done():
	}
}

// Forget removes the verdict on an AlertRule that is gone.
func (v *Verdicts) Forget(rule types.NamespacedName) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.rules, rule)
	delete(v.arrived, rule)
	v.changed(rule)
}

// changed is noted with the lock held.
func (v *Verdicts) changed(rule types.NamespacedName) {
	v.version++
	v.changes.note(v.version, rule)
}

// ChangedSince are the AlertRules that were judged or touched after a version, some perhaps twice, and whether that is
// still known.
func (v *Verdicts) ChangedSince(version uint64) ([]types.NamespacedName, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.changes.since(version)
}

// TouchRule says that something of an AlertRule has changed that decides what is loaded: a label, or that it is gone.
func (v *Verdicts) TouchRule(rule client.Object) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.changed(client.ObjectKeyFromObject(rule))
}

// Touch says that something else has changed that decides what is loaded, such as a label of a namespace.
func (v *Verdicts) Touch() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.version++
}

// Version differs whenever something was judged or touched in between.
func (v *Verdicts) Version() uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.version
}

// Judged are AlertRules with the verdicts on them, in the same order. Those that are being deleted are left out.
func (v *Verdicts) Judged(all []v1alpha1.AlertRule) []*stack.AlertRule {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := make([]*stack.AlertRule, 0, len(all))
	for i := range all {
		ar := &all[i]
		if ar.DeletionTimestamp != nil {
			continue
		}
		verdict, judged := v.of(ar)
		if !judged {
			verdict = Verdict{}
		}
		out = append(out, &stack.AlertRule{
			Namespace: ar.Namespace, Name: ar.Name, UID: string(ar.UID), Generation: ar.Generation, Labels: ar.Labels,
			Judged: judged, Problem: verdict.Problem, File: verdict.File,
			Created: ar.CreationTimestamp, Routing: verdict.Routing,
		})
	}
	return out
}

// arrive notes that a generation was heard of now.
func (v *Verdicts) arrive(ar client.Object) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.arrived[client.ObjectKeyFromObject(ar)] = arrival{generation: ar.GetGeneration(), at: time.Now()}
}

// takeArrival is when a generation was first heard of, if it was while this process runs and nobody has asked before.
func (v *Verdicts) takeArrival(rule types.NamespacedName, generation int64) (time.Time, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	a, ok := v.arrived[rule]
	if !ok || a.generation != generation {
		return time.Time{}, false
	}
	delete(v.arrived, rule)
	return a.at, true
}

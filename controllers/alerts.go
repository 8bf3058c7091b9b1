package controllers

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/replica"
)

// What servers say about the alerts of an AlertRule changes all the time, and each word of it in a status is a write. So it
// is passed on with these manners: that alerts begin or end, or that an evaluation fails or no longer does, at once, but
// not more often than every alertsFlap; any other number or text every alertsSettle; and for all AlertRules together not
// more than alertsBurst every alertsPause.
const (
	alertsFlap   = 10 * time.Second
	alertsSettle = time.Minute
	alertsPause  = 100 * time.Millisecond
	alertsBurst  = 10
)

// RuleAlerts is what a server says of one AlertRule. Where replicas differ it is the most that one of them says; what shards
// say adds up, because each has alerts of its own.
type RuleAlerts struct {
	Firing, Pending int32
	// Error is why the last evaluation of one of the rules failed, empty if it did not.
	Error string
	// Missing are the rules that can't return anything for want of metrics, a line each, as far as all replicas say so.
	Missing string
}

// turned says that something began or ended.
func (a RuleAlerts) turned(b RuleAlerts) bool {
	return (a.Firing == 0) != (b.Firing == 0) || (a.Pending == 0) != (b.Pending == 0) || (a.Error == "") != (b.Error == "") ||
		(a.Missing == "") != (b.Missing == "")
}

// Alerts is what the servers' replicas say about the alerts of AlertRules, as far as it has been passed on.
type Alerts struct {
	events chan event.GenericEvent
	wake   chan struct{}
	now    func() time.Time

	mu      sync.Mutex
	servers map[types.NamespacedName]*saidAlerts
}

type saidAlerts struct {
	// known is true once a replica has reported.
	known bool
	// missingKnown is true while a replica of each shard knows which metrics are missing. One that was just started doesn't, and
	// what was said before stays.
	missingKnown bool

	shards []shardReports // those that now is made of
	now    map[types.NamespacedName]RuleAlerts
	told   map[types.NamespacedName]told // what those AlertRules know that have asked
	untold map[types.NamespacedName]bool // where the two differ
}

type told struct {
	RuleAlerts
	at time.Time // zero for what they learned when they asked
}

// NewAlerts passes on what it is told until ctx ends.
func NewAlerts(ctx context.Context) *Alerts {
	a := newAlerts(time.Now)
	go a.run(ctx)
	return a
}

func newAlerts(now func() time.Time) *Alerts {
	return &Alerts{
		events: make(chan event.GenericEvent, 64), wake: make(chan struct{}, 1), now: now,
		servers: map[types.NamespacedName]*saidAlerts{},
	}
}

// Events has an AlertRule whenever there is something new to say of it.
func (a *Alerts) Events() <-chan event.GenericEvent { return a.events }

// Of is what a server says of an AlertRule. Until it has said anything, right after the operator was started, that is what
// the AlertRule's status says. Who has asked is told of what changes.
func (a *Alerts) Of(server, rule types.NamespacedName, before RuleAlerts) RuleAlerts {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.of(server)
	known, asked := s.told[rule]
	if !asked {
		known = told{RuleAlerts: before}
		if s.known {
			known = told{RuleAlerts: s.said(rule, before)}
		}
		s.told[rule] = known
	}
	return known.RuleAlerts
}

// said is what is to be said of an AlertRule of which this was said before.
func (s *saidAlerts) said(rule types.NamespacedName, before RuleAlerts) RuleAlerts {
	now := s.now[rule]
	if !s.missingKnown {
		now.Missing = before.Missing
	}
	return now
}

func (a *Alerts) of(server types.NamespacedName) *saidAlerts {
	s, ok := a.servers[server]
	if !ok {
		s = &saidAlerts{told: map[types.NamespacedName]told{}}
		a.servers[server] = s
	}
	return s
}

// shardReports are those of the replicas of one shard.
type shardReports []*replica.Report

func knowsMetrics(r *replica.Report) bool { return r.MetricsKnown }

// Set takes the reports of a server's replicas, by shard. While none of a shard is of a server that is ready, what it said stays.
func (a *Alerts) Set(server types.NamespacedName, shards []shardReports) {
	shards = slices.Clone(shards)
	silent := 0
	for i := range shards {
		shards[i] = slices.DeleteFunc(slices.Clone(shards[i]), func(r *replica.Report) bool { return r == nil || !r.Ready })
		if len(shards[i]) == 0 {
			silent++
		}
	}
	if silent == len(shards) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.of(server)
	for i := range shards {
		if len(shards[i]) == 0 && i < len(s.shards) {
			shards[i] = s.shards[i]
		}
	}
	if slices.EqualFunc(s.shards, shards, slices.Equal[shardReports]) {
		return
	}
	s.known, s.shards, s.now, s.untold = true, shards, merged(shards), map[types.NamespacedName]bool{}
	s.missingKnown = !slices.ContainsFunc(shards, func(reports shardReports) bool { return !slices.ContainsFunc(reports, knowsMetrics) })
	for rule, was := range s.told {
		if was.RuleAlerts != s.said(rule, was.RuleAlerts) {
			s.untold[rule] = true
		}
	}
	a.poke()
}

// Forget removes a server that is gone. That it is gone, its AlertRules learn elsewhere.
func (a *Alerts) Forget(server types.NamespacedName) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.servers, server)
}

// ForgetRule removes an AlertRule that is gone.
func (a *Alerts) ForgetRule(rule types.NamespacedName) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.servers {
		delete(s.told, rule)
		delete(s.untold, rule)
	}
}

func merged(shards []shardReports) map[types.NamespacedName]RuleAlerts {
	out := map[types.NamespacedName]RuleAlerts{}
	all := slices.Concat(shards...)
	for _, reports := range shards {
		for rule, said := range reports.merged(all) {
			sum, seen := out[rule]
			said.Firing, said.Pending = said.Firing+sum.Firing, said.Pending+sum.Pending
			if seen {
				said.Error, said.Missing = cmp.Or(sum.Error, said.Error), sum.Missing
			}
			out[rule] = said
		}
	}
	return out
}

// merged is what the replicas of one shard say; all are those of all shards.
func (reports shardReports) merged(all shardReports) map[types.NamespacedName]RuleAlerts {
	out := map[types.NamespacedName]RuleAlerts{}
	for _, report := range reports {
		for i := range report.AlertRules {
			r := &report.AlertRules[i]
			namespace, name, ok := strings.Cut(r.Name, "/")
			if !ok {
				continue
			}
			key := types.NamespacedName{Namespace: namespace, Name: name}
			now, seen := out[key]
			now.Firing, now.Pending = max(now.Firing, int32(r.Firing)), max(now.Pending, int32(r.Pending))
			now.Error = cmp.Or(now.Error, r.Error)
			if !seen {
				now.Missing = all.missing(r.Name)
			}
			out[key] = now
		}
	}
	return out
}

// missing is what an AlertRule lacks on every replica that knows: what one of them has can be returned.
func (reports shardReports) missing(rule string) string {
	var out []string
	first := true
	for _, report := range reports {
		if !report.MetricsKnown {
			continue
		}
		var lacks []string
		if i, found := slices.BinarySearchFunc(report.AlertRules, rule, func(r replica.AlertRule, name string) int {
			return strings.Compare(r.Name, name)
		}); found {
			lacks = report.AlertRules[i].Missing
		}
		if first {
			out, first = slices.Clone(lacks), false
			continue
		}
		out = replica.MissingInBoth(out, lacks)
	}
	return strings.Join(out, "\n")
}

func (a *Alerts) poke() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// run passes on what is due.
func (a *Alerts) run(ctx context.Context) {
	for ctx.Err() == nil {
		rules, wait := a.due()
		for _, rule := range rules {
			object := &v1alpha1.AlertRule{ObjectMeta: metav1.ObjectMeta{Namespace: rule.Namespace, Name: rule.Name}}
			select {
			case a.events <- event.GenericEvent{Object: object}:
			case <-ctx.Done():
			}
		}
		if len(rules) > 0 {
			sleep(ctx, alertsPause)
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-a.wake:
			// What came together is passed on together.
			sleep(ctx, alertsPause)
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// due are the AlertRules to be told something now, and after how long to look again if there are none.
func (a *Alerts) due() ([]types.NamespacedName, time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now, wait := a.now(), time.Hour
	var out []types.NamespacedName
	for _, s := range a.servers {
		for rule := range s.untold {
			before := s.told[rule]
			after := s.said(rule, before.RuleAlerts)
			pause := alertsSettle
			if before.turned(after) {
				pause = alertsFlap
			}
			if left := pause - now.Sub(before.at); left > 0 {
				wait = min(wait, left)
				continue
			}
			if len(out) == alertsBurst {
				return out, alertsPause
			}
			s.tell(rule, now)
			out = append(out, rule)
		}
	}
	return out, wait
}

func (s *saidAlerts) tell(rule types.NamespacedName, now time.Time) {
	delete(s.untold, rule)
	s.told[rule] = told{RuleAlerts: s.said(rule, s.told[rule].RuleAlerts), at: now}
}

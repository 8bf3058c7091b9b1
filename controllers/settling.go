package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/status"
)

// settleTime is how long a generation may be on its way into its servers before its status says so. Nearly always it has
// arrived by then, and one status says that. Of a burst each has to wait for the others, and would wait longer if that were
// written of each: for every settleMany that are on their way it is as long again, up to settleMost times.
const (
	settleTime = 3 * time.Second
	settleMany = 100
	settleMost = 10
)

// settling knows since when AlertRules have been on their way into their servers.
type settling struct {
	mu    sync.Mutex
	since map[types.NamespacedName]onItsWay
	// many is how many are on their way and have not arrived.
	many int
}

type onItsWay struct {
	since   time.Time
	arrived bool
}

// wait is how long to leave the status of an AlertRule alone, because what is on its way will have arrived by then. In a burst
// one that has arrived waits too: what its status costs would be taken from those that have not.
func (s *settling) wait(ar *v1alpha1.AlertRule, observed status.Rule) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	rule := client.ObjectKeyFromObject(ar)
	known, ok := s.since[rule]
	now := onItsWay{known.since, !observed.OnItsWay()}
	if !ok {
		if now.arrived {
			return 0
		}
		now.since = time.Now()
	}
	s.set(rule, now)
	wait := settleTime*time.Duration(min(1+s.many/settleMany, settleMost)) - time.Since(now.since)
	if now.arrived && (wait <= 0 || s.many < settleMany) {
		s.remove(rule)
		return 0
	}
	return wait
}

func (s *settling) set(rule types.NamespacedName, to onItsWay) {
	s.remove(rule)
	if s.since == nil {
		s.since = map[types.NamespacedName]onItsWay{}
	}
	s.since[rule] = to
	if !to.arrived {
		s.many++
	}
}

func (s *settling) remove(rule types.NamespacedName) {
	if known, ok := s.since[rule]; ok && !known.arrived {
		s.many--
	}
	delete(s.since, rule)
}

func (s *settling) forget(rule types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(rule)
}

// arriving knows how long a server's newest revision has been on its way into its pods.
type arriving struct {
	// since is when it was published, or when the status last said that it is on its way; zero while nothing is.
	since time.Time
}

// wait is how long to leave the status of a server alone, because all that is new is a revision which nearly always has
// arrived by then: one status then says both. While revisions follow each other, as in a burst of edits, it speaks of them
// once in that time.
func (a *arriving) wait(ps *v1alpha1.PrometheusServer, now v1alpha1.PrometheusServerStatus, at time.Time) time.Duration {
	loaded := meta.FindStatusCondition(now.Conditions, v1alpha1.ConditionLoaded)
	if loaded == nil || loaded.Reason != v1alpha1.ReasonLoading {
		a.since = time.Time{}
		return 0
	}
	// Whatever else there is to say is said at once.
	const ready = v1alpha1.ConditionReady
	if ps.Status.ObservedGeneration != ps.Generation || !meta.IsStatusConditionTrue(ps.Status.Conditions, ready) || !meta.IsStatusConditionTrue(now.Conditions, ready) {
		return 0
	}
	if a.since.IsZero() {
		a.since = at
	}
	wait := settleTime - at.Sub(a.since)
	if wait <= 0 {
		a.since = at
	}
	return wait
}

// sooner is the shorter one; zero is never.
func sooner(a, b time.Duration) time.Duration {
	if a <= 0 || b > 0 && b < a {
		return b
	}
	return a
}

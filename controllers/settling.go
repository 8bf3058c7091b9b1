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
	since map[types.NamespacedName]time.Time
}

// wait is how long to leave the status of an AlertRule alone, because what is on its way will have arrived by then.
func (s *settling) wait(ar *v1alpha1.AlertRule, observed status.Rule) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	rule := client.ObjectKeyFromObject(ar)
	if !observed.OnItsWay() {
		delete(s.since, rule)
		return 0
	}
	since, ok := s.since[rule]
	if !ok {
		since = time.Now()
		if s.since == nil {
			s.since = map[types.NamespacedName]time.Time{}
		}
		s.since[rule] = since
	}
	return settleTime*time.Duration(min(1+len(s.since)/settleMany, settleMost)) - time.Since(since)
}

func (s *settling) forget(rule types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.since, rule)
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

package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/status"
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
	return settleTime - time.Since(since)
}

func (s *settling) forget(rule types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.since, rule)
}

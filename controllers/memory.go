package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/manifests"
	"github.com/hearth-monitoring/hearth/internal/promconfig"
	"github.com/hearth-monitoring/hearth/internal/rules"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// Between two looks at ten thousand AlertRules there is at least restMin, and restShare times what the last look and what
// followed from it took, up to restMax. A single edit is looked at at once; of a burst, several edits are in each look.
const (
	restMin   = 100 * time.Millisecond
	restMax   = 2 * time.Second
	restShare = 3
)

// memory is what this process knows of each server from one reconcile to the next.
type memory struct {
	mu      sync.Mutex
	servers map[types.NamespacedName]*served
}

// served is what is known of one server. A server is reconciled by one goroutine at a time, which needs no lock.
type served struct {
	uid      types.UID
	renderer promconfig.Renderer
	builder  manifests.Builder
	// remembered is true once the renderer was told what the cluster has.
	remembered bool
	// manifest is what this process published last. The cache is behind what was written for a moment, and a reconcile in
	// that moment must not give the same revision away twice.
	manifest *bundle.Manifest
	// cached is the manifest that the cache had at cachedVersion, its resourceVersion.
	cached        *bundle.Manifest
	cachedVersion string

	// made is what was made last, of the server's spec in generation madeOf.
	made   *stack.Stack
	madeOf int64

	// rules are what was made of the AlertRules at version, of the server's spec in generation.
	rules      *stack.Rules
	version    uint64
	generation int64
	// looked is when the last look at all AlertRules ended, rest how long to wait for the next, and later how long from
	// now, if there is anything new to see.
	looked      time.Time
	rest, later time.Duration

	settled settled

	// confined remembers the rule files of tenants.
	confined rules.Keeper

	notifier notifier

	grafana grafanaKept

	arriving arriving
}

// of is what is known of a server; nothing, if it is not the one of this UID.
func (m *memory) of(server types.NamespacedName, uid types.UID) *served {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.servers == nil {
		m.servers = map[types.NamespacedName]*served{}
	}
	known, ok := m.servers[server]
	if !ok || known.uid != uid {
		known = &served{uid: uid, settled: settled{}}
		m.servers[server] = known
	}
	return known
}

func (m *memory) forget(server types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.servers, server)
}

// current says whether the rules are those of this version of the AlertRules and this generation of the server, or as
// good: while it is too soon to look again, later says when.
func (s *served) current(version uint64, generation int64) bool {
	s.later = 0
	if s.rules == nil || s.generation != generation {
		return false
	}
	if s.version == version {
		return true
	}
	s.later = s.rest - time.Since(s.looked)
	return s.later > 0
}

// before is what was made last, if it was of this generation of the server.
func (s *served) before(generation int64) *stack.Stack {
	if s.madeOf != generation {
		return nil
	}
	return s.made
}

// take notes what was made of the AlertRules in a look that began then and went as far as publishing.
func (s *served) take(rules *stack.Rules, version uint64, generation int64, began time.Time) {
	s.rules, s.version, s.generation = rules, version, generation
	s.looked = time.Now()
	s.rest = min(max(restMin, restShare*time.Since(began)), restMax)
}

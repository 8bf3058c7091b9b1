// Package report keeps what the reloader has to say and serves it: the operator's long poll, the kubelet's probes and
// Prometheus' scrape. Read-only.
package report

import (
	"sync"

	"github.com/hearth-monitoring/hearth/internal/replica"
)

// Board holds the current report and wakes those who wait for another.
type Board struct {
	mu      sync.Mutex
	report  replica.Report
	etag    string
	changed chan struct{}
	// blocked says what the server still needs before it may start.
	blocked map[string]string
}

// NewBoard is a board with nothing on it. The server may start once Unblock was called for each of these.
func NewBoard(blockers ...string) *Board {
	b := &Board{changed: make(chan struct{}), blocked: map[string]string{}}
	for _, name := range blockers {
		b.blocked[name] = name + " is not there yet"
	}
	b.etag = b.report.Fingerprint()
	return b
}

// Update changes the report. Nobody is woken if it says the same as before.
func (b *Board) Update(change func(*replica.Report)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.report)
	b.report.Normalize()
	etag := b.report.Fingerprint()
	if etag == b.etag {
		return
	}
	b.etag = etag
	close(b.changed)
	b.changed = make(chan struct{})
}

// Report is a copy of what is on the board.
func (b *Board) Report() replica.Report {
	r, _, _ := b.current()
	return r
}

func (b *Board) current() (replica.Report, string, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.report
	// Updates replace lists or sort them in place; a reader gets its own.
	r.Jobs = append([]replica.Job(nil), r.Jobs...)
	r.AlertRules = append([]replica.AlertRule(nil), r.AlertRules...)
	r.PrometheusRules = append([]replica.AlertRule(nil), r.PrometheusRules...)
	r.Secrets = append([]replica.Secret(nil), r.Secrets...)
	r.Mounted = append([]replica.Secret(nil), r.Mounted...)
	r.Remotes = append([]replica.Remote(nil), r.Remotes...)
	return r, b.etag, b.changed
}

// Block says why the server may not start.
func (b *Board) Block(name, reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, waiting := b.blocked[name]; waiting {
		b.blocked[name] = reason
	}
}

// Unblock says that the named thing is there. It stays unblocked: a server that runs goes on with what it has.
func (b *Board) Unblock(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.blocked, name)
}

func (b *Board) blockers() map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make(map[string]string, len(b.blocked))
	for name, reason := range b.blocked {
		out[name] = reason
	}
	return out
}

// Package agent is the reloader's loop: what is published is brought to disk, what is on disk is brought into the server,
// and what the server acknowledged is reported.
//
// One goroutine owns the tree and the reloads. It is level-triggered: others tell it the newest manifest and the server's
// health, and it does whatever is left to do. A burst of revisions that arrive during a reload is therefore one more
// reload, of the newest.
package agent

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/reloader/report"
	"github.com/hearth-monitoring/hearth/reloader/server"
	"github.com/hearth-monitoring/hearth/reloader/tree"
)

// TreeBlocker is what the board waits for until the first revision is on disk.
const TreeBlocker = "the first revision"

// Source is where revisions come from.
type Source interface {
	Watch(ctx context.Context, deliver func(tree.Revision), failed func(error))
	Parts(ctx context.Context, objects []bundle.Object) (map[string][]byte, error)
}

// Server is the server beside the reloader.
type Server interface {
	server.Kind
	Ready(ctx context.Context) error
	Reload(ctx context.Context) error
}

// Pace is how often and how long.
type Pace struct {
	// Probe is the time between two looks at a server that is well, Eager at one that is not.
	Probe, Eager time.Duration
	// RetryMin and RetryMax bound the time until a revision that failed is tried again.
	RetryMin, RetryMax time.Duration
	// Reload bounds one reload. A server with many rules takes its time: a hundred thousand take two processors a minute, and
	// four where others have those too. One that is given up goes on all the same, and going back comes on top of it.
	Reload time.Duration
}

// DefaultPace is for use; tests are in more of a hurry.
func DefaultPace() Pace {
	return Pace{
		Probe: 5 * time.Second, Eager: 500 * time.Millisecond,
		RetryMin: 30 * time.Second, RetryMax: 5 * time.Minute, Reload: 10 * time.Minute,
	}
}

// Agent is the loop.
type Agent struct {
	tree    *tree.Store
	source  Source
	server  Server
	board   *report.Board
	metrics *Metrics
	log     *slog.Logger
	pace    Pace
	prepare func(context.Context)

	wake chan struct{} // something to do for the loop
	look chan struct{} // something to see for the prober

	mu sync.Mutex
	// Told by others, under mu.
	newest    tree.Revision
	behind    string // why the newest is not what the API has
	sourceErr string
	health    health
	answered  time.Time // when the server said last that it is ready, or has loaded something
	stale     bool      // what the server has loaded is made of files that have become others

	// Owned by the loop.
	staged tree.Revision // the newest on disk
	acked  acknowledgement
	stage  trial // of bringing newest to disk
	load   trial // of bringing staged into the server
	back   trial // of bringing the last good one back in its place
}

// health is the server's as last seen.
type health struct {
	ready    bool
	reason   string
	instance string
}

// acknowledgement is a revision that a server process said it loaded.
type acknowledgement struct {
	rev      tree.Revision
	instance string
}

// New makes an agent that goes on with what is in the tree.
func New(t *tree.Store, source Source, srv Server, board *report.Board, m *Metrics, pace Pace, log *slog.Logger) *Agent {
	a := &Agent{
		tree: t, source: source, server: srv, board: board, metrics: m, pace: pace, log: log,
		wake: make(chan struct{}, 1), look: make(chan struct{}, 1),
		health: health{reason: "the server has not been asked yet"}, prepare: func(context.Context) {},
	}
	a.staged = t.Current()
	a.newest = a.staged
	if !a.staged.None() {
		log.Info("going on with what is on disk", "revision", a.staged.Manifest.Revision)
		board.Unblock(TreeBlocker)
	}
	return a
}

// Prepare has f called whenever another revision was swapped in, before the server may read it. To be set before Run.
func (a *Agent) Prepare(f func(context.Context)) { a.prepare = f }

// Reread has the server read what it has loaded once more, because it is made of files that have become others since.
func (a *Agent) Reread() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stale = true
	poke(a.wake)
}

func (a *Agent) isStale() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stale
}

// fresh says whether it was stale, which it no longer is.
func (a *Agent) fresh() (was bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	was, a.stale = a.stale, false
	return was
}

// Run works until ctx ends.
func (a *Agent) Run(ctx context.Context) {
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() { a.source.Watch(ctx, a.deliver, a.sourceFailed) })
	group.Go(func() { a.watchServer(ctx) })
	for ctx.Err() == nil {
		// Before as well, because a step may take as long as a reload.
		a.tell()
		wait := a.step(ctx)
		a.tell()
		var timer <-chan time.Time
		if wait > 0 {
			timer = time.After(wait)
		}
		select {
		case <-ctx.Done():
		case <-a.wake:
		case <-timer:
		}
	}
}

// deliver takes a manifest that the API has.
func (a *Agent) deliver(rev tree.Revision) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sourceErr, a.behind = "", ""
	switch {
	case rev.Same(a.newest):
	case rev.Supersedes(a.newest):
		a.newest = rev
	default:
		a.behind = behindText(rev, a.newest)
		a.log.Warn("ignored an older revision", "reason", a.behind)
	}
	poke(a.wake)
}

func (a *Agent) sourceFailed(err error) {
	a.metrics.fetchFailures.Inc()
	a.log.Warn("cannot watch what is published", "error", err)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sourceErr = err.Error()
	a.board.Block(TreeBlocker, "the first revision is not there yet: "+a.sourceErr)
	poke(a.wake)
}

// step does what can be done now, and says after how long to come back if nothing happens; 0: only when something does.
func (a *Agent) step(ctx context.Context) time.Duration {
	a.mu.Lock()
	newest, h := a.newest, a.health
	a.mu.Unlock()
	stageWait := a.bringToDisk(ctx, newest)
	loadWait := a.bringIntoServer(ctx, h)
	if stageWait > 0 && (loadWait <= 0 || stageWait < loadWait) {
		return stageWait
	}
	return loadWait
}

// tell puts the state on the board.
func (a *Agent) tell() {
	a.mu.Lock()
	newest, h, behind, sourceErr := a.newest, a.health, a.behind, a.sourceErr
	a.mu.Unlock()
	loaded := a.acked.rev
	if h.instance != "" && h.instance != a.acked.instance {
		// Another process runs than the one that said it: what it read at its start is not known.
		loaded = tree.Revision{}
	}
	a.metrics.published.Set(float64(newest.Manifest.Revision))
	a.metrics.loaded.Set(float64(loaded.Manifest.Revision))
	a.board.Update(func(r *replica.Report) {
		r.Published, r.Loaded, r.LoadedHash = newest.Manifest.Revision, loaded.Manifest.Revision, loaded.Manifest.Hash
		r.Ready, r.ReadyReason = h.ready, h.reason
		if h.ready && loaded.None() {
			r.Ready, r.ReadyReason = false, "the server has not acknowledged a revision yet"
		}
		r.Error = behind
		if r.Error == "" && !(loaded.Same(newest) && !newest.None()) {
			r.Error = firstOf(a.load.whyNot(newest), a.stage.whyNot(newest), newestOr(newest, sourceErr), h.reason)
		}
	})
}

// newestOr is the source's trouble while nothing was ever published; later it is not what keeps a revision out.
func newestOr(newest tree.Revision, sourceErr string) string {
	if newest.None() {
		return sourceErr
	}
	return ""
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// poke leaves word for one who may be busy. Word that is there already will do.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/reloader/server"
	"github.com/hearth-monitoring/hearth/reloader/tree"
)

const (
	partsTimeout = time.Minute

	// A write in progress is over in a moment.
	tornMin, tornMax = 50 * time.Millisecond, 2 * time.Second
	// tornPatience is for how long parts that do not fit their manifest are a write in progress and not worth a word.
	tornPatience = 10 * time.Second

	fetchMin, fetchMax = 500 * time.Millisecond, 30 * time.Second
	// Of a reload that never reached the server, or of what is loaded already: nothing can get worse.
	harmlessMin, harmlessMax = time.Second, 30 * time.Second
)

// trial is a revision that was tried in vain.
type trial struct {
	rev     tree.Revision
	text    string
	since   time.Time
	next    time.Time
	backoff time.Duration
}

// whyNot is why rev failed, empty when it did not or was not tried.
func (t trial) whyNot(rev tree.Revision) string {
	if t.rev.None() || !t.rev.Same(rev) {
		return ""
	}
	return t.text
}

// pending is how long to leave rev alone yet.
func (t trial) pending(rev tree.Revision) time.Duration {
	if t.rev.None() || !t.rev.Same(rev) {
		return 0
	}
	return time.Until(t.next)
}

// failed notes one more failure; the time to the next trial doubles with each of the same revision.
func (t *trial) failed(rev tree.Revision, text string, least, most time.Duration) {
	now := time.Now()
	if !t.rev.Same(rev) {
		*t = trial{rev: rev, since: now}
	}
	t.text = text
	t.backoff = min(max(2*t.backoff, least), most)
	t.next = now.Add(t.backoff)
}

// bringToDisk gets the newest revision's parts and writes its tree.
func (a *Agent) bringToDisk(ctx context.Context, newest tree.Revision) time.Duration {
	if !newest.Supersedes(a.staged) {
		return 0
	}
	if wait := a.stage.pending(newest); wait > 0 {
		return wait
	}
	started := time.Now()
	if err := a.fetchAndWrite(ctx, newest); err != nil {
		return a.stageFailed(newest, err)
	}
	a.metrics.fetchSeconds.Observe(time.Since(started).Seconds())
	a.stage = trial{}
	// Kept until a newer one takes its place, so that a revision that the server refused can be tried again from disk.
	a.staged = newest
	a.log.Info("fetched", "revision", newest.Manifest.Revision, "objects", len(newest.Manifest.Objects))
	if !a.tree.Good().None() {
		return 0
	}
	// Nothing ever worked here: the newest is the best there is, and what the server will start with.
	if err := a.tree.Use(newest); err != nil {
		return a.stageFailed(newest, err)
	}
	a.prepare(ctx)
	a.board.Unblock(TreeBlocker)
	return 0
}

func (a *Agent) fetchAndWrite(ctx context.Context, newest tree.Revision) error {
	ctx, cancel := context.WithTimeout(ctx, partsTimeout)
	defer cancel()
	parts, err := a.source.Parts(ctx, a.tree.Missing(newest.Manifest))
	if err != nil {
		return err
	}
	return a.tree.Write(newest, parts)
}

func (a *Agent) stageFailed(newest tree.Revision, err error) time.Duration {
	if errors.Is(err, bundle.ErrMismatch) {
		text := ""
		if time.Since(a.stage.since) > tornPatience && a.stage.rev.Same(newest) {
			text = err.Error()
		}
		a.stage.failed(newest, text, tornMin, tornMax)
		a.log.Debug("the parts are being written", "revision", newest.Manifest.Revision, "error", err)
		return a.stage.backoff
	}
	a.metrics.fetchFailures.Inc()
	a.stage.failed(newest, err.Error(), fetchMin, fetchMax)
	a.board.Block(TreeBlocker, err.Error())
	a.log.Warn("cannot fetch", "revision", newest.Manifest.Revision, "error", err, "retryAfter", a.stage.backoff)
	return a.stage.backoff
}

// bringIntoServer has the server load the staged revision, or the last good one while the staged one is refused.
func (a *Agent) bringIntoServer(ctx context.Context, h health) time.Duration {
	if !h.ready || a.staged.None() {
		return 0
	}
	target, wait := a.staged, a.load.pending(a.staged)
	if good := a.tree.Good(); wait > 0 && !good.None() {
		target = good
	}
	if a.acked.instance == h.instance && a.acked.rev.Same(target) && !a.isStale() {
		return wait
	}
	if again := a.trialOf(target).pending(target); again > 0 {
		return again
	}
	if err := a.activate(ctx, target, h.instance); err != nil {
		return a.loadFailed(ctx, target, h.instance, err)
	}
	*a.trialOf(target) = trial{}
	return a.load.pending(a.staged)
}

func (a *Agent) trialOf(rev tree.Revision) *trial {
	if rev.Same(a.staged) {
		return &a.load
	}
	return &a.back
}

// activate swaps a revision in and has the server read it.
func (a *Agent) activate(ctx context.Context, rev tree.Revision, instance string) error {
	if !a.tree.Current().Same(rev) {
		if err := a.tree.Use(rev); err != nil {
			return err
		}
		a.prepare(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, a.pace.Reload)
	defer cancel()
	started := time.Now()
	stale := a.fresh()
	err := a.server.Reload(ctx)
	// In a burst the next reload is worth more than what the server has to say between two.
	if err != nil || !a.waits(rev) {
		poke(a.look)
	}
	if err != nil && stale {
		a.Reread()
	}
	if err != nil {
		return err
	}
	took := time.Since(started)
	a.metrics.reloadSeconds.Observe(took.Seconds())
	a.metrics.lastSuccess.SetToCurrentTime()
	a.acked = acknowledgement{rev: rev, instance: instance}
	a.mu.Lock()
	a.answered = time.Now() // whatever it left unanswered meanwhile
	a.mu.Unlock()
	// Told before the old tree is cleared away, which takes a while when it is large.
	a.tell()
	a.log.Info("loaded", "revision", rev.Manifest.Revision, "seconds", took.Seconds())
	if err := a.tree.Acknowledge(rev); err != nil {
		a.log.Error("cannot note the last good revision", "error", err)
	}
	if err := a.tree.Sweep(a.staged); err != nil {
		a.log.Error("cannot clear away old revisions", "error", err)
	}
	if err := a.tree.Spare(func() bool { return a.waits(a.staged) }); err != nil {
		a.log.Warn("the next revision will take longer to write", "error", err)
	}
	return nil
}

// waits says whether a newer revision than rev is there.
func (a *Agent) waits(rev tree.Revision) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.newest.Supersedes(rev)
}

func (a *Agent) loadFailed(ctx context.Context, rev tree.Revision, instance string, err error) time.Duration {
	if ctx.Err() != nil {
		// Being stopped is nobody's failure; Open goes back to the last good revision.
		return 0
	}
	a.metrics.reloadFailures.Inc()
	var failure *server.Failure
	sent := errors.As(err, &failure) && failure.Sent
	good, tried := a.tree.Good(), a.trialOf(rev)
	nowhere := good.None() || good.Same(rev)
	if !sent || nowhere {
		tried.failed(rev, err.Error(), harmlessMin, harmlessMax)
	} else {
		tried.failed(rev, err.Error(), a.pace.RetryMin, a.pace.RetryMax)
	}
	a.log.Error("not loaded", "revision", rev.Manifest.Revision, "error", err, "retryAfter", tried.backoff)
	if nowhere {
		return tried.backoff
	}
	a.tell()
	if err := a.rollBack(ctx, good, instance, sent); err != nil {
		a.back.failed(good, err.Error(), harmlessMin, harmlessMax)
		a.log.Error("cannot go back", "revision", good.Manifest.Revision, "error", err)
		return a.back.backoff
	}
	return tried.backoff
}

// rollBack swaps the last good revision in. The server is told too, because a reload that fails half way leaves what it
// had applied until then.
func (a *Agent) rollBack(ctx context.Context, good tree.Revision, instance string, sent bool) error {
	if err := a.tree.Use(good); err != nil {
		return err
	}
	a.prepare(ctx)
	if !sent {
		return nil
	}
	a.acked = acknowledgement{}
	if err := a.activate(ctx, good, instance); err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	return nil
}

func behindText(have, newest tree.Revision) string {
	return fmt.Sprintf("the API has revision %d, older than revision %d which is here", have.Manifest.Revision, newest.Manifest.Revision)
}

package agent

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"
)

// moody is a server that answers as it is told.
type moody struct {
	Server
	ready func(context.Context) error
}

func (m moody) Ready(ctx context.Context) error          { return m.ready(ctx) }
func (m moody) Instance(context.Context) (string, error) { return "process", nil }

// TestPatience: a server that is too busy to answer stays ready for a while, and one that says no is not.
func TestPatience(t *testing.T) {
	t.Parallel()
	yes := func(context.Context) error { return nil }
	no := func(context.Context) error { return errors.New("no") }
	silence := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	a := &Agent{log: slog.New(slog.DiscardHandler), wake: make(chan struct{}, 1)}
	look := func(ready func(context.Context) error) bool {
		a.server = moody{ready: ready}
		return a.lookAt(t.Context()).ready
	}
	if look(silence) || !look(yes) || !look(silence) {
		t.Error("silence is a yes before there was one, or a no right after it")
	}
	a.answered = a.answered.Add(-patience - time.Second)
	if look(silence) {
		t.Errorf("after %s of silence it is still ready", patience)
	}
	if look(yes); look(no) || look(silence) {
		t.Error("a no does not count at once, or silence takes it back")
	}
}

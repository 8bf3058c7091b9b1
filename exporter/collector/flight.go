package collector

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"
)

// errOverdue is the answer for what did not answer. Its text never changes, so that it is logged once.
var errOverdue = errors.New("no answer before its deadline; not asked again until it returns")

// flights asks things that may never answer: a read from a dead server can't be cancelled, only left behind. Each key has
// at most one call under way, however often it is asked, so what hangs costs one goroutine and one thread and no more.
type flights[T any] struct {
	mu    sync.Mutex
	going map[string]*flight[T]
}

// A flight is one call under way. value and err may be read after done is closed.
type flight[T any] struct {
	done     chan struct{}
	deadline time.Time
	value    T
	err      error
}

// start calls fn on a goroutine of its own and gives it until deadline. If the last call for key has not returned it
// joins that one, with the deadline that one had.
func (f *flights[T]) start(key string, deadline time.Time, fn func() (T, error)) *flight[T] {
	f.mu.Lock()
	defer f.mu.Unlock()
	if call, ok := f.going[key]; ok {
		return call
	}
	if f.going == nil {
		f.going = map[string]*flight[T]{}
	}
	call := &flight[T]{done: make(chan struct{}), deadline: deadline}
	f.going[key] = call
	go func() {
		call.value, call.err = fn()
		f.mu.Lock()
		delete(f.going, key)
		f.mu.Unlock()
		close(call.done)
	}()
	return call
}

func (c *flight[T]) landed() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// wait returns the answer, or errOverdue when ctx or the call's own deadline is over first. An answer that is there
// counts however late it is fetched.
func (c *flight[T]) wait(ctx context.Context) (T, error) {
	if c.landed() {
		return c.value, c.err
	}
	timer := time.NewTimer(time.Until(c.deadline))
	defer timer.Stop()
	select {
	case <-c.done:
	case <-ctx.Done():
	case <-timer.C:
	}
	if c.landed() {
		return c.value, c.err
	}
	var none T
	return none, errOverdue
}

// recovered turns a panic into *err, with the line that panicked and without the addresses of a stack trace, which would
// make each one look new to the log.
func recovered(err *error) {
	p := recover()
	if p == nil {
		return
	}
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		frame, more := frames.Next()
		if !strings.HasPrefix(frame.Function, "runtime.") || !more {
			*err = fmt.Errorf("panic: %v (%s:%d)", p, frame.File, frame.Line)
			return
		}
	}
}

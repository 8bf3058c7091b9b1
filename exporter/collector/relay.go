package collector

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

// errOverdue is the answer for what did not answer. Its text never changes, so that it is logged once.
var errOverdue = errors.New("no answer before its deadline; not asked again until it returns")

// Collectors run in turn on one goroutine, the worker, since each needs the processor and hardly ever waits. A read from a
// dead server can't be cancelled, only left behind: a worker that is at one collector for longer than a moment is, and
// another goes on with those in the queue. So what works costs one goroutine a scrape, and what hangs one each, however
// often it is scraped: a collector that is under way is joined and not begun again.

// moment is how long the collectors in the queue wait for the one at work. It is enough for nearly every one.
const moment = 2 * time.Millisecond

// errand is what is known of a collector's run. It is guarded by the set's mutex.
type errand struct {
	due      bool      // it is in the queue, or under way
	begun    bool      // it is under way
	deadline time.Time // until when it is waited for, once it is under way
	waiting  []*Round
}

// worker runs what is in the queue until it is empty or another worker took over.
func (s *Set) worker(number int) {
	for {
		next, ctx := s.take(number)
		if next == nil {
			return
		}
		s.put(next, next.run(ctx))
	}
}

// take returns what the worker is to run next, and the context of who waits for it. What nobody waits for any more is
// passed over.
func (s *Set) take(number int) (*seat, context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for number == s.working {
		if len(s.queue) == 0 {
			s.working = 0
			break
		}
		next := s.queue[0]
		s.queue = slices.Delete(s.queue, 0, 1)
		s.taken++
		if len(next.waiting) == 0 {
			next.due = false
			continue
		}
		first := next.waiting[0]
		next.begun, next.deadline = true, first.deadline
		return next, first.ctx
	}
	return nil, nil
}

// put keeps what a run said, and tells who waited for it.
func (s *Set) put(done *seat, r result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	done.keep(r)
	for _, w := range done.waiting {
		if w.pending--; w.pending == 0 {
			w.done <- struct{}{}
		}
	}
	done.due, done.begun, done.waiting = false, false, slices.Delete(done.waiting, 0, len(done.waiting))
}

// relieve sends a worker if nobody is at work, or nobody but one who has taken nothing since taken was as seen. It returns
// what it is now.
func (s *Set) relieve(seen int) int {
	if len(s.queue) > 0 && (s.working == 0 || s.taken == seen) {
		s.workers++
		s.working = s.workers
		go s.worker(s.working)
	}
	return s.taken
}

// A Round is a scrape, from when it sends for its collectors until it has what they said. It is used again for another.
type Round struct {
	set      *Set
	names    []string
	ctx      context.Context
	begin    time.Time
	deadline time.Time
	seats    []*seat
	overdue  []bool // by seat: nothing of its run is taken
	results  []result
	pending  int // runs that it waits for
	done     chan struct{}
	timer    *time.Timer
}

// join makes the scrape wait for the run that is under way, unless that had its time already, or for the next.
func (w *Round) join(one *seat) {
	late := one.begun && !w.begin.Before(one.deadline)
	w.seats, w.overdue = append(w.seats, one), append(w.overdue, late)
	if late {
		return
	}
	w.pending++
	one.waiting = append(one.waiting, w)
	if !one.due {
		one.due = true
		w.set.queue = append(w.set.queue, one)
	}
}

// wait waits until all runs are done or had their time, and meanwhile sees to it that those in the queue get theirs.
func (s *Set) wait(w *Round) {
	for seen := -1; ; {
		s.mu.Lock()
		seen = s.relieve(seen)
		patience := s.giveUp(w, time.Now())
		if len(s.queue) > 0 {
			patience = min(patience, moment)
		}
		pending := w.pending
		s.mu.Unlock()
		if pending == 0 {
			return
		}
		w.timer.Reset(patience)
		select {
		case <-w.done:
			w.timer.Stop()
			return
		case <-w.timer.C:
		}
	}
}

// giveUp leaves the runs that had their time, and says how long the next of the others still has.
func (s *Set) giveUp(w *Round, now time.Time) time.Duration {
	patience := w.deadline.Sub(now)
	for i, one := range w.seats {
		place := slices.Index(one.waiting, w)
		if place < 0 {
			continue
		}
		left := w.deadline.Sub(now)
		if one.begun {
			left = min(left, one.deadline.Sub(now))
		}
		if left > 0 {
			patience = min(patience, left)
			continue
		}
		w.overdue[i] = true
		w.pending--
		one.waiting = slices.Delete(one.waiting, place, place+1)
	}
	return patience
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

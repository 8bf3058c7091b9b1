package collector

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A mountAsker asks mounts for their sizes, which a dead server never answers and nothing can cancel. One goroutine asks
// them in turn. If a mount keeps it longer than a moment it is left behind with that mount, and another goes on with the
// rest; the mount is not asked again until it has answered. So what works costs one goroutine, and what hangs one each.
type mountAsker struct {
	statfs func(path string) (unix.Statfs_t, error)

	mu    sync.Mutex
	stuck map[string]bool // by path: a question is under way
	spare []answer        // of the last round, to be used again
}

// An answer is what statfs said. err is errOverdue until it did.
type answer struct {
	stat unix.Statfs_t
	err  error
}

// ask returns an answer for each mount, at the latest after patience.
func (a *mountAsker) ask(mounts []*mount, patience time.Duration) []answer {
	r := a.round(mounts)
	overdue := time.NewTimer(patience)
	defer overdue.Stop()

	const moment = 2 * time.Millisecond
	tick := time.NewTicker(moment)
	defer tick.Stop()
	go r.work(0)
	for seen := -1; ; {
		select {
		case <-r.done:
			return r.finish()
		case <-overdue.C:
			return r.finish()
		case <-tick.C:
			seen = r.relieve(seen)
		}
	}
}

// round is one round of questions.
type round struct {
	*mountAsker
	mounts []*mount
	done   chan struct{}

	// The rest is guarded by the asker's mutex.
	answers []answer
	next    int  // the mount to ask next
	pending int  // mounts without an answer
	over    bool // nobody waits any more
	worker  int  // who asks; those with a lower number have been left behind
}

func (a *mountAsker) round(mounts []*mount) *round {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stuck == nil {
		a.stuck = map[string]bool{}
	}
	answers := a.spare[:0]
	a.spare = nil
	for range mounts {
		answers = append(answers, answer{err: errOverdue})
	}
	return &round{mountAsker: a, mounts: mounts, done: make(chan struct{}), answers: answers, pending: len(mounts)}
}

// work asks one mount after the other until there is none left or another worker took over.
func (r *round) work(worker int) {
	for {
		i := r.take(worker)
		if i < 0 {
			return
		}
		stat, err := r.statfs(r.mounts[i].path)
		r.put(i, answer{stat, err})
	}
}

// take returns the mount that the worker is to ask next, or a number below zero if it isn't its turn any more. Mounts
// that still owe an answer from an earlier round are passed over.
func (r *round) take(worker int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	for worker == r.worker && !r.over && r.next < len(r.mounts) {
		i := r.next
		r.next++
		path := r.mounts[i].path
		if !r.stuck[path] {
			r.stuck[path] = true
			return i
		}
		r.settle()
	}
	if len(r.mounts) == 0 && worker == 0 {
		close(r.done)
	}
	return -1
}

func (r *round) put(i int, a answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.stuck, r.mounts[i].path)
	if !r.over { // afterwards the answers belong to who asked
		r.answers[i] = a
		r.settle()
	}
}

func (r *round) settle() {
	if r.pending--; r.pending == 0 {
		close(r.done)
	}
}

// relieve sends another worker if the one at work is still where it was a moment ago.
func (r *round) relieve(seen int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next == seen && r.next < len(r.mounts) {
		r.worker++
		go r.work(r.worker)
	}
	return r.next
}

func (r *round) finish() []answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	r.spare = r.answers // the asker's owner has them until it asks again, and is asked once at a time
	return r.answers
}

package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hearth-monitoring/hearth/exporter/text"
)

// Set is the collectors that run. One Set serves every scrape, also those that overlap.
type Set struct {
	names   []string
	seats   map[string]*seat
	timeout time.Duration
	limit   int // series of each collector; zero is none
	log     *slog.Logger

	mu                sync.Mutex // guards the rest, and what is below in a seat
	duration, success *text.Family
	left, dropped     *text.Family
	failures          map[string]string // what was last logged, by collector
	over              map[string]bool   // those that say more than they may, as was logged
	queue             []*seat           // whose turn comes
	taken             int               // seats that were taken out of it
	workers, working  int               // how many there were, and which of them takes seats out of the queue; none if 0
	spare             []*Round          // to be used again
}

// A seat is a collector and what its last finished run said. Scrapes copy from it, so that the next run, which may begin
// while they do, can use its buffer again.
type seat struct {
	Collector
	label text.Labels // collector="NAME"

	limit int // series

	// The rest is guarded by the set's mutex.
	said []byte
	result
	errand
}

// A guest is a collector that passes on what others wrote, under names that it does not choose.
type guest interface {
	// admit appends to b, in which every other collector has said what it says, the guest's samples without those whose
	// names are taken, and returns how many it left out because they are more than limit. Scrapes may call it side by side.
	admit(b []byte, limit int) (out []byte, dropped int, err error)
}

func newSet(timeout time.Duration, log *slog.Logger) *Set {
	return &Set{
		seats:    map[string]*seat{},
		timeout:  timeout,
		log:      log,
		duration: text.Gauge("node_scrape_collector_duration_seconds", "node_exporter: Duration of a collector scrape.", "collector"),
		success:  text.Gauge("node_scrape_collector_success", "node_exporter: Whether a collector succeeded.", "collector"),
		left: text.Gauge("node_scrape_collector_left_out",
			"Devices, mounts or other things that a collector's include and exclude flags leave out.", "collector"),
		dropped: text.Gauge("node_scrape_collector_dropped_series",
			"Series that were left out of this scrape because the collector has more than --collector.max-series.", "collector"),
		over: map[string]bool{}, failures: map[string]string{},
	}
}

func (s *Set) add(name string, c Collector) {
	s.names = append(s.names, name)
	slices.Sort(s.names)
	s.seats[name] = &seat{Collector: c, label: s.duration.Labels(name), limit: s.limit}
}

// Names of the collectors that run, sorted.
func (s *Set) Names() []string { return slices.Clone(s.names) }

// Select returns the names that a request asks for: those in collect, or all but those in exclude.
func (s *Set) Select(collect, exclude []string) ([]string, error) {
	if len(collect) > 0 && len(exclude) > 0 {
		return nil, fmt.Errorf("collect[] and exclude[] can't be combined: give one")
	}
	for _, name := range collect {
		if _, ok := s.seats[name]; !ok {
			return nil, fmt.Errorf("collect[]: no collector %q is enabled; there are %s", name, strings.Join(s.names, ", "))
		}
	}
	if len(collect) > 0 {
		slices.Sort(collect)
		return slices.Compact(collect), nil
	}
	return slices.DeleteFunc(s.Names(), func(name string) bool { return slices.Contains(exclude, name) }), nil
}

// Run runs the named collectors and waits until each has answered or has had its time. It takes at most the set's timeout,
// and less if budget, which is what the scraper allows, is above zero and shorter. The round must be taken with AppendTo,
// once.
func (s *Set) Run(names []string, budget time.Duration) *Round {
	timeout := s.timeout
	if budget > 0 {
		timeout = min(timeout, budget)
	}
	begin := time.Now()
	ctx, cancel := context.WithDeadline(context.Background(), begin.Add(timeout))
	defer cancel()

	w := s.begin(ctx, names, begin, begin.Add(timeout))
	s.wait(w)
	return w
}

// AppendTo appends what the collectors said, and how each did, to b, which has what was said before them.
func (w *Round) AppendTo(b []byte) []byte {
	b = w.set.collect(b, w)
	for i, one := range w.seats {
		if !w.overdue[i] {
			b = one.admit(b, &w.results[i])
		}
	}
	return w.set.end(b, w)
}

// begin sends for the named collectors.
func (s *Set) begin(ctx context.Context, names []string, begin, deadline time.Time) *Round {
	s.mu.Lock()
	defer s.mu.Unlock()
	var w *Round
	if n := len(s.spare); n > 0 {
		w, s.spare = s.spare[n-1], s.spare[:n-1]
		select {
		case <-w.done: // it had seen by itself that nothing was left to wait for
		default:
		}
	} else {
		w = &Round{set: s, done: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
	}
	w.ctx, w.names, w.begin, w.deadline, w.pending = ctx, names, begin, deadline, 0
	w.seats, w.overdue, w.results = w.seats[:0], w.overdue[:0], w.results[:0]
	for _, name := range names {
		w.join(s.seats[name])
	}
	return w
}

// collect appends what the collectors said. Nothing of a late run is taken, not even what it has so far.
func (s *Set) collect(b []byte, w *Round) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, one := range w.seats {
		if w.overdue[i] {
			w.results = append(w.results, result{err: errOverdue, took: time.Since(w.begin)})
			continue
		}
		b = append(b, one.said...)
		w.results = append(w.results, one.result)
	}
	return b
}

// A result is how a run went.
type result struct {
	err     error
	took    time.Duration
	left    int // out by the collector's filters, or below zero where it has none
	dropped int // series beyond the limit
}

// run updates the collector, for as long as that takes. What it said before an error counts.
func (s *seat) run(ctx context.Context) result {
	begin := time.Now()
	for _, f := range s.Families() {
		f.Reset()
	}
	err := update(ctx, s.Collector)
	if err != nil && (ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded)) {
		// One that gives up when its time is over says the same as one that is left behind: which of the two comes first is
		// chance, as is what it is that it says, and what changes is logged.
		err = errOverdue
	}
	dropped, left := trim(s.Families(), s.limit), -1
	if filtered, ok := s.Collector.(interface{ leftOut() int }); ok {
		left = filtered.leftOut()
	}
	return result{err, time.Since(begin), left, dropped}
}

// keep keeps what the collector said in a run.
func (s *seat) keep(r result) {
	s.said, s.result = s.said[:0], r
	for _, f := range s.Families() {
		s.said = f.AppendTo(s.said)
	}
}

func update(ctx context.Context, c Collector) (err error) {
	defer recovered(&err)
	return c.Update(ctx)
}

// admit appends a guest's samples.
func (s *seat) admit(b []byte, r *result) []byte {
	guest, ok := s.Collector.(guest)
	if !ok {
		return b
	}
	b, dropped, err := guest.admit(b, s.limit)
	r.dropped += dropped
	if err != nil {
		r.err = errors.Join(r.err, err)
	}
	return b
}

// end appends how each collector did, and logs where that changed.
func (s *Set) end(b []byte, w *Round) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.duration.Reset()
	s.success.Reset()
	s.left.Reset()
	s.dropped.Reset()
	for i, r := range w.results {
		label := w.seats[i].label
		succeeded := 1.0
		if r.err != nil {
			succeeded = 0
		}
		s.duration.Put(r.took.Seconds(), label)
		s.success.Put(succeeded, label)
		if r.left >= 0 && r.err == nil {
			s.left.Put(float64(r.left), label)
		}
		if r.dropped > 0 {
			s.dropped.Put(float64(r.dropped), label)
		}
		s.note(w.names[i], r.err)
		s.noteDropped(w.names[i], r.dropped)
	}
	w.ctx, w.names = nil, nil
	s.spare = append(s.spare, w)
	for _, f := range []*text.Family{s.duration, s.success, s.left, s.dropped} {
		b = f.AppendTo(b)
	}
	return b
}

// noteDropped logs that a collector says more than it may, when that begins.
func (s *Set) noteDropped(name string, dropped int) {
	if dropped > 0 && !s.over[name] {
		s.log.Warn("more series than --collector.max-series: the rest is left out", "collector", name, "limit", s.seats[name].limit, "dropped", dropped)
	}
	s.over[name] = dropped > 0
}

// note logs how a collector fares when that changes, and not on each scrape.
func (s *Set) note(name string, err error) {
	now := ""
	if err != nil {
		now = err.Error()
	}
	before := s.failures[name]
	if now == before {
		return
	}
	s.failures[name] = now
	if now == "" {
		s.log.Info("collector works again", "collector", name)
	} else {
		s.log.Error("collector failed", "collector", name, "err", now)
	}
}

package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

	runs flights[struct{}]

	mu                sync.Mutex // guards the rest
	duration, success *text.Family
	left, dropped     *text.Family
	failures          map[string]string // what was last logged, by collector
	over              map[string]bool   // those that say more than they may, as was logged
}

// A seat is a collector and what its last finished run said. Scrapes copy from it, so that the next run, which may begin
// while they do, can use its buffer again.
type seat struct {
	Collector
	label text.Labels // collector="NAME"

	limit int // series

	mu   sync.Mutex // guards the rest
	said []byte
	result
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

// Scrape runs the named collectors side by side, waits until each has answered or has had its time, and appends what they
// said to b. It takes at most the set's timeout, and less if budget, which is what the scraper allows, is above zero and
// shorter.
func (s *Set) Scrape(b []byte, names []string, budget time.Duration) []byte {
	timeout := s.timeout
	if budget > 0 {
		timeout = min(timeout, budget)
	}
	begin := time.Now()
	deadline := begin.Add(timeout)
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()

	runs := make([]*flight[struct{}], len(names))
	for i, name := range names {
		seat := s.seats[name]
		runs[i] = s.runs.start(name, deadline, func() (struct{}, error) {
			seat.run(ctx)
			return struct{}{}, nil
		})
	}
	results := make([]result, len(names))
	for i, name := range names {
		if _, err := runs[i].wait(ctx); err != nil { // nothing of a late run is taken, not even what it has so far
			results[i] = result{err: err, took: time.Since(begin)}
			continue
		}
		b, results[i] = s.seats[name].appendTo(b)
	}
	for i, name := range names {
		if errors.Is(results[i].err, errOverdue) {
			continue
		}
		b = s.seats[name].admit(b, &results[i])
	}
	return s.appendResults(b, names, results)
}

// A result is how a run went.
type result struct {
	err     error
	took    time.Duration
	left    int // out by the collector's filters, or below zero where it has none
	dropped int // series beyond the limit
}

// run updates the collector and keeps what it said, for as long as that takes. What it said before an error counts.
func (s *seat) run(ctx context.Context) {
	begin := time.Now()
	for _, f := range s.Families() {
		f.Reset()
	}
	err := update(ctx, s.Collector)
	dropped, left := trim(s.Families(), s.limit), -1
	if filtered, ok := s.Collector.(interface{ leftOut() int }); ok {
		left = filtered.leftOut()
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = s.said[:0]
	for _, f := range s.Families() {
		s.said = f.AppendTo(s.said)
	}
	s.result = result{err, time.Since(begin), left, dropped}
}

func update(ctx context.Context, c Collector) (err error) {
	defer recovered(&err)
	return c.Update(ctx)
}

func (s *seat) appendTo(b []byte) ([]byte, result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append(b, s.said...), s.result
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

// appendResults appends how each collector did, and logs where that changed.
func (s *Set) appendResults(b []byte, names []string, results []result) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.duration.Reset()
	s.success.Reset()
	s.left.Reset()
	s.dropped.Reset()
	for i, name := range names {
		label := s.seats[name].label
		succeeded := 1.0
		if results[i].err != nil {
			succeeded = 0
		}
		s.duration.Put(results[i].took.Seconds(), label)
		s.success.Put(succeeded, label)
		if results[i].left >= 0 && results[i].err == nil {
			s.left.Put(float64(results[i].left), label)
		}
		if results[i].dropped > 0 {
			s.dropped.Put(float64(results[i].dropped), label)
		}
		s.note(name, results[i].err)
		s.noteDropped(name, results[i].dropped)
	}
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

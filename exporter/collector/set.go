package collector

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Set is the collectors that run. One Set serves every scrape, also those that overlap.
type Set struct {
	names      []string
	collectors map[string]Collector
	timeout    time.Duration
	log        *slog.Logger

	duration, success family

	runs flights[[]prometheus.Metric]

	mu       sync.Mutex
	failures map[string]string // what was last logged, by collector
}

func newSet(timeout time.Duration, log *slog.Logger) *Set {
	return &Set{
		collectors: map[string]Collector{},
		timeout:    timeout,
		log:        log,
		duration:   gauge("node_scrape_collector_duration_seconds", "node_exporter: Duration of a collector scrape.", "collector"),
		success:    gauge("node_scrape_collector_success", "node_exporter: Whether a collector succeeded.", "collector"),
		failures:   map[string]string{},
	}
}

func (s *Set) add(name string, c Collector) {
	s.names = append(s.names, name)
	slices.Sort(s.names)
	s.collectors[name] = c
}

// Names of the collectors that run, sorted.
func (s *Set) Names() []string { return slices.Clone(s.names) }

// Select returns the names that a request asks for: those in collect, or all but those in exclude.
func (s *Set) Select(collect, exclude []string) ([]string, error) {
	if len(collect) > 0 && len(exclude) > 0 {
		return nil, fmt.Errorf("collect[] and exclude[] can't be combined: give one")
	}
	for _, name := range collect {
		if _, ok := s.collectors[name]; !ok {
			return nil, fmt.Errorf("collect[]: no collector %q is enabled; there are %s", name, strings.Join(s.names, ", "))
		}
	}
	if len(collect) > 0 {
		slices.Sort(collect)
		return slices.Compact(collect), nil
	}
	return slices.DeleteFunc(s.Names(), func(name string) bool { return slices.Contains(exclude, name) }), nil
}

// Scrape is one scrape of the named collectors as a prometheus.Collector. It takes at most the set's timeout, and less if
// budget, which is what the scraper allows, is above zero and shorter.
func (s *Set) Scrape(names []string, budget time.Duration) prometheus.Collector {
	timeout := s.timeout
	if budget > 0 {
		timeout = min(timeout, budget)
	}
	return scrape{s, names, timeout}
}

type scrape struct {
	set     *Set
	names   []string
	timeout time.Duration
}

// Describe names only the two families that are the scrape's own: the registry needs no more, and asking each collector
// on each scrape would cost more than it shows. That a collector sends what it describes is for its test to say.
func (s scrape) Describe(ch chan<- *prometheus.Desc) { describe(ch, s.set.duration, s.set.success) }

// Collect runs the collectors side by side and returns when each has answered or has had its time.
func (s scrape) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	var all sync.WaitGroup
	for _, name := range s.names {
		all.Go(func() { s.set.report(ctx, name, ch) })
	}
	all.Wait()
}

// report runs one collector and passes on what it sent and how it went. It sends only what a finished run has handed
// over, so that a late collector has nothing it could send to.
func (s *Set) report(ctx context.Context, name string, ch chan<- prometheus.Metric) {
	begin := time.Now()
	deadline, _ := ctx.Deadline()
	run := s.runs.start(name, deadline, func() ([]prometheus.Metric, error) {
		return collect(ctx, s.collectors[name])
	})
	metrics, err := run.wait(ctx)
	took := time.Since(begin)

	s.note(name, err)
	for _, m := range metrics {
		ch <- m
	}
	succeeded := 1.0
	if err != nil {
		succeeded = 0
	}
	s.duration.send(ch, took.Seconds(), name)
	s.success.send(ch, succeeded, name)
}

// collect gathers what c sends until it returns, however long that takes.
func collect(ctx context.Context, c Collector) ([]prometheus.Metric, error) {
	var (
		metrics []prometheus.Metric
		err     error
	)
	ch := make(chan prometheus.Metric, 64)
	go func() {
		defer close(ch)
		defer recovered(&err)
		err = c.Collect(ctx, ch)
	}()
	for m := range ch {
		metrics = append(metrics, m)
	}
	return metrics, err
}

// note logs how a collector fares when that changes, and not on each scrape.
func (s *Set) note(name string, err error) {
	now := ""
	if err != nil {
		now = err.Error()
	}
	s.mu.Lock()
	before := s.failures[name]
	s.failures[name] = now
	s.mu.Unlock()
	switch now {
	case before:
	case "":
		s.log.Info("collector works again", "collector", name)
	default:
		s.log.Error("collector failed", "collector", name, "err", now)
	}
}

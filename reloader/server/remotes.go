package server

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hearth-monitoring/hearth/internal/replica"
)

const (
	// remotePatience is for how long requests may be repeated before that is told, and something wait before it is late. Anybody
	// who restarts takes some seconds.
	remotePatience = 20 * time.Second
	// lossStays is for how long samples that were lost are told of.
	lossStays = 5 * time.Minute

	remotePrefix = "prometheus_remote_storage_"
	// newestMetric is of everything that the server has, whether it is to be sent or not.
	newestMetric = remotePrefix + "highest_timestamp_in_seconds"
)

// remoteCounts are a queue's own metrics.
type remoteCounts struct {
	// finished counts the bytes of requests that were taken, or refused for good; the counters of samples count attempts.
	finished float64
	// retried and lost count samples: sent again, and never to arrive.
	retried, lost float64
	// pending are samples in the queue; sent and newest are the times of the newest that was sent, and that was in the queue.
	pending, sent, newest float64
	shards, desired       float64
}

// remoteMetrics are the names of the metrics that are read, without their prefix.
func remoteMetrics() map[string]func(*remoteCounts) *float64 {
	retried, lost, pending := func(c *remoteCounts) *float64 { return &c.retried }, func(c *remoteCounts) *float64 { return &c.lost },
		func(c *remoteCounts) *float64 { return &c.pending }
	return map[string]func(*remoteCounts) *float64{
		"bytes_total":                          func(c *remoteCounts) *float64 { return &c.finished },
		"samples_retried_total":                retried,
		"histograms_retried_total":             retried,
		"samples_failed_total":                 lost,
		"histograms_failed_total":              lost,
		"samples_dropped_total":                lost,
		"histograms_dropped_total":             lost,
		"samples_pending":                      pending,
		"histograms_pending":                   pending,
		"queue_highest_sent_timestamp_seconds": func(c *remoteCounts) *float64 { return &c.sent },
		"queue_highest_timestamp_seconds":      func(c *remoteCounts) *float64 { return &c.newest },
		"shards_max":                           func(c *remoteCounts) *float64 { return &c.shards },
		"shards_desired":                       func(c *remoteCounts) *float64 { return &c.desired },
	}
}

// remoteMetric takes one line that begins with remotePrefix.
func (c *counters) remoteMetric(name, rest, line string) {
	at, known := remoteMetrics()[strings.TrimPrefix(name, remotePrefix)]
	if !known {
		return
	}
	labels := labelsOf(rest)
	if reason := labels["reason"]; reason == "dropped_series" {
		return // relabelling says so
	}
	remote := labels["remote_name"]
	if remote == "" {
		return
	}
	if c.remotes[remote] == nil {
		c.remotes[remote] = &remoteCounts{}
	}
	*at(c.remotes[remote]) += sampleValue(line)
}

// remotes follows how a Prometheus sends its samples, by its own counters.
type remotes struct {
	now  func() time.Time
	seen map[string]*remote
}

// remote is one queue, as seen so far.
type remote struct {
	last remoteCounts
	// retrying is since when requests are repeated and none was finished, waiting since when there is something to be sent. Zero
	// while it is not so.
	retrying, waiting time.Time
	// started is the newest sample there was when the queue was first seen.
	started float64
	// lost counts what was lost, the last of it at lostAt.
	lost   float64
	lostAt time.Time
}

func newRemotes() *remotes { return &remotes{now: time.Now, seen: map[string]*remote{}} }

// judge compares the counters with those seen before.
func (r *remotes) judge(c counters) []replica.Remote {
	now := r.now()
	maps.DeleteFunc(r.seen, func(name string, _ *remote) bool { return c.remotes[name] == nil })
	var out []replica.Remote
	for _, name := range slices.Sorted(maps.Keys(c.remotes)) {
		counts := *c.remotes[name]
		seen, known := r.seen[name]
		if !known {
			// Of what was lost before this was looked at for the first time, nobody knows when.
			seen = &remote{started: c.newest, last: remoteCounts{lost: counts.lost, retried: counts.retried, finished: counts.finished}}
			r.seen[name] = seen
		}
		out = append(out, seen.look(name, counts, c.newest, now))
	}
	return out
}

// look takes what a queue says now.
func (r *remote) look(name string, c remoteCounts, newest float64, now time.Time) replica.Remote {
	if c.before(r.last) {
		*r = remote{started: newest, lost: r.lost, lostAt: r.lostAt}
	}
	r.follow(c, now)
	r.lose(c.lost-r.last.lost, now)
	r.last = c
	return replica.Remote{
		Name: name, Sent: c.finished > 0, Lost: int64(r.lost),
		Failing:   !r.retrying.IsZero() && now.Sub(r.retrying) >= remotePatience,
		Behind:    int64(r.behind(newest, now)),
		Saturated: c.shards > 0 && c.desired > c.shards,
	}
}

// before says that the counters are those of another process or queue than the last ones, which counts from 0.
func (c remoteCounts) before(last remoteCounts) bool {
	return c.finished < last.finished || c.retried < last.retried || c.lost < last.lost
}

// follow notes since when requests are repeated and none was finished, and since when something waits.
func (r *remote) follow(c remoteCounts, now time.Time) {
	switch finished, retried := c.finished > r.last.finished, c.retried > r.last.retried; {
	case finished:
		r.retrying = time.Time{}
	case retried && r.retrying.IsZero():
		r.retrying = now
	}
	switch {
	case c.pending <= 0:
		r.waiting = time.Time{}
	case r.waiting.IsZero():
		r.waiting = now
	}
}

// lose counts what was lost for as long as it is told of.
func (r *remote) lose(lost float64, now time.Time) {
	if now.Sub(r.lostAt) > lossStays {
		r.lost = 0
	}
	if lost > 0 {
		r.lost, r.lostAt = r.lost+lost, now
	}
}

// behind is by how many seconds what is sent is behind. What was sent last may be old because there was nothing to be sent
// since: it counts only while something waits.
func (r *remote) behind(newest float64, now time.Time) float64 {
	if r.waiting.IsZero() || now.Sub(r.waiting) < remotePatience {
		return 0
	}
	sent := r.last.sent
	if sent <= 0 {
		sent = r.started
	}
	// While a queue is full its own newest stands still.
	return max(newest, r.last.newest) - sent
}

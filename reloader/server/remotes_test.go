package server

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hearth-monitoring/hearth/internal/replica"
)

// clock is a queue that is looked at every five seconds, and the counters that change meanwhile.
type clock struct {
	t       *testing.T
	now     time.Time
	remotes *remotes
	counts  remoteCounts
	newest  float64
}

func newClock(t *testing.T) *clock {
	c := &clock{t: t, now: time.Unix(1_000_000, 0), remotes: newRemotes(), newest: 1_000_000}
	c.remotes.now = func() time.Time { return c.now }
	return c
}

// pass lets time pass, and holds what is said at the end of it.
func (c *clock) pass(d time.Duration, change func(*remoteCounts), want replica.Remote) {
	c.t.Helper()
	var got []replica.Remote
	for range max(1, d/(5*time.Second)) {
		c.now = c.now.Add(5 * time.Second)
		c.newest += 5
		change(&c.counts)
		counts := c.counts
		got = c.remotes.judge(counters{newest: c.newest, remotes: map[string]*remoteCounts{"r": &counts}})
	}
	report := replica.Report{Remotes: got}
	report.Normalize()
	want.Name = "r"
	if diff := cmp.Diff([]replica.Remote{want}, report.Remotes); diff != "" {
		c.t.Errorf("after %s more (-want +got):\n%s", d, diff)
	}
}

// The ways in which a queue's counters move.
func (c *clock) sends(r *remoteCounts) { r.finished, r.pending, r.sent = r.finished+1, 3, c.newest-2 }
func stuck(r *remoteCounts)            { r.retried, r.pending = r.retried+1, 9 }
func (c *clock) rests(r *remoteCounts) { r.pending = 0 }

func TestRemotes(t *testing.T) {
	c := newClock(t)
	c.pass(5*time.Second, c.rests, replica.Remote{})
	c.pass(time.Minute, c.sends, replica.Remote{Sent: true})
	c.pass(15*time.Second, stuck, replica.Remote{Sent: true}) // a restart of the receiver
	c.pass(time.Minute, c.sends, replica.Remote{Sent: true})
	c.pass(30*time.Second, stuck, replica.Remote{Sent: true, Failing: true})
	c.pass(time.Minute, stuck, replica.Remote{Sent: true, Failing: true, Behind: 60})
	c.pass(time.Hour, stuck, replica.Remote{Sent: true, Failing: true, Behind: 3600})
	// It catches up, which takes a while.
	behind := func(r *remoteCounts) { c.sends(r); r.sent, r.shards, r.desired = c.newest-400, 5, 7 }
	c.pass(time.Minute, behind, replica.Remote{Sent: true, Behind: 300, Saturated: true})
	c.pass(5*time.Second, func(r *remoteCounts) { c.sends(r); r.desired = 1 }, replica.Remote{Sent: true})
}

func TestRemotesLose(t *testing.T) {
	c := newClock(t)
	c.counts.lost = 5 // before anybody looked
	c.pass(time.Minute, c.sends, replica.Remote{Sent: true})
	lose := func(r *remoteCounts) { c.sends(r); r.lost += 200 }
	c.pass(5*time.Second, lose, replica.Remote{Sent: true, Lost: 100})
	c.pass(time.Minute, lose, replica.Remote{Sent: true, Lost: 1000})
	c.pass(4*time.Minute, c.sends, replica.Remote{Sent: true, Lost: 1000})
	// Another process counts from 0, and what it loses too is told.
	c.counts = remoteCounts{}
	c.pass(5*time.Second, c.sends, replica.Remote{Sent: true, Lost: 1000})
	c.pass(2*time.Minute, c.sends, replica.Remote{Sent: true})
}

// What is seldom sent is not behind for that, and neither is what has just begun.
func TestRemotesRest(t *testing.T) {
	c := newClock(t)
	c.pass(5*time.Second, func(r *remoteCounts) { r.pending = 1 }, replica.Remote{})
	c.pass(5*time.Second, c.sends, replica.Remote{Sent: true})
	c.pass(time.Hour, c.rests, replica.Remote{Sent: true})
	c.pass(5*time.Second, func(r *remoteCounts) { r.pending = 1 }, replica.Remote{Sent: true})
	c.pass(5*time.Second, c.rests, replica.Remote{Sent: true})
	// Nobody has taken anything of one that is new.
	c = newClock(t)
	c.pass(90*time.Second, stuck, replica.Remote{Failing: true, Behind: 60})
}

// A look at Prometheus' own lines.
func TestRemoteMetrics(t *testing.T) {
	c := counters{failures: map[string]float64{}, remotes: map[string]*remoteCounts{}}
	var f Facts
	for _, line := range []string{
		"prometheus_remote_storage_highest_timestamp_in_seconds 1.7e+09\n",
		`prometheus_remote_storage_samples_failed_total{remote_name="a/0",url="http://x?a=\"b\""} 3` + "\n",
		`prometheus_remote_storage_histograms_failed_total{remote_name="a/0",url="http://x"} 4` + "\n",
		`prometheus_remote_storage_samples_dropped_total{reason="dropped_series",remote_name="a/0",url="http://x"} 100` + "\n",
		`prometheus_remote_storage_samples_dropped_total{reason="too_old",remote_name="a/0",url="http://x"} 5` + "\n",
		`prometheus_remote_storage_queue_highest_sent_timestamp_seconds{remote_name="a/0",url="http://x"} 1.6e+09` + "\n",
		`prometheus_remote_storage_samples_in_total 9` + "\n",
		`prometheus_remote_storage_sent_batch_duration_seconds_bucket{remote_name="a/0",url="http://x",le="0.1"} 9` + "\n",
		"prometheus_agent_active_series 12\n",
		"prometheus_notifications_alertmanagers_discovered 1\n",
	} {
		c.metric(line, &f)
	}
	want := map[string]*remoteCounts{"a/0": {lost: 12, sent: 1.6e9}}
	if diff := cmp.Diff(want, c.remotes, cmp.AllowUnexported(remoteCounts{})); diff != "" {
		t.Error(diff)
	}
	if c.newest != 1.7e9 || f.HeadSeries != 12 {
		t.Errorf("newest %v, %d series", c.newest, f.HeadSeries)
	}
}

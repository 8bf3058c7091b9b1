package server

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hearth-monitoring/hearth/internal/replica"
)

// Whether an Alertmanager takes alerts follows from two counters that only grow.
func TestSending(t *testing.T) {
	s := newSending()
	const am = "http://am-0:9093/api/v2/alerts"
	look := func(what string, sent, failed float64, want ...string) {
		t.Helper()
		var got replica.Alerting
		s.judge(counters{sent: map[string]float64{am: sent}, failed: map[string]float64{am: failed}}, &got)
		if diff := cmp.Diff(want, got.Unreachable); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	look("nothing sent yet", 0, 0)
	look("sent", 3, 0)
	look("refused", 3, 2, "am-0:9093")
	look("nothing since", 3, 2, "am-0:9093")
	look("sent again", 4, 2)
	look("refused, by a version that counts it as sent", 5, 3, "am-0:9093")
	look("a process that was restarted", 1, 0)
	var got replica.Alerting
	s.judge(counters{}, &got)
	look("one that was taken away and came back", 1, 0)
}

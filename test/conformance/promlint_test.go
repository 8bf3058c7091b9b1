package conformance

import (
	"bytes"
	"context"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// TestPromlint has promtool's own checks look at what both say of this host: ours has no problem that node_exporter has not.
func TestPromlint(t *testing.T) {
	theirs, ours, _ := both(t)
	known := map[promlint.Problem]bool{}
	for _, p := range lint(t, theirs.Get) {
		known[p] = true
	}
	problems := lint(t, ours.Get)
	for _, p := range problems {
		if !known[p] {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	t.Logf("node_exporter's has %d problems, ours %d, and none of its own", len(known), len(problems))
	if len(known) == 0 {
		t.Error("no problem was found with node_exporter, which has some: nothing was looked at")
	}
}

func lint(t *testing.T, get func(context.Context, ...string) ([]byte, error)) []promlint.Problem {
	t.Helper()
	body, err := get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.New(bytes.NewReader(body)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	return problems
}

package controllers

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/status"
)

// TestScrapeOfPools: a server says nothing of a job that has no target, and a pool without nodes has none.
func TestScrapeOfPools(t *testing.T) {
	e := &stack.Exporter{Pools: []stack.Pool{{Name: "first", Job: "j/first"}, {Name: "rest", Job: "j/rest"}}}
	ps := &v1alpha1.PrometheusServer{}
	ps.Status.Targets = &v1alpha1.TargetsStatus{Jobs: []v1alpha1.JobStatus{{Name: "j/first", Up: 2, Down: 1, LastError: "refused"}}}
	for name, c := range map[string]struct {
		nodes int32 // in the second pool
		want  status.Scrape
	}{
		"empty":   {0, status.Scrape{Server: "PrometheusServer /", Up: new(int32(2)), LastError: "refused", Pools: map[string]int32{"first": 2, "rest": 0}}},
		"unknown": {1, status.Scrape{Server: "PrometheusServer /", LastError: "refused", Pools: map[string]int32{"first": 2}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := scrapeOf(ps, e, []status.Pool{{Name: "first", Nodes: 3}, {Name: "rest", Nodes: c.nodes}})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

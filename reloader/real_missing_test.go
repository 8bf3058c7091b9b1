package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/replica"
)

// TestRealMissingMetrics: a metric that a real server has no series of is named after a few scrapes, and no longer once it
// has some.
func TestRealMissingMetrics(t *testing.T) {
	t.Parallel()
	p := newPod(t)
	config := "global: {scrape_interval: 1s}\nrule_files: [rules/*.yaml]\nscrape_configs:\n- job_name: self\n  static_configs: [{targets: ['" + p.server + "']}]\n"
	needs := bundle.Needs{Rules: []bundle.RuleNeeds{
		{Rule: "spec.groups[A].rules[0] (A)", Metrics: [][]string{{"late"}, {"prometheus_build_info"}}},
		{Rule: "spec.groups[A].rules[1] (B)", Metrics: [][]string{{"prometheus_build_info", "never"}}},
	}}
	rules := map[string][]byte{"team_a.yaml": append(needs.Line(), rule("A", "late == 1")...)}
	one := p.publish(config, rules)
	p.startReloader()
	p.startPrometheus()
	p.loaded(one)
	r := p.until("known to be missing", func(r replica.Report) bool {
		if !r.MetricsKnown && len(r.AlertRules) > 0 {
			t.Errorf("accused before there were scrapes: %+v", r)
		}
		return r.MetricsKnown && len(r.AlertRules) > 0
	})
	if diff := cmp.Diff([]replica.AlertRule{{Name: "team/a", Missing: []string{"spec.groups[A].rules[0] (A): late"}}}, r.AlertRules); diff != "" {
		t.Error(diff)
	}
	// It appears as a series, which the loaded rules say nothing of.
	rules["team_b.yaml"] = []byte("groups: [{name: B, interval: 1s, rules: [{record: late, expr: vector(1)}]}]")
	p.loaded(p.publish(config, rules))
	p.until("no longer missing", func(r replica.Report) bool {
		return r.MetricsKnown && len(r.AlertRules) == 1 && r.AlertRules[0].Pending == 1 && len(r.AlertRules[0].Missing) == 0 ||
			r.MetricsKnown && len(r.AlertRules) == 0
	})
}

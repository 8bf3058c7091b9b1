package promconfig

import (
	"slices"

	"github.com/hearth-monitoring/hearth/internal/monitors"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// sharded says that there is more than one shard.
func sharded(s *stack.Stack) bool { return s.Shards > 1 }

// ofThisShard is what a target has in monitors.HashLabel and monitors.EverywhereLabel if it is this shard's.
const ofThisShard = stack.ShardNumber + ";|.+;.+"

// byAddress leaves each shard its part of the targets of these jobs.
func byAddress(s *stack.Stack, jobs ...scrapeConfig) []scrapeConfig {
	return by(s, "__address__", jobs...)
}

// by is byAddress for jobs whose targets have something that lasts longer than an address, as a node's name does when the pod
// of its exporter is another: with each move to another shard a target begins new series there.
func by(s *stack.Stack, label string, jobs ...scrapeConfig) []scrapeConfig {
	if !sharded(s) {
		return jobs
	}
	for i := range jobs {
		jobs[i].RelabelConfigs = slices.Concat(jobs[i].RelabelConfigs, []relabelConfig{
			{SourceLabels: []string{label, monitors.HashLabel}, Regex: "(.+);", TargetLabel: monitors.HashLabel},
			{Action: "hashmod", SourceLabels: []string{monitors.HashLabel}, Modulus: s.Spread, TargetLabel: monitors.HashLabel},
			{Action: "keep", SourceLabels: []string{monitors.HashLabel, monitors.EverywhereLabel}, Regex: ofThisShard},
		})
	}
	return jobs
}

// monitorJobs are the jobs of monitors, each shard with its part of the targets.
func monitorJobs(s *stack.Stack) []monitors.Job {
	if !sharded(s) {
		return s.Monitors.Jobs
	}
	return monitors.Sharded(s.Monitors.Jobs, s.Spread, ofThisShard, s.Monitors.Tenancy.Label)
}

package monitors

import (
	"cmp"
	"slices"
)

// The labels by which people have a target in another shard than its address puts it in, with the names that
// prometheus-operator gave them: what is in HashLabel is hashed instead of the address, and what has anything in
// EverywhereLabel is every shard's.
const (
	HashLabel       = "__tmp_hash"
	EverywhereLabel = "__tmp_disable_sharding"
)

// Sharded are the jobs with their targets distributed over shards: each keeps what has this in HashLabel and EverywhereLabel
// in the end. Where own is a label that has to say whose a job is, it is still the last thing that is said.
func Sharded(jobs []Job, shards int32, keeps, own string) []Job {
	out := slices.Clone(jobs)
	for i := range out {
		by, end := cmp.Or(out[i].HashBy, "__address__"), len(out[i].RelabelConfigs)
		if last := end - 1; own != "" && last >= 0 && out[i].RelabelConfigs[last].TargetLabel == own {
			end = last
		}
		out[i].RelabelConfigs = slices.Concat(out[i].RelabelConfigs[:end], []Relabel{
			{SourceLabels: []string{by, HashLabel}, Regex: "(.+);", TargetLabel: HashLabel},
			{Action: "hashmod", SourceLabels: []string{HashLabel}, Modulus: int64(shards), TargetLabel: HashLabel},
			keep(keeps, HashLabel, EverywhereLabel),
		}, out[i].RelabelConfigs[end:])
	}
	return out
}

package status

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// running counts what runs.
func (o Server) running() string {
	text := count(len(o.Pods), "replica")
	if o.Shards > 1 {
		text += " in " + count(int(o.Shards), "shard")
	}
	return text
}

// lacking is the name of the first StatefulSet with fewer pods than it should have.
func (o Server) lacking(ps *v1alpha1.PrometheusServer) string {
	have := map[int32]int32{}
	for _, p := range o.Pods {
		have[p.Shard]++
	}
	for shard := range o.Shards {
		if have[shard] < o.Replicas/o.Shards {
			return stack.ShardBase(ps.Name, shard)
		}
	}
	return o.set(ps)
}

// spreading says what becomes of the targets until all shards run.
func (o Server) spreading(others bool) []string {
	switch {
	case o.Spread >= o.Shards:
		return nil
	case others:
		return []string{fmt.Sprintf("until then, targets stay on %s", count(int(o.Spread), "shard"))}
	}
	return []string{fmt.Sprintf("targets are about to be distributed over %d shards", o.Shards)}
}

// keptOfShards says which claims are left of shards that are gone. Nobody asks for what is in them.
func (o Server) keptOfShards(ps *v1alpha1.PrometheusServer) string {
	var kept []string
	for _, c := range o.Claims {
		if shard, ok := stack.ShardOfPod(claimPrefix+stack.NamesOf(ps.Name).Base, c.Name); ok && shard >= max(1, o.Shards) {
			kept = append(kept, c.Name)
		}
	}
	if len(kept) == 0 {
		return ""
	}
	text := strings.Join(kept[:min(len(kept), maxClaimsNamed)], " ")
	if more := len(kept) - maxClaimsNamed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("; the samples of shards that were removed are kept in %s, where nothing asks for them: "+
		"more shards bring them back, kubectl -n %s delete pvc ends them", text, ps.Namespace)
}

const (
	// claimPrefix begins the names of a StatefulSet's claims.
	claimPrefix = "data-"
	// maxClaimsNamed bounds those in a message.
	maxClaimsNamed = 3
)

// answering are the reports of each shard's replicas that are ready, by its number. What is asked of the replicas of one shard is
// the same; what is asked of shards adds up.
func answering(pods []Pod) map[int32][]*replica.Report {
	out := map[int32][]*replica.Report{}
	for _, p := range pods {
		if answers(p) {
			out[p.Shard] = append(out[p.Shard], p.Report)
		}
	}
	return out
}

// silent are the shards that have a part of the targets and no replica that answers.
func (o Server) silent() []string {
	var out []string
	answer := answering(o.Pods)
	for shard := range o.Spread {
		if len(answer[shard]) == 0 {
			out = append(out, fmt.Sprintf("%d", shard))
		}
	}
	return out
}

// unheard says of which shards nothing is known, empty if of none.
func (o Server) unheard() string {
	silent := o.silent()
	switch {
	case o.Shards < 2 || len(silent) == 0:
		return ""
	case len(silent) == 1:
		return "no replica of shard " + silent[0] + " is ready, so nothing is known of its targets"
	}
	return "no replica of the shards " + strings.Join(silent, ", ") + " is ready, so nothing is known of their targets"
}

// add puts the jobs of one shard to those of the others. A job that every shard has whole counts once.
func add(to map[string]*v1alpha1.JobStatus, shard map[string]*v1alpha1.JobStatus) {
	for name, j := range shard {
		known, ok := to[name]
		switch {
		case !ok:
			to[name] = j
		case slices.Contains([]string{stack.JobAlertmanager, stack.JobReloaderAlertmanager, stack.JobOperator}, name):
			worst(to, *j)
		default:
			known.Up, known.Down = known.Up+j.Up, known.Down+j.Down
			known.LastError = firstText(known.LastError, j.LastError)
		}
	}
}

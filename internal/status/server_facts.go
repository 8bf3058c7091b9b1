package status

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/replica"
)

// Bounds of what a status and a message name.
const (
	maxJobs       = 100
	maxJobsNamed  = 3
	maxRulesNamed = 3
	// maxRulesFailing bounds RulesStatus.Failing.
	maxRulesFailing = 10
)

// facts are what the replicas that are ready say about themselves. While none is, there is nothing to be said about
// targets and alerts, and nothing is said.
func facts(out *v1alpha1.PrometheusServerStatus, o Server) {
	out.Targets, out.Alerts = nil, nil
	out.Rules.Loaded = 0
	jobs, shards := map[string]*v1alpha1.JobStatus{}, answering(o.Pods)
	for _, number := range slices.Sorted(maps.Keys(shards)) {
		ofShard := map[string]*v1alpha1.JobStatus{}
		for _, r := range shards[number] {
			out.Version = r.Version
			for _, j := range r.Jobs {
				if j.Targets() == 0 {
					continue
				}
				worst(ofShard, v1alpha1.JobStatus{Name: j.Name, Up: int32(j.Up), Down: int32(j.Down + j.Unknown), LastError: j.LastError})
			}
		}
		if !o.Agent {
			alerts(out, shards[number])
		}
		add(jobs, ofShard)
	}
	if len(shards) > 0 {
		missing(jobs, o)
		out.Targets = targets(jobs)
		out.Rules.Failing = failing(o.Pods)
	}
}

// alerts adds the most that a replica of a shard says: they evaluate the same rules over the same targets, so their alerts are
// the same ones.
func alerts(out *v1alpha1.PrometheusServerStatus, shard []*replica.Report) {
	if out.Alerts == nil {
		out.Alerts = &v1alpha1.AlertsStatus{}
	}
	firing, pending := 0, 0
	for _, said := range shard {
		out.Rules.Loaded = max(out.Rules.Loaded, int32(said.Rules))
		firing, pending = max(firing, said.Firing), max(pending, said.Pending)
	}
	out.Alerts.Firing, out.Alerts.Pending = out.Alerts.Firing+int32(firing), out.Alerts.Pending+int32(pending)
}

// failing are the objects with rules that a replica cannot evaluate, those of one kind and then those of the other.
func failing(pods []Pod) []v1alpha1.Rejection {
	var out []v1alpha1.Rejection
	seen := map[string]bool{}
	add := func(kind string, rules []replica.AlertRule) {
		for _, r := range rules {
			namespace, name, _ := strings.Cut(r.Name, "/")
			if id := kind + " " + r.Name; r.Error != "" && !seen[id] && len(out) < maxRulesFailing {
				seen[id] = true
				out = append(out, v1alpha1.Rejection{Kind: kind, Namespace: namespace, Name: name, Message: Bound(r.Error)})
			}
		}
	}
	for _, p := range pods {
		if p.Report != nil && p.Report.Ready {
			add(kindAlertRule, p.Report.AlertRules)
		}
	}
	for _, p := range pods {
		if p.Report != nil && p.Report.Ready {
			add(kindPrometheusRule, p.Report.PrometheusRules)
		}
	}
	return out
}

func loadedCondition(ps *v1alpha1.PrometheusServer, o Server) metav1.Condition {
	const kind = v1alpha1.ConditionLoaded
	switch {
	case len(o.Pods) > 0:
	case o.Replicas > 0:
		return condition(kind, false, v1alpha1.ReasonLoading, "no pod runs yet")
	default:
		return condition(kind, false, v1alpha1.ReasonScaledToZero, "no pod runs")
	}
	loading := 0
	for _, p := range o.Pods {
		if why := p.loadFailure(ps, o.Revision); why != "" {
			return condition(kind, false, v1alpha1.ReasonLoadFailed, why)
		}
		if p.Report == nil || p.Report.Loaded != o.Revision {
			loading++
		}
	}
	if loading > 0 {
		return condition(kind, false, v1alpha1.ReasonLoading,
			fmt.Sprintf("revision %d is loaded by %d of %s so far", o.Revision, len(o.Pods)-loading, count(len(o.Pods), "pod")))
	}
	return condition(kind, true, v1alpha1.ReasonLoaded, fmt.Sprintf("every replica runs revision %d", o.Revision))
}

// The kinds of objects with rules.
const (
	kindAlertRule      = "AlertRule"
	kindPrometheusRule = "PrometheusRule"
)

func rulesCondition(o Server) metav1.Condition {
	const kind = v1alpha1.ConditionRulesAccepted
	var rejected []string
	for _, v := range o.Verdicts {
		if v.Problem != "" {
			rejected = append(rejected, v.Namespace+"/"+v.Name)
		}
	}
	for _, v := range o.Foreign {
		if v.Problem != "" {
			rejected = append(rejected, kindPrometheusRule+" "+v.Namespace+"/"+v.Name)
		}
	}
	if len(rejected) == 0 {
		return condition(kind, true, v1alpha1.ReasonAllAccepted, o.rulesSelected(" ")+" selected, none rejected")
	}
	named := strings.Join(rejected[:min(len(rejected), maxRulesNamed)], ", ")
	if more := len(rejected) - maxRulesNamed; more > 0 {
		named += fmt.Sprintf(" and %d more", more)
	}
	return condition(kind, false, v1alpha1.ReasonRulesRejected, fmt.Sprintf(
		"%d of %s rejected: %s; status.rules.rejections says why", len(rejected), o.rulesSelected(" selected "), named))
}

// rulesSelected counts what a server selects by kind, the word between number and kind.
func (o Server) rulesSelected(word string) string {
	counted := func(n int, kind string) string {
		return strings.Replace(count(n, kind), " ", word, 1)
	}
	if len(o.Foreign) == 0 {
		return counted(len(o.Verdicts), kindAlertRule)
	}
	foreign := counted(len(o.Foreign), kindPrometheusRule)
	if len(o.Verdicts) == 0 {
		return foreign
	}
	return counted(len(o.Verdicts), kindAlertRule) + " and " + foreign
}

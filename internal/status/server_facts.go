package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// Bounds of what a status and a message name.
const (
	maxJobs       = 100
	maxJobsNamed  = 3
	maxRulesNamed = 3
)

// facts are what the replicas that are ready say about themselves. While none is, there is nothing to be said about
// targets and alerts, and nothing is said.
func facts(out *v1alpha1.PrometheusServerStatus, pods []Pod) {
	out.Targets, out.Alerts = nil, nil
	out.Rules.Loaded = 0
	jobs := map[string]*v1alpha1.JobStatus{}
	for _, p := range pods {
		if p.Report == nil || !p.Report.Ready {
			continue
		}
		if out.Alerts == nil {
			out.Alerts = &v1alpha1.AlertsStatus{}
		}
		out.Version = p.Report.Version
		out.Rules.Loaded = max(out.Rules.Loaded, int32(p.Report.Rules))
		// Replicas evaluate the same rules, so their alerts are the same ones.
		out.Alerts.Firing = max(out.Alerts.Firing, int32(p.Report.Firing))
		out.Alerts.Pending = max(out.Alerts.Pending, int32(p.Report.Pending))
		for _, j := range p.Report.Jobs {
			worst(jobs, v1alpha1.JobStatus{Name: j.Name, Up: int32(j.Up), Down: int32(j.Down + j.Unknown), LastError: j.LastError})
		}
	}
	if out.Alerts != nil {
		out.Targets = targets(jobs)
	}
}

// worst keeps for each job what the replica that sees least of it says.
func worst(jobs map[string]*v1alpha1.JobStatus, j v1alpha1.JobStatus) {
	if known, ok := jobs[j.Name]; !ok || j.Up < known.Up || j.Up == known.Up && j.Down > known.Down {
		jobs[j.Name] = &j
	}
}

func targets(jobs map[string]*v1alpha1.JobStatus) *v1alpha1.TargetsStatus {
	out := &v1alpha1.TargetsStatus{}
	up, all := int32(0), int32(0)
	for _, j := range jobs {
		up, all = up+j.Up, all+j.Up+j.Down
		out.Jobs = append(out.Jobs, *j)
	}
	slices.SortFunc(out.Jobs, func(a, b v1alpha1.JobStatus) int {
		return cmp.Or(cmp.Compare(min(b.Down, 1), min(a.Down, 1)), cmp.Compare(a.Name, b.Name))
	})
	out.Jobs = out.Jobs[:min(len(out.Jobs), maxJobs)]
	out.Summary = fmt.Sprintf("%d/%d", up, all)
	return out
}

func loadedCondition(o Server) metav1.Condition {
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
		if why := p.loadFailure(o.Revision); why != "" {
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

func targetsCondition(t *v1alpha1.TargetsStatus) metav1.Condition {
	const kind = v1alpha1.ConditionTargetsHealthy
	if t == nil {
		return unknown(kind, "no replica is ready, so nothing is known of the targets")
	}
	var down []string
	jobs := 0
	for _, j := range t.Jobs {
		if j.Down == 0 {
			continue
		}
		if jobs++; jobs <= maxJobsNamed {
			down = append(down, fmt.Sprintf("%s: %d of %d down: %s", j.Name, j.Down, j.Up+j.Down, firstText(j.LastError, "not scraped yet")))
		}
	}
	if jobs == 0 {
		return condition(kind, true, v1alpha1.ReasonAllUp, t.Summary+" targets are up")
	}
	if jobs > maxJobsNamed {
		down = append(down, fmt.Sprintf("and %s more", count(jobs-maxJobsNamed, "job")))
	}
	return condition(kind, false, v1alpha1.ReasonTargetsDown, strings.Join(down, "; "))
}

func rulesCondition(o Server) metav1.Condition {
	const kind = v1alpha1.ConditionRulesAccepted
	var rejected []string
	for _, v := range o.Verdicts {
		if v.Problem != "" {
			rejected = append(rejected, v.Namespace+"/"+v.Name)
		}
	}
	if len(rejected) == 0 {
		return condition(kind, true, v1alpha1.ReasonAllAccepted, count(len(o.Verdicts), "AlertRule")+" selected, none rejected")
	}
	named := strings.Join(rejected[:min(len(rejected), maxRulesNamed)], ", ")
	if more := len(rejected) - maxRulesNamed; more > 0 {
		named += fmt.Sprintf(" and %d more", more)
	}
	return condition(kind, false, v1alpha1.ReasonRulesRejected, fmt.Sprintf(
		"%d of %s rejected: %s; status.rules.rejections says why", len(rejected), count(len(o.Verdicts), "selected AlertRule"), named))
}

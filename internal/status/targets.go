package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

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
		return cmp.Or(cmp.Compare(attention(b), attention(a)), cmp.Compare(a.Name, b.Name))
	})
	out.Jobs = bounded(out.Jobs)
	out.Summary = fmt.Sprintf("%d/%d", up, all)
	return out
}

// bounded leaves out the last of too many jobs, but those of NodeExporters after all others: their statuses are made from here,
// and with a thousand monitors none of which is well there would be nothing to make them from.
func bounded(jobs []v1alpha1.JobStatus) []v1alpha1.JobStatus {
	if len(jobs) <= maxJobs {
		return jobs
	}
	exporters := func(j v1alpha1.JobStatus) bool { return strings.HasPrefix(j.Name, stack.ExporterJobs) }
	room := maxJobs
	for _, j := range jobs {
		if exporters(j) {
			room--
		}
	}
	out := make([]v1alpha1.JobStatus, 0, maxJobs)
	for _, j := range jobs {
		if !exporters(j) {
			if room <= 0 {
				continue
			}
			room--
		}
		out = append(out, j)
	}
	return out[:min(len(out), maxJobs)]
}

// What is said of a job that has no target begins with one of these; with the second where nothing runs that could be one.
const (
	noTarget    = "no target found: "
	noTargetYet = "no target yet: "
)

// NoTarget reads what the status says of a job that has no target, where it does.
func NoTarget(j v1alpha1.JobStatus) (stack.Awaited, bool) {
	if why, ok := strings.CutPrefix(j.LastError, noTargetYet); ok {
		return stack.Awaited{Job: j.Name, Why: why, Idle: true}, j.Up+j.Down == 0
	}
	why, ok := strings.CutPrefix(j.LastError, noTarget)
	return stack.Awaited{Job: j.Name, Why: why}, ok && j.Up+j.Down == 0
}

// missing adds the jobs that ought to have a target and have none in a server that has loaded what is published. Prometheus
// itself does not speak of them.
func missing(jobs map[string]*v1alpha1.JobStatus, o Server) {
	if o.Loaded() != o.Revision || o.unheard() != "" {
		return
	}
	for _, a := range o.Awaited {
		if _, ok := jobs[a.Job]; !ok {
			text := noTarget
			if a.Idle {
				text = noTargetYet
			}
			jobs[a.Job] = &v1alpha1.JobStatus{Name: a.Job, LastError: Bound(text + a.Why)}
		}
	}
}

// attention sorts jobs: those with targets down come first, then those without any.
func attention(j v1alpha1.JobStatus) int {
	switch {
	case j.Down > 0:
		return 2
	case j.Up == 0:
		return 1
	}
	return 0
}

func targetsCondition(t *v1alpha1.TargetsStatus, o Server) metav1.Condition {
	const kind = v1alpha1.ConditionTargetsHealthy
	if t == nil {
		return unknown(kind, "no replica is ready, so nothing is known of the targets")
	}
	down, none, notes := troubles(t.Jobs, o)
	jobs := append(down, none...)
	if more := len(jobs) - maxJobsNamed; more > 0 {
		jobs = append(jobs[:maxJobsNamed], fmt.Sprintf("and %s more", count(more, "job")))
	}
	var withheld []string
	for _, w := range o.Withheld {
		withheld = append(withheld, w.Field+" "+w.Why)
	}
	var unheard []string
	if text := o.unheard(); text != "" {
		unheard = append(unheard, text)
	}
	text := strings.Join(slices.Concat(unheard, withheld, jobs), "; ")
	switch {
	case len(down) > 0:
		return condition(kind, false, v1alpha1.ReasonTargetsDown, text)
	case len(unheard) > 0:
		return unknown(kind, text)
	case len(withheld) > 0:
		return condition(kind, false, v1alpha1.ReasonNotAllowed, text)
	case len(none) > 0:
		return condition(kind, false, v1alpha1.ReasonNoTargets, text)
	case len(t.Jobs) == 0:
		return unknown(kind, "no target is known before the server has loaded what is published")
	}
	if more := len(notes) - maxJobsNamed; more > 0 {
		notes = append(notes[:maxJobsNamed], fmt.Sprintf("and %s more", count(more, "job")))
	}
	return condition(kind, true, v1alpha1.ReasonAllUp, strings.Join(append([]string{t.Summary + " targets are up"}, notes...), "; "))
}

// troubles are the jobs with targets that are down, those that have none and should, and those that have none and need not.
func troubles(jobs []v1alpha1.JobStatus, o Server) (down, none, notes []string) {
	optional := map[string]bool{}
	for _, a := range o.Awaited {
		optional[a.Job] = a.Optional
	}
	for _, j := range jobs {
		switch {
		case j.Down > 0:
			down = append(down, fmt.Sprintf("%s: %d of %d down: %s", j.Name, j.Down, j.Up+j.Down, hinted(j.Name, firstText(j.LastError, "not scraped yet"))))
		case strings.HasPrefix(j.LastError, noTargetYet), strings.HasPrefix(j.LastError, noTarget) && optional[j.Name]:
			notes = append(notes, j.Name+": "+j.LastError)
		case !strings.HasPrefix(j.LastError, noTarget):
		default:
			none = append(none, j.Name+": "+j.LastError)
		}
	}
	return down, none, notes
}

// hinted says what to do about the one error that many clusters have by default.
func hinted(job, text string) string {
	if (job == stack.JobKubelet || strings.HasPrefix(job, stack.JobKubelet+"/")) && strings.Contains(text, "x509:") {
		return text + " (kubelets sign their certificates themselves unless they have serverTLSBootstrap: true; spec.targets.kubernetes.kubelets.insecureSkipVerify: true takes any)"
	}
	return text
}

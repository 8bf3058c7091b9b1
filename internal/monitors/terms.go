package monitors

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/alecthomas/units"
	"k8s.io/utils/ptr"
)

// Terms are those on which a server takes what a namespace declares. The zero value is none: whoever declares it is trusted.
type Terms struct {
	// Label has to say the namespace on every series, whatever its monitor or its target says. It is empty where none has to.
	Label string
	// Discovered is true if nothing is scraped but the pods that Kubernetes discovers in the namespace itself.
	Discovered bool
	// Bounds are upper ones.
	Bounds Bounds
}

// Bounds of each scrape job; 0 is none. They are Prometheus' own, by which a scrape that is beyond one of them fails.
type Bounds struct {
	Samples, Targets, Labels, LabelNameLength, LabelValueLength, HistogramBuckets int64
	// BodySize is in bytes.
	BodySize int64
}

// hostLabel has the host of a discovered address, for as long as it takes to compare it.
const hostLabel = "__tmp_hearth_host"

// Refusal is why the terms don't let this monitor have targets at all, empty if they do.
func (t Terms) Refusal(made *Compiled) string {
	if !t.Discovered || len(made.Strays) == 0 {
		return ""
	}
	return made.Strays.ToAggregate().Error()
}

// Applied are the jobs of one namespace on these terms. The jobs that are given are shared, and stay as they are.
func (t Terms) Applied(namespace string, jobs []Job) []Job {
	if t == (Terms{}) {
		return jobs
	}
	out := slices.Clone(jobs)
	for i := range out {
		job := &out[i]
		job.Limits = t.Bounds.Within(job.Limits)
		if t.Discovered {
			job.RelabelConfigs = slices.Concat(atHome(job), job.RelabelConfigs)
			// A target could send Prometheus wherever it does not get itself.
			job.FollowRedirects = new(false)
		}
		if t.Label != "" {
			// Last of all, so that nothing says otherwise afterwards: of the target's labels, and of what it exposes itself.
			own := fixed(t.Label, namespace)
			job.RelabelConfigs = append(slices.Clip(job.RelabelConfigs), own)
			job.MetricRelabelConfigs = append(slices.Clip(job.MetricRelabelConfigs), own)
		}
	}
	return out
}

// atHome keeps the targets that are pods of the namespace at their own address. That of one that has ended may be another
// pod's by now, and what is in an EndpointSlice may have been written by hand. These steps are before all others, which could
// write the labels that are looked at here.
func atHome(job *Job) []Relabel {
	out := []Relabel{running()}
	if slices.ContainsFunc(job.KubernetesSD, func(d Discovery) bool { return d.Role != "pod" }) {
		out = append(out,
			Relabel{SourceLabels: []string{"__address__"}, Regex: `\[?(.+?)\]?(:\d+)?`, TargetLabel: hostLabel},
			Relabel{Action: "keepequal", SourceLabels: []string{ofPod + "ip"}, TargetLabel: hostLabel},
		)
	}
	return out
}

// Within are the limits where they are smaller than the bounds, and the bounds where they are not.
func (b Bounds) Within(l Limits) Limits {
	for _, one := range []struct {
		own   **int64
		bound int64
	}{
		{&l.SampleLimit, b.Samples}, {&l.TargetLimit, b.Targets}, {&l.LabelLimit, b.Labels}, {&l.LabelNameLengthLimit, b.LabelNameLength},
		{&l.LabelValueLengthLimit, b.LabelValueLength}, {&l.NativeHistogramBucketLimit, b.HistogramBuckets},
	} {
		// To Prometheus 0 is no limit.
		if own := ptr.Deref(*one.own, 0); one.bound > 0 && (own == 0 || own > one.bound) {
			*one.own = new(one.bound)
		}
	}
	if own := bytesOf(l.BodySizeLimit); b.BodySize > 0 && (own == 0 || own > b.BodySize) {
		l.BodySizeLimit = strconv.FormatInt(b.BodySize, 10) + "B"
	}
	return l
}

// bytesOf is what Prometheus reads in a size; what it can't read, its loader has refused.
func bytesOf(size string) int64 {
	if size == "" {
		return 0
	}
	n, err := units.ParseBase2Bytes(size)
	if err != nil {
		return 0
	}
	return int64(n)
}

// beyond says in words which of the limits are not within the bounds.
func (b Bounds) beyond(l Limits) []string {
	var out []string
	within := b.Within(l)
	for _, one := range []struct {
		name       string
		own, bound *int64
	}{
		{"sample_limit", l.SampleLimit, within.SampleLimit}, {"target_limit", l.TargetLimit, within.TargetLimit},
		{"label_limit", l.LabelLimit, within.LabelLimit}, {"label_name_length_limit", l.LabelNameLengthLimit, within.LabelNameLengthLimit},
		{"label_value_length_limit", l.LabelValueLengthLimit, within.LabelValueLengthLimit},
		{"native_histogram_bucket_limit", l.NativeHistogramBucketLimit, within.NativeHistogramBucketLimit},
	} {
		if ptr.Deref(one.own, 0) != ptr.Deref(one.bound, 0) {
			out = append(out, fmt.Sprintf("%s is %d, and must not be above %d", one.name, ptr.Deref(one.own, 0), ptr.Deref(one.bound, 0)))
		}
	}
	if l.BodySizeLimit != within.BodySizeLimit {
		out = append(out, fmt.Sprintf("body_size_limit is %q, and must not be above %s", l.BodySizeLimit, within.BodySizeLimit))
	}
	return out
}

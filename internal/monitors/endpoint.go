package monitors

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
)

// endpoint is what an endpoint says in the same words in either kind.
type endpoint struct {
	path                                      string
	scheme                                    *monitoringv1.Scheme
	params                                    map[string][]string
	interval, timeout                         monitoringv1.Duration
	honorLabels                               bool
	honorTimestamps, trackTimestampsStaleness *bool
	relabelings, metricRelabelings            []monitoringv1.RelabelConfig
	connection                                connection
	// relabelingsAt is where relabelings are, if that is not beside the rest.
	relabelingsAt *field.Path
}

// monitor is what a monitor says in the same words in either kind.
type monitor struct {
	selector               metav1.LabelSelector
	mechanism              *monitoringv1.SelectorMechanism
	attach                 *monitoringv1.AttachMetadata
	scrapeClass            *string
	scrapeProtocols        []monitoringv1.ScrapeProtocol
	fallbackScrapeProtocol *monitoringv1.ScrapeProtocol
	limits                 Limits
}

// byRole says whether Kubernetes selects, and not relabelling.
func (m *monitor) byRole() bool {
	return ptr.Deref(m.mechanism, monitoringv1.SelectorMechanismRelabel) == monitoringv1.SelectorMechanismRole
}

// verify looks at what concerns all endpoints.
func (c *compiler) verify(m *monitor) {
	spec := field.NewPath("spec")
	if _, err := metav1.LabelSelectorAsSelector(&m.selector); err != nil {
		c.errs = append(c.errs, field.Invalid(spec.Child("selector"), "", err.Error()))
	}
	if ptr.Deref(m.scrapeClass, "") != "" {
		c.refuse(spec.Child("scrapeClass"), "not yet: a PrometheusServer has no scrape classes; write what the class says into the endpoints")
	}
	if m.limits.NativeHistogramMinBucketFactor < 0 {
		c.errs = append(c.errs, field.Invalid(spec.Child("nativeHistogramMinBucketFactor"), m.limits.NativeHistogramMinBucketFactor, "must not be negative"))
	}
}

// job is the part of a job that does not depend on the kind. The steps of relabelling are those of the kind; the
// endpoint's own come after them.
func (c *compiler) job(i int, m *monitor, e *endpoint, steps []Relabel) Job {
	at := c.endpoint(i)
	job := Job{
		JobName:                  c.jobName(i),
		HonorLabels:              e.honorLabels,
		HonorTimestamps:          e.honorTimestamps,
		TrackTimestampsStaleness: e.trackTimestampsStaleness,
		ScrapeInterval:           string(e.interval),
		ScrapeTimeout:            string(e.timeout),
		MetricsPath:              e.path,
		Scheme:                   e.scheme.String(),
		Params:                   e.params,
		Limits:                   m.limits,
		FallbackScrapeProtocol:   string(ptr.Deref(m.fallbackScrapeProtocol, "")),
	}
	for _, p := range m.scrapeProtocols {
		job.ScrapeProtocols = append(job.ScrapeProtocols, string(p))
	}
	job.HTTPClient = c.client(e.connection, at)
	relabelings := at.Child("relabelings")
	if e.relabelingsAt != nil {
		relabelings = e.relabelingsAt
	}
	own := c.relabelled(e.relabelings, relabelings)
	if e.connection.credentialed() {
		c.steadfast(own, relabelings)
	}
	c.straying(own, relabelings)
	job.RelabelConfigs = slices.Concat([]Relabel{copied("job", jobNameLabel)}, steps, own)
	job.MetricRelabelConfigs = c.relabelled(e.metricRelabelings, at.Child("metricRelabelings"))
	return job
}

// jobName has the number of the endpoint where there can be several.
func (c *compiler) jobName(i int) string {
	name := fmt.Sprintf("%s/%s/%s", strings.ToLower(string(c.kind[:1]))+string(c.kind[1:]), c.namespace, c.name)
	if c.kind == ProbeKind || c.kind == ScrapeConfigKind {
		return name
	}
	return fmt.Sprintf("%s/%d", name, i)
}

// Origin is what a scrape job was made of.
type Origin struct {
	Kind            Kind
	Namespace, Name string
	// Endpoint is which one of the monitor's it is.
	Endpoint int
}

// OfJob reads the name of a scrape job; ok is false if it is none of a monitor's.
func OfJob(name string) (o Origin, ok bool) {
	parts := strings.Split(name, "/")
	if len(parts) < 3 || len(parts) > 4 || parts[0] == "" {
		return o, false
	}
	o = Origin{Kind: Kind(strings.ToUpper(parts[0][:1]) + parts[0][1:]), Namespace: parts[1], Name: parts[2]}
	numbered := o.Kind == ServiceMonitorKind || o.Kind == PodMonitorKind
	if !numbered && o.Kind != ProbeKind && o.Kind != ScrapeConfigKind || numbered != (len(parts) == 4) {
		return o, false
	}
	if numbered {
		var err error
		if o.Endpoint, err = strconv.Atoi(parts[3]); err != nil {
			return o, false
		}
	}
	return o, true
}

// discovery is where the targets of a monitor come from; the roles are what a selector narrows if Kubernetes selects.
func discovery(m *monitor, within Within, roles ...string) []Discovery {
	out := Discovery{Role: roles[0], Within: within}
	if m.attach != nil {
		out.AttachMetadata = &AttachMetadata{Node: ptr.Deref(m.attach.Node, false)}
	}
	if selector, err := metav1.LabelSelectorAsSelector(&m.selector); m.byRole() && err == nil && !selector.Empty() {
		for _, role := range roles {
			out.Selectors = append(out.Selectors, Selector{Role: role, Label: selector.String()})
		}
	}
	return []Discovery{out}
}

// withHistograms adds what a monitor says of histograms.
func (l Limits) withHistograms(h monitoringv1.NativeHistogramConfig) Limits {
	l.ScrapeNativeHistograms = h.ScrapeNativeHistograms
	l.AlwaysScrapeClassicHistograms = h.ScrapeClassicHistograms
	l.ConvertClassicHistogramsToNHCB = h.ConvertClassicHistogramsToNHCB
	l.NativeHistogramBucketLimit = h.NativeHistogramBucketLimit
	if h.NativeHistogramMinBucketFactor != nil {
		l.NativeHistogramMinBucketFactor = h.NativeHistogramMinBucketFactor.AsApproximateFloat64()
	}
	return l
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

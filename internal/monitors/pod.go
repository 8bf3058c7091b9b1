package monitors

import (
	"strconv"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
)

// OfPodMonitor is what a PodMonitor becomes: one job for each endpoint, which finds the ports of the pods that are
// selected.
func OfPodMonitor(pm *monitoringv1.PodMonitor) (*Compiled, field.ErrorList) {
	spec := &pm.Spec
	c := newCompiler(PodMonitorKind, pm.Namespace, pm.Name)
	m := &monitor{
		selector: spec.Selector, mechanism: spec.SelectorMechanism, attach: spec.AttachMetadata, scrapeClass: spec.ScrapeClassName,
		scrapeProtocols: spec.ScrapeProtocols, fallbackScrapeProtocol: spec.FallbackScrapeProtocol,
		limits: Limits{
			SampleLimit: spec.SampleLimit, TargetLimit: spec.TargetLimit, LabelLimit: spec.LabelLimit,
			LabelNameLengthLimit: spec.LabelNameLengthLimit, LabelValueLengthLimit: spec.LabelValueLengthLimit,
			KeepDroppedTargets: spec.KeepDroppedTargets, BodySizeLimit: string(ptr.Deref(spec.BodySizeLimit, "")),
			ExtraScrapeMetrics: spec.ExtraScrapeMetrics,
		}.withHistograms(spec.NativeHistogramConfig),
	}
	c.verify(m)
	within := c.within(spec.NamespaceSelector, field.NewPath("spec", "namespaceSelector", "matchNames"))
	var jobs []Job
	for i := range spec.PodMetricsEndpoints {
		e := &spec.PodMetricsEndpoints[i]
		job := c.job(i, m, podEndpoint(e), podSteps(pm, m, e))
		job.KubernetesSD = discovery(m, within, "pod")
		jobs = append(jobs, job)
	}
	return c.done(jobs)
}

func podEndpoint(e *monitoringv1.PodMetricsEndpoint) *endpoint {
	return &endpoint{
		path: e.Path, scheme: e.Scheme, params: e.Params, interval: e.Interval, timeout: e.ScrapeTimeout,
		honorLabels: e.HonorLabels, honorTimestamps: e.HonorTimestamps, trackTimestampsStaleness: e.TrackTimestampsStaleness,
		relabelings: e.RelabelConfigs, metricRelabelings: e.MetricRelabelConfigs,
		connection: connection{HTTPConfigWithoutTLS: e.HTTPConfigWithoutTLS, proxy: e.ProxyConfig, tls: e.TLSConfig},
	}
}

// podSteps are serviceSteps for pods. A port that is given by portNumber alone has no label endpoint.
func podSteps(pm *monitoringv1.PodMonitor, m *monitor, e *monitoringv1.PodMetricsEndpoint) []Relabel {
	var out []Relabel
	if ptr.Deref(e.FilterRunning, true) {
		out = append(out, running())
	}
	if !m.byRole() {
		out = append(out, selected(pm.Spec.Selector, ofPod)...)
	}
	target := e.TargetPort //nolint:staticcheck // It is deprecated, and people have it.
	switch {
	case ptr.Deref(e.Port, "") != "":
		out = append(out, keep(*e.Port, ofPod+"container_port_name"))
	case ptr.Deref(e.PortNumber, 0) != 0:
		out = append(out, keep(strconv.Itoa(int(*e.PortNumber)), ofPod+"container_port_number"))
	case target != nil:
		out = append(out, containerPort(*target)...)
	}
	out = append(out,
		copied(ofNamespace, "namespace"),
		copied(ofPod+"container_name", "container"),
		copied(ofPod+"name", "pod"),
	)
	out = append(out, taken(pm.Spec.PodTargetLabels, ofPod)...)
	out = append(out, fixed("job", pm.Namespace+"/"+pm.Name))
	if pm.Spec.JobLabel != "" {
		out = append(out, copiedIfAny(ofPod+"label_"+sanitized(pm.Spec.JobLabel), "job"))
	}
	switch {
	case ptr.Deref(e.Port, "") != "":
		out = append(out, fixed("endpoint", *e.Port))
	case target != nil && target.String() != "":
		out = append(out, fixed("endpoint", target.String()))
	}
	return out
}

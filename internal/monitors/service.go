package monitors

import (
	"strconv"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
)

// filesWhy is why a monitor may name no file.
const filesWhy = "this is a file of the Prometheus pod, which is not for whoever may write a monitor to read: name a Secret of this namespace instead"

// OfServiceMonitor is what a ServiceMonitor becomes: one job for each endpoint, which finds its targets through the
// EndpointSlices of the Services that are selected.
func OfServiceMonitor(sm *monitoringv1.ServiceMonitor) (*Compiled, field.ErrorList) {
	spec := &sm.Spec
	c := newCompiler(ServiceMonitorKind, sm.Namespace, sm.Name)
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
	for i := range spec.Endpoints {
		e := &spec.Endpoints[i]
		c.noFiles(e, c.endpoint(i))
		job := c.job(i, m, serviceEndpoint(e), serviceSteps(spec, m, e))
		job.KubernetesSD = discovery(m, within, "endpointslice", "service")
		jobs = append(jobs, job)
	}
	return c.done(jobs)
}

func serviceEndpoint(e *monitoringv1.Endpoint) *endpoint {
	out := &endpoint{
		path: e.Path, scheme: e.Scheme, params: e.Params, interval: e.Interval, timeout: e.ScrapeTimeout,
		honorLabels: e.HonorLabels, honorTimestamps: e.HonorTimestamps, trackTimestampsStaleness: e.TrackTimestampsStaleness,
		relabelings: e.RelabelConfigs, metricRelabelings: e.MetricRelabelConfigs,
		connection: connection{HTTPConfigWithoutTLS: e.HTTPConfigWithoutTLS, proxy: e.ProxyConfig},
	}
	if e.TLSConfig != nil {
		out.connection.tls = &e.TLSConfig.SafeTLSConfig
	}
	return out
}

// noFiles: only a ServiceMonitor can name files at all.
func (c *compiler) noFiles(e *monitoringv1.Endpoint, at *field.Path) {
	refuse := func(name string, path *field.Path) {
		if name != "" {
			c.refuse(path, filesWhy)
		}
	}
	refuse(e.BearerTokenFile, at.Child("bearerTokenFile")) //nolint:staticcheck // It is deprecated, and refused.
	if t := e.TLSConfig; t != nil {
		refuse(t.CAFile, at.Child("tlsConfig", "caFile"))
		refuse(t.CertFile, at.Child("tlsConfig", "certFile"))
		refuse(t.KeyFile, at.Child("tlsConfig", "keyFile"))
	}
}

// serviceSteps are in the order in which people's own relabelling, which comes after them, expects them to have been done:
// a label of the Service or pod can stand in for one of these, and jobLabel for the Service's name.
func serviceSteps(spec *monitoringv1.ServiceMonitorSpec, m *monitor, e *monitoringv1.Endpoint) []Relabel {
	var out []Relabel
	if !m.byRole() {
		out = selected(spec.Selector, ofService)
	}
	name := ""
	switch {
	case e.Port != "":
		name = e.Port
		out = append(out, keep(e.Port, ofSlice+"port_name"))
	case e.TargetPort != nil:
		name = e.TargetPort.String()
		out = append(out, containerPort(*e.TargetPort)...)
	}
	kindAndName := []string{ofSlice + "address_target_kind", ofSlice + "address_target_name"}
	out = append(out,
		Relabel{SourceLabels: kindAndName, Regex: "Node;(.*)", TargetLabel: "node"},
		Relabel{SourceLabels: kindAndName, Regex: "Pod;(.*)", TargetLabel: "pod"},
		copied(ofNamespace, "namespace"),
		copied(ofService+"name", "service"),
		copied(ofPod+"name", "pod"),
		copied(ofPod+"container_name", "container"),
	)
	if ptr.Deref(e.FilterRunning, true) {
		out = append(out, running())
	}
	out = append(out, taken(spec.TargetLabels, ofService)...)
	out = append(out, taken(spec.PodTargetLabels, ofPod)...)
	out = append(out, copied(ofService+"name", "job"))
	if spec.JobLabel != "" {
		out = append(out, copiedIfAny(ofService+"label_"+sanitized(spec.JobLabel), "job"))
	}
	if name != "" {
		out = append(out, fixed("endpoint", name))
	}
	return out
}

// containerPort keeps the pods' port of this name or number.
func containerPort(p intstr.IntOrString) []Relabel {
	switch {
	case p.StrVal != "":
		return []Relabel{keep(p.StrVal, ofPod+"container_port_name")}
	case p.IntVal != 0:
		return []Relabel{keep(strconv.Itoa(p.IntValue()), ofPod+"container_port_number")}
	}
	return nil
}

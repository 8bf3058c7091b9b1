package monitors

import (
	"strings"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// probePath is where a prober answers if nobody says otherwise, as the CustomResourceDefinition has it.
const probePath = "/probe"

// ofIngress is what the labels begin with by which an Ingress is known while targets are relabelled.
const ofIngress = "__meta_kubernetes_ingress_"

// OfProbe is what a Probe becomes: one job, in which the prober is asked about each target.
func OfProbe(p *monitoringv1.Probe) (*Compiled, field.ErrorList) {
	spec := &p.Spec
	c := newCompiler(ProbeKind, p.Namespace, p.Name)
	m := &monitor{
		scrapeClass: spec.ScrapeClassName, scrapeProtocols: spec.ScrapeProtocols, fallbackScrapeProtocol: spec.FallbackScrapeProtocol,
		limits: Limits{
			SampleLimit: spec.SampleLimit, TargetLimit: spec.TargetLimit, LabelLimit: spec.LabelLimit,
			LabelNameLengthLimit: spec.LabelNameLengthLimit, LabelValueLengthLimit: spec.LabelValueLengthLimit,
			KeepDroppedTargets: spec.KeepDroppedTargets, ExtraScrapeMetrics: spec.ExtraScrapeMetrics,
		}.withHistograms(spec.NativeHistogramConfig),
	}
	at := field.NewPath("spec")
	e := &endpoint{
		path: spec.ProberSpec.Path, scheme: spec.ProberSpec.Scheme, params: probeParams(spec), interval: spec.Interval, timeout: spec.ScrapeTimeout,
		metricRelabelings: spec.MetricRelabelConfigs, connection: connection{HTTPConfigWithoutTLS: spec.HTTPConfigWithoutTLS, tls: spec.TLSConfig},
	}
	if e.path == "" {
		e.path = probePath
	}
	// The outer one of the two is what the API has.
	e.connection.Authorization = spec.Authorization
	c.noProxy(spec.ProberSpec.ProxyConfig, at.Child("prober"))
	if url := spec.ProberSpec.URL; url == "" || strings.Contains(url, "/") {
		c.errs = append(c.errs, field.Invalid(at.Child("prober", "url"), url, "write the prober's host and port, such as blackbox:9115"))
	}
	c.stray(at.Child("prober", "url"), "this server scrapes only those of tenants' targets that Kubernetes discovers in their namespaces, and a prober is whatever is named")
	var steps []Relabel
	if spec.JobName != "" {
		steps = append(steps, fixed("job", spec.JobName))
	}
	var from Sources
	switch targets := spec.Targets; {
	case targets.StaticConfig != nil:
		e.relabelings, e.relabelingsAt = targets.StaticConfig.RelabelConfigs, at.Child("targets", "staticConfig", "relabelingConfigs")
		from.StaticConfigs = []Static{{Targets: targets.StaticConfig.Targets, Labels: labelledWith("namespace", p.Namespace, targets.StaticConfig.Labels)}}
		steps = append(steps, copied("__address__", "__param_target"))
	case targets.Ingress != nil:
		ingress := at.Child("targets", "ingress")
		e.relabelings, e.relabelingsAt = targets.Ingress.RelabelConfigs, ingress.Child("relabelingConfigs")
		if _, err := metav1.LabelSelectorAsSelector(&targets.Ingress.Selector); err != nil {
			c.errs = append(c.errs, field.Invalid(ingress.Child("selector"), "", err.Error()))
		}
		from.KubernetesSD = []Discovery{{Role: RoleIngress, Within: c.within(targets.Ingress.NamespaceSelector, ingress.Child("namespaceSelector", "matchNames"))}}
		steps = append(steps, ingressSteps(targets.Ingress.Selector)...)
	default:
		c.errs = append(c.errs, field.Required(at.Child("targets"), "set staticConfig or ingress"))
	}
	steps = append(steps, copied("__param_target", "instance"), fixed("__address__", spec.ProberSpec.URL))
	c.verify(m)
	job := c.job(0, m, e, steps)
	job.Sources = from
	// All of them have the prober's address.
	job.HashBy = "__param_target"
	return c.done([]Job{job})
}

// RoleIngress discovers Ingresses.
const RoleIngress = "ingress"

func ingressSteps(s metav1.LabelSelector) []Relabel {
	replacement := "${1}://${2}${3}"
	return append(selected(s, ofIngress),
		Relabel{
			SourceLabels: []string{ofIngress + "scheme", "__address__", ofIngress + "path"}, Regex: "(.+);(.+);(.+)",
			TargetLabel: "__param_target", Replacement: &replacement,
		},
		copied(ofNamespace, "namespace"),
		copied(ofIngress+"name", "ingress"),
		copied("__address__", "__tmp_ingress_address"),
	)
}

// probeParams: the module has its own field, which is stronger.
func probeParams(spec *monitoringv1.ProbeSpec) map[string][]string {
	out := map[string][]string{}
	for _, p := range spec.Params {
		out[p.Name] = p.Values
	}
	if spec.Module != "" {
		out["module"] = []string{spec.Module}
	}
	return out
}

// labelledWith are the labels, and this one if they don't have it.
func labelledWith(name, value string, labels map[string]string) map[string]string {
	out := map[string]string{name: value}
	for k, v := range labels {
		out[k] = v
	}
	return out
}

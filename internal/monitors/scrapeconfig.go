package monitors

import (
	"slices"
	"strings"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
)

// RoleNode discovers nodes, which are in no namespace.
const RoleNode = "node"

// OfScrapeConfig is what a ScrapeConfig becomes: one job, with the sources of targets that it names.
func OfScrapeConfig(sc *monitoringv1alpha1.ScrapeConfig) (*Compiled, field.ErrorList) {
	spec := &sc.Spec
	c := newCompiler(ScrapeConfigKind, sc.Namespace, sc.Name)
	m := &monitor{
		scrapeClass: spec.ScrapeClassName, scrapeProtocols: spec.ScrapeProtocols, fallbackScrapeProtocol: spec.FallbackScrapeProtocol,
		limits: Limits{
			SampleLimit: spec.SampleLimit, TargetLimit: spec.TargetLimit, LabelLimit: spec.LabelLimit,
			LabelNameLengthLimit: spec.LabelNameLengthLimit, LabelValueLengthLimit: spec.LabelValueLengthLimit,
			KeepDroppedTargets: spec.KeepDroppedTargets, BodySizeLimit: string(ptr.Deref(spec.BodySizeLimit, "")),
			ExtraScrapeMetrics: spec.ExtraScrapeMetrics,
		}.withHistograms(spec.NativeHistogramConfig),
	}
	e := &endpoint{
		path: ptr.Deref(spec.MetricsPath, ""), scheme: spec.Scheme, params: spec.Params,
		interval: ptr.Deref(spec.ScrapeInterval, ""), timeout: ptr.Deref(spec.ScrapeTimeout, ""),
		honorLabels: ptr.Deref(spec.HonorLabels, false), honorTimestamps: spec.HonorTimestamps, trackTimestampsStaleness: spec.TrackTimestampsStaleness,
		relabelings: spec.RelabelConfigs, metricRelabelings: spec.MetricRelabelConfigs,
		connection: connecting(spec.BasicAuth, spec.Authorization, spec.OAuth2, spec.TLSConfig, spec.ProxyConfig, nil, spec.EnableHTTP2),
	}
	c.verify(m)
	var steps []Relabel
	if spec.JobName != nil {
		steps = append(steps, fixed("job", *spec.JobName))
	}
	job := c.job(0, m, e, steps)
	job.EnableCompression = spec.EnableCompression
	job.NameValidationScheme = strings.ToLower(string(ptr.Deref(spec.NameValidationScheme, "")))
	job.NameEscapingScheme = map[monitoringv1.NameEscapingSchemeOptions]string{
		monitoringv1.AllowUTF8NameEscapingScheme:   "allow-utf-8",
		monitoringv1.UnderscoresNameEscapingScheme: "underscores",
		monitoringv1.DotsNameEscapingScheme:        "dots",
		monitoringv1.ValuesNameEscapingScheme:      "values",
	}[ptr.Deref(spec.NameEscapingScheme, "")]
	job.Sources = c.sources(spec, e.connection.credentialed())
	return c.done([]Job{job})
}

func connecting(basic *monitoringv1.BasicAuth, authorization *monitoringv1.SafeAuthorization, oauth2 *monitoringv1.OAuth2,
	tls *monitoringv1.SafeTLSConfig, proxy monitoringv1.ProxyConfig, followRedirects, http2 *bool,
) connection {
	return connection{
		HTTPConfigWithoutTLS: monitoringv1.HTTPConfigWithoutTLS{
			BasicAuth: basic, Authorization: authorization, OAuth2: oauth2, FollowRedirects: followRedirects, EnableHTTP2: http2,
		},
		proxy: proxy, tls: tls,
	}
}

// each compiles the entries of one list of the spec.
func each[From, To any](list []From, at *field.Path, one func(*From, *field.Path) To) []To {
	var out []To
	for i := range list {
		out = append(out, one(&list[i], at.Index(i)))
	}
	return out
}

// sources are those that a ScrapeConfig names. credentialed says whether what is found there is sent something.
func (c *compiler) sources(spec *monitoringv1alpha1.ScrapeConfigSpec, credentialed bool) Sources {
	at := field.NewPath("spec")
	c.refused(spec, at)
	c.strayingSources(spec, at)
	return Sources{
		StaticConfigs: each(spec.StaticConfigs, at.Child("staticConfigs"), func(s *monitoringv1alpha1.StaticConfig, at *field.Path) Static {
			return c.static(s, at, credentialed)
		}),
		KubernetesSD:   each(spec.KubernetesSDConfigs, at.Child("kubernetesSDConfigs"), c.kubernetes),
		HTTPSD:         each(spec.HTTPSDConfigs, at.Child("httpSDConfigs"), c.http),
		DNSSD:          each(spec.DNSSDConfigs, at.Child("dnsSDConfigs"), dns),
		ConsulSD:       each(spec.ConsulSDConfigs, at.Child("consulSDConfigs"), c.consul),
		EurekaSD:       each(spec.EurekaSDConfigs, at.Child("eurekaSDConfigs"), c.eureka),
		NomadSD:        each(spec.NomadSDConfigs, at.Child("nomadSDConfigs"), c.nomad),
		PuppetDBSD:     each(spec.PuppetDBSDConfigs, at.Child("puppetDBSDConfigs"), c.puppetDB),
		DockerSD:       each(spec.DockerSDConfigs, at.Child("dockerSDConfigs"), c.docker),
		DockerSwarmSD:  each(spec.DockerSwarmSDConfigs, at.Child("dockerSwarmSDConfigs"), c.dockerSwarm),
		DigitalOceanSD: each(spec.DigitalOceanSDConfigs, at.Child("digitalOceanSDConfigs"), c.digitalOcean),
		HetznerSD:      each(spec.HetznerSDConfigs, at.Child("hetznerSDConfigs"), c.hetzner),
		LinodeSD:       each(spec.LinodeSDConfigs, at.Child("linodeSDConfigs"), c.linode),
	}
}

// refused are the sources that are not for whoever may write a ScrapeConfig, and those that are not there yet.
func (c *compiler) refused(spec *monitoringv1alpha1.ScrapeConfigSpec, at *field.Path) {
	const (
		instead  = ": use httpSDConfigs, with a service of yours that asks there"
		identity = "without keys it would ask as the Prometheus pod, whose identity in the cloud is not for whoever may write a ScrapeConfig, and its keys Prometheus takes only as text in its configuration" + instead
		text     = "not yet: Prometheus takes its password only as text in its configuration, and Hearth reads no Secret to put it there" + instead
	)
	for _, r := range []struct {
		n         int
		name, why string
	}{
		{len(spec.FileSDConfigs), "fileSDConfigs", "these are files of the Prometheus pod, which are not for whoever may write a ScrapeConfig to read: use staticConfigs or httpSDConfigs"},
		{len(spec.EC2SDConfigs), "ec2SDConfigs", identity},
		{len(spec.LightSailSDConfigs), "lightSailSDConfigs", identity},
		{len(spec.AzureSDConfigs), "azureSDConfigs", identity},
		{len(spec.GCESDConfigs), "gceSDConfigs", "it would ask as the Prometheus pod, whose identity in the cloud is not for whoever may write a ScrapeConfig" + instead},
		{len(spec.OpenStackSDConfigs), "openstackSDConfigs", text},
		{len(spec.OVHCloudSDConfigs), "ovhcloudSDConfigs", text},
		{len(spec.KumaSDConfigs), "kumaSDConfigs", "not yet" + instead},
		{len(spec.ScalewaySDConfigs), "scalewaySDConfigs", "not yet" + instead},
		{len(spec.IonosSDConfigs), "ionosSDConfigs", "not yet" + instead},
	} {
		if r.n > 0 {
			c.refuse(at.Child(r.name), r.why)
		}
	}
}

// static are named targets. With credentials their labels say no more than the target's address where a request goes.
func (c *compiler) static(s *monitoringv1alpha1.StaticConfig, at *field.Path, credentialed bool) Static {
	out := Static{Labels: s.Labels}
	for _, t := range s.Targets {
		out.Targets = append(out.Targets, string(t))
	}
	for _, name := range sortedKeys(s.Labels) {
		if credentialed && sendsElsewhere(name) {
			c.refuse(at.Child("labels").Key(name), "it could send the credentials elsewhere: remove this label, or the credentials")
		}
	}
	return out
}

// kubernetes is discovered with the server's own account and within what the server takes.
func (c *compiler) kubernetes(k *monitoringv1alpha1.KubernetesSDConfig, at *field.Path) Discovery {
	const own = "not yet: targets are discovered in the server's own cluster and with its own account"
	how := connecting(k.BasicAuth, k.Authorization, k.OAuth2, k.TLSConfig, k.ProxyConfig, k.FollowRedirects, k.EnableHTTP2)
	if k.APIServer != nil || how.credentialed() || how.tls != nil {
		c.refuse(at.Child("apiServer"), own)
	}
	c.noProxy(k.ProxyConfig, at)
	out := Discovery{Role: strings.ToLower(string(k.Role)), Within: Within{Field: at.Child("namespaces").String(), Any: true}}
	if out.Role == "endpoints" {
		c.refuse(at.Child("role"), "a server may not read Endpoints, which Kubernetes has given up: use EndpointSlice")
	}
	if n := k.Namespaces; n != nil {
		if ptr.Deref(n.IncludeOwnNamespace, false) {
			c.refuse(at.Child("namespaces", "ownNamespace"), "whose namespace this is depends on the server: name it")
		}
		out.Within.Any, out.Within.Names = len(n.Names) == 0, slices.Compact(slices.Sorted(slices.Values(n.Names)))
	}
	for _, s := range k.Selectors {
		out.Selectors = append(out.Selectors, Selector{Role: strings.ToLower(string(s.Role)), Label: ptr.Deref(s.Label, ""), Field: ptr.Deref(s.Field, "")})
	}
	// For other roles Prometheus has none.
	if k.AttachMetadata != nil && (out.Role == "pod" || out.Role == "endpointslice") {
		out.AttachMetadata = &AttachMetadata{Node: ptr.Deref(k.AttachMetadata.Node, false)}
	}
	return out
}

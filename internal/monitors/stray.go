package monitors

import (
	"strings"

	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// remedy is what whoever meets the refusal of a stray can do.
const remedy = "; whoever keeps the server can set tenantTargets: Any, or add this namespace to excludedNamespaces"

// stray notes something that is refused by those servers alone that let tenants have scraped only what is discovered in their
// namespaces.
func (c *compiler) stray(at *field.Path, why string) {
	c.strays = append(c.strays, field.Forbidden(at, why+remedy))
}

// straying notes the steps by which a target could be somewhere else than where it was discovered.
func (c *compiler) straying(steps []Relabel, at *field.Path) {
	for i, step := range steps {
		switch step.Action {
		case "", "replace", "lowercase", "uppercase", "hashmod":
			if step.TargetLabel == "__address__" || !plainName(step.TargetLabel) {
				c.stray(at.Index(i).Child("targetLabel"), "this server scrapes tenants' targets where they were discovered, and "+
					quoted(step.TargetLabel)+" could lead elsewhere: name the port with port or portNumber, and remove this step")
			}
		case "labelmap":
			if !harmlessMap(step) {
				c.stray(at.Index(i), "this server scrapes tenants' targets where they were discovered, and this labelmap could set __address__: map "+
					"only labels or annotations of Kubernetes, as in __meta_kubernetes_pod_label_(.+), to names that do not begin with __")
			}
		}
	}
}

func quoted(label string) string { return `"` + label + `"` }

// strayingSources notes those of a ScrapeConfig that are not the pods of its namespace.
func (c *compiler) strayingSources(spec *monitoringv1alpha1.ScrapeConfigSpec, at *field.Path) {
	const why = "this server scrapes only those of tenants' targets that Kubernetes discovers in their namespaces: use kubernetesSDConfigs with role Pod or EndpointSlice"
	for _, s := range []struct {
		n    int
		name string
	}{
		{len(spec.StaticConfigs), "staticConfigs"},
		{len(spec.HTTPSDConfigs), "httpSDConfigs"},
		{len(spec.DNSSDConfigs), "dnsSDConfigs"},
		{len(spec.ConsulSDConfigs), "consulSDConfigs"},
		{len(spec.EurekaSDConfigs), "eurekaSDConfigs"},
		{len(spec.NomadSDConfigs), "nomadSDConfigs"},
		{len(spec.PuppetDBSDConfigs), "puppetDBSDConfigs"},
		{len(spec.DockerSDConfigs), "dockerSDConfigs"},
		{len(spec.DockerSwarmSDConfigs), "dockerSwarmSDConfigs"},
		{len(spec.DigitalOceanSDConfigs), "digitalOceanSDConfigs"},
		{len(spec.HetznerSDConfigs), "hetznerSDConfigs"},
		{len(spec.LinodeSDConfigs), "linodeSDConfigs"},
	} {
		if s.n > 0 {
			c.stray(at.Child(s.name), why)
		}
	}
	for i := range spec.KubernetesSDConfigs {
		// A Service may be an alias of any name, and an Ingress and a node are at no pod's address.
		if role := strings.ToLower(string(spec.KubernetesSDConfigs[i].Role)); role != "pod" && role != "endpointslice" {
			c.stray(at.Child("kubernetesSDConfigs").Index(i).Child("role"), why)
		}
	}
}

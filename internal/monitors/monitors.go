// Package monitors knows what the ServiceMonitors, PodMonitors, Probes and ScrapeConfigs of monitoring.coreos.com mean: the scrape jobs they
// become, with the job names, targets and labels that people know from prometheus-operator, and what of them is refused.
//
// What it refuses, it refuses for the whole monitor: to pull from a target without the password or the limit that was
// declared for it would be something that nobody asked for.
package monitors

import (
	"cmp"
	"maps"
	"slices"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hearth-monitoring/hearth/internal/bundle"
)

// Kind is one that is read where it is.
type Kind string

// The kinds of monitoring.coreos.com. A PrometheusRule is no monitor, and package rules knows what it means.
const (
	ServiceMonitorKind Kind = monitoringv1.ServiceMonitorsKind
	PodMonitorKind     Kind = monitoringv1.PodMonitorsKind
	ProbeKind          Kind = monitoringv1.ProbesKind
	ScrapeConfigKind   Kind = monitoringv1alpha1.ScrapeConfigsKind
	PrometheusRuleKind Kind = monitoringv1.PrometheusRuleKind
)

// GrantedDir has <namespace>/<secret>/<key> in the Prometheus pods: the Secrets that monitors name, as the reloader leaves
// them there if their namespaces have granted that.
const GrantedDir = "/etc/prometheus/granted"

// Compiled is what a monitor becomes, whoever selects it.
type Compiled struct {
	// Jobs has one for each endpoint. Where in Kubernetes they discover is for each server to decide.
	Jobs []Job
	// Secrets are those that the jobs name.
	Secrets []bundle.WantedSecret
	// Strays are the places where it names targets that Kubernetes need not have discovered, as Terms may forbid.
	Strays field.ErrorList
}

// Within says in which namespaces a monitor looks for targets.
type Within struct {
	// Field is where the monitor says so.
	Field string
	// Any is true if it looks in all of them.
	Any bool
	// Names are the namespaces if it does not.
	Names []string
}

// compiler turns one monitor into jobs, and keeps what it meets on the way.
type compiler struct {
	kind            Kind
	namespace, name string
	// secrets are the keys of each that is named. A ConfigMap is used like a Secret.
	secrets map[ref]map[string]bool
	// tlsKeys are those of the secrets' keys that are used for TLS.
	tlsKeys map[ref][]bundle.TLSKeys
	errs    field.ErrorList
	strays  field.ErrorList
}

// ref is a Secret or ConfigMap of the monitor's namespace.
type ref struct {
	name      string
	configMap bool
}

func newCompiler(kind Kind, namespace, name string) *compiler {
	return &compiler{kind: kind, namespace: namespace, name: name, secrets: map[ref]map[string]bool{}, tlsKeys: map[ref][]bundle.TLSKeys{}}
}

// within is what a monitor's namespace selector means, in which field it is.
func (c *compiler) within(n monitoringv1.NamespaceSelector, at *field.Path) Within {
	out := Within{Field: at.String(), Any: n.Any, Names: slices.Compact(slices.Sorted(slices.Values(n.MatchNames)))}
	if len(out.Names) == 0 {
		out.Names = []string{c.namespace}
	}
	return out
}

// done is what the monitor became, or why it did not.
func (c *compiler) done(jobs []Job) (*Compiled, field.ErrorList) {
	if len(c.errs) > 0 {
		return nil, c.errs
	}
	for i := range jobs {
		if err := check(&jobs[i]); err != nil {
			return nil, field.ErrorList{field.Invalid(c.endpoint(i), jobs[i].JobName, "Prometheus refuses what it becomes: "+err.Error())}
		}
	}
	return &Compiled{Jobs: jobs, Secrets: c.wanted(), Strays: c.strays}, nil
}

// endpoint is where the monitor has what becomes a job.
func (c *compiler) endpoint(i int) *field.Path {
	spec := field.NewPath("spec")
	switch c.kind {
	case PodMonitorKind:
		return spec.Child("podMetricsEndpoints").Index(i)
	case ServiceMonitorKind:
		return spec.Child("endpoints").Index(i)
	}
	return spec
}

func (c *compiler) refuse(path *field.Path, why string) {
	c.errs = append(c.errs, field.Forbidden(path, why))
}

// wanted are the Secrets that were met, by name.
func (c *compiler) wanted() []bundle.WantedSecret {
	var out []bundle.WantedSecret
	for of, keys := range c.secrets {
		out = append(out, bundle.WantedSecret{
			Namespace: c.namespace, Name: of.name, ConfigMap: of.configMap, Keys: slices.Sorted(maps.Keys(keys)), TLS: bundle.SortedTLS(c.tlsKeys[of]),
		})
	}
	slices.SortFunc(out, func(a, b bundle.WantedSecret) int { return cmp.Compare(a.ID(), b.ID()) })
	return out
}

// Placed are the jobs with the namespaces in which each of their discoveries looks, which is for within to say: nil is all of
// them.
func Placed(jobs []Job, within func(*Discovery) []string) []Job {
	out := slices.Clone(jobs)
	for i := range out {
		out[i].KubernetesSD = slices.Clone(out[i].KubernetesSD)
		for j := range out[i].KubernetesSD {
			d := &out[i].KubernetesSD[j]
			if namespaces := within(d); namespaces != nil {
				d.Namespaces = &Namespaces{Names: namespaces}
			}
		}
	}
	return out
}

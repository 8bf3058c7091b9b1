// Package monitors knows what the ServiceMonitors and PodMonitors of monitoring.coreos.com mean: the scrape jobs they
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
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hearth-monitoring/hearth/internal/bundle"
)

// Kind is one that is read where it is.
type Kind string

// The kinds of monitoring.coreos.com. A PrometheusRule is no monitor, and package rules knows what it means.
const (
	ServiceMonitorKind Kind = monitoringv1.ServiceMonitorsKind
	PodMonitorKind     Kind = monitoringv1.PodMonitorsKind
	PrometheusRuleKind Kind = monitoringv1.PrometheusRuleKind
)

// GrantedDir has <namespace>/<secret>/<key> in the Prometheus pods: the Secrets that monitors name, as the reloader leaves
// them there if their namespaces have granted that.
const GrantedDir = "/etc/prometheus/granted"

// Compiled is what a monitor becomes, whoever selects it.
type Compiled struct {
	// Jobs has one for each endpoint. Where they discover is in Within and for each server to decide.
	Jobs []Job
	// Within are the namespaces in which targets are looked for.
	Within Within
	// Nodes is true if targets are told of the nodes they run on, which a server must be allowed to read for that.
	Nodes bool
	// Secrets are those that the jobs name.
	Secrets []bundle.WantedSecret
}

// Within says in which namespaces a monitor looks for targets.
type Within struct {
	// Any is true if it looks in all of them.
	Any bool
	// Names are the namespaces if it does not.
	Names []string
}

// compiler turns one monitor into jobs, and keeps what it meets on the way.
type compiler struct {
	kind            Kind
	namespace, name string
	secrets         map[string]map[string]bool
	// tlsKeys are those of the secrets' keys that are used for TLS.
	tlsKeys map[string][]bundle.TLSKeys
	errs    field.ErrorList
}

func newCompiler(kind Kind, namespace, name string) *compiler {
	return &compiler{kind: kind, namespace: namespace, name: name, secrets: map[string]map[string]bool{}, tlsKeys: map[string][]bundle.TLSKeys{}}
}

// done is what the monitor became, or why it did not.
func (c *compiler) done(jobs []Job, within monitoringv1.NamespaceSelector, attach *monitoringv1.AttachMetadata) (*Compiled, field.ErrorList) {
	if len(c.errs) > 0 {
		return nil, c.errs
	}
	out := &Compiled{
		Jobs:    jobs,
		Within:  Within{Any: within.Any, Names: slices.Compact(slices.Sorted(slices.Values(within.MatchNames)))},
		Nodes:   attach != nil && attach.Node != nil && *attach.Node,
		Secrets: c.wanted(),
	}
	if len(out.Within.Names) == 0 {
		out.Within.Names = []string{c.namespace}
	}
	for i := range jobs {
		if err := check(&jobs[i]); err != nil {
			return nil, field.ErrorList{field.Invalid(c.endpoints().Index(i), jobs[i].JobName, "Prometheus refuses what it becomes: "+err.Error())}
		}
	}
	return out, nil
}

// endpoints is where the monitor has them.
func (c *compiler) endpoints() *field.Path {
	if c.kind == PodMonitorKind {
		return field.NewPath("spec", "podMetricsEndpoints")
	}
	return field.NewPath("spec", "endpoints")
}

func (c *compiler) refuse(path *field.Path, why string) {
	c.errs = append(c.errs, field.Forbidden(path, why))
}

// wanted are the Secrets that were met, by name.
func (c *compiler) wanted() []bundle.WantedSecret {
	var out []bundle.WantedSecret
	for name, keys := range c.secrets {
		out = append(out, bundle.WantedSecret{
			Namespace: c.namespace, Name: name, Keys: slices.Sorted(maps.Keys(keys)), TLS: bundle.SortedTLS(c.tlsKeys[name]),
		})
	}
	slices.SortFunc(out, func(a, b bundle.WantedSecret) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Placed are the jobs with the namespaces in which they discover; nil is all of them.
func Placed(jobs []Job, namespaces []string) []Job {
	out := slices.Clone(jobs)
	for i := range out {
		out[i].KubernetesSD = slices.Clone(out[i].KubernetesSD)
		if namespaces != nil {
			out[i].KubernetesSD[0].Namespaces = &Namespaces{Names: namespaces}
		}
	}
	return out
}

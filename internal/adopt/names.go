package adopt

import (
	"fmt"
	"slices"
	"strings"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	"k8s.io/utils/ptr"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/manifests"
	"github.com/hearth-monitoring/hearth/internal/monitors"
	"github.com/hearth-monitoring/hearth/internal/promconfig"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

const (
	// maxName is how long the name of a PrometheusServer can be, and maxShardedName of one with shards.
	maxName, maxShardedName = 36, 32
	// suffix tells the PrometheusServer from the Prometheus, and agentSuffix from the PrometheusAgent.
	suffix, agentSuffix = "-hearth", "-agent-hearth"
)

// name is one that the PrometheusServer can have, and that says whose it is.
func (c *conversion) name() string {
	end, most := suffix, maxName
	if c.agent != nil {
		end = agentSuffix
	}
	if ptr.Deref(c.server.Spec.Shards, 1) > 1 {
		most = maxShardedName
	}
	name := strings.ReplaceAll(c.theirs.Name, ".", "-")
	return strings.TrimRight(name[:min(len(name), most-len(end))], "-") + end
}

// report is what there is to say so far.
func (c *conversion) report() *Server {
	c.server.Name = c.name()
	out := &Server{Kind: monitoringv1.PrometheusesKind, Namespace: c.theirs.Namespace, Name: c.theirs.Name, Declared: c.server, Commands: c.commands}
	note := "both call what they make prometheus-<name>, so that of the same name they would be in each other's way"
	if c.agent != nil {
		out.Kind, note = monitoringv1alpha1.PrometheusAgentsKind, "a PrometheusServer with mode: Agent"
	}
	out.Fields = append(c.fields, Field{Path: "metadata.name", Verdict: Changed, Becomes: "metadata.name", Note: note})
	return out
}

// taken are the objects that the operator would make for a server and that somebody has already. It makes none of them then.
func (c *Cluster) taken(ps *v1alpha1.PrometheusServer) ([]string, error) {
	s, errs := stack.Resolve(stack.Inputs{Server: ps, NamespaceLabels: c.NamespaceLabels, Images: c.Images})
	if len(errs) > 0 {
		return nil, nil // there is more to say about it than its name
	}
	files, err := new(promconfig.Renderer).Render(s)
	if err != nil {
		return nil, fmt.Errorf("render %s/%s: %w", ps.Namespace, ps.Name, err)
	}
	objects, err := manifests.Server(s, files, nil)
	if err != nil {
		return nil, fmt.Errorf("the objects of %s/%s: %w", ps.Namespace, ps.Name, err)
	}
	var out []string
	for _, o := range objects {
		kind := o.GetObjectKind().GroupVersionKind().Kind
		exists, err := c.Exists(kind, o.GetNamespace(), o.GetName())
		if err != nil {
			return nil, fmt.Errorf("look for %s %s/%s: %w", kind, o.GetNamespace(), o.GetName(), err)
		}
		if exists {
			out = append(out, kind+" "+o.GetName())
		}
	}
	return out, nil
}

// special is what means something in a regular expression.
const special = `.+*?()|[]{}^$\`

// differences are what is not with Hearth as it is today, of a monitor that it would take.
func (c *Cluster) differences(v stack.MonitorVerdict) []string {
	i := slices.IndexFunc(c.Monitors, func(m Monitor) bool {
		return m.Kind == v.Kind && m.Namespace == v.Namespace && m.Name == v.Name
	})
	m := &c.Monitors[i]
	var out []string
	spec, _ := m.Object["spec"].(map[string]any)
	if role, _ := spec["serviceDiscoveryRole"].(string); role == "Endpoints" {
		out = append(out, "spec.serviceDiscoveryRole: its Services are discovered by EndpointSlices, with the same targets and labels")
	}
	if mechanism, _ := spec["selectorMechanism"].(string); mechanism != "RoleSelector" {
		for key, value := range matchLabels(spec) {
			if strings.ContainsAny(value, special) {
				out = append(out, fmt.Sprintf("spec.selector: %s=%s is that value; prometheus-operator takes it for a regular expression", key, value))
			}
		}
	}
	if m.Compiled != nil {
		for _, s := range m.Compiled.Secrets {
			out = append(out, fmt.Sprintf("Secret %s has to be granted to the server", s.Name))
		}
	}
	slices.Sort(out)
	return out
}

// matchLabels are those of the selector of a monitor of Services or pods.
func matchLabels(spec map[string]any) map[string]string {
	out := map[string]string{}
	selector, _ := spec["selector"].(map[string]any)
	labels, _ := selector["matchLabels"].(map[string]any)
	for key, value := range labels {
		out[key], _ = value.(string)
	}
	return out
}

// Advice is what to do about an object of a kind that has no counterpart.
func Advice(kind string) string {
	switch kind {
	case "Alertmanager":
		return "its configuration is in a Secret, which is not read: write receivers and route into spec.alerting of a PrometheusServer, or go on sending to it with spec.alerting.external"
	case "AlertmanagerConfig":
		return "write its receivers and route as receivers and notify of an AlertRule of its namespace"
	case "ThanosRuler":
		return "its rules need a server that has the metrics: select them with prometheusRules"
	}
	return ""
}

// Kinds are those of monitors and rules, in the order of the report.
func Kinds() []monitors.Kind {
	return []monitors.Kind{monitors.ServiceMonitorKind, monitors.PodMonitorKind, monitors.ProbeKind, monitors.ScrapeConfigKind, monitors.PrometheusRuleKind}
}

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// monitorsOfTenants: the first one says three times that it is somebody else's, which is taken and does not count.
const monitorsOfTenants = `
kind: ServiceMonitor
metadata: {name: spoofs, labels: {tenancy: "true"}}
spec:
  selector: {matchLabels: {app: web}}
  endpoints:
  - port: metrics
    honorLabels: true
    relabelings: [{targetLabel: tenant, replacement: bank}]
    metricRelabelings: [{targetLabel: tenant, replacement: bank}]
---
kind: ServiceMonitor
metadata: {name: files, labels: {tenancy: "true"}}
spec:
  selector: {matchLabels: {app: web}}
  endpoints: [{port: metrics, bearerTokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token}]
---
kind: ServiceMonitor
metadata: {name: proxy, labels: {tenancy: "true"}}
spec:
  selector: {matchLabels: {app: web}}
  endpoints: [{port: metrics, proxyUrl: "http://proxy.example.org"}]
---
kind: PodMonitor
metadata: {name: address, labels: {tenancy: "true"}}
spec:
  selector: {matchLabels: {app: web}}
  podMetricsEndpoints: [{port: web, relabelings: [{targetLabel: __address__, replacement: 169.254.169.254}]}]
---
kind: ServiceMonitor
metadata: {name: elsewhere, labels: {tenancy: "true"}}
spec:
  selector: {matchLabels: {app: web}}
  namespaceSelector: {matchNames: [default]}
  endpoints: [{port: metrics}]
`

// refusedOfTenants is where each of the others goes wrong, as its rejection begins.
func refusedOfTenants() map[string]string {
	return map[string]string{
		"files":     "spec.endpoints[0].bearerTokenFile: ",
		"proxy":     "spec.endpoints[0].proxyUrl: ",
		"address":   "spec.podMetricsEndpoints[0].relabelings[0].targetLabel: ",
		"elsewhere": "spec.namespaceSelector.matchNames: ",
	}
}

// tenancy has a server that enforces a label take what a namespace's people declare: what they may not do is refused, one by one,
// and what they say they are is not what counts, in targets, series and rules. It takes the place of another server, which costs the
// machine more than it shows here.
func (g *ground) tenancy(before *v1alpha1.PrometheusServer) {
	g.t.Helper()
	must(g.t, kube.api.Delete(g.t.Context(), before))
	g.gone(time.Minute, before)
	ps := g.server()
	ps.Name = "tenants"
	of := &v1alpha1.ObjectSelector{
		Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"tenancy": "true"}}, NamespaceSelector: ps.Spec.Targets.NodeExporters.NamespaceSelector,
	}
	ps.Spec.Targets = &v1alpha1.Targets{MonitorTargets: v1alpha1.MonitorTargets{ServiceMonitors: of, PodMonitors: of}}
	ps.Spec.Rules = of
	ps.Spec.EnforcedNamespaceLabel = "tenant"
	rule := g.rule("tenants", record("e2e:seen", "count(up)"), record("e2e:bank", `count(up{tenant="bank"}) or vector(0)`))
	rule.Namespace, rule.Labels = g.nodes, map[string]string{"tenancy": "true"}
	rule.Spec.Groups[0].Rules[0].Labels = map[string]string{"tenant": "bank"}
	g.create(ps, rule)
	g.monitors(monitorsOfTenants)
	g.await(2*time.Minute, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	refused := refusedOfTenants()
	for _, name := range slices.Sorted(maps.Keys(refused)) {
		g.t.Run(name, func(t *testing.T) { g.in(t).refusedToTenant(ps, name, refused[name]) })
	}
	g.t.Run("whose series are", func(t *testing.T) { g.in(t).ownedByTenant(through(ps)) })
	g.t.Run("limits", func(t *testing.T) { g.in(t).limits(ps) })
}

// refusedToTenant waits until the server's status and an event on the object say why it is refused.
func (g *ground) refusedToTenant(ps *v1alpha1.PrometheusServer, name, begins string) {
	g.t.Helper()
	eventually(g.t, time.Minute, func() error {
		if err := g.get(ps); err != nil || ps.Status.Monitors == nil {
			return fmt.Errorf("no status of monitors, error %w", err)
		}
		for _, r := range ps.Status.Monitors.Rejections {
			if r.Name == name && strings.HasPrefix(r.Message, begins) {
				g.t.Logf("status: %s %s/%s: %s", r.Kind, r.Namespace, r.Name, r.Message)
				return nil
			}
		}
		return fmt.Errorf("no rejection of %s begins %q: %s", name, begins, text(ps.Status.Monitors))
	})
	eventually(g.t, time.Minute, func() error {
		var events corev1.EventList
		if err := kube.api.List(g.t.Context(), &events, client.InNamespace(g.nodes)); err != nil {
			return err
		}
		for _, e := range events.Items {
			if e.InvolvedObject.Name == name && strings.Contains(e.Message, "/"+ps.Name+": "+begins) {
				g.t.Logf("event: %s %s", e.Reason, e.Message)
				return nil
			}
		}
		return fmt.Errorf("no event on %s says %q", name, begins)
	})
}

// ownedByTenant asks Prometheus whose series there are: all that the namespace declared is its own, and its rule counted its own target
// where the server has its own as well.
func (g *ground) ownedByTenant(server prometheus) {
	g.t.Helper()
	for expr, want := range map[string]string{
		`up{job="web"}`:                     "1",
		`node_exporter_build_info{job!=""}`: "1",
		`e2e:seen`:                          "1",
		`e2e:bank`:                          "0",
	} {
		eventually(g.t, 2*time.Minute, func() error {
			result, err := server.query(g.t.Context(), expr)
			switch {
			case err != nil:
				return err
			case len(result) != 1 || result[0].Metric["tenant"] != g.nodes || fmt.Sprint(result[0].Value.float()) != want:
				return fmt.Errorf("%s is %v, want one with tenant=%q and %s", expr, result, g.nodes, want)
			}
			return nil
		})
	}
	eventually(g.t, time.Minute, func() error {
		all, err := server.query(g.t.Context(), `count(up) > 1`)
		if err == nil && len(all) != 1 {
			err = fmt.Errorf("there is nothing that the rule did not count: %v", all)
		}
		return err
	})
	if stray, err := server.query(g.t.Context(), `{tenant="bank"}`); err != nil || len(stray) > 0 {
		g.t.Errorf("series of bank, which declares nothing: %v, error %v", stray, err)
	}
}

package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// The kinds of prometheus-operator beside its monitors, which come after the server: what a ScrapeConfig and a Probe name is
// scraped, what a PrometheusRule says is evaluated, and of two PrometheusRules the one that is wrong stops nothing.
func TestKindsOfPrometheusOperator(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.reach("cluster")
	ps := g.server()
	selector := &v1alpha1.ObjectSelector{Selector: &metav1.LabelSelector{}, NamespaceSelector: ps.Spec.Targets.NodeExporters.NamespaceSelector}
	ps.Spec.Targets = &v1alpha1.Targets{MonitorTargets: v1alpha1.MonitorTargets{Probes: selector, ScrapeConfigs: selector}}
	ps.Spec.PrometheusRules = selector
	g.create(append(g.monitored(), ps)...)
	g.await(2*time.Minute, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	if kinds := []string{"probes", "scrapeconfigs", "prometheusrules"}; g.mayInstall(kinds...) {
		g.install(kinds...)
	}
	start := time.Now()
	g.monitors(fmt.Sprintf(kindsOfTest, "web."+g.nodes+".svc"))
	server := through(ps)
	for _, series := range []string{
		fmt.Sprintf(`up{job="scrapeConfig/%s/static",team="shop"} == 1`, g.nodes),
		fmt.Sprintf(`up{job="probe/%s/page",instance="https://example.org/"} == 1`, g.nodes),
		`e2e:foreign == 42`,
		`ALERTS{alertname="Foreign",alertstate="firing"}`,
	} {
		eventually(t, 2*time.Minute, func() error {
			result, err := server.query(t.Context(), series)
			if err == nil && len(result) != 1 {
				err = fmt.Errorf("%s has %d results", series, len(result))
			}
			return err
		})
		t.Logf("%s after %s", series, time.Since(start).Round(100*time.Millisecond))
	}
	t.Run("rejected", func(t *testing.T) { g.in(t).rejectsRule(ps) })
	t.Run("removed", func(t *testing.T) { g.in(t).removesKinds(server) })
}

// kindsOfTest: the web pod stands in for a prober, which answers whatever it is asked to probe. The last rule is none.
const kindsOfTest = `
apiVersion: monitoring.coreos.com/v1alpha1
kind: ScrapeConfig
metadata: {name: static}
spec:
  staticConfigs: [{targets: ["%[1]s:80"], labels: {team: shop}}]
---
kind: Probe
metadata: {name: page}
spec:
  prober: {url: "%[1]s:80", path: /metrics}
  targets: {staticConfig: {static: ["https://example.org/"]}}
---
kind: PrometheusRule
metadata: {name: good}
spec:
  groups: [{name: foreign, rules: [{record: "e2e:foreign", expr: vector(42)}, {alert: Foreign, expr: "e2e:foreign == 42"}]}]
---
kind: PrometheusRule
metadata: {name: wrong}
spec:
  groups: [{name: wrong, rules: [{record: "e2e:wrong", expr: "sum("}]}]
`

// rejectsRule waits until the status names the one that is wrong.
func (g *ground) rejectsRule(ps *v1alpha1.PrometheusServer) {
	g.t.Helper()
	g.await(time.Minute, ps, v1alpha1.ConditionRulesAccepted, metav1.ConditionFalse, v1alpha1.ReasonRulesRejected)
	if r := ps.Status.Rules; r.Selected != 2 || r.Rejected != 1 || len(r.Rejections) != 1 {
		g.t.Fatalf("want 1 of 2 rejected: %s", text(r))
	}
	r := ps.Status.Rules.Rejections[0]
	g.t.Logf("%s %s/%s: %s", r.Kind, r.Namespace, r.Name, r.Message)
	if r.Kind != "PrometheusRule" || r.Namespace != g.nodes || r.Name != "wrong" || !strings.Contains(r.Message, "parse error") {
		g.t.Error("that is not what is wrong")
	}
	g.remove("PrometheusRule", "wrong")
	g.await(time.Minute, ps, v1alpha1.ConditionRulesAccepted, metav1.ConditionTrue, "")
}

// removesKinds deletes them, and waits until the server has neither their targets nor their rules.
func (g *ground) removesKinds(server prometheus) {
	g.t.Helper()
	config := monitor("ScrapeConfig", "static", g.nodes)
	config.SetAPIVersion("monitoring.coreos.com/v1alpha1")
	for _, o := range []client.Object{config, monitor("Probe", "page", g.nodes), monitor("PrometheusRule", "good", g.nodes)} {
		must(g.t, kube.api.Delete(g.t.Context(), o))
	}
	g.t.Logf("their targets are gone after %s", g.targetsAre(server, map[string]map[string]string{}))
	took := eventually(g.t, time.Minute, func() error {
		groups, err := server.groups(g.t.Context())
		if _, there := groups["foreign"]; err == nil && there {
			err = errors.New("Prometheus still has the group")
		}
		return err
	})
	g.t.Logf("and their rules %s later", took)
}

package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// The kinds of prometheus-operator beside its monitors, which come after the server: what ScrapeConfigs and Probes name is
// scraped, with the labels that people know, from every source that a cluster has, what a PrometheusRule says is evaluated, and
// of two PrometheusRules the one that is wrong stops nothing.
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
	g.monitors(fmt.Sprintf(targetsOfTest, "web."+g.nodes+".svc", g.nodes))
	g.monitors(rulesOfTest)
	server := through(ps)
	t.Run("up", func(t *testing.T) {
		g := g.in(t)
		g.targetsAre(server, g.foreignTargets())
		t.Logf("up %s after the kinds and their objects were there", time.Since(start).Round(100*time.Millisecond))
	})
	for _, series := range []string{`e2e:foreign == 42`, `ALERTS{alertname="Foreign",alertstate="firing"}`} {
		eventually(t, 2*time.Minute, func() error {
			result, err := server.query(t.Context(), series)
			if err == nil && len(result) != 1 {
				err = fmt.Errorf("%s has %d results", series, len(result))
			}
			return err
		})
		t.Logf("%s after %s", series, time.Since(start).Round(100*time.Millisecond))
	}
	t.Run("oauth2", func(t *testing.T) { g.in(t).oauth2(ps, server) })
	t.Run("rejected", func(t *testing.T) { g.in(t).rejectsRule(ps) })
	t.Run("removed", func(t *testing.T) { g.in(t).removesKinds(server) })
}

// rulesOfTest: the last one is none.
const rulesOfTest = `
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
	g.withoutForeign()
	g.remove("PrometheusRule", "good")
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

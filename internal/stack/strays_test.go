package stack_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/monitors"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

func reader(t *testing.T, namespace, name, spec string) v1alpha1.PrometheusServer {
	t.Helper()
	ps := v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if err := yaml.UnmarshalStrict([]byte(spec), &ps.Spec); err != nil {
		t.Fatal(err)
	}
	return ps
}

// A stray is what no server selects though one selects others of its kind, and the server that comes closest is told.
func TestStrays(t *testing.T) {
	finder := stack.NewFinder([]v1alpha1.PrometheusServer{
		reader(t, "monitoring", "none", `{}`),
		reader(t, "monitoring", "main", `{targets: {serviceMonitors: {selector: {matchLabels: {team: infra}}, namespaceSelector: {}}, podMonitors: {namespaceSelector: {}}}}`),
		reader(t, "shop", "own", `{targets: {serviceMonitors: {selector: {matchLabels: {team: shop, tier: front}}}}, prometheusRules: {selector: {}}}`),
	}, map[string]map[string]string{"shop": {}, "monitoring": {}, "other": {}})
	// Nobody selects PodMonitors: one of the servers has no selector for them but only one for namespaces.
	if diff := cmp.Diff([]monitors.Kind{monitors.PrometheusRuleKind, monitors.ServiceMonitorKind}, finder.Kinds()); diff != "" {
		t.Error(diff)
	}
	for _, c := range []struct {
		kind      monitors.Kind
		namespace string
		labels    map[string]string
		want      string
	}{
		{monitors.ServiceMonitorKind, "other", map[string]string{"team": "infra"}, ""},
		{monitors.PrometheusRuleKind, "shop", nil, ""},
		{monitors.PrometheusRuleKind, "other", nil, "shop/own: selects PrometheusRules of its own namespace only; this is in other: set spec.prometheusRules.namespaceSelector"},
		{monitors.ServiceMonitorKind, "other", map[string]string{"team": "web"}, "monitoring/main: wants label team=infra; this has team=web"},
		{monitors.ServiceMonitorKind, "shop", map[string]string{"team": "shop"}, "shop/own: wants label tier=front; this has no label tier"},
	} {
		got := ""
		if finder.IsStray(c.kind, c.labels, c.namespace) {
			server, stray, texts := finder.Nearest(c.kind, c.labels, c.namespace, "a")
			got = server.Namespace + "/" + server.Name + ": " + stray.Miss
			if want := "server " + server.Namespace + "/" + server.Name + " " + stray.Miss; texts[0] != want {
				t.Errorf("the event says %q, and the status %q", texts[0], stray.Miss)
			}
		}
		if got != c.want {
			t.Errorf("%s in %s with %v: %q, want %q", c.kind, c.namespace, c.labels, got, c.want)
		}
	}
}

func TestStraysAreCountedAndTheNearestNamed(t *testing.T) {
	finder := stack.NewFinder([]v1alpha1.PrometheusServer{
		reader(t, "m", "main", `{targets: {serviceMonitors: {selector: {matchLabels: {a: "1", b: "1"}}, namespaceSelector: {}}}}`),
	}, nil)
	var all stack.Strays
	for i := range 20 {
		labels := map[string]string{}
		if i >= 17 {
			labels["a"] = "1"
		}
		_, stray, _ := finder.Nearest(monitors.ServiceMonitorKind, labels, "x", fmt.Sprintf("sm-%02d", i))
		all.Add(stray)
	}
	var names []string
	for _, s := range all.Nearest {
		names = append(names, s.Name)
	}
	if diff := cmp.Diff([]string{"sm-17", "sm-18", "sm-19", "sm-00", "sm-01"}, names, cmpopts.EquateEmpty()); diff != "" || all.Count != 20 {
		t.Errorf("%d: %s", all.Count, diff)
	}
}

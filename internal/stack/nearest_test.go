package stack_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// The object is in namespace web, which has env=dev, and has team=web and tier=front.
var missCases = map[string]struct {
	rules string // spec.rules of the server monitoring/main
	want  string // empty: it is selected
}{
	"another value":           {`{selector: {matchLabels: {team: infra}}, namespaceSelector: {}}`, "server monitoring/main wants label team=infra; this has team=web"},
	"no such label":           {`{selector: {matchLabels: {owner: me}}, namespaceSelector: {}}`, "server monitoring/main wants label owner=me; this has no label owner"},
	"its own namespace":       {`{selector: {}}`, "server monitoring/main selects AlertRules of its own namespace only; this is in web: set spec.rules.namespaceSelector"},
	"another namespace":       {`{selector: {}, namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}}`, "server monitoring/main wants namespace shop; this is in web"},
	"namespaces with a label": {`{selector: {}, namespaceSelector: {matchLabels: {env: prod}}}`, "server monitoring/main wants namespaces with label env=prod; namespace web has env=dev"},
	"both": {`{selector: {matchLabels: {team: infra}}, namespaceSelector: {matchLabels: {env: prod}}}`,
		"server monitoring/main wants label team=infra; this has team=web, and wants namespaces with label env=prod; namespace web has env=dev"},
	"in":          {`{selector: {matchExpressions: [{key: team, operator: In, values: [a, b]}]}, namespaceSelector: {}}`, "server monitoring/main wants label team in (a, b); this has team=web"},
	"not in":      {`{selector: {matchExpressions: [{key: team, operator: NotIn, values: [web]}]}, namespaceSelector: {}}`, "server monitoring/main wants label team not in (web); this has team=web"},
	"exists":      {`{selector: {matchExpressions: [{key: owner, operator: Exists}]}, namespaceSelector: {}}`, "server monitoring/main wants label owner; this has no label owner"},
	"exists not":  {`{selector: {matchExpressions: [{key: tier, operator: DoesNotExist}]}, namespaceSelector: {}}`, "server monitoring/main wants no label tier; this has tier=front"},
	"no selector": {`{namespaceSelector: {}}`, "server monitoring/main selects no AlertRules: set spec.rules.selector ({} is all of them)"},
	"nothing":     {``, "server monitoring/main selects no AlertRules: set spec.rules.selector ({} is all of them)"},
	"selected":    {`{selector: {matchExpressions: [{key: team, operator: In, values: [web]}, {key: owner, operator: DoesNotExist}]}, namespaceSelector: {matchLabels: {env: dev}}}`, ""},
}

func ruleInWeb() *v1alpha1.AlertRule {
	return &v1alpha1.AlertRule{ObjectMeta: metav1.ObjectMeta{Namespace: "web", Name: "rules", Labels: map[string]string{"team": "web", "tier": "front"}}}
}

func serverWith(t *testing.T, namespace, name, rules string) v1alpha1.PrometheusServer {
	t.Helper()
	ps := v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if err := yaml.UnmarshalStrict([]byte(rules), &ps.Spec.Rules); err != nil {
		t.Fatal(err)
	}
	return ps
}

var namespacesOfMisses = map[string]map[string]string{"web": {"env": "dev", "kubernetes.io/metadata.name": "web"}, "monitoring": {}}

func TestNearestToRule(t *testing.T) {
	for name, c := range missCases {
		t.Run(name, func(t *testing.T) {
			ps := serverWith(t, "monitoring", "main", c.rules)
			var want []string
			if c.want != "" {
				want = []string{c.want}
			}
			if diff := cmp.Diff(want, stack.NearestToRule([]v1alpha1.PrometheusServer{ps}, ruleInWeb(), namespacesOfMisses)); diff != "" {
				t.Error(diff)
			}
			// What is said to be missing is what is missing.
			if stack.SelectsRule(&ps, ruleInWeb(), namespacesOfMisses) != (c.want == "") {
				t.Error("the selection itself says otherwise")
			}
		})
	}
}

func TestNearestComesFirst(t *testing.T) {
	got := stack.NearestToRule([]v1alpha1.PrometheusServer{
		serverWith(t, "a", "nothing", ""),
		serverWith(t, "b", "two", `{selector: {matchLabels: {team: infra}}}`),
		serverWith(t, "c", "one", `{selector: {}}`),
		serverWith(t, "web", "beside", `{selector: {matchLabels: {team: infra}}}`),
	}, ruleInWeb(), namespacesOfMisses)
	want := []string{
		"server web/beside wants label team=infra; this has team=web",
		"server c/one selects AlertRules of its own namespace only; this is in web: set spec.rules.namespaceSelector",
		"server b/two wants label team=infra; this has team=web, and selects AlertRules of its own namespace only; this is in web: set spec.rules.namespaceSelector",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNearestToExporter(t *testing.T) {
	ps := v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "main"}}
	ps.Spec.Targets = &v1alpha1.Targets{NodeExporters: &v1alpha1.ObjectSelector{Selector: &metav1.LabelSelector{}}}
	ne := &v1alpha1.NodeExporter{ObjectMeta: metav1.ObjectMeta{Namespace: "nodes", Name: "node"}}
	want := []string{"server monitoring/main selects NodeExporters of its own namespace only; this is in nodes: set spec.targets.nodeExporters.namespaceSelector"}
	if diff := cmp.Diff(want, stack.NearestToExporter([]v1alpha1.PrometheusServer{ps}, ne, nil)); diff != "" {
		t.Error(diff)
	}
}

// Package samples tests that config/samples says what the API understands and what Prometheus accepts: these files are the
// first that anybody copies.
package samples

import (
	"log/slog"
	"os"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// decode reads a sample into o and fails on a field that the API doesn't have.
func decode(t *testing.T, file string, o any) []byte {
	t.Helper()
	content, err := os.ReadFile("../../config/samples/" + file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(content, o); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return content
}

func TestServerSelectsTheOthers(t *testing.T) {
	var (
		node   v1alpha1.NodeExporter
		server v1alpha1.PrometheusServer
		rule   v1alpha1.AlertRule
	)
	decode(t, "nodeexporter.yaml", &node)
	decode(t, "prometheusserver.yaml", &server)
	decode(t, "alertrule.yaml", &rule)
	nodes := server.Spec.Targets.NodeExporters.NamespaceSelector.MatchLabels[corev1.LabelMetadataName]
	if nodes != node.Namespace {
		t.Errorf("the server looks for NodeExporters in %q, the sample is in %q", nodes, node.Namespace)
	}
	if server.Spec.Rules.NamespaceSelector != nil || rule.Namespace != server.Namespace {
		t.Errorf("the server looks for AlertRules in its own namespace %q, the sample is in %q", server.Namespace, rule.Namespace)
	}
}

func TestRules(t *testing.T) {
	var rule struct {
		APIVersion string         `json:"apiVersion"`
		Kind       string         `json:"kind"`
		Metadata   map[string]any `json:"metadata"`
		Spec       map[string]any `json:"spec"`
	}
	decode(t, "alertrule.yaml", &rule)
	// The groups are those of a rule file, word for word; ruletest runs the tests.
	file, err := yaml.Marshal(map[string]any{"groups": rule.Spec["groups"]})
	if err != nil {
		t.Fatal(err)
	}
	groups, errs := rulefmt.Parse(file, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Error(err)
	}
	if groups == nil || len(groups.Groups) != 3 {
		t.Errorf("got %+v, want the three groups", groups)
	}
}

package samples

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/dashboards"
	"github.com/hearth-monitoring/hearth/internal/dashboards/dashboardtest"
	"github.com/hearth-monitoring/hearth/internal/rules"
	"github.com/hearth-monitoring/hearth/ruletest"
)

const shippedDir = "../../config/monitoring"

// shipped are the AlertRules of config/monitoring, by the name of their files.
func shipped(t *testing.T) map[string]*v1alpha1.AlertRule {
	t.Helper()
	var listed struct{ Resources []string }
	text, err := os.ReadFile(filepath.Join(shippedDir, "kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &listed); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(shippedDir, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*v1alpha1.AlertRule{}
	for _, file := range files {
		name := filepath.Base(file)
		if name == "kustomization.yaml" {
			continue
		}
		if !slices.Contains(listed.Resources, name) {
			t.Errorf("%s is not in kustomization.yaml", name)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = &v1alpha1.AlertRule{}
		if err := yaml.UnmarshalStrict(text, out[name]); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return out
}

// TestShippedRules: each is valid without a warning, passes its own unit tests, and each alert says what to do.
func TestShippedRules(t *testing.T) {
	for name, ar := range shipped(t) {
		t.Run(name, func(t *testing.T) {
			if v := rules.Judge(ar); v.Problem() != "" || len(v.Warnings) > 0 {
				t.Errorf("problems %q, warnings %q", v.Problems, v.Warnings)
			}
			got := ruletest.Run(t.Context(), ar, ruletest.Limits{})
			if !got.Passed || got.Tests == 0 {
				t.Errorf("%d tests: %s", got.Tests, strings.Join(got.Failures, "\n"))
			}
			tests, err := yaml.Marshal(ar.Spec.Tests)
			if err != nil {
				t.Fatal(err)
			}
			count := 0
			for _, g := range ar.Spec.Groups {
				for _, r := range g.Rules {
					count++
					told(t, r)
					// Each fires, or is recorded, in a test. Of what goes in pairs one is enough.
					if rule := strings.Replace(r.Alert+r.Record, "transmit", "receive", 1); !strings.Contains(string(tests), rule) && !strings.Contains(rule, "_drop_") && !strings.HasSuffix(rule, "_rss") {
						t.Errorf("no unit test speaks of %s", rule)
					}
				}
			}
			t.Logf("%d rules, %d tests passed", count, got.Tests)
		})
	}
}

func told(t *testing.T, r v1alpha1.Rule) {
	t.Helper()
	if r.Alert == "" {
		return
	}
	if s := r.Labels["severity"]; s != "critical" && s != "warning" {
		t.Errorf("%s has the severity %q", r.Alert, s)
	}
	for _, name := range []string{"summary", "description"} {
		if !strings.HasSuffix(r.Annotations[name], ".") {
			t.Errorf("the %s of %s is %q, want a sentence", name, r.Alert, r.Annotations[name])
		}
	}
}

// TestDashboardsAreServed: what a dashboard asks of recording rules, a shipped rule records.
func TestDashboardsAreServed(t *testing.T) {
	recorded := map[string]bool{}
	for _, ar := range shipped(t) {
		for _, g := range ar.Spec.Groups {
			for _, r := range g.Rules {
				recorded[r.Record] = true
			}
		}
	}
	p, asked := parser.NewParser(parser.Options{}), map[string]bool{}
	for _, d := range dashboards.All() {
		queries, err := dashboardtest.Queries(d, map[string]string{"instance": "x"})
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range queries {
			expr, err := p.ParseExpr(q.Expr)
			if err != nil {
				t.Fatal(err)
			}
			parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
				if v, ok := node.(*parser.VectorSelector); ok && strings.Contains(v.Name, ":") {
					asked[v.Name] = true
					if !recorded[v.Name] {
						t.Errorf("%s: %s: nothing records %s", d.Title, q.Of, v.Name)
					}
				}
				return nil
			})
		}
	}
	t.Logf("%d recorded metrics are asked for", len(asked))
}

package rules_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/rules"
)

// alertRule is an AlertRule whose spec is this YAML.
func alertRule(t testing.TB, spec string) *v1alpha1.AlertRule {
	t.Helper()
	out := &v1alpha1.AlertRule{ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "nodes"}}
	if err := yaml.UnmarshalStrict([]byte(spec), &out.Spec); err != nil {
		t.Fatal(err)
	}
	return out
}

const everyField = `groups:
- interval: 1m
  labels:
    team: infra
  limit: 10
  name: nodes
  query_offset: 30s
  rules:
  - expr: count by (instance) (node_cpu_seconds_total)
    record: instance:node_cpus:count
  - alert: NodeDown
    annotations:
      summary: '{{ $labels.instance }} is down'
    expr: |
      up{job="node-exporter"}
        == 0
    for: 5m
    keep_firing_for: 1h
    labels:
      severity: '{{ if eq $value 0.0 }}critical{{ end }}'
- name: numbers
  rules:
  - expr: "1"
    record: one
- name: empty
`

func TestTheFileIsWhatWasPasted(t *testing.T) {
	v := rules.Judge(alertRule(t, everyField))
	file := v.File
	if v.Problem() != "" {
		t.Fatal(v.Problem())
	}
	// Only the operator's own label is added, to alerts, and a comment for the reloader.
	line, rest, _ := bytes.Cut(file.Text, []byte("\n"))
	needs := bundle.Needs{
		Rules: []bundle.RuleNeeds{
			{Rule: "spec.groups[nodes].rules[0] (instance:node_cpus:count)", Metrics: [][]string{{"node_cpu_seconds_total"}}},
			{Rule: "spec.groups[nodes].rules[1] (NodeDown)", Metrics: [][]string{{"up"}}},
		},
		Records: []string{"instance:node_cpus:count", "one"},
	}
	if diff := cmp.Diff(needs, bundle.NeedsOf(line)); diff != "" {
		t.Errorf("needs: -want +got:\n%s", diff)
	}
	file.Text = rest
	published := strings.Replace(everyField, "    labels:\n      severity", "    labels:\n      hearth_alertrule: monitoring/nodes\n      severity", 1)
	want := rules.File{Path: "monitoring_nodes.yaml", Text: []byte(published), Rules: 3}
	if diff := cmp.Diff(want, file); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := rules.CountIn(v.File.Text); got != file.Rules {
		t.Errorf("%d rules are counted in the file, %d are in the spec", got, file.Rules)
	}
}

func TestJudgeTakes(t *testing.T) {
	for name, c := range map[string]struct {
		spec  string
		rules int
	}{
		"nothing":                        {"{}", 0},
		"an empty list":                  {"groups: []", 0},
		"a group without rules":          {"groups: [{name: a}]", 0},
		"the same rule twice":            {"groups: [{name: a, rules: [{alert: A, expr: up}, {alert: A, expr: up}]}]", 2},
		"the same name in two groups":    {"groups: [{name: a, rules: [{alert: A, expr: up}]}, {name: b, rules: [{alert: A, expr: up}]}]", 2},
		"a number":                       {"groups: [{name: a, rules: [{record: a, expr: -3}]}]", 1},
		"a name in UTF-8":                {"groups: [{name: ä, rules: [{record: größe, expr: up, labels: {größe: a}}]}]", 1},
		"no time at all":                 {"groups: [{name: a, rules: [{alert: A, expr: up, for: 0s}]}]", 1},
		"what looks like another type":   {`groups: [{name: "on", rules: [{alert: "1", expr: "1e3", labels: {a: "true", b: "0x10"}}]}]`, 1},
		"a template of a recording rule": {"groups: [{name: a, rules: [{record: a, expr: up, labels: {a: '{{ nothing'}}]}]", 1},
	} {
		t.Run(name, func(t *testing.T) {
			v := rules.Judge(alertRule(t, c.spec))
			file := v.File
			if v.Problem() != "" {
				t.Fatal(v.Problem())
			}
			if file.Rules != c.rules || rules.CountIn(file.Text) != c.rules {
				t.Errorf("%d rules, %d in the file, want %d", file.Rules, rules.CountIn(file.Text), c.rules)
			}
		})
	}
}

var refusals = map[string]struct {
	spec string
	want []string
}{
	"an expression that ends too soon": {
		"groups: [{name: a, rules: [{alert: Good, expr: up}, {alert: Bad, expr: 'up =='}]}]",
		[]string{"spec.groups[a].rules[1] (Bad): could not parse expression: 1:6: parse error: unexpected end of input"},
	},
	"an expression of several lines": {
		"groups: [{name: a, rules: [{record: bad, expr: \"sum(\\n  rate(up[5m])\\n) by (\"}]}]",
		[]string{"spec.groups[a].rules[0] (bad): could not parse expression: 3:7: parse error: unclosed left parenthesis"},
	},
	"no expression": {
		"groups: [{name: a, rules: [{alert: A, expr: ''}]}]",
		[]string{"spec.groups[a].rules[0] (A): field 'expr' must be set in rule"},
	},
	"neither alert nor record": {
		"groups: [{name: a, rules: [{expr: up}]}]",
		[]string{"spec.groups[a].rules[0]: one of 'record' or 'alert' must be set"},
	},
	"a label Prometheus keeps for itself": {
		"groups: [{name: a, rules: [{alert: A, expr: up, labels: {__name__: x}}]}]",
		[]string{"spec.groups[a].rules[0] (A): invalid label name: __name__"},
	},
	"a label of a group": {
		"groups: [{name: a, labels: {__name__: x}}]",
		[]string{"spec.groups: invalid label name: __name__"},
	},
	"templates": {
		"groups: [{name: a, rules: [{alert: A, expr: up, labels: {l: '{{ .Foo'}, annotations: {f: '{{ nosuch }}', v: '{{ $nosuch }}'}}]}]",
		[]string{
			`spec.groups[a].rules[0] (A): annotation "f": template: __alert_A:1: function "nosuch" not defined`,
			`spec.groups[a].rules[0] (A): annotation "v": template: __alert_A:1: undefined variable "$nosuch"`,
			`spec.groups[a].rules[0] (A): label "l": template: __alert_A:1: unclosed action`,
		},
	},
	"an expression as a name": {
		"groups: [{name: a, rules: [{record: 'up{job=\"a\"}', expr: up}]}]",
		[]string{`spec.groups[a].rules[0] (up{job="a"}): braces present in the recording rule name; should it be in expr?: up{job="a"}`},
	},
	"durations that are too long": {
		"groups: [{name: a, interval: 9999999y, query_offset: 9999999y, rules: [{alert: A, expr: up, for: 9999999y, keep_firing_for: 9999999y}]}]",
		[]string{
			`spec.groups[a].interval: "9999999y": duration out of range`,
			`spec.groups[a].query_offset: "9999999y": duration out of range`,
			`spec.groups[a].rules[0] (A).for: "9999999y": duration out of range`,
			`spec.groups[a].rules[0] (A).keep_firing_for: "9999999y": duration out of range`,
		},
	},
	"several mistakes in several groups": {
		"groups: [{name: b, rules: [{alert: B, expr: (}]}, {name: a, rules: [{alert: A, expr: )}]}]",
		[]string{
			`spec.groups[a].rules[0] (A): could not parse expression: 1:2: parse error: unexpected right parenthesis ')'`,
			`spec.groups[b].rules[0] (B): could not parse expression: 1:2: parse error: unclosed left parenthesis`,
		},
	},
}

func TestJudgeRefuses(t *testing.T) {
	for name, c := range refusals {
		t.Run(name, func(t *testing.T) {
			// The parser walks maps, whose order differs each time.
			for range 10 {
				refused(t, alertRule(t, c.spec), c.want...)
			}
		})
	}
}

func refused(t *testing.T, ar *v1alpha1.AlertRule, want ...string) {
	t.Helper()
	v := rules.Judge(ar)
	if diff := cmp.Diff(want, v.Problems); diff != "" {
		t.Fatalf("-want +got:\n%s", diff)
	}
	if v.File.Text != nil {
		t.Fatalf("a refused rule has a file:\n%s", v.File.Text)
	}
}

// TestWhatCannotBePublishedIsRefused: it would keep the rules of everybody else from being published.
func TestWhatCannotBePublishedIsRefused(t *testing.T) {
	long := alertRule(t, everyField)
	long.Name = strings.Repeat("n", 239)
	if v := rules.Judge(long); v.Problem() != "" || len(v.File.Path) != 255 {
		t.Errorf("the longest name: %d bytes, %s", len(v.File.Path), v.Problem())
	}
	long.Name += "n"
	refused(t, long, "metadata.name: has 240 characters, and a rule file in namespace monitoring can be named after 239: make an AlertRule with a shorter name")

	r := rand.New(rand.NewPCG(1, 1))
	large := alertRule(t, "groups: [{name: a, rules: [{alert: A, expr: up}]}]")
	var noise strings.Builder
	for noise.Len() < 2<<20 {
		fmt.Fprintf(&noise, "%x", r.Uint64())
	}
	large.Spec.Groups[0].Rules[0].Annotations = map[string]string{"noise": noise.String()}
	if problem := rules.Judge(large).Problem(); !strings.HasPrefix(problem, "spec.groups: ") || !strings.HasSuffix(problem, "split it into several AlertRules") {
		t.Errorf("2 MiB of noise: %s", problem)
	}
	large.Spec.Groups[0].Rules[0].Annotations = map[string]string{"text": strings.Repeat("a long text ", 100_000)}
	if problem := rules.Judge(large).Problem(); problem != "" {
		t.Errorf("1 MiB that compresses well: %s", problem)
	}
}

func TestPathsAreUnique(t *testing.T) {
	seen := map[string]string{}
	for _, namespace := range []string{"a", "a-b", "b"} {
		for _, name := range []string{"a", "b", "b-a", "a.b", "a.yaml"} {
			path := rules.Path(namespace, name)
			if other, ok := seen[path]; ok {
				t.Errorf("%s/%s and %s share %s", namespace, name, other, path)
			}
			seen[path] = namespace + "/" + name
		}
	}
}

func TestCountInOfWhatIsNoRuleFile(t *testing.T) {
	for _, text := range []string{"", "{", "groups: 1", "\x00"} {
		if got := rules.CountIn([]byte(text)); got != 0 {
			t.Errorf("%q: %d", text, got)
		}
	}
}

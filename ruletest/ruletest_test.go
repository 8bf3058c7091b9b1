package ruletest_test

import (
	"context"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/rules"
	"github.com/hearth-monitoring/hearth/ruletest"
)

func alertRule(t testing.TB, spec string) *v1alpha1.AlertRule {
	t.Helper()
	out := &v1alpha1.AlertRule{}
	if err := yaml.UnmarshalStrict([]byte(spec), &out.Spec); err != nil {
		t.Fatal(err)
	}
	return out
}

const down = `
groups: [{name: g, rules: [{alert: Down, expr: up == 0, for: 5m}]}]
tests:
- name: down
  input_series: [{series: 'up{job="a"}', values: '0x60'}]
  alert_rule_test:
  - {eval_time: 4m, alertname: Down}
  - {eval_time: 1h, alertname: Down, exp_alerts: [{exp_labels: {job: a}}]}
`

func TestRun(t *testing.T) {
	if got := ruletest.Run(t.Context(), alertRule(t, down), ruletest.Limits{}); !got.Passed || got.Tests != 1 || got.Failed != 0 || got.Failures != nil {
		t.Errorf("%+v", got)
	}
	wrong := alertRule(t, strings.Replace(down, "eval_time: 4m", "eval_time: 5m", 1))
	got := ruletest.Run(t.Context(), wrong, ruletest.Limits{})
	want := `spec.tests[0] (down): alertname: Down, time: 5m,
    exp:[],
    got:[
        0:
          Labels:{alertname="Down", job="a"}
          Annotations:{}
        ]`
	if got.Passed || got.Tests != 1 || got.Failed != 1 || len(got.Failures) != 1 || got.Failures[0] != want {
		t.Errorf("got %+v, want\n%s", got, want)
	}
	if got := ruletest.Run(t.Context(), alertRule(t, "groups: []"), ruletest.Limits{}); !got.Passed || got.Tests != 0 {
		t.Errorf("no tests: %+v", got)
	}
}

const rulesOfLimits = `
groups:
- name: g
  rules:
  - {alert: A, expr: a > 1e9}
  - {record: "a:a", expr: "sum(rate(a[1h]))"}
  - {alert: Endless, expr: b > 0 unless on () (vector(time()) > 100), annotations: {a: "{{ range 1000000000000 }}{{ end }}"}}
  - {alert: Growing, expr: c > 0, annotations: {a: "{{ range 1000000000000 }}0123456789{{ end }}"}}
`

// TestLimits: a test that asks for too much fails, says why, and takes neither the time nor the memory.
func TestLimits(t *testing.T) {
	for name, c := range map[string]struct {
		test, want string
		limits     ruletest.Limits
	}{
		"samples": {
			test: "{input_series: [{series: a, values: '0x100 1+1x100'}, {series: b, values: 0+1x99}]}",
			want: "spec.tests[0]: input_series have more than 250 samples", limits: ruletest.Limits{Samples: 250},
		},
		"billions of samples":   {test: "{input_series: [{series: a, values: 0+1x100000000000}]}", want: "samples"},
		"more than an int":      {test: "{input_series: [{series: a, values: 0+1x99999999999999999999999}]}", want: "samples"},
		"of nothing":            {test: "{input_series: [{series: a, values: _x1000000000}]}", want: "samples"},
		"of histograms":         {test: "{input_series: [{series: a, values: '1 {{schema:0 sum:1 count:2 buckets:[1 1]}}x1000000000 2'}]}", want: "samples"},
		"of a histogram's sums": {test: "{input_series: [{series: a, values: '{{schema:0 buckets:[1 1]}}+{{schema:0 buckets:[1 1]}}x1000000000'}]}", want: "samples"},
		"a sample expected a billion times": {
			test: "{promql_expr_test: [{expr: a, exp_samples: [{labels: a, histogram: '{{schema:0}}x1000000000'}]}]}", want: "expected 1 value",
		},
		"steps": {
			test: "{alert_rule_test: [{eval_time: 100y, alertname: A}]}",
			want: "spec.tests[0]: evaluates the rules 52560001 times, and 50000 is the limit",
		},
		"time": {
			test: "{name: slow, input_series: [{series: a, values: 0+1x30000}], alert_rule_test: [{eval_time: 30000m, alertname: A}]}",
			want: "spec.tests[0] (slow): the tests did not end within 20ms", limits: ruletest.Limits{Time: 20 * time.Millisecond},
		},
		// Prometheus' engine does not look at its context here: only the end of the process ends it.
		"a query that never ends": {
			test: "{name: endless, promql_expr_test: [{expr: 'count_over_time(vector(1)[100y:1ms])', eval_time: 0}]}",
			want: "spec.tests[0] (endless): ", limits: ruletest.Limits{Time: 100 * time.Millisecond},
		},
		"a template that never ends": {
			test: "{name: endless, input_series: [{series: b, values: 1x10}], alert_rule_test: [{eval_time: 1m, alertname: Endless}]}",
			want: "spec.tests[0] (endless): the tests did not end within 100ms", limits: ruletest.Limits{Time: 100 * time.Millisecond},
		},
		"a template that takes all memory": {
			test: "{name: growing, input_series: [{series: c, values: 1x60}], alert_rule_test: [{eval_time: 1m, alertname: Growing}]}",
			want: "spec.tests[0] (growing): took more than 128 MiB of memory", limits: ruletest.Limits{Time: time.Minute},
		},
	} {
		t.Run(name, func(t *testing.T) {
			ar := alertRule(t, rulesOfLimits+"\ntests: ["+c.test+"]")
			start := time.Now()
			got := ruletest.Run(t.Context(), ar, c.limits)
			if got.Passed || got.Failed != 1 || len(got.Failures) != 1 || !strings.Contains(got.Failures[0], c.want) {
				t.Errorf("got %+v, want a failure with %q", got, c.want)
			}
			if took := time.Since(start); took > time.Minute {
				t.Errorf("took %s", took)
			}
		})
	}
}

// TestTheRestIsNotRun: the time is that of the object, and its end is said once.
func TestTheRestIsNotRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ar := alertRule(t, down)
	ar.Spec.Tests = append(ar.Spec.Tests, ar.Spec.Tests[0], ar.Spec.Tests[0])
	got := ruletest.Run(ctx, ar, ruletest.Limits{})
	if got.Passed || got.Tests != 3 || got.Failed != 3 || len(got.Failures) != 2 || !strings.Contains(got.Failures[1], "2 tests after this one were not run") {
		t.Errorf("%+v", got)
	}
}

func TestFailuresAreBounded(t *testing.T) {
	ar := alertRule(t, down)
	ar.Spec.Tests[0].AlertRuleTest[0].ExpAlerts = []v1alpha1.ExpectedAlert{{ExpLabels: map[string]string{"a": strings.Repeat("ä", 5000)}}}
	for range 29 {
		ar.Spec.Tests = append(ar.Spec.Tests, ar.Spec.Tests[0])
	}
	got := ruletest.Run(t.Context(), ar, ruletest.Limits{})
	size := 0
	for _, text := range got.Failures {
		size += len(text)
	}
	if got.Failed != 30 || len(got.Failures) != 10 || size > 25_000 {
		t.Errorf("%d of %d failed, %d texts, %d bytes", got.Failed, got.Tests, len(got.Failures), size)
	}
}

// TestNothingIsLeft: neither a goroutine nor a file.
func TestNothingIsLeft(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	ruletest.Run(t.Context(), alertRule(t, down), ruletest.Limits{})
	before := runtime.NumGoroutine()
	for _, limits := range []ruletest.Limits{{}, {Time: time.Millisecond}, {Samples: 1}} {
		for range 5 {
			ruletest.Run(t.Context(), alertRule(t, down), limits)
		}
	}
	// What a test took is still being ended for a moment.
	for end := time.Now().Add(time.Minute); runtime.NumGoroutine() > before && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines, %d before", after, before)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	t.Setenv("TMPDIR", dir+"/nosuch")
	if got := ruletest.Run(t.Context(), alertRule(t, down), ruletest.Limits{}); got.Passed || !strings.Contains(got.Failures[0], "unit tests need a directory that can be written to") {
		t.Errorf("%+v", got)
	}
}

func BenchmarkRun(b *testing.B) {
	ar := alertRule(b, down)
	b.ReportAllocs()
	for b.Loop() {
		if got := ruletest.Run(b.Context(), ar, ruletest.Limits{}); !got.Passed {
			b.Fatal(got.Failures)
		}
	}
}

// TestTheSamplePasses, and so does the example in the documentation.
func TestTheSamplePasses(t *testing.T) {
	text, err := os.ReadFile("../config/samples/alertrule.yaml")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := os.ReadFile("../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(docs), "```yaml\n")
	example, _, _ = strings.Cut(example, "```")
	for name, object := range map[string]string{"sample": string(text), "docs": example} {
		var ar v1alpha1.AlertRule
		if err := yaml.UnmarshalStrict([]byte(object), &ar); err != nil {
			t.Fatal(name, err)
		}
		if got := ruletest.Run(t.Context(), &ar, ruletest.Limits{}); !got.Passed || got.Tests == 0 {
			t.Errorf("%s: %+v", name, got)
		}
		if v := rules.Judge(&ar); v.Problem() != "" || len(v.Warnings) > 0 {
			t.Errorf("%s: %q %q", name, v.Problems, v.Warnings)
		}
	}
}

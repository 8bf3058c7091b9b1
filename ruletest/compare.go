package ruletest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// alertTest is what alerts of one name are expected at one time.
type alertTest struct {
	at       time.Duration
	name     string
	expected []alert
}

type alert struct{ labels, annotations labels.Labels }

// alertTests are the tests of alerts, sorted by time.
func alertTests(specs []v1alpha1.AlertRuleTest) ([]alertTest, error) {
	out := make([]alertTest, 0, len(specs))
	for i, spec := range specs {
		at, err := duration(spec.EvalTime, 0)
		if err != nil {
			return nil, fmt.Errorf("alert_rule_test[%d].eval_time: %w", i, err)
		}
		if spec.Alertname == "" {
			return nil, fmt.Errorf("alert_rule_test[%d]: misses required attribute alertname at eval_time %s", i, model.Duration(at))
		}
		one := alertTest{at: at, name: spec.Alertname}
		for _, a := range spec.ExpAlerts {
			// One gives the labels without the name, which Prometheus adds.
			expected := make(map[string]string, len(a.ExpLabels)+1)
			maps.Copy(expected, a.ExpLabels)
			expected[labels.AlertName] = spec.Alertname
			one.expected = append(one.expected, alert{labels.FromMap(expected), labels.FromMap(a.ExpAnnotations)})
		}
		out = append(out, one)
	}
	slices.SortStableFunc(out, func(a, b alertTest) int { return cmp.Compare(a.at, b.at) })
	return out, nil
}

// check compares the alerts that fire with those that should, and says what differs.
func (t alertTest) check(groups []*rules.Group) string {
	var got []alert
	for _, g := range groups {
		for _, r := range g.Rules() {
			rule, ok := r.(*rules.AlertingRule)
			if !ok || rule.Name() != t.name {
				continue
			}
			for _, a := range rule.ActiveAlerts() {
				if a.State == rules.StateFiring {
					got = append(got, alert{a.Labels.Copy(), a.Annotations.Copy()})
				}
			}
		}
	}
	byLabels := func(a, b alert) int {
		return cmp.Or(labels.Compare(a.labels, b.labels), labels.Compare(a.annotations, b.annotations))
	}
	slices.SortFunc(got, byLabels)
	slices.SortFunc(t.expected, byLabels)
	if slices.EqualFunc(t.expected, got, func(a, b alert) bool { return byLabels(a, b) == 0 }) {
		return ""
	}
	return fmt.Sprintf("alertname: %s, time: %s,\n    exp:%s,\n    got:%s", t.name, model.Duration(t.at), alertsText(t.expected), alertsText(got))
}

func alertsText(alerts []alert) string {
	if len(alerts) == 0 {
		return "[]"
	}
	var out strings.Builder
	out.WriteString("[")
	for i, a := range alerts {
		if i > 0 {
			out.WriteString(",")
		}
		fmt.Fprintf(&out, "\n        %d:\n          Labels:%s\n          Annotations:%s", i, a.labels, a.annotations)
	}
	out.WriteString("\n        ]")
	return out.String()
}

// exprTest is what an expression is expected to return at one time.
type exprTest struct {
	expr     string
	at       time.Duration
	expected []exprSample
	problem  error
}

type exprSample struct {
	labels labels.Labels
	value  float64
	// histogram as text, which is how promtool compares it.
	histogram string
}

func (s exprSample) String() string {
	if s.histogram != "" {
		return s.labels.String() + " " + s.histogram
	}
	return s.labels.String() + " " + strconv.FormatFloat(s.value, 'E', -1, 64)
}

func exprTests(specs []v1alpha1.PromQLExprTest) ([]exprTest, error) {
	p := parser.NewParser(parser.Options{})
	out := make([]exprTest, 0, len(specs))
	for i, spec := range specs {
		at, err := duration(spec.EvalTime, 0)
		if err != nil {
			return nil, fmt.Errorf("promql_expr_test[%d].eval_time: %w", i, err)
		}
		one := exprTest{expr: string(spec.Expr), at: at}
		for j, s := range spec.ExpSamples {
			value, err := number(s.Value)
			if err != nil {
				return nil, fmt.Errorf("promql_expr_test[%d].exp_samples[%d].value: %w", i, j, err)
			}
			expected, err := expectedSample(p, s, value)
			if err != nil {
				one.problem = fmt.Errorf("labels %q: %w", s.Labels, err)
				break
			}
			one.expected = append(one.expected, expected)
		}
		out = append(out, one)
	}
	return out, nil
}

// number reads the value of a sample, with YAML's own spelling of what JSON has no numbers for.
func number(v v1alpha1.SampleValue) (float64, error) {
	text := strings.ToLower(string(v))
	if text == "" {
		return 0, nil
	}
	if rest := strings.TrimLeft(text, "+-"); strings.HasPrefix(rest, ".") && (rest == ".nan" || rest == ".inf") {
		text = strings.Replace(text, ".", "", 1)
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number", string(v))
	}
	return value, nil
}

func expectedSample(p parser.Parser, s v1alpha1.ExpectedSample, value float64) (exprSample, error) {
	metric, err := p.ParseMetric(s.Labels)
	if err != nil {
		return exprSample{}, err
	}
	out := exprSample{labels: metric, value: value}
	if s.Histogram == "" {
		return out, nil
	}
	if expanded(s.Histogram, maxSamples) > maxSamples {
		return out, fmt.Errorf("expected 1 value, got more than %d", maxSamples)
	}
	_, values, err := p.ParseSeriesDesc("{} " + s.Histogram)
	switch {
	case err != nil:
		return out, err
	case len(values) != 1:
		return out, fmt.Errorf("expected 1 value, got %d", len(values))
	case values[0].Histogram == nil:
		return out, fmt.Errorf("expected histogram, got %v", values[0])
	}
	out.histogram = values[0].Histogram.TestExpression()
	return out, nil
}

// check compares what the expression returns with what it should, and says what differs.
func (e exprTest) check(ctx context.Context, t *test) string {
	at := model.Duration(e.at)
	got, err := e.query(ctx, t)
	if err = cmp.Or(err, e.problem); err != nil {
		return fmt.Sprintf("expr: %q, time: %s, err: %v", e.expr, at, err)
	}
	byLabels := func(a, b exprSample) int { return labels.Compare(a.labels, b.labels) }
	slices.SortStableFunc(got, byLabels)
	slices.SortStableFunc(e.expected, byLabels)
	same := func(a, b exprSample) bool {
		return labels.Equal(a.labels, b.labels) && a.histogram == b.histogram && equal(a.value, b.value, t.fuzzy)
	}
	if slices.EqualFunc(e.expected, got, same) {
		return ""
	}
	return fmt.Sprintf("expr: %q, time: %s,\n    exp: %s\n    got: %s", e.expr, at, samplesText(e.expected), samplesText(got))
}

// equal compares two values as promtool does, for which NaN is never equal to anything.
func equal(a, b float64, fuzzy bool) bool {
	return a == b || fuzzy && (math.Nextafter(a, math.Inf(-1)) == b || math.Nextafter(a, math.Inf(1)) == b)
}

func (e exprTest) query(ctx context.Context, t *test) ([]exprSample, error) {
	q, err := t.engine.NewInstantQuery(ctx, t.memory, nil, e.expr, t.start.Add(e.at))
	if err != nil {
		return nil, err
	}
	defer q.Close()
	result := q.Exec(ctx)
	if result.Err != nil {
		return nil, result.Err
	}
	switch v := result.Value.(type) {
	case promql.Vector:
		out := make([]exprSample, 0, len(v))
		for _, s := range v {
			out = append(out, exprSample{s.Metric.Copy(), s.F, histogramText(s.H)})
		}
		return out, nil
	case promql.Scalar:
		return []exprSample{{value: v.V}}, nil
	}
	return nil, errors.New("rule result is not a vector or scalar")
}

func histogramText(h *histogram.FloatHistogram) string {
	if h == nil {
		return ""
	}
	return h.TestExpression()
}

func samplesText(samples []exprSample) string {
	if len(samples) == 0 {
		return "nil"
	}
	texts := make([]string, 0, len(samples))
	for _, s := range samples {
		texts = append(texts, s.String())
	}
	return strings.Join(texts, ", ")
}

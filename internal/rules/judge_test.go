package rules_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hearth-monitoring/hearth/internal/rules"
)

// TestTheOperatorsLabelIsItsOwn: whoever could set it could have alerts sent to somebody else's receivers.
func TestTheOperatorsLabelIsItsOwn(t *testing.T) {
	spec := `groups: [{name: a, labels: {hearth_alertrule: x}, rules: [
	  {alert: A, expr: up, labels: {hearth_alertrule: other/rule}},
	  {record: b, expr: up, labels: {hearth_alertrule: ""}},
	  {alert: C, expr: 'up{hearth_alertrule="other/rule"}'}]}]`
	v := rules.Judge(alertRule(t, spec))
	want := []string{
		"spec.groups[a].labels: hearth_alertrule is set by Hearth, which routes alerts by it: remove it",
		"spec.groups[a].rules[0] (A).labels: hearth_alertrule is set by Hearth, which routes alerts by it: remove it",
		"spec.groups[a].rules[1] (b).labels: hearth_alertrule is set by Hearth, which routes alerts by it: remove it",
	}
	if diff := cmp.Diff(want, v.Problems); diff != "" || v.File.Text != nil {
		t.Errorf("-want +got:\n%s\n%s", diff, v.File.Text)
	}
}

func TestJudgeLeavesTheObjectAsItIs(t *testing.T) {
	ar := alertRule(t, everyField)
	before := ar.DeepCopy()
	v := rules.Judge(ar)
	if diff := cmp.Diff(before, ar); diff != "" || v.Problem() != "" {
		t.Errorf("the object was changed: -before +after:\n%s\n%s", diff, v.Problem())
	}
}

func TestDuplicates(t *testing.T) {
	spec := `groups: [
	  {name: a, labels: {team: infra}, rules: [{alert: A, expr: up}, {alert: A, expr: up, labels: {severity: page}}]},
	  {name: b, rules: [{alert: A, expr: absent(up), labels: {team: infra}}, {record: "a:b", expr: up}, {record: "a:b", expr: up}]}]`
	v := rules.Judge(alertRule(t, spec))
	want := []string{
		"spec.groups[b].rules[0] (A): has the name and the labels of spec.groups[a].rules[0] (A), so what they produce can't be told apart: give one of them another name or a label of its own",
		"spec.groups[b].rules[2] (a:b): has the name and the labels of spec.groups[b].rules[1] (a:b), so what they produce can't be told apart: give one of them another name or a label of its own",
	}
	if diff := cmp.Diff(want, v.Warnings); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(v.Problems) > 0 || v.File.Rules != 5 {
		t.Errorf("warnings stop nothing, and this was stopped: %v", v.Problems)
	}
}

// TestDoubts: each of the wanted, and none of those that look like it.
func TestDoubts(t *testing.T) {
	for spec, want := range map[string]string{
		"{alert: A, expr: up == 0}":                                                                    "compares up as it was scraped last",
		"{alert: A, expr: '(10 < (node_load1{job=\"a\"}))'}":                                           "compares node_load1 as it was scraped last",
		"{alert: A, expr: up == 0, for: 5m}":                                                           "",
		"{alert: A, expr: up == 0, keep_firing_for: 5m}":                                               "",
		"{alert: A, expr: job:up:avg < 1}":                                                             "",
		"{alert: A, expr: 'rate(errors_total[5m]) > 0'}":                                               "",
		"{alert: A, expr: a > b}":                                                                      "",
		"{alert: A, expr: vector(1)}":                                                                  "",
		"{alert: A, expr: 'up == 0 and on () hour() > 8'}":                                             "",
		"{alert: A, expr: absent(up), for: 10s}":                                                       "for: 10s is shorter than the group's interval of 1m",
		"{alert: A, expr: absent(up), labels: {alertname: B}}":                                         "Prometheus replaces it",
		"{alert: A, expr: absent(up), labels: {__x: B}}":                                               "names that begin with __",
		"{alert: A, expr: absent(up), labels: {a.b: B}}":                                               "Alertmanager's templates can't name it",
		"{alert: A, expr: absent(up), labels: {v: '{{ $value }}'}}":                                    "for begins anew",
		"{alert: A, expr: absent(up), labels: {v: '{{ with .Value }}{{ humanize $value }}{{ end }}'}}": "for begins anew",
		"{alert: A, expr: absent(up), labels: {severity: '{{ if gt $value 0.9 }}critical{{ else }}warning{{ end }}'}}": "",
		"{alert: A, expr: absent(up), labels: {v: '{{ $labels.job | toUpper }}'}, annotations: {v: '{{ $value }}'}}":   "",
		"{alert: A, expr: 'up == bool 0', for: 5m}":                           "the alert fires always",
		"{alert: A, expr: 'max_over_time(rate(a[5m])[12d:1s]) > 1', for: 5m}": "the subquery [12d:1s] takes 1036800 steps",
		"{record: 'a:b', expr: 'count_over_time(a[12d:1s])'}":                 "the subquery [12d:1s] takes 1036800 steps",
		"{record: 'a:b', expr: 'count_over_time(a[12d:2s])'}":                 "",
		"{record: up_sum, expr: sum(up)}":                                     "is not of the form level:metric:operations",
		"{record: 'job:up:sum', expr: sum(up), labels: {alertname: B}}":       "",
	} {
		v := rules.Judge(alertRule(t, "groups: [{name: g, interval: 1m, rules: ["+spec+"]}]"))
		if v.Problem() != "" || len(v.Warnings) > 1 || (len(v.Warnings) == 1) != (want != "") || want != "" && !strings.Contains(v.Warnings[0], want) {
			t.Errorf("%s: problems %q, warnings %q, want %q", spec, v.Problems, v.Warnings, want)
		}
	}
}

func TestWarningsAreBounded(t *testing.T) {
	spec := "groups: [{name: g, rules: ["
	for i := range 50 {
		spec += fmt.Sprintf("{record: a%d, expr: up},", i)
	}
	v := rules.Judge(alertRule(t, spec+"]}]"))
	if len(v.Warnings) != 21 || v.Warnings[20] != "and 30 more" {
		t.Errorf("%d warnings: %q", len(v.Warnings), v.Warnings)
	}
}

func BenchmarkJudge(b *testing.B) {
	ar := alertRule(b, everyField)
	b.ReportAllocs()
	for b.Loop() {
		rules.Judge(ar)
	}
}

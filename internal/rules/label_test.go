package rules_test

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	promrules "github.com/prometheus/prometheus/rules"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/rules"
)

// shared are groups whose rules have labels in common, in every way that could make a difference once these are written
// at the group. want are the labels of the published group, of the first one.
var shared = map[string]struct {
	spec string
	want map[string]string
}{
	"only Hearth's": {"groups: [{name: a, rules: [{alert: A, expr: up}, {alert: B, expr: up, labels: {severity: page}}]}]", nil},
	"what all rules have": {`groups: [{name: a, rules: [
	  {alert: A, expr: up, labels: {severity: page, team: a, only: x}, annotations: {s: '{{ $labels.team }} {{ $value }}'}},
	  {alert: B, expr: up == 0, labels: {severity: warning, team: a}}]}]`, map[string]string{"team": "a"}},
	"the group's own labels": {`groups: [{name: a, labels: {team: g, cluster: g}, rules: [
	  {alert: A, expr: up, labels: {team: r}}, {alert: B, expr: up, labels: {team: r, cluster: r}}]}]`, map[string]string{"team": "r", "cluster": "g"}},
	"an empty value takes the group's label away": {`groups: [{name: a, labels: {team: g}, rules: [
	  {alert: A, expr: up, labels: {team: ""}}, {alert: B, expr: up, labels: {team: ""}}]}]`, map[string]string{"team": ""}},
	"an empty value in one rule": {`groups: [{name: a, labels: {team: g}, rules: [
	  {alert: A, expr: up, labels: {team: ""}}, {alert: B, expr: up}]}]`, map[string]string{"team": "g"}},
	"templates": {`groups: [{name: a, labels: {where: '{{ $labels.job }}'}, rules: [
	  {alert: A, expr: up, labels: {level: '{{ if gt $value 0.5 }}high{{ else }}low{{ end }}', b: '}}'}},
	  {alert: B, expr: up, labels: {level: '{{ if gt $value 0.5 }}high{{ else }}low{{ end }}', b: '}}'}}]}]`,
		map[string]string{"where": "{{ $labels.job }}", "b": "}}"}},
	"labels of the series": {`groups: [{name: a, rules: [
	  {alert: A, expr: up, labels: {job: mine}}, {alert: B, expr: up, labels: {job: mine}}]}]`, map[string]string{"job": "mine"}},
	"Prometheus' own names": {`groups: [{name: a, rules: [
	  {alert: A, expr: up, labels: {alertname: x, alertstate: w, __x: z}}, {alert: B, expr: up, labels: {alertname: x, alertstate: w, __x: z}}]}]`,
		map[string]string{"alertname": "x", "alertstate": "w", "__x": "z"}},
	"a group of both kinds": {`groups: [{name: a, labels: {team: g}, rules: [
	  {record: a:b, expr: up, labels: {team: r}}, {alert: A, expr: up, labels: {team: r}}]}]`, map[string]string{"team": "g"}},
	"a group of recording rules": {"groups: [{name: a, rules: [{record: a:b, expr: up, labels: {team: r}}]}]", nil},
	"several groups": {`groups: [{name: a, interval: 1m, limit: 3, query_offset: 10s, rules: [{alert: A, expr: up, for: 5m, keep_firing_for: 1m, labels: {x: "1"}}]},
	  {name: b, rules: [{record: a:b, expr: up}]}, {name: c}, {name: d, rules: [{alert: A, expr: up, labels: {größe: 'a"b', "a.b": "\n"}}]}]`, map[string]string{"x": "1"}},
}

// TestLabelsOfGroupsAreTheSame to Prometheus as labels of each rule: it loads both files into equal groups, whose rules
// answer /api/v1/rules and write the series ALERTS alike.
func TestLabelsOfGroupsAreTheSame(t *testing.T) {
	for name, c := range shared {
		t.Run(name, func(t *testing.T) {
			ar := alertRule(t, c.spec)
			judged := rules.Judge(ar)
			if judged.Problem() != "" {
				t.Fatal(judged.Problem())
			}
			file := judged.File
			plain, published := load(t, onEachAlert(t, ar)), load(t, file.Text)
			if diff := cmp.Diff(slices.Sorted(maps.Keys(plain)), slices.Sorted(maps.Keys(published))); diff != "" {
				t.Fatalf("groups: -on each rule +published:\n%s", diff)
			}
			for key, group := range plain {
				if !group.Equals(published[key]) || !published[key].Equals(group) {
					t.Errorf("Prometheus takes group %s for another one:\n%s", key, file.Text)
				}
				if diff := cmp.Diff(outcome(t, group), outcome(t, published[key])); diff != "" {
					t.Errorf("group %s: -on each rule +published:\n%s\n%s", key, diff, file.Text)
				}
			}
			writtenOnce(t, file.Text, c.want)
		})
	}
}

// writtenOnce checks that the file is the shorter one, so that the comparison compares two different files.
func writtenOnce(t *testing.T, text []byte, want map[string]string) {
	t.Helper()
	var spec v1alpha1.AlertRuleSpec
	if err := yaml.Unmarshal(text, &spec); err != nil {
		t.Fatal(err)
	}
	first := spec.Groups[0]
	alerts := !slices.ContainsFunc(first.Rules, func(r v1alpha1.Rule) bool { return r.Alert == "" })
	want = maps.Clone(want)
	if alerts {
		if want == nil {
			want = map[string]string{}
		}
		want[rules.Label] = "monitoring/nodes"
	}
	if diff := cmp.Diff(want, first.Labels); diff != "" {
		t.Errorf("labels of the group: -want +got:\n%s\n%s", diff, text)
	}
	for _, r := range first.Rules {
		if r.Labels[rules.Label] != "" && alerts {
			t.Errorf("%s has the label itself:\n%s", r.Alert, text)
		}
		if r.Record != "" && (r.Labels[rules.Label] != "" || first.Labels[rules.Label] != "") {
			t.Errorf("recording rule %s has an alert's label:\n%s", r.Record, text)
		}
	}
}

// onEachAlert is the plain form of the file: the spec, and Hearth's label on each alert.
func onEachAlert(t *testing.T, ar *v1alpha1.AlertRule) []byte {
	t.Helper()
	spec := ar.DeepCopy().Spec
	for _, g := range spec.Groups {
		for i := range g.Rules {
			if r := &g.Rules[i]; r.Alert != "" {
				r.Labels = maps.Clone(r.Labels)
				if r.Labels == nil {
					r.Labels = map[string]string{}
				}
				r.Labels[rules.Label] = rules.LabelValue(ar.Namespace, ar.Name)
			}
		}
	}
	text, err := yaml.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// load has Prometheus' rule manager load a file, always of the same name. Groups are returned by their names.
func load(t testing.TB, text []byte) map[string]*promrules.Group {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile(filepath.Join(dir, "rules.yaml"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	manager := promrules.NewManager(&promrules.ManagerOptions{NameValidationScheme: model.UTF8Validation, Parser: parser.NewParser(parser.Options{})})
	groups, errs := manager.LoadGroups(time.Minute, labels.FromStrings("cluster", "outer"), "http://outside", nil, false, "rules.yaml")
	if len(errs) > 0 {
		t.Fatalf("%v\n%s", errs, text)
	}
	return groups
}

// outcome is what a group shows and writes.
func outcome(t *testing.T, g *promrules.Group) []string {
	t.Helper()
	out := []string{fmt.Sprintln(g.Name(), g.Interval(), g.Limit(), g.QueryOffset())}
	now := time.Unix(1e9, 0)
	for _, r := range g.Rules() {
		out = append(out, fmt.Sprintln("rule", r.Name(), r.Labels(), r.Query(), r))
		if a, ok := r.(*promrules.AlertingRule); ok {
			a.SetRestored(true) // it writes nothing before
		}
		for _, at := range []time.Time{now, now.Add(time.Hour)} {
			samples, err := r.Eval(t.Context(), 0, at, answer, &url.URL{Host: "outside"}, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range samples {
				out = append(out, fmt.Sprintln("sample", s.Metric, s.F))
			}
		}
		if a, ok := r.(*promrules.AlertingRule); ok {
			for _, alert := range a.ActiveAlerts() {
				out = append(out, fmt.Sprintln("alert", alert.State, alert.Labels, alert.Annotations, alert.Value))
			}
		}
	}
	slices.Sort(out)
	if text := strings.Join(out, ""); strings.Contains(text, "error expanding") || len(g.Rules()) > 0 && !strings.Contains(text, "sample {") {
		t.Fatalf("nothing was compared: %s", text)
	}
	return out
}

// answer is what each expression returns: series that have labels which rules and Hearth set too.
func answer(_ context.Context, _ string, at time.Time) (promql.Vector, error) {
	ms := at.UnixMilli()
	return promql.Vector{
		{T: ms, F: 0, Metric: labels.FromStrings("__name__", "up", "job", "a", "team", "s")},
		{T: ms, F: 1, Metric: labels.FromStrings("__name__", "up", "job", "b", "hearth_alertrule", "other/rule", "cluster", "s")},
	}, nil
}

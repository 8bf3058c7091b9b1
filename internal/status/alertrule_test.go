package status_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/status"
)

func alertRule() *v1alpha1.AlertRule {
	return &v1alpha1.AlertRule{
		ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "nodes", Generation: generation},
	}
}

const (
	valid   = "Valid True Valid: 3 rules accepted by Prometheus' parser"
	problem = "spec.groups[a].rules[1] (NodeDown): could not parse expression: 1:6: parse error: unexpected end of input"
)

// What two servers have of a rule.
var (
	onMain = status.RuleServer{Namespace: "monitoring", Name: "main", Revision: 3, Loaded: true}
	onLong = status.RuleServer{Namespace: "archive", Name: "long", Revision: 9, Message: "revision 9 is being loaded"}
)

func lacks(what string) string {
	return "can't return anything, since the server has no series of these metrics and had none in the last 24 hours: " + what +
		". Correct their names, have them scraped, or set spec.missingMetrics: Ignore"
}

var ruleCases = map[string]struct {
	observed status.Rule
	loaded   string
	want     []string
}{
	"loaded": {
		status.Rule{Servers: []status.RuleServer{onMain}}, "1/1",
		[]string{"Ready True Loaded: loaded by 1 server", valid, "Loaded True Loaded: loaded by 1 server"},
	},
	"loading": {
		status.Rule{Servers: []status.RuleServer{onLong, onMain}}, "1/2",
		[]string{"Ready False Loading: archive/long: revision 9 is being loaded", "Reconciling True Loading: archive/long: revision 9 is being loaded",
			valid, "Loaded False Loading: loaded by 1 of 2 servers"},
	},
	"loading, without a word": {
		status.Rule{Servers: []status.RuleServer{{Namespace: "archive", Name: "long"}}}, "0/1",
		[]string{"Ready False Loading: archive/long: the rules are being loaded", "Reconciling True Loading: archive/long: the rules are being loaded",
			valid, "Loaded False Loading: loaded by 0 of 1 server"},
	},
	"loading, while its tests run": {
		status.Rule{Tests: status.Tests{Count: 2, Running: true}, Servers: []status.RuleServer{{Namespace: "monitoring", Name: "main", Message: "not taken up yet"}}}, "0/1",
		[]string{"Ready False TestsRunning: the rules are loaded once their unit tests have passed", "Reconciling True TestsRunning: the rules are loaded once their unit tests have passed",
			valid, "Loaded False TestsRunning: loaded by 0 of 1 server: the rules are loaded once their unit tests have passed",
			"Tested Unknown TestsRunning: 2 tests running; what is loaded of an earlier version stays until they pass"},
	},
	"not selected": {
		status.Rule{Nearest: []string{"server monitoring/main wants label team=infra; this has team=web"}}, "0/0",
		[]string{
			"Ready False NotSelected: no PrometheusServer selects this AlertRule: server monitoring/main wants label team=infra; this has team=web",
			"Stalled True NotSelected: no PrometheusServer selects this AlertRule: server monitoring/main wants label team=infra; this has team=web",
			valid, "Loaded False NotSelected: no PrometheusServer selects this AlertRule"},
	},
	"not selected, for there is no server": {
		status.Rule{}, "0/0",
		[]string{
			"Ready False NotSelected: no PrometheusServer selects this AlertRule, for there is none: create one",
			"Stalled True NotSelected: no PrometheusServer selects this AlertRule, for there is none: create one",
			valid, "Loaded False NotSelected: no PrometheusServer selects this AlertRule"},
	},
	"an evaluation fails": {
		status.Rule{Servers: []status.RuleServer{onMain, {Namespace: "monitoring", Name: "other", Revision: 2, Loaded: true, Error: "spec.groups[a].rules[0] (A): many-to-many"}}}, "2/2",
		[]string{"Ready True Loaded: loaded by 2 servers", valid, "Loaded True Loaded: loaded by 2 servers",
			"EvaluationFailing True EvaluationError: monitoring/other: spec.groups[a].rules[0] (A): many-to-many"},
	},
	"a metric is missing": {
		status.Rule{Servers: []status.RuleServer{{Namespace: "monitoring", Name: "main", Revision: 3, Loaded: true, Missing: []string{"spec.groups[a].rules[0] (A): x or y"}}}}, "1/1",
		[]string{"Ready True Loaded: loaded by 1 server", valid, "Loaded True Loaded: loaded by 1 server",
			"MetricsMissing True NoSeries: " + lacks("spec.groups[a].rules[0] (A): x or y")},
	},
	"a metric is missing on one of two servers": {
		status.Rule{Servers: []status.RuleServer{onMain, {Namespace: "monitoring", Name: "other", Revision: 2, Loaded: true, Missing: []string{"r: x", "s: y"}}}}, "2/2",
		[]string{"Ready True Loaded: loaded by 2 servers", valid, "Loaded True Loaded: loaded by 2 servers",
			"MetricsMissing True NoSeries: " + lacks("on monitoring/other: r: x; on monitoring/other: s: y")},
	},
	"invalid": {
		status.Rule{Problem: problem, Servers: []status.RuleServer{{Namespace: "monitoring", Name: "main", Message: "rejected"}}}, "0/1",
		[]string{"Ready False InvalidRules: " + problem, "Stalled True InvalidRules: " + problem,
			"Valid False InvalidRules: " + problem, "Loaded False InvalidRules: loaded by 0 of 1 server"},
	},
	"invalid, and selected by nobody": {
		status.Rule{Problem: problem}, "0/0",
		[]string{"Ready False InvalidRules: " + problem, "Stalled True InvalidRules: " + problem,
			"Valid False InvalidRules: " + problem, "Loaded False NotSelected: no PrometheusServer selects this AlertRule"},
	},
	"invalid, the last good one stays": {
		status.Rule{Problem: problem, Servers: []status.RuleServer{{Namespace: "monitoring", Name: "main", LastGood: true, Message: "rejected"}}}, "0/1",
		[]string{"Ready False InvalidRules: the last good version stays loaded; fix " + problem, "Stalled True InvalidRules: the last good version stays loaded; fix " + problem,
			"Valid False InvalidRules: " + problem, "Loaded False LastGoodLoaded: the last good version stays loaded, this one is not"},
	},
}

func TestOfRule(t *testing.T) {
	for name, c := range ruleCases {
		t.Run(name, func(t *testing.T) {
			c.observed.Rules = 3
			got := status.OfRule(alertRule(), c.observed)
			wantConditions(t, c.want, got.Conditions)
			if got.Loaded != c.loaded || got.Rules != 3 || got.ObservedGeneration != generation {
				t.Errorf("loaded %q, %d rules, observedGeneration %d", got.Loaded, got.Rules, got.ObservedGeneration)
			}
		})
	}
}

func TestFiring(t *testing.T) {
	for name, c := range map[string]struct {
		servers []status.RuleServer
		want    string
	}{
		"no server":                   {nil, "unknown"},
		"not loaded":                  {[]status.RuleServer{{Name: "a"}}, "unknown"},
		"loaded":                      {[]status.RuleServer{{Name: "a", Loaded: true}}, "0"},
		"an earlier version":          {[]status.RuleServer{{Name: "a", LastGood: true, Firing: 2}}, "2"},
		"on both servers":             {[]status.RuleServer{{Name: "a", Loaded: true, Firing: 1}, {Name: "b", Loaded: true, Firing: 2}}, "3"},
		"the next version on its way": {[]status.RuleServer{{Name: "a", Firing: 1}}, "1"},
	} {
		got := "unknown"
		if f := status.OfRule(alertRule(), status.Rule{Servers: c.servers}).Firing; f != nil {
			got = fmt.Sprint(*f)
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestServersOfARule(t *testing.T) {
	got := status.OfRule(alertRule(), status.Rule{Servers: []status.RuleServer{
		{Namespace: "archive", Name: "long", Message: "not taken up yet"}, {Namespace: "monitoring", Name: "main", Revision: 3, Loaded: true, Firing: 2, Pending: 1, Error: "e"},
	}})
	want := []v1alpha1.RuleServerStatus{{Namespace: "archive", Name: "long", Message: "not taken up yet"},
		{Namespace: "monitoring", Name: "main", Revision: 3, Loaded: true, Firing: 2, Pending: 1, LastError: "e"}}
	if diff := cmp.Diff(want, got.Servers); diff != "" {
		t.Error(diff)
	}

	var many status.Rule
	for i := range 70 {
		many.Servers = append(many.Servers, status.RuleServer{Namespace: "n", Name: fmt.Sprintf("s%02d", i), Loaded: true})
	}
	got = status.OfRule(alertRule(), many)
	if len(got.Servers) != 64 || got.Loaded != "70/70" {
		t.Errorf("%d servers named, %s loaded; the API takes 64 and refuses the status with more", len(got.Servers), got.Loaded)
	}
	wantConditions(t, []string{"Ready True Loaded: loaded by 70 servers"}, got.Conditions[:1])
}

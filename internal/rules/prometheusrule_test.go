package rules_test

import (
	"strings"
	"testing"

	"github.com/hearth-monitoring/hearth/internal/rules"
)

// TestPrometheusRules have files of their own, and none of their alerts has the label by which those of AlertRules are
// routed, not even where the series of an expression have it.
func TestPrometheusRules(t *testing.T) {
	for name, spec := range map[string]string{
		"alerts": "groups: [{name: a, labels: {team: x}, rules: [{alert: A, expr: up}, {alert: B, expr: up, labels: {severity: page}}]}]",
		"both":   "groups: [{name: a, rules: [{record: a:b, expr: up}, {alert: A, expr: up}]}]",
	} {
		ar := alertRule(t, spec)
		judged := rules.JudgePrometheusRule(ar)
		if judged.Problem() != "" {
			t.Fatalf("%s: %s", name, judged.Problem())
		}
		if own := rules.Judge(ar).File.Path; judged.File.Path == own || judged.File.Path != rules.PrometheusRulePath(ar.Namespace, ar.Name) {
			t.Errorf("its path is %s, an AlertRule's is %s", judged.File.Path, own)
		}
		for _, group := range load(t, judged.File.Text) {
			for _, line := range strings.Split(strings.Join(outcome(t, group), ""), "\n") {
				alert := strings.HasPrefix(line, "alert ") || strings.Contains(line, `"ALERTS`)
				if alert && strings.Contains(line, rules.Label) {
					t.Errorf("%s: an alert has the label: %s", name, line)
				}
				if alert {
					t.Log(line)
				}
			}
		}
	}
	for _, spec := range []string{
		"groups: [{name: a, rules: [{alert: A, expr: up, labels: {hearth_alertrule: other/rule}}]}]",
		"groups: [{name: a, labels: {hearth_alertrule: \"\"}, rules: [{alert: A, expr: up}]}]",
	} {
		if problem := rules.JudgePrometheusRule(alertRule(t, spec)).Problem(); !strings.Contains(problem, rules.Label) {
			t.Errorf("%s: %q", spec, problem)
		}
	}
}

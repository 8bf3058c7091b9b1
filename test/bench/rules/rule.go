package main

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// rule is the i-th AlertRule, as people write them, in its edit-th version: the name of its first alert says which.
func (b *bench) rule(i, edit int) *v1alpha1.AlertRule {
	group := v1alpha1.RuleGroup{Name: "service"}
	for j := range b.perObject {
		name := fmt.Sprintf("Service%dTooManyErrors%d", i, j)
		if j == 0 {
			name = marker(i, edit)
		}
		group.Rules = append(group.Rules, v1alpha1.Rule{
			Alert: name,
			Expr: v1alpha1.Expression(fmt.Sprintf(`sum by (job, path) (rate(http_requests_total{job="service-%d",path="/api/v%d",code=~"5.."}[5m]))`+
				` / sum by (job, path) (rate(http_requests_total{job="service-%d",path="/api/v%d"}[5m])) > 0.0%d`, i, j, i, j, j+1)),
			For:    "10m",
			Labels: map[string]string{"severity": "warning", "team": fmt.Sprintf("team-%d", i%50)},
			Annotations: map[string]string{
				"summary":     "{{ $labels.job }} answers {{ $value | humanizePercentage }} of its requests with an error.",
				"description": fmt.Sprintf("Look at the dashboard of service-%d, and at what was deployed last.", i),
			},
		})
	}
	return &v1alpha1.AlertRule{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("service-%d", i)},
		// Nobody has the metrics, which would be told of each rule a while after it was loaded, in the middle of something else.
		Spec: v1alpha1.AlertRuleSpec{Groups: []v1alpha1.RuleGroup{group}, MissingMetrics: v1alpha1.MissingMetricsIgnore},
	}
}

func marker(i, edit int) string { return fmt.Sprintf("Service%dEdit%d", i, edit) }

package main

import (
	"fmt"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/rules"
)

// The kinds that can be measured.
const (
	alertRule      = "AlertRule"
	prometheusRule = "PrometheusRule"
)

// object is the i-th object of the bench's kind, in its edit-th version.
func (b *bench) object(i, edit int) client.Object {
	if b.kind == alertRule {
		return b.rule(i, edit)
	}
	ar := b.rule(i, edit)
	out := &monitoringv1.PrometheusRule{ObjectMeta: ar.ObjectMeta}
	for _, group := range ar.Spec.Groups {
		to := monitoringv1.RuleGroup{Name: group.Name}
		for _, r := range group.Rules {
			to.Rules = append(to.Rules, monitoringv1.Rule{Alert: r.Alert, Expr: intstr.FromString(string(r.Expr)),
				For: new(monitoringv1.Duration(r.For)), Labels: r.Labels, Annotations: r.Annotations})
		}
		out.Spec.Groups = append(out.Spec.Groups, to)
	}
	return out
}

func specOf(o client.Object) any {
	switch o := o.(type) {
	case *v1alpha1.AlertRule:
		return o.Spec
	case *monitoringv1.PrometheusRule:
		return o.Spec
	}
	return nil
}

// file is where Prometheus reads the i-th object from.
func (b *bench) file(i int) string {
	if b.kind == prometheusRule {
		return rules.PrometheusRulePath(namespace, nameOf(i))
	}
	return rules.Path(namespace, nameOf(i))
}

func nameOf(i int) string { return fmt.Sprintf("service-%d", i) }

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
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: nameOf(i)},
		// Nobody has the metrics, which would be told of each rule a while after it was loaded, in the middle of something else.
		Spec: v1alpha1.AlertRuleSpec{Groups: []v1alpha1.RuleGroup{group}, MissingMetrics: v1alpha1.MissingMetricsIgnore},
	}
}

func marker(i, edit int) string { return fmt.Sprintf("Service%dEdit%d", i, edit) }

package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// Label is on every alert of an AlertRule in the published file, and nowhere in its spec. Its value says which AlertRule
// raised the alert, so Alertmanager's routes can be exact. It is the operator's: a rule that could set it could have its
// alerts sent to somebody else's receivers. What is no AlertRule has it empty, which to Prometheus is to take it away: an
// expression can return series that have it, such as ALERTS.
const Label = "hearth_alertrule"

// LabelValue is the value of Label on the alerts of an AlertRule.
func LabelValue(namespace, name string) string { return namespace + "/" + name }

// labelled are the groups as they are published: as declared, and each alert with Label. What all rules of a group of
// alerts have in common is written once, as labels of the group: Prometheus joins the two when it loads them, and until
// then each label of a rule costs it as much as an expression does, since it tries every one as a template.
func labelled(ar *v1alpha1.AlertRule, value string) []v1alpha1.RuleGroup {
	groups := slices.Clone(ar.Spec.Groups)
	for i := range groups {
		groups[i].Rules = slices.Clone(groups[i].Rules)
		if onlyAlerts(groups[i].Rules) {
			labelGroup(&groups[i], value)
			continue
		}
		for j := range groups[i].Rules {
			if r := &groups[i].Rules[j]; r.Alert != "" {
				r.Labels = joined(r.Labels, map[string]string{Label: value})
			}
		}
	}
	return groups
}

// onlyAlerts says whether a group can have labels that are for alerts alone.
func onlyAlerts(rules []v1alpha1.Rule) bool {
	return len(rules) > 0 && !slices.ContainsFunc(rules, func(r v1alpha1.Rule) bool { return r.Alert == "" })
}

// labelGroup moves the labels that all rules have from the rules to their group. A rule's label is stronger than its
// group's, so what all rules say takes the place of what the group says, and a rule's labels that stay are as strong as
// before. In Prometheus, both are stronger than the labels of the series that an expression returns.
func labelGroup(g *v1alpha1.RuleGroup, value string) {
	shared := maps.Clone(g.Rules[0].Labels)
	maps.DeleteFunc(shared, func(name, value string) bool {
		return !movable(name, value) || slices.ContainsFunc(g.Rules, func(r v1alpha1.Rule) bool {
			other, ok := r.Labels[name]
			return !ok || other != value
		})
	})
	for i := range g.Rules {
		left := maps.Clone(g.Rules[i].Labels)
		maps.DeleteFunc(left, func(name, _ string) bool { _, ok := shared[name]; return ok })
		g.Rules[i].Labels = left
	}
	g.Labels = joined(joined(g.Labels, shared), map[string]string{Label: value})
}

// movable says whether there is nothing about a label that Prometheus would check, or find fault with, at a rule and not at
// its group: the labels of groups are not tried as templates before an alert fires, and of a bad name nothing tells where
// it is.
func movable(name, value string) bool {
	return !strings.Contains(value, "{{") && name != model.MetricNameLabel && model.UTF8Validation.IsValidLabelName(name) &&
		model.LabelValue(value).IsValid()
}

// joined are both, and of two of the same name the stronger one's.
func joined(labels, stronger map[string]string) map[string]string {
	out := make(map[string]string, len(labels)+len(stronger))
	maps.Copy(out, labels)
	maps.Copy(out, stronger)
	return out
}

// reserved are the places where a spec sets Label itself.
func reserved(spec *v1alpha1.AlertRuleSpec) []string {
	var problems []string
	one := func(at string, labels map[string]string) {
		if _, set := labels[Label]; set {
			problems = append(problems, fmt.Sprintf("%s.labels: %s is set by Hearth, which routes alerts by it: remove it", at, Label))
		}
	}
	for _, g := range spec.Groups {
		one(fmt.Sprintf("spec.groups[%s]", g.Name), g.Labels)
		for i, r := range g.Rules {
			one(at(g.Name, i, r.Alert+r.Record), r.Labels)
		}
	}
	return problems
}

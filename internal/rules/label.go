package rules

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// Label is on every alert of an AlertRule in the published file, and nowhere in its spec. Its value says which AlertRule
// raised the alert, so Alertmanager's routes can be exact. It is the operator's: a rule that could set it could have its
// alerts sent to somebody else's receivers.
const Label = "hearth_alertrule"

// LabelValue is the value of Label on the alerts of an AlertRule.
func LabelValue(namespace, name string) string { return namespace + "/" + name }

// labelled are the groups as they are published: as declared, and each alert with Label.
func labelled(ar *v1alpha1.AlertRule) []v1alpha1.RuleGroup {
	value := LabelValue(ar.Namespace, ar.Name)
	groups := slices.Clone(ar.Spec.Groups)
	for i := range groups {
		groups[i].Rules = slices.Clone(groups[i].Rules)
		for j := range groups[i].Rules {
			r := &groups[i].Rules[j]
			if r.Alert == "" {
				continue
			}
			// On the rule and not on the group, since a rule's label is stronger than its group's and than those of the
			// series that its expression returns.
			labels := make(map[string]string, len(r.Labels)+1)
			maps.Copy(labels, r.Labels)
			labels[Label] = value
			r.Labels = labels
		}
	}
	return groups
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

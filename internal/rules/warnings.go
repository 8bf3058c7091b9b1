package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// maxWarnings bounds what is said about one object.
const maxWarnings = 20

// warnings are the doubts about a spec: duplicates, and then rule by rule.
func warnings(spec *v1alpha1.AlertRuleSpec, parsed map[string]parser.Expr) []string {
	out := duplicates(spec)
	for i := range spec.Groups {
		g := &spec.Groups[i]
		for j := range g.Rules {
			r := &g.Rules[j]
			out = append(out, doubts(g, at(g.Name, j, r.Alert+r.Record), r, parsed[string(r.Expr)])...)
		}
	}
	if over := len(out) - maxWarnings; over > 0 {
		out = append(out[:maxWarnings], fmt.Sprintf("and %d more", over))
	}
	return out
}

// duplicates are rules with the name and the labels of an earlier one, as `promtool check rules` finds them.
func duplicates(spec *v1alpha1.AlertRuleSpec) []string {
	var out []string
	first := map[string]string{}
	for _, g := range spec.Groups {
		for i, r := range g.Rules {
			key, here := identity(&g, &r), at(g.Name, i, r.Alert+r.Record)
			if there, ok := first[key]; ok {
				out = append(out, fmt.Sprintf("%s: has the name and the labels of %s, so what they produce can't be told apart: "+
					"give one of them another name or a label of its own", here, there))
				continue
			}
			first[key] = here
		}
	}
	return out
}

// identity is what two rules have in common that can't be told apart.
func identity(g *v1alpha1.RuleGroup, r *v1alpha1.Rule) string {
	labels := g.Labels
	if len(labels) == 0 || len(r.Labels) == 0 {
		if len(labels) == 0 {
			labels = r.Labels
		}
	} else {
		labels = maps.Clone(g.Labels)
		maps.Copy(labels, r.Labels)
	}
	var key strings.Builder
	key.WriteString(r.Alert + r.Record)
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		key.WriteString("\x00" + name + "\x01" + labels[name])
	}
	return key.String()
}

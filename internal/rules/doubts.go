package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template/parse"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// doubts are what Prometheus takes of one rule and what hardly does what it is meant to do.
func doubts(g *v1alpha1.RuleGroup, here string, r *v1alpha1.Rule, expr parser.Expr) []string {
	var out []string
	if doubt := dear(here, expr); doubt != "" {
		out = append(out, doubt)
	}
	if r.Record != "" {
		if !strings.Contains(r.Record, ":") {
			out = append(out, here+".record: is not of the form level:metric:operations (such as job:http_requests:rate5m), "+
				"so nobody can tell it from a metric that is scraped: rename it")
		}
		return out
	}
	out = append(out, textDoubts(here, r, expr)...)
	if b, ok := unwrapped(expr).(*parser.BinaryExpr); ok && b.ReturnBool {
		out = append(out, here+": compares with bool, which returns 0 or 1 for every series, so the alert fires always: remove bool")
	}
	return append(out, holdDoubts(g, here, r, expr)...)
}

// holdDoubts are about how long an alert waits.
func holdDoubts(g *v1alpha1.RuleGroup, here string, r *v1alpha1.Rule, expr parser.Expr) []string {
	var out []string
	hold, _ := model.ParseDuration(string(r.For))
	interval, _ := model.ParseDuration(string(g.Interval))
	switch {
	case hold > 0 && interval > 0 && hold < interval:
		out = append(out, fmt.Sprintf("%s.for: %s is shorter than the group's interval of %s, so it is as long as that: use a multiple of the interval", here, r.For, g.Interval))
	case hold == 0 && r.KeepFiringFor == "":
		if metric := rawComparison(expr); metric != "" {
			out = append(out, fmt.Sprintf("%s: compares %s as it was scraped last, without for, so one bad sample raises the alert: "+
				"add for, such as for: 5m, or compare an average, such as avg_over_time(%s[5m])", here, metric, metric))
		}
	}
	return out
}

// textDoubts are about the labels and the templates of an alert.
func textDoubts(here string, r *v1alpha1.Rule, expr parser.Expr) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(r.Labels)) {
		if doubt := labelDoubt(name, r.Labels[name]); doubt != "" {
			out = append(out, fmt.Sprintf("%s.labels[%s]: %s", here, name, doubt))
		}
	}
	for _, texts := range []struct {
		field string
		of    map[string]string
	}{{"labels", r.Labels}, {"annotations", r.Annotations}} {
		for _, name := range slices.Sorted(maps.Keys(texts.of)) {
			for _, doubt := range templateDoubts(texts.of[name], expr) {
				out = append(out, fmt.Sprintf("%s.%s[%s]: %s", here, texts.field, name, doubt))
			}
		}
	}
	return out
}

// labelDoubt is what is odd about a label of an alert, empty if nothing is.
func labelDoubt(name, value string) string {
	switch {
	case name == "alertname":
		return "Prometheus replaces it by the name of the alert: remove it"
	case strings.HasPrefix(name, "__"):
		return "names that begin with __ are Prometheus' own: rename it"
	case !model.LegacyValidation.IsValidLabelName(name):
		return "Alertmanager's templates can't name it as .Labels.NAME, and matchers have to quote it: use letters, digits and _"
	case strings.Contains(value, "{{") && printsValue(value):
		return "has the value of the expression in it, so each new value is another alert, and for begins anew: put the value into an annotation"
	}
	return ""
}

// rawComparison is the metric that an expression compares with a number and does nothing else with, empty if it does.
func rawComparison(expr parser.Expr) string {
	b, ok := unwrapped(expr).(*parser.BinaryExpr)
	if !ok || !b.Op.IsComparisonOperator() || b.ReturnBool {
		return ""
	}
	for _, sides := range [][2]parser.Expr{{b.LHS, b.RHS}, {b.RHS, b.LHS}} {
		metric, isMetric := unwrapped(sides[0]).(*parser.VectorSelector)
		_, isNumber := unwrapped(sides[1]).(*parser.NumberLiteral)
		// What a recording rule wrote is more than one sample already.
		if isMetric && isNumber && metric.Name != "" && !strings.Contains(metric.Name, ":") {
			return metric.Name
		}
	}
	return ""
}

// unwrapped is an expression without the parentheses around it.
func unwrapped(expr parser.Expr) parser.Expr {
	for {
		p, ok := expr.(*parser.ParenExpr)
		if !ok {
			return expr
		}
		expr = p.Expr
	}
}

// printsValue says whether a template prints the value of the expression, and doesn't only decide by it.
func printsValue(text string) bool {
	tree := parse.New("label")
	tree.Mode = parse.SkipFuncCheck
	if _, err := tree.Parse("{{$labels := 0}}{{$externalLabels := 0}}{{$externalURL := 0}}{{$value := 0}}"+text, "", "", map[string]*parse.Tree{}); err != nil {
		return false
	}
	return printed(tree.Root)
}

func printed(list *parse.ListNode) bool {
	if list == nil {
		return false
	}
	return slices.ContainsFunc(list.Nodes, func(n parse.Node) bool {
		switch n := n.(type) {
		case *parse.ActionNode:
			text := n.String()
			return len(n.Pipe.Decl) == 0 && (strings.Contains(text, "$value") || strings.Contains(text, ".Value"))
		case *parse.IfNode:
			return printed(n.List) || printed(n.ElseList)
		case *parse.WithNode:
			return printed(n.List) || printed(n.ElseList)
		}
		return false
	})
}

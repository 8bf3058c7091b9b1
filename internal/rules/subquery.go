package rules

import (
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

const (
	// maxSteps is how many samples a query may have in memory, unless a Prometheus is told otherwise. A subquery has one at
	// least for each of its steps.
	maxSteps = 50_000_000
	// manySteps is where a subquery is dear: 16 MB for each series that it returns.
	manySteps = 1_000_000
	// usualStep is that of a subquery that names none: the server's evaluation interval, which nobody knows here.
	usualStep = time.Minute
)

// unanswerable are the subqueries with more steps than any query may have samples. Prometheus doesn't only refuse to
// answer: it makes room for all the steps first, gigabytes of it, and a large one takes the whole server down.
func unanswerable(spec *v1alpha1.AlertRuleSpec, parsed map[string]parser.Expr) []string {
	var problems []string
	for _, g := range spec.Groups {
		for i, r := range g.Rules {
			e, steps := longest(parsed[string(r.Expr)])
			if steps > maxSteps {
				problems = append(problems, fmt.Sprintf("%s: %s: the subquery %s takes %.0f steps, and a query of Prometheus may load %d samples: shorten its range or make its step longer",
					at(g.Name, i, r.Alert+r.Record), position(string(r.Expr), e), brackets(e), steps, maxSteps))
			}
		}
	}
	return problems
}

// dear is a doubt about an expression's longest subquery, empty if it is not that long.
func dear(here string, expr parser.Expr) string {
	e, steps := longest(expr)
	if steps <= manySteps || steps > maxSteps {
		return ""
	}
	return fmt.Sprintf("%s: the subquery %s takes %.0f steps for each series at each evaluation: shorten its range, make its step longer, or record what it looks at",
		here, brackets(e), steps)
}

// longest is the subquery of an expression with the most steps, nil if it has none.
func longest(expr parser.Expr) (*parser.SubqueryExpr, float64) {
	var most *parser.SubqueryExpr
	steps := 0.0
	if expr == nil {
		return nil, 0
	}
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		e, ok := node.(*parser.SubqueryExpr)
		if !ok {
			return nil
		}
		step := e.Step
		if step <= 0 {
			step = usualStep
		}
		// One within others is evaluated over the ranges of all of them.
		span := float64(e.Range)
		for _, outer := range path {
			if outer, ok := outer.(*parser.SubqueryExpr); ok {
				span += float64(outer.Range)
			}
		}
		if n := span / float64(step); n > steps {
			most, steps = e, n
		}
		return nil
	})
	return most, steps
}

// position is where an expression begins in the text of a rule's, as Prometheus' parser says it.
func position(text string, e parser.Expr) string {
	start := min(int(e.PositionRange().Start), len(text))
	before := text[:start]
	return fmt.Sprintf("%d:%d", 1+strings.Count(before, "\n"), start-strings.LastIndexByte(before, '\n'))
}

// brackets is a subquery without what it looks at.
func brackets(e *parser.SubqueryExpr) string {
	text := e.String()
	return text[len(e.Expr.String()):]
}

package rules

import (
	"slices"

	"github.com/prometheus/prometheus/promql/parser"
)

// keptLabels are the labels that what an expression returns can have, and whether that is known. Where an expression
// aggregates by labels it is, and elsewhere the series decide.
func keptLabels(expr parser.Expr) ([]string, bool) {
	switch e := expr.(type) {
	case *parser.ParenExpr:
		return keptLabels(e.Expr)
	case *parser.UnaryExpr:
		return keptLabels(e.Expr)
	case *parser.AggregateExpr:
		return keptByAggregation(e)
	case *parser.BinaryExpr:
		switch {
		case e.RHS.Type() == parser.ValueTypeScalar, e.Op == parser.LAND, e.Op == parser.LUNLESS:
			return keptLabels(e.LHS)
		case e.LHS.Type() == parser.ValueTypeScalar:
			return keptLabels(e.RHS)
		}
	case *parser.Call:
		switch e.Func.Name {
		case "vector":
			return nil, true
		case "abs", "ceil", "floor", "round", "clamp", "clamp_min", "clamp_max", "sgn", "sqrt", "exp", "ln", "log2", "log10", "sort", "sort_desc":
			return keptLabels(e.Args[0])
		case "histogram_quantile":
			kept, known := keptLabels(e.Args[1])
			return slices.DeleteFunc(slices.Clone(kept), func(name string) bool { return name == "le" }), known
		}
	}
	return nil, false
}

func keptByAggregation(e *parser.AggregateExpr) ([]string, bool) {
	switch e.Op {
	case parser.TOPK, parser.BOTTOMK, parser.LIMITK, parser.LIMIT_RATIO:
		return keptLabels(e.Expr)
	case parser.COUNT_VALUES:
		return nil, false
	}
	return e.Grouping, !e.Without
}

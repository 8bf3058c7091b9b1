package rules

import (
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/bundle"
)

const (
	// maxClauses bounds what is kept of one rule's needs. Leaving one out accuses nobody wrongly.
	maxClauses = 16
	// lookback is how old a sample may be that Prometheus still takes for the current one.
	lookback = 5 * time.Minute
)

// needs are the metrics without which rules return nothing, and those that the rules write.
func needs(spec *v1alpha1.AlertRuleSpec, parsed map[string]parser.Expr) bundle.Needs {
	var out bundle.Needs
	for i := range spec.Groups {
		g := &spec.Groups[i]
		offset, _ := model.ParseDuration(string(g.QueryOffset))
		for j := range g.Rules {
			r := &g.Rules[j]
			if r.Record != "" {
				out.Records = append(out.Records, r.Record)
			}
			if spec.MissingMetrics == v1alpha1.MissingMetricsIgnore {
				continue
			}
			if metrics := needsOf(parsed[string(r.Expr)], time.Duration(offset)); len(metrics) > 0 {
				out.Rules = append(out.Rules, bundle.RuleNeeds{Rule: at(g.Name, j, r.Alert+r.Record), Metrics: metrics})
			}
		}
	}
	slices.Sort(out.Records)
	out.Records = slices.Compact(out.Records)
	return out
}

// needsOf is what an expression needs to return anything: of each list, one metric with series. It says less rather than
// too much; an expression that may return something in any case needs nothing. What it looks at lies back this far.
func needsOf(expr parser.Expr, back time.Duration) [][]string {
	switch e := expr.(type) {
	case *parser.ParenExpr:
		return needsOf(e.Expr, back)
	case *parser.UnaryExpr:
		return needsOf(e.Expr, back)
	case *parser.AggregateExpr:
		// Nothing aggregated is nothing, count and group included.
		return needsOf(e.Expr, back)
	case *parser.MatrixSelector:
		return needsOf(e.VectorSelector, back+reach(e.Range, e.RangeExpr))
	case *parser.SubqueryExpr:
		if !elsewhere(e.OriginalOffset, e.OriginalOffsetExpr, e.Timestamp, e.StartOrEnd) {
			return needsOf(e.Expr, back+reach(e.Range, e.RangeExpr)+e.OriginalOffset)
		}
	case *parser.VectorSelector:
		return needsOfSelector(e, back)
	case *parser.BinaryExpr:
		return needsOfBinary(e, back)
	case *parser.Call:
		return needsOfCall(e, back)
	}
	return nil
}

// reach is a range, and further than anybody knows if it is yet to be calculated.
func reach(d time.Duration, expr *parser.DurationExpr) time.Duration {
	if expr != nil {
		return bundle.NeedsWindow
	}
	return d
}

// elsewhere says that an expression is evaluated at a time that is not known, or lies ahead.
func elsewhere(offset time.Duration, offsetExpr *parser.DurationExpr, timestamp *int64, startOrEnd parser.ItemType) bool {
	return offset < 0 || offsetExpr != nil || timestamp != nil || startOrEnd != 0
}

func needsOfSelector(e *parser.VectorSelector, back time.Duration) [][]string {
	// Of what lies further back, nobody can tell whether there were series.
	if elsewhere(e.OriginalOffset, e.OriginalOffsetExpr, e.Timestamp, e.StartOrEnd) || back+e.OriginalOffset+lookback > bundle.NeedsWindow {
		return nil
	}
	for _, m := range e.LabelMatchers {
		if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual && m.Value != "" {
			return [][]string{{m.Value}}
		}
	}
	return nil
}

func needsOfBinary(e *parser.BinaryExpr, back time.Duration) [][]string {
	left, right := needsOf(e.LHS, back), needsOf(e.RHS, back)
	fills := e.VectorMatching != nil && (e.VectorMatching.FillValues.LHS != nil || e.VectorMatching.FillValues.RHS != nil)
	switch {
	case e.Op == parser.LUNLESS:
		return left
	case e.Op == parser.LOR || fills:
		return either(left, right)
	}
	return both(left, right)
}

func needsOfCall(e *parser.Call, back time.Duration) [][]string {
	args := e.Args
	switch e.Func.Name {
	case "absent", "absent_over_time", "scalar", "vector":
		return nil // they return something for nothing
	case "info":
		args = args[:1] // the others only add labels
	}
	var out [][]string
	for _, arg := range args {
		out = both(out, needsOf(arg, back))
	}
	return out
}

// both is what two expressions need together.
func both(a, b [][]string) [][]string {
	out := slices.Clone(a)
	for _, clause := range b {
		if len(out) < maxClauses && !slices.ContainsFunc(out, func(c []string) bool { return slices.Equal(c, clause) }) {
			out = append(out, clause)
		}
	}
	return out
}

// either is what is needed for one of two expressions to return anything: for each pair of their needs, one of the two.
func either(a, b [][]string) [][]string {
	var out [][]string
	for _, x := range a {
		for _, y := range b {
			clause := slices.Concat(x, y)
			slices.Sort(clause)
			clause = slices.Compact(clause)
			if len(clause) <= maxClauses {
				out = both(out, [][]string{clause})
			}
		}
	}
	return out
}

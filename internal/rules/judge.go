package rules

import (
	"strings"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// Verdict is what is known of an AlertRule without running anything. It depends on the object's namespace, name and spec
// alone, so it holds for as long as the generation does.
type Verdict struct {
	// File is what to publish; it is empty if there are Problems.
	File File
	// Problems keep the object from being loaded. Each says the field, what is wrong and where, in the order of the spec.
	Problems []string
	// Warnings are about what Prometheus takes and what nevertheless hardly does what it is meant to do. They stop nothing.
	Warnings []string
}

// Problem is all problems in one text, empty if there are none.
func (v Verdict) Problem() string { return strings.Join(v.Problems, "\n") }

// Judge checks an AlertRule.
func Judge(ar *v1alpha1.AlertRule) Verdict {
	return judge(ar, as{"an AlertRule", Path(ar.Namespace, ar.Name), LabelValue(ar.Namespace, ar.Name)})
}

// JudgePrometheusRule checks a PrometheusRule, given as the AlertRule with the same name and groups. Its alerts go by the
// server's own route: Label is taken away from them where a series has it.
func JudgePrometheusRule(ar *v1alpha1.AlertRule) Verdict {
	return judge(ar, as{"a PrometheusRule", PrometheusRulePath(ar.Namespace, ar.Name), ""})
}

// as is what an object is to a server: one of its kind, the path of its file, and the value of Label on its alerts.
type as struct{ one, path, label string }

func judge(ar *v1alpha1.AlertRule, as as) Verdict {
	parsed := &expressions{Parser: parser.NewParser(parser.Options{}), of: map[string]parser.Expr{}}
	file, problems := render(ar, as, parsed)
	if len(problems) > 0 {
		return Verdict{Problems: problems, Warnings: warnings(&ar.Spec, parsed.of)}
	}
	return Verdict{File: file, Warnings: warnings(&ar.Spec, parsed.of)}
}

// expressions keeps what was parsed, so that nothing is parsed twice.
type expressions struct {
	parser.Parser
	of map[string]parser.Expr
}

// ParseExpr parses an expression.
func (e *expressions) ParseExpr(text string) (parser.Expr, error) {
	if expr, ok := e.of[text]; ok {
		return expr, nil
	}
	expr, err := e.Parser.ParseExpr(text)
	if err == nil {
		e.of[text] = expr
	}
	return expr, err
}

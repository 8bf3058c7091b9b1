// Package ruletest runs the unit tests of AlertRules on Prometheus' own engine, rule evaluation and storage, within limits.
// The verdicts are those of `promtool test rules`: test/rules runs both on the same cases.
//
// They run in a process of their own. There are expressions, such as count_over_time(vector(1)[100y:1ms]), and templates
// that Prometheus can't be made to stop evaluating, and some take all the memory there is; what ends then is that process,
// and the operator goes on.
package ruletest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

const (
	// defaultInterval is promtool's evaluation_interval.
	defaultInterval = time.Minute
	// maxFailures and maxText bound what a status has to hold.
	maxFailures = 10
	maxText     = 2048
)

// Limits bound what the tests of one AlertRule may take. What is left zero is DefaultLimits'.
type Limits struct {
	// Time for all tests of the object together.
	Time time.Duration
	// Samples that the input series of one test may have, all together.
	Samples int
	// Steps at which one test may evaluate the rules.
	Steps int
}

// DefaultLimits are more than a test that a person wrote needs.
func DefaultLimits() Limits {
	return Limits{Time: 10 * time.Second, Samples: 500_000, Steps: 50_000}
}

// Result is what the tests of one generation of an AlertRule gave.
type Result struct {
	// Passed is true if no test failed, and if there is none.
	Passed bool
	// Tests is how many there are, Failed how many of them failed.
	Tests, Failed int
	// Failures say for each failed test what was expected, what came instead, and at which time, as promtool does; the
	// number of them and their length are bounded.
	Failures []string
}

// Run runs the tests of an AlertRule. It returns when they are done, when the limit of time is reached or when ctx ends,
// and leaves nothing behind that still runs. The last two are failures.
func Run(ctx context.Context, ar *v1alpha1.AlertRule, limits Limits) Result {
	if len(ar.Spec.Tests) == 0 {
		return Result{Passed: true}
	}
	spec := &v1alpha1.AlertRuleSpec{
		Groups: ar.Spec.Groups, Tests: ar.Spec.Tests, EvaluationInterval: ar.Spec.EvaluationInterval,
		GroupEvalOrder: ar.Spec.GroupEvalOrder, FuzzyCompare: ar.Spec.FuzzyCompare,
	}
	return shared.run(ctx, request{Spec: spec, Limits: limits.orDefault()})
}

// here runs the tests in this process. It says which test it begins with.
func here(r request, begin func(int)) Result {
	out := Result{Tests: len(r.Spec.Tests)}
	s, err := settingsOf(r.Spec)
	if err != nil {
		return out.stop(0, err.Error())
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.Limits.Time)
	defer cancel()
	for i := range r.Spec.Tests {
		begin(i)
		failures := run(ctx, s, &r.Spec.Tests[i], r.Limits, r.Dir)
		if ctx.Err() != nil {
			// Nothing that it said since then means anything.
			return out.stop(i, nameOf(r.Spec, i)+": "+tooLong(r.Limits))
		}
		if len(failures) > 0 {
			out.Failed++
			out.fail(nameOf(r.Spec, i) + ": " + strings.Join(failures, "\n"))
		}
	}
	out.Passed = out.Failed == 0
	return out
}

// nameOf is where a test is, with its name.
func nameOf(spec *v1alpha1.AlertRuleSpec, i int) string {
	if name := spec.Tests[i].Name; name != "" {
		return fmt.Sprintf("spec.tests[%d] (%s)", i, name)
	}
	return fmt.Sprintf("spec.tests[%d]", i)
}

func tooLong(l Limits) string {
	return fmt.Sprintf("the tests did not end within %s: make them shorter, or a longer evaluation_interval", l.Time)
}

// stop is the result when test i, for the reason given, was the last that was run.
func (out Result) stop(i int, text string) Result {
	out.Failed += out.Tests - i
	out.fail(text)
	if rest := out.Tests - i - 1; rest > 0 {
		out.fail(fmt.Sprintf("%d tests after this one were not run", rest))
	}
	return out
}

func (out *Result) fail(text string) {
	if len(out.Failures) < maxFailures {
		out.Failures = append(out.Failures, bounded(text))
	}
}

func (l Limits) orDefault() Limits {
	d := DefaultLimits()
	if l.Time == 0 {
		l.Time = d.Time
	}
	if l.Samples == 0 {
		l.Samples = d.Samples
	}
	if l.Steps == 0 {
		l.Steps = d.Steps
	}
	return l
}

// bounded cuts a text where it is too long for a status.
func bounded(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + " ..."
}

// settings are what all tests of an object share.
type settings struct {
	groups   *rulefmt.RuleGroups
	interval time.Duration
	// order is the place of a group in group_eval_order; those that are not in it come first, as in promtool.
	order map[string]int
	fuzzy bool
}

func settingsOf(spec *v1alpha1.AlertRuleSpec) (settings, error) {
	s := settings{fuzzy: spec.FuzzyCompare, order: map[string]int{}}
	var err error
	if s.interval, err = duration(spec.EvaluationInterval, defaultInterval); err != nil {
		return s, fmt.Errorf("spec.evaluation_interval: %w", err)
	}
	for i, name := range spec.GroupEvalOrder {
		if _, ok := s.order[name]; ok {
			return s, fmt.Errorf("spec.group_eval_order: group name repeated in evaluation order: %s", name)
		}
		s.order[name] = i
	}
	text, err := yaml.Marshal(v1alpha1.AlertRuleSpec{Groups: spec.Groups})
	if err != nil {
		return s, fmt.Errorf("spec.groups: %w", err)
	}
	groups, errs := rulefmt.Parse(text, false, model.UTF8Validation, parser.NewParser(parser.Options{}), promslog.NewNopLogger())
	if len(errs) > 0 {
		return s, fmt.Errorf("spec.groups: %w", errors.Join(errs...))
	}
	s.groups = groups
	return s, nil
}

// duration is a duration of a test; one that is zero or left out is the default, as in promtool.
func duration(d v1alpha1.TestDuration, byDefault time.Duration) (time.Duration, error) {
	if d == "" {
		return byDefault, nil
	}
	parsed, err := model.ParseDuration(string(d))
	if err != nil {
		return 0, err
	}
	if parsed == 0 {
		return byDefault, nil
	}
	return time.Duration(parsed), nil
}

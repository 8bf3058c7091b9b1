// Package ruletest runs the unit tests of AlertRules on Prometheus' own engine, rule evaluation and storage, within limits.
// The verdicts are those of `promtool test rules`: test/rules runs both on the same cases.
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
	out := Result{Tests: len(ar.Spec.Tests)}
	if out.Tests > 0 {
		out.runAll(ctx, &ar.Spec, limits.orDefault())
	}
	out.Passed = out.Failed == 0
	return out
}

func (out *Result) runAll(ctx context.Context, spec *v1alpha1.AlertRuleSpec, limits Limits) {
	s, err := settingsOf(spec)
	if err != nil {
		out.Failed, out.Failures = out.Tests, []string{bounded(err.Error())}
		return
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limits.Time, fmt.Errorf("did not end within %s: make it shorter, or a longer interval", limits.Time))
	defer cancel()
	for i := range spec.Tests {
		t := &spec.Tests[i]
		failures := run(ctx, s, t, limits)
		if len(failures) == 0 && ctx.Err() == nil {
			continue
		}
		name := fmt.Sprintf("spec.tests[%d]", i)
		if t.Name != "" {
			name += " (" + t.Name + ")"
		}
		if ctx.Err() != nil {
			// Nothing that it said since then means anything, and there is no time for the tests after it.
			out.Failed += out.Tests - i
			out.fail(fmt.Sprintf("%s: %v", name, context.Cause(ctx)))
			if rest := out.Tests - i - 1; rest > 0 {
				out.fail(fmt.Sprintf("%d tests after %s were not run", rest, name))
			}
			return
		}
		out.Failed++
		out.fail(name + ": " + strings.Join(failures, "\n"))
	}
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

package ruletest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// maxSamples of a query, as in promtool. It bounds the memory that a query takes.
const maxSamples = 10_000

// test is a test that runs.
type test struct {
	settings
	spec   *v1alpha1.RuleTest
	start  time.Time
	alerts []alertTest // sorted by time
	exprs  []exprTest

	series []inputSeries
	memory *memory
	engine *promql.Engine
	groups []*rules.Group
}

// run runs one test and returns what failed.
func run(ctx context.Context, s settings, spec *v1alpha1.RuleTest, limits Limits, dir string) (failures []string) {
	t, err := prepare(s, spec, limits)
	if err != nil {
		return []string{err.Error()}
	}
	if t.memory, err = newMemory(dir); err != nil {
		return []string{err.Error()}
	}
	defer func() {
		if err := t.memory.close(); err != nil {
			failures = append(failures, err.Error())
		}
	}()
	t.engine = promql.NewEngine(promql.EngineOpts{
		MaxSamples:               maxSamples,
		Timeout:                  limits.Time,
		NoStepSubqueryIntervalFn: func(int64) int64 { return s.interval.Milliseconds() },
		EnableAtModifier:         true,
		EnableNegativeOffset:     true,
	})
	defer func() { _ = t.engine.Close() }() // there is no log of queries that could fail to be closed
	if err := t.load(ctx); err != nil {
		return []string{err.Error()}
	}
	return t.play(ctx)
}

// prepare reads everything that can be read before anything is run.
func prepare(s settings, spec *v1alpha1.RuleTest, limits Limits) (*test, error) {
	t := &test{settings: s, spec: spec, start: time.Unix(0, 0).UTC()}
	interval, err := duration(spec.Interval, s.interval)
	if err != nil {
		return nil, fmt.Errorf("interval: %w", err)
	}
	if spec.StartTimestamp != "" {
		if t.start, err = pointInTime(string(spec.StartTimestamp)); err != nil {
			return nil, fmt.Errorf("start_timestamp: %w", err)
		}
	}
	if t.alerts, err = alertTests(spec.AlertRuleTest); err != nil {
		return nil, err
	}
	if t.exprs, err = exprTests(spec.PromQLExprTest); err != nil {
		return nil, err
	}
	if steps := int64(t.length()/s.interval) + 1; steps > int64(limits.Steps) {
		return nil, fmt.Errorf("evaluates the rules %d times, and %d is the limit: use a smaller eval_time or a longer evaluation_interval", steps, limits.Steps)
	}
	t.series, err = input(spec.InputSeries, t.start, interval, limits.Samples)
	return t, err
}

// pointInTime reads a time as promtool does.
func pointInTime(text string) (time.Time, error) {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		whole, part := math.Modf(seconds)
		return time.Unix(int64(whole), int64(part*float64(time.Second))).UTC(), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("cannot parse %q to a valid timestamp: write 2026-01-31T12:00:00Z, or seconds since 1970", text)
}

// length is how long the test plays: until the last time at which something is expected.
func (t *test) length() time.Duration {
	var out time.Duration
	for _, a := range t.alerts {
		out = max(out, a.at)
	}
	for _, e := range t.exprs {
		out = max(out, e.at)
	}
	return out
}

// load makes groups of the rules, in the order in which they are evaluated.
func (t *test) load(ctx context.Context) error {
	interval, err := duration(t.spec.Interval, t.interval)
	if err != nil {
		return fmt.Errorf("interval: %w", err)
	}
	manager := rules.NewManager(&rules.ManagerOptions{
		QueryFunc:   rules.EngineQueryFunc(t.engine, t.memory),
		Appendable:  t.memory,
		Context:     ctx,
		NotifyFunc:  func(context.Context, string, ...*rules.Alert) {},
		Logger:      promslog.NewNopLogger(),
		GroupLoader: loader{parser.NewParser(parser.Options{}), t.settings.groups},
	})
	loaded, errs := manager.LoadGroups(interval, labels.FromMap(t.spec.ExternalLabels), t.spec.ExternalURL, nil, false, "spec")
	if len(errs) > 0 {
		return fmt.Errorf("spec.groups: %w", errors.Join(errs...))
	}
	for _, g := range t.settings.groups.Groups {
		group := loaded[rules.GroupKey("spec", g.Name)]
		for _, r := range group.Rules() {
			if alert, ok := r.(*rules.AlertingRule); ok {
				alert.SetRestored(true) // or it would write no ALERTS
			}
		}
		t.groups = append(t.groups, group)
	}
	slices.SortStableFunc(t.groups, func(a, b *rules.Group) int { return t.order[a.Name()] - t.order[b.Name()] })
	return nil
}

// loader hands the parsed groups to the manager, which would otherwise read a file.
type loader struct {
	parser.Parser
	groups *rulefmt.RuleGroups
}

// Load returns the groups.
func (l loader) Load(string, bool, model.ValidationScheme) (*rulefmt.RuleGroups, []error) {
	return l.groups, nil
}

// Parse parses an expression.
func (l loader) Parse(query string) (parser.Expr, error) { return l.ParseExpr(query) }

// play evaluates the rules step by step, compares alerts on the way and expressions at the end, all as promtool does.
func (t *test) play(ctx context.Context) []string {
	var failures []string
	end, next := t.start.Add(t.length()), 0
	for ts := t.start; !ts.After(end); ts = ts.Add(t.interval) {
		if ctx.Err() != nil {
			return append(failures, ctx.Err().Error())
		}
		if err := t.memory.appendTill(ctx, t.series, ts.UnixMilli()); err != nil {
			failures = append(failures, err.Error())
		} else if failed := t.evaluate(ctx, ts); len(failed) > 0 {
			// What comes after a rule that can't be evaluated says nothing.
			return append(failures, failed...)
		}
		// The alerts of a time are those of the last evaluation before it.
		for ; next < len(t.alerts) && t.alerts[next].at < ts.Add(t.interval).Sub(t.start); next++ {
			if text := t.alerts[next].check(t.groups); text != "" {
				failures = append(failures, text)
			}
		}
	}
	for _, e := range t.exprs {
		if text := e.check(ctx, t); text != "" {
			failures = append(failures, text)
		}
	}
	return failures
}

// evaluate evaluates every group once.
func (t *test) evaluate(ctx context.Context, ts time.Time) []string {
	var failures []string
	for _, g := range t.groups {
		g.Eval(ctx, ts)
		for _, r := range g.Rules() {
			if err := r.LastError(); err != nil {
				failures = append(failures, fmt.Sprintf("rule: %s, time: %s, err: %v", r.Name(), ts.Sub(time.Unix(0, 0)), err))
			}
		}
	}
	return failures
}

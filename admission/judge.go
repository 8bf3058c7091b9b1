package admission

import (
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/promconfig"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/ruletest"
)

// testTime is how long somebody who applies an AlertRule waits for its unit tests. Those that take longer go on without
// keeping anybody waiting: the status says what came of them.
const testTime = time.Second

// testers bounds how many objects' tests run for admission at once, each with memory of its own; more are left to the
// reconciler.
const testers = 1

type alertRules struct {
	recent *Recent
	slots  chan struct{}
}

func (j alertRules) judge(ctx context.Context, ar *v1alpha1.AlertRule) (field.ErrorList, []string) {
	verdict := j.recent.Judge(ar)
	if len(verdict.Problems) > 0 {
		var out field.ErrorList
		for _, p := range verdict.Problems {
			out = append(out, problem(p))
		}
		return out, verdict.Warnings
	}
	failures, warning := j.test(ctx, ar)
	if warning != "" {
		verdict.Warnings = append(verdict.Warnings, warning)
	}
	return failures, verdict.Warnings
}

// test runs the unit tests, if that takes a moment only.
func (j alertRules) test(ctx context.Context, ar *v1alpha1.AlertRule) (field.ErrorList, string) {
	select {
	case j.slots <- struct{}{}:
		defer func() { <-j.slots }()
	default:
		return nil, ""
	}
	ctx, cancel := context.WithTimeout(ctx, testTime)
	defer cancel()
	result := ruletest.Run(ctx, ar, ruletest.DefaultLimits())
	switch {
	case result.Passed:
		return nil, ""
	case ctx.Err() != nil:
		return nil, "spec.tests: these take more than a second; the condition Tested will say whether they pass, and the rules are loaded if they do"
	}
	var out field.ErrorList
	for _, f := range result.Failures {
		out = append(out, problem(f))
	}
	return out, ""
}

// problem is a problem as the API reports it: its text begins with the field.
func problem(text string) *field.Error {
	at, detail, ok := strings.Cut(text, ": ")
	if !ok {
		at, detail = "spec", text
	}
	return &field.Error{Type: field.ErrorTypeInvalid, Field: at, BadValue: field.OmitValueType{}, Detail: detail}
}

// server judges a declaration by itself: what else there is in the cluster may come later.
func server(images stack.Images) func(context.Context, *v1alpha1.PrometheusServer) (field.ErrorList, []string) {
	return func(_ context.Context, ps *v1alpha1.PrometheusServer) (field.ErrorList, []string) {
		s, problems := stack.Resolve(stack.Inputs{Server: ps, Images: images})
		if problems = byItself(problems); len(problems) > 0 || s == nil {
			return problems, nil
		}
		if _, err := promconfig.Configuration(s); err != nil {
			return field.ErrorList{field.Invalid(field.NewPath("spec"), field.OmitValueType{}, err.Error())}, nil
		}
		return nil, nil
	}
}

// fewerShards warns of samples that nobody can ask for any more.
func fewerShards(before, after *v1alpha1.PrometheusServer) []string {
	was, is := stack.ShardsOf(before), stack.ShardsOf(after)
	if is >= was {
		return nil
	}
	return []string{fmt.Sprintf("spec.shards: from %d to %d: the samples of the shards from %d on are kept in their claims, data-%s-<replica> and so on, "+
		"and nothing can ask for them there until there are as many shards again; the targets go to the shards that stay", was, is,
		is, stack.ShardBase(after.Name, is))}
}

func exporter(images stack.Images) func(context.Context, *v1alpha1.NodeExporter) (field.ErrorList, []string) {
	return func(_ context.Context, ne *v1alpha1.NodeExporter) (field.ErrorList, []string) {
		_, problems := stack.ResolveExporter(stack.ExporterInputs{Exporter: ne, Images: images})
		return byItself(problems), nil
	}
}

// byItself leaves out what is missing from the cluster: it can be applied next.
func byItself(problems field.ErrorList) field.ErrorList {
	var out field.ErrorList
	for _, p := range problems {
		if p.Type != field.ErrorTypeNotFound {
			out = append(out, p)
		}
	}
	return out
}

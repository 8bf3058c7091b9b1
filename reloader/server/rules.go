package server

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hearth-monitoring/hearth/internal/replica"
)

const (
	// failuresMetric counts, for each group, the evaluations of its rules that failed.
	failuresMetric = "prometheus_rule_evaluation_failures_total"
	// maxGroupsAsked bounds the groups that are asked for their error at one look; the others have their turn at the next.
	maxGroupsAsked = 20
	// textStays is for how long an error is told in the same words. It often names series, in any order, and what is never
	// the same twice would be news each time.
	textStays = time.Minute
)

// evaluation knows the groups whose rules fail. A counter that grew says which group to ask, so that a server with ten
// thousand groups that are well is asked nothing.
type evaluation struct {
	// counted are the counters that are not zero, as last seen.
	counted map[string]float64
	// failing are the groups to be asked until they are well.
	failing map[string]failure
	round   int
}

type failure struct {
	text  string // empty while the group has not been asked, or is well
	since time.Time
	asked int // the round
}

func newEvaluation() *evaluation {
	return &evaluation{counted: map[string]float64{}, failing: map[string]failure{}}
}

// look takes the counters, asks for what became of the groups that fail, and adds their errors to the AlertRules. Those of
// PrometheusRules it returns.
func (p Prometheus) look(ctx context.Context, counters map[string]float64, into map[string]*replica.AlertRule) ([]replica.AlertRule, error) {
	e := p.evaluation
	e.round++
	for group, n := range counters {
		if _, known := e.failing[group]; !known && n > e.counted[group] {
			e.failing[group] = failure{}
		}
	}
	e.counted = counters
	// A group that has no counter any more is gone, or its server was restarted.
	maps.DeleteFunc(e.failing, func(group string, _ failure) bool { return counters[group] == 0 })
	for _, group := range e.turn() {
		text, err := p.groupError(ctx, group)
		if err != nil {
			return nil, fmt.Errorf("rules: %w", err)
		}
		e.answered(group, text, time.Now())
	}
	return e.told(into), nil
}

// told adds the errors to the AlertRules, and returns the PrometheusRules that have some.
func (e *evaluation) told(into map[string]*replica.AlertRule) []replica.AlertRule {
	foreign := map[string]*replica.AlertRule{}
	for _, group := range slices.Sorted(maps.Keys(e.failing)) {
		rule, isForeign := ruleOfGroup(group)
		among := into
		if isForeign {
			among = foreign
		}
		if text := e.failing[group].text; rule != "" && text != "" {
			if entry := entryOf(among, rule); entry.Error == "" {
				entry.Error = text
			}
		}
	}
	var out []replica.AlertRule
	for _, name := range slices.Sorted(maps.Keys(foreign)) {
		out = append(out, *foreign[name])
	}
	return out
}

// turn are the groups to be asked now: those that waited longest.
func (e *evaluation) turn() []string {
	groups := slices.SortedFunc(maps.Keys(e.failing), func(a, b string) int {
		return cmp.Or(cmp.Compare(e.failing[a].asked, e.failing[b].asked), cmp.Compare(a, b))
	})
	return groups[:min(len(groups), maxGroupsAsked)]
}

func (e *evaluation) answered(group, text string, now time.Time) {
	was := e.failing[group]
	switch {
	case text == "":
		// Until its counter grows again.
		delete(e.failing, group)
		return
	case was.text == "" || now.Sub(was.since) > textStays:
		was.text, was.since = text, now
	}
	was.asked = e.round
	e.failing[group] = was
}

// groupError is the last error of the first rule of a group that has one, empty if the last evaluation of each went well.
func (p Prometheus) groupError(ctx context.Context, group string) (string, error) {
	file, name, _ := strings.Cut(group, ";")
	body, err := p.get(ctx, "api/v1/rules", url.Values{"file[]": {file}, "rule_group[]": {name}, "exclude_alerts": {"true"}}, maxList)
	if err != nil {
		return "", err
	}
	defer body.Close()
	type answer struct {
		Rules []struct{ Name, Health, LastError string }
	}
	text := ""
	err = eachElement(body, "groups", func(g answer) {
		for i, r := range g.Rules {
			if text == "" && r.Health == "err" {
				text = fmt.Sprintf("spec.groups[%s].rules[%d] (%s): %s", name, i, r.Name, r.LastError)
			}
		}
	})
	return text, err
}

// ruleOfGroup is the AlertRule that a group is of, empty if it is of none: a group is named after its file, which is named
// after the AlertRule. Foreign is true if it is a PrometheusRule.
func ruleOfGroup(group string) (rule string, foreign bool) {
	file, _, _ := strings.Cut(group, ";")
	base, foreign := strings.CutPrefix(path.Base(file), replica.PrometheusRulePrefix)
	namespace, name, ok := strings.Cut(strings.TrimSuffix(base, ".yaml"), "_")
	if !ok || namespace == "" {
		return "", foreign
	}
	return namespace + "/" + name, foreign
}

func entryOf(rules map[string]*replica.AlertRule, name string) *replica.AlertRule {
	entry, ok := rules[name]
	if !ok {
		entry = &replica.AlertRule{Name: name}
		rules[name] = entry
	}
	return entry
}

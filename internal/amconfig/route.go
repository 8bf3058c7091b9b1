package amconfig

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/alertmanager/matcher/parse"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/common/model"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// What holds where a server's route says nothing.
const (
	defaultGroupWait      = "30s"
	defaultGroupInterval  = "5m"
	defaultRepeatInterval = "4h"
)

// RootRoute is a server's route: where everything goes that no AlertRule routes.
type RootRoute struct {
	// Receiver is "" for nobody.
	Receiver string
	Grouping v1alpha1.Grouping
	Entries  []Entry
}

// RuleRoute is what an AlertRule's notify says about its alerts.
type RuleRoute struct {
	Namespace, Name string
	Entries         []Entry
}

// Entry is one of notify or of a server's routes, with what it names resolved.
type Entry struct {
	// Receiver in the file. Empty: what it would have notified is not to be had, and the server's route is taken instead.
	Receiver string
	// Notify is what was declared; its matchers have been checked by NewEntry.
	Notify v1alpha1.Notify

	matchers []string
}

// NewEntry checks what an entry says by itself. Whether the receiver and the time intervals it names exist is for the
// caller to find out.
func NewEntry(of v1alpha1.Notify) (Entry, error) {
	matchers, err := Matchers(of.Matchers)
	if err != nil {
		return Entry{}, fmt.Errorf("matchers%w", err)
	}
	if err := CheckGrouping(of.Grouping); err != nil {
		return Entry{}, err
	}
	return Entry{Receiver: of.Receiver, Notify: of, matchers: written(matchers)}, nil
}

// Fallback is the entry with the server's route in the place of its receiver.
func (e Entry) Fallback() Entry {
	e.Receiver = ""
	return e
}

// write makes the whole tree: the AlertRules first, each with its label, then the server's own routes. An AlertRule's
// alert that matches none of its entries must go the way of the server's routes, and Alertmanager doesn't go on to the
// siblings of a route that matched: so they are in the AlertRule's route too, where such an alert can be.
func (r RootRoute) write(rules []RuleRoute) route {
	out := route{
		Receiver:       cmp.Or(r.Receiver, Nobody),
		GroupBy:        r.Grouping.GroupBy,
		GroupWait:      cmp.Or(r.Grouping.GroupWait, defaultGroupWait),
		GroupInterval:  cmp.Or(r.Grouping.GroupInterval, defaultGroupInterval),
		RepeatInterval: cmp.Or(r.Grouping.RepeatInterval, defaultRepeatInterval),
	}
	if len(out.GroupBy) == 0 {
		out.GroupBy = []string{model.AlertNameLabel, LabelAlertRule}
	}
	out.Routes = append(out.Routes, r.watchdog())
	own := each(r.Entries, func(e Entry) route { return e.write(nil) })
	for _, rule := range rules {
		out.Routes = append(out.Routes, route{
			Matchers: []string{LabelAlertRule + "=" + quote(rule.Namespace+"/"+rule.Name)},
			Routes:   rule.write(own),
		})
	}
	out.Routes = append(out.Routes, own...)
	return out
}

func (r RuleRoute) write(server []route) []route {
	out := each(r.Entries, func(e Entry) route { return e.write(server) })
	takesAll := slices.ContainsFunc(r.Entries, func(e Entry) bool { return len(e.matchers) == 0 && !e.Notify.Continue })
	if !takesAll {
		out = append(out, server...)
	}
	return out
}

func (e Entry) write(server []route) route {
	out := route{Matchers: e.matchers, Continue: e.Notify.Continue}
	if e.Receiver == "" {
		out.Routes = server
		return out
	}
	n := e.Notify
	out.Receiver = e.Receiver
	out.GroupBy, out.GroupWait = n.GroupBy, n.GroupWait
	out.GroupInterval, out.RepeatInterval = n.GroupInterval, n.RepeatInterval
	out.MuteTimeIntervals, out.ActiveTimeIntervals = n.MuteTimeIntervals, n.ActiveTimeIntervals
	return out
}

// InhibitRule is a checked one.
type InhibitRule struct{ config inhibitRule }

// NewInhibitRule checks an inhibit rule.
func NewInhibitRule(of v1alpha1.InhibitRule) (InhibitRule, error) {
	source, err := Matchers(of.SourceMatchers)
	if err != nil {
		return InhibitRule{}, fmt.Errorf("sourceMatchers%w", err)
	}
	target, err := Matchers(of.TargetMatchers)
	if err != nil {
		return InhibitRule{}, fmt.Errorf("targetMatchers%w", err)
	}
	for _, name := range of.Equal {
		if !model.LegacyValidation.IsValidLabelName(name) {
			return InhibitRule{}, fmt.Errorf("equal: %q is not the name of a label", name)
		}
	}
	return InhibitRule{inhibitRule{SourceMatchers: written(source), TargetMatchers: written(target), Equal: of.Equal}}, nil
}

// Matchers parses matchers with Alertmanager's own parser. The error begins with the place in the list.
func Matchers(of []v1alpha1.Matcher) (labels.Matchers, error) {
	var out labels.Matchers
	for i, text := range of {
		m, err := matcher(string(text))
		if err != nil {
			return nil, fmt.Errorf("[%d] %s: %w", i, text, err)
		}
		out = append(out, m)
	}
	return out, nil
}

// matcher reads the newer syntax and, like Alertmanager, what only the older one takes. What is wrong with a text is said
// by the newer one, which knows the position.
func matcher(text string) (*labels.Matcher, error) {
	m, err := parse.Matcher(text)
	if err != nil {
		var older error
		if m, older = labels.ParseMatcher(text); older != nil {
			return nil, fmt.Errorf("%w; a matcher is a label, one of = != =~ !~, and a value, such as severity=\"critical\"", err)
		}
	}
	if !model.LegacyValidation.IsValidLabelName(m.Name) {
		return nil, fmt.Errorf("%q is not the name of a label: it consists of letters, digits and _, and does not start with a digit", m.Name)
	}
	return m, nil
}

// written are matchers in the one form that both of Alertmanager's parsers read alike.
func written(of labels.Matchers) []string {
	return each(of, func(m *labels.Matcher) string { return m.Name + m.Type.String() + quote(m.Value) })
}

func quote(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(value) + `"`
}

// CheckGrouping checks labels and durations, as Alertmanager would.
func CheckGrouping(g v1alpha1.Grouping) error {
	var errs []error
	seen := map[string]bool{}
	for _, name := range g.GroupBy {
		switch {
		case name == "...":
			if len(g.GroupBy) > 1 {
				errs = append(errs, errors.New(`groupBy: "..." is every label: remove the others or it`))
			}
		case !model.LegacyValidation.IsValidLabelName(name):
			errs = append(errs, fmt.Errorf("groupBy: %q is not the name of a label", name))
		case seen[name]:
			errs = append(errs, fmt.Errorf("groupBy: %q is there twice", name))
		}
		seen[name] = true
	}
	errs = append(errs, duration("groupWait", g.GroupWait, true), duration("groupInterval", g.GroupInterval, false),
		duration("repeatInterval", g.RepeatInterval, false))
	return errors.Join(errs...)
}

func duration(name string, d v1alpha1.RuleDuration, mayBeZero bool) error {
	if d == "" {
		return nil
	}
	parsed, err := model.ParseDuration(string(d))
	if err != nil {
		return fmt.Errorf("%s: %q: %w", name, d, err)
	}
	if parsed == 0 && !mayBeZero {
		return fmt.Errorf("%s: %q: must be above zero", name, d)
	}
	return nil
}

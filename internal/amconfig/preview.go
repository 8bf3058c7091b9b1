package amconfig

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/common/model"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// Alert is an alert of an AlertRule with what is known of its labels before it fires.
type Alert struct {
	Group, Name string
	// Labels with a fixed value. Any other label may come with the series or be written by a template.
	Labels map[string]string
}

// Destination is where an alert goes.
type Destination struct {
	// Receiver by its name in the file.
	Receiver string
	// When is empty if the alert always goes there, and otherwise the conditions that only its labels at run time, or the
	// clock, can decide.
	When string
}

// Alerts are the alerts of an AlertRule, in its order.
func Alerts(ar *v1alpha1.AlertRule) []Alert {
	var out []Alert
	for g := range ar.Spec.Groups {
		group := &ar.Spec.Groups[g]
		for r := range group.Rules {
			rule := &group.Rules[r]
			if rule.Alert == "" {
				continue
			}
			all := maps.Clone(group.Labels)
			if all == nil {
				all = map[string]string{}
			}
			maps.Copy(all, rule.Labels)
			all[model.AlertNameLabel] = rule.Alert
			all[LabelAlertRule] = ar.Namespace + "/" + ar.Name
			maps.DeleteFunc(all, func(_, value string) bool { return strings.Contains(value, "{{") })
			out = append(out, Alert{Group: group.Name, Name: rule.Alert, Labels: all})
		}
	}
	return out
}

// Tree is the part of a server's routing that alerts of one AlertRule can get into.
type Tree struct{ root *dispatch.Route }

// NewTree is made of the server's route and that of the AlertRule: the other AlertRules' routes match another label.
func NewTree(root RootRoute, rule RuleRoute) (*Tree, error) {
	var rules []RuleRoute
	if len(rule.Entries) > 0 {
		rules = append(rules, rule)
	}
	c := configuration{Route: root.write(rules)}
	receivers, intervals := map[string]bool{}, map[string]bool{}
	c.Route.names(receivers, intervals)
	for _, name := range slices.Sorted(maps.Keys(receivers)) {
		c.Receivers = append(c.Receivers, receiver{Name: name})
	}
	for _, name := range slices.Sorted(maps.Keys(intervals)) {
		c.TimeIntervals = append(c.TimeIntervals, timeInterval{Name: name})
	}
	text, err := c.text()
	if err != nil {
		return nil, err
	}
	loaded, err := config.Load(string(text))
	if err != nil {
		return nil, err
	}
	return &Tree{dispatch.NewRoute(loaded.Route, nil)}, nil
}

// names notes what a route and those below it name.
func (r route) names(receivers, intervals map[string]bool) {
	if r.Receiver != "" {
		receivers[r.Receiver] = true
	}
	for _, name := range slices.Concat(r.MuteTimeIntervals, r.ActiveTimeIntervals) {
		intervals[name] = true
	}
	for _, below := range r.Routes {
		below.names(receivers, intervals)
	}
}

// Preview says where an alert goes, in the order in which Alertmanager finds it out.
func (t *Tree) Preview(a Alert) []Destination {
	p := preview{alert: a}
	p.walk(t.root, nil)
	return p.out
}

// preview goes the way of dispatch.Route.Match with labels that may be unknown.
type preview struct {
	alert Alert
	out   []Destination
}

func (p *preview) walk(r *dispatch.Route, when []string) {
	certain := false
	var instead, first []string // what else takes the alert: at all, and from the routes that follow
	for _, below := range r.Routes {
		unknown, possible := p.holds(below.Matchers)
		if !possible {
			continue
		}
		p.walk(below, slices.Concat(when, first, unknown))
		if len(unknown) == 0 {
			certain = true
			if !below.Continue {
				break
			}
			continue
		}
		instead = append(instead, unless(unknown))
		if !below.Continue {
			first = append(first, unless(unknown))
		}
	}
	if !certain {
		p.out = append(p.out, Destination{Receiver: r.RouteOpts.Receiver, When: conditions(slices.Concat(when, instead), r.RouteOpts)})
	}
}

// holds returns the matchers that only the labels at run time can decide, and whether all others hold.
func (p *preview) holds(of labels.Matchers) (unknown []string, possible bool) {
	for _, m := range of {
		value, known := p.alert.Labels[m.Name]
		if !known {
			unknown = append(unknown, m.String())
		} else if !m.Matches(value) {
			return nil, false
		}
	}
	return unknown, true
}

func unless(matchers []string) string { return "unless " + strings.Join(matchers, " and ") }

func conditions(when []string, opts dispatch.RouteOpts) string {
	for _, name := range opts.ActiveTimeIntervals {
		when = append(when, "during "+name)
	}
	for _, name := range opts.MuteTimeIntervals {
		when = append(when, "not during "+name)
	}
	var seen []string
	for _, w := range when {
		if !slices.Contains(seen, w) {
			seen = append(seen, w)
		}
	}
	return strings.Join(seen, ", ")
}

// RouteOf is the route of an AlertRule, empty if it has none.
func (r *Routing) RouteOf(namespace, name string) RuleRoute {
	i, ok := slices.BinarySearchFunc(r.Rules, namespace, func(rule RuleRoute, _ string) int {
		return cmp.Or(cmp.Compare(rule.Namespace, namespace), cmp.Compare(rule.Name, name))
	})
	if !ok {
		return RuleRoute{Namespace: namespace, Name: name}
	}
	return r.Rules[i]
}

package rules

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// Home is the label that a tenant's rules are confined to: with it they write, and without it they see nothing.
type Home struct{ Label, Namespace string }

// line is in a file that is confined, so that nobody does it again. It is a comment to Prometheus.
func (h Home) line() []byte { return fmt.Appendf(nil, "# confined to %s=%q\n", h.Label, h.Namespace) }

// Confined is the text of a rule file that Judge made with its rules confined: each alert and each recorded series has the label,
// and each selector of an expression, also of those that templates ask, selects by it. What an object says of the label itself
// does not count; a selector that asks for another value selects nothing. The problems are why that can't be done.
func Confined(text []byte, home Home) ([]byte, []string) {
	comments, body := comments(text)
	if slices.ContainsFunc(bytes.SplitAfter(comments, []byte("\n")), func(line []byte) bool { return bytes.Equal(line, home.line()) }) {
		return text, nil
	}
	var spec v1alpha1.AlertRuleSpec
	if err := yaml.Unmarshal(body, &spec); err != nil {
		return nil, []string{fmt.Sprintf("spec.groups: %v", err)}
	}
	plain := parser.NewParser(parser.Options{})
	c := confiner{home: home, parser: plain, rendered: &expressions{Parser: plain, of: map[string]parser.Expr{}}}
	for i := range spec.Groups {
		c.group(&spec.Groups[i])
	}
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	out, err := yaml.Marshal(v1alpha1.AlertRuleSpec{Groups: spec.Groups})
	if err != nil {
		return nil, []string{fmt.Sprintf("spec.groups: %v", err)}
	}
	if problems := check(out, c.rendered); len(problems) > 0 {
		return nil, problems
	}
	return slices.Concat(comments, home.line(), out), nil
}

// comments are the lines at the beginning of a file that are none of Prometheus' business; body is the rest.
func comments(text []byte) (comments, body []byte) {
	body = text
	for bytes.HasPrefix(body, []byte("#")) {
		_, after, found := bytes.Cut(body, []byte("\n"))
		if !found {
			return text, nil
		}
		body = after
	}
	return text[:len(text)-len(body)], body
}

type confiner struct {
	home     Home
	parser   parser.Parser
	problems []string
	// rendered has parsed what is loaded.
	rendered parser.Parser
}

func (c *confiner) problem(where string, err error) {
	c.problems = append(c.problems, fmt.Sprintf("%s: %v", where, err))
}

// group has the label at the group: Prometheus gives it to all rules that have none of that name, and none will have.
func (c *confiner) group(g *v1alpha1.RuleGroup) {
	where := fmt.Sprintf("spec.groups[%s]", g.Name)
	alerts := slices.ContainsFunc(g.Rules, func(r v1alpha1.Rule) bool { return r.Alert != "" })
	g.Labels = c.labels(where+".labels", g.Labels, alerts)
	g.Labels[c.home.Label] = c.home.Namespace
	g.Rules = slices.Clone(g.Rules)
	for i := range g.Rules {
		r := &g.Rules[i]
		where := at(g.Name, i, r.Alert+r.Record)
		expr, err := c.expression(string(r.Expr))
		if err != nil {
			c.problem(where, err)
			continue
		}
		r.Expr = v1alpha1.Expression(expr)
		r.Labels = c.labels(where+".labels", r.Labels, r.Alert != "")
		for _, name := range slices.Sorted(maps.Keys(r.Annotations)) {
			confined, err := c.template(r.Annotations[name])
			if err != nil {
				c.problem(where+".annotations."+name, err)
			}
			r.Annotations[name] = confined
		}
	}
}

// labels are these without the one that is enforced. Those of alerts are templates.
func (c *confiner) labels(where string, of map[string]string, alerts bool) map[string]string {
	out := make(map[string]string, len(of)+1)
	for _, name := range slices.Sorted(maps.Keys(of)) {
		if name == c.home.Label {
			continue
		}
		out[name] = of[name]
		if !alerts {
			continue
		}
		confined, err := c.template(of[name])
		if err != nil {
			c.problem(where+"."+name, err)
		}
		out[name] = confined
	}
	return out
}

// expression has every selector select by the label.
func (c *confiner) expression(text string) (string, error) {
	expr, err := c.parser.ParseExpr(text)
	if err != nil {
		return "", err
	}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			c.selector(s)
		}
		return nil
	})
	out := expr.String()
	// What is loaded is the text, so it is the text that has to be right.
	again, err := c.rendered.ParseExpr(out)
	if err != nil {
		return "", fmt.Errorf("it can't be confined to its namespace: %w", err)
	}
	if again.String() != out || !c.confined(again) {
		return "", fmt.Errorf("it can't be confined to its namespace: write %q otherwise", text)
	}
	return out, nil
}

// selector adds to what a selector asks for. A second matcher for the same label does not take the place of the first.
func (c *confiner) selector(s *parser.VectorSelector) {
	if !slices.ContainsFunc(s.LabelMatchers, c.is) {
		s.LabelMatchers = append(s.LabelMatchers, labels.MustNewMatcher(labels.MatchEqual, c.home.Label, c.home.Namespace))
	}
	if !model.LegacyValidation.IsValidMetricName(s.Name) {
		s.Name = "" // the matcher of its name is printed, and in quotes
	}
}

func (c *confiner) is(m *labels.Matcher) bool {
	return m.Type == labels.MatchEqual && m.Name == c.home.Label && m.Value == c.home.Namespace
}

// confined says whether every selector selects by the label.
func (c *confiner) confined(expr parser.Expr) bool {
	out := true
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok && !slices.ContainsFunc(s.LabelMatchers, c.is) {
			out = false
		}
		return nil
	})
	return out
}

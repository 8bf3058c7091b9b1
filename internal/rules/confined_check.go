package rules

import (
	"errors"
	"fmt"

	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// CheckConfined is Confined's judge: it walks over a rule file, whoever wrote it, and says where its rules see or write more than
// the namespace's own.
func CheckConfined(text []byte, home Home) error {
	var spec v1alpha1.AlertRuleSpec
	if err := yaml.Unmarshal(text, &spec); err != nil {
		return err
	}
	c := confiner{home: home, parser: parser.NewParser(parser.Options{})}
	c.rendered = c.parser
	var found []error
	say := func(where, what string) { found = append(found, fmt.Errorf("%s: %s", where, what)) }
	for _, g := range spec.Groups {
		if g.Labels[home.Label] != home.Namespace {
			say("spec.groups["+g.Name+"]", "the label is "+g.Labels[home.Label])
		}
		c.checkTemplates("spec.groups["+g.Name+"].labels", g.Labels, say)
		for i, r := range g.Rules {
			where := at(g.Name, i, r.Alert+r.Record)
			if own, set := r.Labels[home.Label]; set {
				say(where, "the label is "+own)
			}
			if expr, err := c.parser.ParseExpr(string(r.Expr)); err != nil || !c.confined(expr) {
				say(where, "the expression sees others' series: "+string(r.Expr))
			}
			c.checkTemplates(where, r.Labels, say)
			c.checkTemplates(where, r.Annotations, say)
		}
	}
	return errors.Join(found...)
}

// checkTemplates finds templates that would be others if they were confined.
func (c *confiner) checkTemplates(where string, texts map[string]string, say func(where, what string)) {
	for name, text := range texts {
		if confined, err := c.template(text); err != nil || confined != text {
			say(where, "the template "+name+" sees others' series: "+text)
		}
	}
}

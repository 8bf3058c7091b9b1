// Package rules says what an AlertRule means to Prometheus: the rule file it becomes, and whether Prometheus' own parser
// accepts it.
package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/replica"
)

// maxPath is how many bytes the name of a file can have.
const maxPath = 255

// File is the rule file that an AlertRule becomes.
type File struct {
	// Path below the directory of rule files: <namespace>_<name>.yaml. Prometheus names a group by file and name, so the
	// path must not change while an alert is pending.
	Path string
	// Text is the file, in Prometheus' rule-file format.
	Text []byte
	// Rules is the number of rules in it.
	Rules int
}

// Path is the path of an AlertRule's file below the directory of rule files.
//
// Neither name can contain a _, so no two rules share a path. They are not in a directory for each namespace because
// Prometheus takes a * in the last element of a rule file path only.
func Path(namespace, name string) string { return namespace + "_" + name + ".yaml" }

// PrometheusRulePath is Path for a PrometheusRule: another path than that of any AlertRule, by which the reloader tells them
// apart.
func PrometheusRulePath(namespace, name string) string {
	return replica.PrometheusRulePrefix + Path(namespace, name)
}

// render is the file and everything that keeps it from being published.
func render(ar *v1alpha1.AlertRule, as as, p *expressions) (File, []string) {
	file := File{Path: as.path, Rules: Count(&ar.Spec)}
	// What can't be published would keep every other rule of the server from being published too.
	if over := len(file.Path) - maxPath; over > 0 {
		return File{}, []string{fmt.Sprintf("metadata.name: has %d characters, and a rule file in namespace %s can be named after %d: make %s with a shorter name",
			len(ar.Name), ar.Namespace, len(ar.Name)-over, as.one)}
	}
	if problems := append(durations(&ar.Spec), reserved(&ar.Spec)...); len(problems) > 0 {
		return File{}, problems
	}
	// The spec has the field names of the rule-file format, so the file is the spec.
	text, err := yaml.Marshal(v1alpha1.AlertRuleSpec{Groups: labelled(ar, as.label)})
	if err != nil {
		return File{}, []string{fmt.Sprintf("spec: %v", err)}
	}
	if problems := check(text, p); len(problems) > 0 {
		return File{}, problems
	}
	if problems := unanswerable(&ar.Spec, p.of); len(problems) > 0 {
		return File{}, problems
	}
	file.Text = append(needs(&ar.Spec, p.of).Line(), text...)
	if problem := fits(file, as.one); problem != "" {
		return File{}, []string{problem}
	}
	return file, nil
}

// fits refuses a file that alone is more than one published object can hold.
func fits(file File, one string) string {
	if len(file.Text) < bundle.PartLimit/2 {
		return "" // packing adds less than that
	}
	packed, err := bundle.Pack(map[string][]byte{bundle.RulesDir + "/" + file.Path: file.Text})
	if err != nil {
		return fmt.Sprintf("spec.groups: %v", err)
	}
	if len(packed) > bundle.PartLimit {
		return fmt.Sprintf("spec.groups: %d bytes when compressed, more than the %d that one object can hold: split it into several %ss",
			len(packed), bundle.PartLimit, strings.Fields(one)[1])
	}
	return ""
}

// Count is the number of rules in a spec.
func Count(spec *v1alpha1.AlertRuleSpec) int {
	n := 0
	for i := range spec.Groups {
		n += len(spec.Groups[i].Rules)
	}
	return n
}

// durations checks those that the API lets through and Prometheus does not, because they are too long for it. Its own
// error names neither field nor rule.
func durations(spec *v1alpha1.AlertRuleSpec) []string {
	var problems []string
	one := func(at, name string, d v1alpha1.RuleDuration) {
		if d == "" {
			return
		}
		if _, err := model.ParseDuration(string(d)); err != nil {
			problems = append(problems, fmt.Sprintf("%s.%s: %q: %v", at, name, d, err))
		}
	}
	for _, g := range spec.Groups {
		group := fmt.Sprintf("spec.groups[%s]", g.Name)
		one(group, "interval", g.Interval)
		one(group, "query_offset", g.QueryOffset)
		for i, r := range g.Rules {
			rule := at(g.Name, i, r.Alert+r.Record)
			one(rule, "for", r.For)
			one(rule, "keep_firing_for", r.KeepFiringFor)
		}
	}
	return problems
}

// check has the file parsed. The parser walks maps in any order, so what it says is sorted: the same rules must always
// give the same error.
func check(text []byte, p parser.Parser) []string {
	_, errs := rulefmt.Parse(text, false, model.UTF8Validation, p, promslog.NewNopLogger())
	located := make([]string, 0, len(errs))
	for _, err := range errs {
		located = append(located, locate(err))
	}
	slices.Sort(located)
	return slices.Compact(located)
}

// locate replaces the position in the rendered file, which nobody sees, by the field of the spec.
func locate(err error) string {
	var in *rulefmt.Error
	if !errors.As(err, &in) {
		return fmt.Sprintf("spec.groups: %v", err)
	}
	cause := errors.Unwrap(&in.Err)
	if cause == nil {
		cause = in
	}
	if in.Rule == 0 {
		return fmt.Sprintf("spec.groups[%s]: %v", in.Group, cause)
	}
	return fmt.Sprintf("%s: %v", at(in.Group, in.Rule-1, in.RuleName), cause)
}

// at is where a rule is, with its name: nobody likes counting rules.
func at(group string, i int, name string) string {
	if name == "" {
		return fmt.Sprintf("spec.groups[%s].rules[%d]", group, i)
	}
	return fmt.Sprintf("spec.groups[%s].rules[%d] (%s)", group, i, name)
}

// CountIn is the number of rules in a rule file that Judge made, 0 if it is not one.
func CountIn(text []byte) int {
	var spec v1alpha1.AlertRuleSpec
	if err := yaml.Unmarshal(text, &spec); err != nil {
		return 0
	}
	return Count(&spec)
}

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
)

// maxName leaves room for .yaml in the 255 bytes that a file's name can have.
const maxName = 250

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

// Render makes the rule file of an AlertRule and has it checked by Prometheus' own parser. The error joins everything
// that is wrong, each with the field it is in.
func Render(rule *v1alpha1.AlertRule) (File, error) {
	// The spec has the field names of the rule-file format, so the file is the spec.
	text, err := yaml.Marshal(rule.Spec)
	if err != nil {
		return File{}, fmt.Errorf("spec: %w", err)
	}
	file := File{Path: Path(rule.Namespace, rule.Name), Text: text, Rules: Count(&rule.Spec)}
	// What can't be published would keep every other rule of the server from being published too.
	if n := len(rule.Name); n > maxName {
		return File{}, fmt.Errorf("metadata.name: has %d characters, more than the %d that a rule file's name can hold: make an AlertRule with a shorter name", n, maxName)
	}
	if errs := durations(&rule.Spec); len(errs) > 0 {
		return File{}, errors.Join(errs...)
	}
	if err := check(text); err != nil {
		return File{}, err
	}
	return file, fits(file)
}

// fits refuses a file that alone is more than one published object can hold.
func fits(file File) error {
	if len(file.Text) < bundle.PartLimit/2 {
		return nil // packing adds less than that
	}
	packed, err := bundle.Pack(map[string][]byte{bundle.RulesDir + "/" + file.Path: file.Text})
	if err != nil {
		return fmt.Errorf("spec.groups: %w", err)
	}
	if len(packed) > bundle.PartLimit {
		return fmt.Errorf("spec.groups: %d bytes when compressed, more than the %d that one object can hold: split it into several AlertRules",
			len(packed), bundle.PartLimit)
	}
	return nil
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
func durations(spec *v1alpha1.AlertRuleSpec) []error {
	var errs []error
	one := func(at, d string) {
		if d == "" {
			return
		}
		if _, err := model.ParseDuration(d); err != nil {
			errs = append(errs, fmt.Errorf("%s: %q: %w", at, d, err))
		}
	}
	for _, g := range spec.Groups {
		at := fmt.Sprintf("spec.groups[%s]", g.Name)
		one(at+".interval", string(g.Interval))
		one(at+".query_offset", string(g.QueryOffset))
		for i, r := range g.Rules {
			rule := fmt.Sprintf("%s.rules[%d] (%s)", at, i, r.Alert+r.Record)
			one(rule+".for", string(r.For))
			one(rule+".keep_firing_for", string(r.KeepFiringFor))
		}
	}
	return errs
}

// check has the file parsed. The parser walks maps in any order, so what it says is sorted: the same rules must always
// give the same error.
func check(text []byte) error {
	_, errs := rulefmt.Parse(text, false, model.UTF8Validation, parser.NewParser(parser.Options{}), promslog.NewNopLogger())
	located := make([]error, 0, len(errs))
	for _, err := range errs {
		located = append(located, locate(err))
	}
	slices.SortFunc(located, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(slices.CompactFunc(located, func(a, b error) bool { return a.Error() == b.Error() })...)
}

// locate replaces the position in the rendered file, which nobody sees, by the field of the spec.
func locate(err error) error {
	var in *rulefmt.Error
	if !errors.As(err, &in) {
		return fmt.Errorf("spec.groups: %w", err)
	}
	cause := errors.Unwrap(&in.Err)
	if cause == nil {
		cause = in
	}
	if in.Rule == 0 {
		return fmt.Errorf("spec.groups[%s]: %w", in.Group, cause)
	}
	return fmt.Errorf("spec.groups[%s].rules[%d] (%s): %w", in.Group, in.Rule-1, in.RuleName, cause)
}

// CountIn is the number of rules in a rule file that Render made, 0 if it is not one.
func CountIn(text []byte) int {
	var spec v1alpha1.AlertRuleSpec
	if err := yaml.Unmarshal(text, &spec); err != nil {
		return 0
	}
	return Count(&spec)
}

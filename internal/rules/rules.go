// Package rules says what an AlertRule means to Prometheus: the rule file it becomes, and whether Prometheus' own parser
// accepts it.
package rules

import (
	"errors"
	"fmt"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// File is the rule file that an AlertRule becomes.
type File struct {
	// Path below the directory of rule files: <namespace>/<name>.yaml. Prometheus names a group by file and name, so the
	// path must not change while an alert is pending.
	Path string
	// Text is the file, in Prometheus' rule-file format.
	Text []byte
	// Rules is the number of rules in it.
	Rules int
}

// Path is the path of an AlertRule's file below the directory of rule files.
func Path(namespace, name string) string { return namespace + "/" + name + ".yaml" }

// Render makes the rule file of an AlertRule and has it checked by Prometheus' own parser. The error joins everything
// that is wrong, each with the field it is in.
func Render(rule *v1alpha1.AlertRule) (File, error) {
	// The spec has the field names of the rule-file format, so the file is the spec.
	text, err := yaml.Marshal(rule.Spec)
	if err != nil {
		return File{}, fmt.Errorf("spec: %w", err)
	}
	if err := check(text); err != nil {
		return File{}, err
	}
	return File{Path: Path(rule.Namespace, rule.Name), Text: text, Rules: Count(&rule.Spec)}, nil
}

// Count is the number of rules in a spec.
func Count(spec *v1alpha1.AlertRuleSpec) int {
	n := 0
	for i := range spec.Groups {
		n += len(spec.Groups[i].Rules)
	}
	return n
}

func check(text []byte) error {
	_, errs := rulefmt.Parse(text, false, model.UTF8Validation, parser.NewParser(parser.Options{}), promslog.NewNopLogger())
	located := make([]error, 0, len(errs))
	for _, err := range errs {
		located = append(located, locate(err))
	}
	return errors.Join(located...)
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

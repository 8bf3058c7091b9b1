package rules_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hearth-monitoring/hearth/internal/rules"
)

// TestTheOperatorsLabelIsItsOwn: whoever could set it could have alerts sent to somebody else's receivers.
func TestTheOperatorsLabelIsItsOwn(t *testing.T) {
	spec := `groups: [{name: a, labels: {hearth_alertrule: x}, rules: [
	  {alert: A, expr: up, labels: {hearth_alertrule: other/rule}},
	  {record: b, expr: up, labels: {hearth_alertrule: ""}},
	  {alert: C, expr: 'up{hearth_alertrule="other/rule"}'}]}]`
	v := rules.Judge(alertRule(t, spec))
	want := []string{
		"spec.groups[a].labels: hearth_alertrule is set by Hearth, which routes alerts by it: remove it",
		"spec.groups[a].rules[0] (A).labels: hearth_alertrule is set by Hearth, which routes alerts by it: remove it",
		"spec.groups[a].rules[1] (b).labels: hearth_alertrule is set by Hearth, which routes alerts by it: remove it",
	}
	if diff := cmp.Diff(want, v.Problems); diff != "" || v.File.Text != nil {
		t.Errorf("-want +got:\n%s\n%s", diff, v.File.Text)
	}
}

func TestJudgeLeavesTheObjectAsItIs(t *testing.T) {
	ar := alertRule(t, everyField)
	before := ar.DeepCopy()
	v := rules.Judge(ar)
	if diff := cmp.Diff(before, ar); diff != "" {
		t.Errorf("the object was changed: -before +after:\n%s", diff)
	}
	rendered, err := rules.Render(ar)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rules.Verdict{File: rendered}, v); diff != "" {
		t.Errorf("Render and Judge differ, -Render +Judge:\n%s", diff)
	}
}

// TestJudgeRefusesWhatRenderRefuses and says the same.
func TestJudgeRefusesWhatRenderRefuses(t *testing.T) {
	for name, c := range refusals {
		t.Run(name, func(t *testing.T) {
			v := rules.Judge(alertRule(t, c.spec))
			if diff := cmp.Diff(c.want, v.Problems); diff != "" || v.File.Text != nil {
				t.Errorf("-want +got:\n%s\n%s", diff, v.File.Text)
			}
		})
	}
}

func TestDuplicates(t *testing.T) {
	spec := `groups: [
	  {name: a, labels: {team: infra}, rules: [{alert: A, expr: up}, {alert: A, expr: up, labels: {severity: page}}]},
	  {name: b, rules: [{alert: A, expr: up == 0, labels: {team: infra}}, {record: "a:b", expr: up}, {record: "a:b", expr: up}]}]`
	v := rules.Judge(alertRule(t, spec))
	want := []string{
		"spec.groups[b].rules[0] (A): has the name and the labels of spec.groups[a].rules[0] (A), so what they produce can't be told apart: give one of them another name or a label of its own",
		"spec.groups[b].rules[2] (a:b): has the name and the labels of spec.groups[b].rules[1] (a:b), so what they produce can't be told apart: give one of them another name or a label of its own",
	}
	if diff := cmp.Diff(want, v.Warnings); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(v.Problems) > 0 || v.File.Rules != 5 {
		t.Errorf("warnings stop nothing, and this was stopped: %v", v.Problems)
	}
}

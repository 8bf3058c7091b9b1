package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/admission"
	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/monitors"
	"github.com/hearth-monitoring/hearth/internal/rules"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/test/upstream"
)

func prometheusRule(name, expr string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"groups": []any{
		map[string]any{"name": "g", "rules": []any{map[string]any{"alert": "A", "expr": expr}}},
	}}}}
	o.SetAPIVersion("monitoring.coreos.com/v1")
	o.SetKind("PrometheusRule")
	o.SetName(name)
	return o
}

// ruleRejections fails unless exactly these PrometheusRules are rejected, for what is said here.
func (c *cluster) ruleRejections(t *testing.T, selected int32, want map[string]string) error {
	t.Helper()
	var ps v1alpha1.PrometheusServer
	if !c.get(t, "main", &ps) || ps.Status.Rules.Selected != selected || len(ps.Status.Rules.Rejections) != len(want) {
		return fmt.Errorf("%+v", ps.Status.Rules)
	}
	for _, r := range ps.Status.Rules.Rejections {
		if r.Kind != "PrometheusRule" || want[r.Name] == "" || !strings.Contains(r.Message, want[r.Name]) {
			return fmt.Errorf("%+v", r)
		}
	}
	return nil
}

// told fails unless there is an event on an object that says this.
func (c *cluster) told(t *testing.T, about, text string) error {
	t.Helper()
	var list corev1.EventList
	must(t, c.api.List(t.Context(), &list, client.InNamespace(c.namespace)))
	var all []string
	for _, e := range list.Items {
		if e.InvolvedObject.Kind+"/"+e.InvolvedObject.Name == about && e.InvolvedObject.UID != "" && strings.Contains(e.Message, text) {
			return nil
		}
		all = append(all, e.InvolvedObject.Kind+"/"+e.InvolvedObject.Name+": "+e.Message)
	}
	return fmt.Errorf("no event on %s says %q: %q", about, text, all)
}

// PrometheusRules go the way of AlertRules: picked up when their kind is installed, judged one by one, and what cannot be
// loaded leaves its last good version in place.
func TestPrometheusRules(t *testing.T) {
	c := newCluster(t, operator(t.Context()))
	all := &v1alpha1.ObjectSelector{Selector: &metav1.LabelSelector{}}
	ps := &v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Name: "main"}, Spec: v1alpha1.PrometheusServerSpec{Rules: all, PrometheusRules: all}}
	c.create(t, ps)
	ar := &v1alpha1.AlertRule{ObjectMeta: metav1.ObjectMeta{Name: "same"}, Spec: groups("vector(1)")}
	c.create(t, ar)
	eventually(t, func() error { return c.publishes("vector(1)")(t, ps) })

	for _, definition := range upstream.Definitions(t, "..", "prometheusrules") {
		must(t, c.api.Create(t.Context(), definition))
		t.Cleanup(func() {
			_ = c.api.Delete(context.WithoutCancel(t.Context()), definition)
		})
	}
	create := func(o *unstructured.Unstructured) *unstructured.Unstructured {
		o.SetNamespace(c.namespace)
		eventually(t, func() error { return c.api.Create(t.Context(), o) }) // the kind is served soon
		return o
	}
	same, number := create(prometheusRule("same", "vector(2)")), create(prometheusRule("number", "vector(3)"))
	eventually(t, func() error {
		return errors.Join(c.publishes("vector(1)", "vector(2)", "vector(3)")(t, ps), c.ruleRejections(t, 3, nil))
	})

	expr := `{"spec":{"groups":[{"name":"g","rules":[{"alert":"A","expr":%s}]}]}}`
	must(t, c.api.Patch(t.Context(), same, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, expr, `"vector("`))))
	must(t, c.api.Patch(t.Context(), number, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, expr, "4"))))
	create(prometheusRule("thief", "vector(5)"))
	eventually(t, func() error { return c.publishes("vector(1)", "vector(2)", `"4"`, "vector(5)")(t, ps) })
	problem := "spec.groups[g].rules[0] (A)"
	eventually(t, func() error {
		return errors.Join(c.ruleRejections(t, 4, map[string]string{"same": problem}), c.told(t, "PrometheusRule/same", problem))
	})

	// A label that takes it out of the selection takes its rules away, and one that is deleted is gone.
	c.patch(t, ps, `{"spec":{"prometheusRules":{"selector":{"matchLabels":{"load":"yes"}}}}}`)
	eventually(t, func() error { return errors.Join(c.publishes("vector(1)")(t, ps), c.ruleRejections(t, 1, nil)) })
	for _, o := range []*unstructured.Unstructured{same, number} {
		must(t, c.api.Patch(t.Context(), o, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"load":"yes"}}}`))))
	}
	eventually(t, func() error { return c.publishes("vector(1)", `"4"`)(t, ps) })
	must(t, c.api.Delete(t.Context(), number))
	eventually(t, func() error { return c.publishes("vector(1)")(t, ps) })
}

// Ten thousand PrometheusRules are held packed until they are judged, then as verdicts alone.
func TestPrometheusRulesAreHeldSmall(t *testing.T) {
	m := NewMonitors(nil, nil, NewVerdicts(&admission.Recent{}))
	w := watching{all: m, kind: monitors.PrometheusRuleKind}
	s := newRuleStore(t.Context(), w)
	m.known, m.installed, m.stores[w.kind] = true, map[monitors.Kind]types.UID{w.kind: "d"}, s
	var list []any
	for i := range 200 {
		o := prometheusRule(fmt.Sprintf("r-%03d", i), fmt.Sprintf("vector(%d)", i))
		o.SetNamespace("shop")
		o.SetUID(types.UID(fmt.Sprint(i)))
		o.SetGeneration(1)
		list = append(list, o)
	}
	if _, err := m.PrometheusRules(); err == nil {
		t.Error("what is not listed yet is known")
	}
	must(t, s.Replace(list, ""))
	var before []*stack.AlertRule
	eventually(t, func() (err error) {
		if before, err = m.PrometheusRules(); err != nil {
			return err
		}
		for i := range before {
			if !before[i].Judged || before[i].Problem != "" || len(before) != len(list) {
				return fmt.Errorf("%d, one of which is %+v", len(before), before[i])
			}
		}
		return nil
	})
	for name, entry := range s.entries {
		if entry.packed != nil {
			t.Fatalf("%s is held with its spec", name)
		}
	}
	// An edit is one change; what others have of the list stays as it is.
	edited := prometheusRule("r-007", "vector(")
	edited.SetNamespace("shop")
	edited.SetUID("7")
	edited.SetGeneration(2)
	must(t, s.Update(edited))
	eventually(t, func() error {
		all, err := m.PrometheusRules()
		if err != nil || all[7].Problem == "" {
			return fmt.Errorf("%+v, %w", all[7], err)
		}
		return nil
	})
	if before[7].Problem != "" || before[7].File.Path != rules.PrometheusRulePath("shop", "r-007") {
		t.Errorf("%+v", before[7])
	}
	must(t, s.Delete(edited))
	if all, err := m.PrometheusRules(); err != nil || len(all) != 199 || all[7].Name != "r-008" {
		t.Errorf("%d are left, %v", len(all), err)
	}
}

package controllers

import (
	"fmt"
	"slices"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/manifests"
)

// grafanaCRD is a kind of grafana-operator with what matters of its schema: it keeps what Hearth writes, refuses nothing that
// it does not know, and does not let instanceSelector change.
func grafanaCRD(t *testing.T, plural, kind string) *unstructured.Unstructured {
	t.Helper()
	text := fmt.Sprintf(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[1]s.grafana.integreatly.org}
spec:
  group: grafana.integreatly.org
  names: {plural: %[1]s, kind: %[2]s, listKind: %[2]sList}
  scope: Namespaced
  versions:
  - name: v1beta1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            x-kubernetes-preserve-unknown-fields: true
            properties:
              instanceSelector:
                type: object
                x-kubernetes-map-type: atomic
                x-kubernetes-validations: [{rule: self == oldSelf, message: Value is immutable}]
                properties:
                  matchLabels: {type: object, additionalProperties: {type: string}}
`, plural, kind)
	out := &unstructured.Unstructured{}
	must(t, yaml.Unmarshal([]byte(text), &out.Object))
	out.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	return out
}

// operatorObjects are those for grafana-operator, by name.
func (c *cluster) operatorObjects(t *testing.T, kind string) map[string]*unstructured.Unstructured {
	t.Helper()
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(manifests.GrafanaOperatorVersion().WithKind(kind + "List"))
	out := map[string]*unstructured.Unstructured{}
	if err := c.api.List(t.Context(), list, client.InNamespace(c.namespace)); err != nil {
		return out // not served yet
	}
	for i := range list.Items {
		out[list.Items[i].GetName()] = &list.Items[i]
	}
	return out
}

// The objects for grafana-operator are written when its kinds come, are made anew where they can't be changed, leave those of
// others alone, and go when they are no longer wanted.
func TestGrafanaOperator(t *testing.T) {
	c := newCluster(t, operator(t.Context()))
	ps := c.looked(t, &v1alpha1.Grafana{Operator: &v1alpha1.GrafanaOperator{InstanceLabels: map[string]string{"dashboards": "a"}}})
	c.grafanaReady(t, ps, metav1.ConditionFalse, v1alpha1.ReasonKindsMissing, "are not installed")
	c.quiet(t)

	for plural, kind := range map[string]string{"grafanadatasources": "GrafanaDatasource", "grafanadashboards": "GrafanaDashboard"} {
		definition := grafanaCRD(t, plural, kind)
		must(t, c.api.Create(t.Context(), definition))
		t.Cleanup(func() { _ = c.api.Delete(t.Context(), definition) }) // the test's own context has ended by then
	}
	c.grafanaReady(t, ps, metav1.ConditionTrue, v1alpha1.ReasonReady, "objects are there for grafana-operator")
	if got := c.operatorObjects(t, "GrafanaDashboard"); len(got) < 6 {
		t.Errorf("%d dashboards", len(got))
	}
	c.selects(t, "a")
	c.quiet(t)

	c.patch(t, ps, `{"spec":{"grafana":{"operator":{"instanceLabels":{"dashboards":"b"}}}}}`)
	c.selects(t, "b")
	c.grafanaReady(t, ps, metav1.ConditionTrue, v1alpha1.ReasonReady, "objects are there")

	theirs := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"url": "theirs"}}}
	theirs.SetGroupVersionKind(manifests.GrafanaOperatorVersion().WithKind("GrafanaDatasource"))
	theirs.SetName("grafana-main-alertmanager")
	c.create(t, theirs)
	c.patch(t, ps, `{"spec":{"alerting":{"alertmanager":{}}}}`)
	c.grafanaReady(t, ps, metav1.ConditionFalse, v1alpha1.ReasonNameConflict, "grafana-main-alertmanager")
	c.patch(t, ps, `{"spec":{"grafana":{"operator":null,"sidecar":{}}}}`)
	eventually(t, func() error {
		datasources, dashboards := c.operatorObjects(t, "GrafanaDatasource"), c.operatorObjects(t, "GrafanaDashboard")
		if len(dashboards) > 0 || len(datasources) != 1 || datasources[theirs.GetName()] == nil {
			return fmt.Errorf("there are %d dashboards and %d datasources, theirs among them: %t", len(dashboards), len(datasources), datasources[theirs.GetName()] != nil)
		}
		return nil
	})
	spec, _, _ := unstructured.NestedMap(c.operatorObjects(t, "GrafanaDatasource")[theirs.GetName()].Object, "spec")
	if len(spec) != 1 || spec["url"] != "theirs" {
		t.Errorf("theirs is now %v", spec)
	}
}

// selects waits until the objects are for the Grafanas of this label, and each is owned and points at what there is.
func (c *cluster) selects(t *testing.T, label string) {
	t.Helper()
	eventually(t, func() error {
		var got []string
		for _, kind := range []string{"GrafanaDatasource", "GrafanaDashboard"} {
			for name, o := range c.operatorObjects(t, kind) {
				value, _, _ := unstructured.NestedString(o.Object, "spec", "instanceSelector", "matchLabels", "dashboards")
				if value != label || metav1.GetControllerOf(o) == nil || !o.GetDeletionTimestamp().IsZero() {
					return fmt.Errorf("%s selects %q", name, value)
				}
				got = append(got, name)
			}
		}
		if !slices.Contains(got, "grafana-main-prometheus") || len(got) < 7 {
			return fmt.Errorf("there are %v", got)
		}
		return nil
	})
}

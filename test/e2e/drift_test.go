package e2e

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// repair is how long what somebody did to a child may last.
const repair = 10 * time.Second

// vandalism is what somebody does by hand to an object of each kind, as a merge patch.
var vandalism = map[string]string{
	"ServiceAccount":      `{"automountServiceAccountToken":true}`,
	"ConfigMap":           `{"%s":{"%s":"YnJva2Vu"}}`,
	"Service":             `{"spec":{"ports":[{"name":"%s","port":1234,"targetPort":1}]}}`,
	"Role":                `{"rules":[{"apiGroups":[""],"resources":["pods"],"verbs":["get"]}]}`,
	"RoleBinding":         `{"subjects":[{"kind":"Group","apiGroup":"rbac.authorization.k8s.io","name":"system:nobody"}]}`,
	"StatefulSet":         `{"spec":{"updateStrategy":{"type":"OnDelete","rollingUpdate":null}}}`,
	"DaemonSet":           `{"spec":{"updateStrategy":{"type":"OnDelete","rollingUpdate":null}}}`,
	"PodDisruptionBudget": `{"spec":{"maxUnavailable":0}}`,
}

// Each child that is edited or deleted by hand comes back, and what users put on it themselves stays.
func TestDrift(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	ps, ne, ar := g.full(func(ps *v1alpha1.PrometheusServer) { ps.Spec.Replicas = ptr.To(int32(2)) })
	before := g.children()
	t.Logf("%d children: %v", len(before), kindsOf(t, before))
	if got := slices.Sorted(maps.Keys(kindsOf(t, before))); len(got) != len(childKinds) {
		t.Fatalf("there are only %v", got)
	}
	pods := g.pods(ps)
	t.Run("edited", func(t *testing.T) {
		for _, name := range names(before) {
			g.in(t).edited(before[name])
		}
	})
	t.Run("label stripped", func(t *testing.T) {
		for _, name := range names(before) {
			g.in(t).stripped(before[name])
		}
	})
	if diff := cmp.Diff(lives(pods), lives(g.pods(ps))); diff != "" {
		t.Errorf("pods were restarted for edits that concern none:\n%s", diff)
	}
	t.Run("deleted", func(t *testing.T) {
		for _, name := range names(before) {
			g.in(t).deleted(before[name])
		}
	})
	t.Run("works again", func(t *testing.T) { g.in(t).works(ps, ne, ar) })
}

// edited does to a child what somebody might, and adds a label and an annotation that are theirs to add.
func (g *ground) edited(was *unstructured.Unstructured) {
	g.t.Helper()
	patch := vandalism[was.GetKind()]
	switch was.GetKind() {
	case "Service":
		ports, _, _ := unstructured.NestedSlice(was.Object, "spec", "ports")
		name, _, _ := unstructured.NestedString(ports[0].(map[string]any), "name") //nolint:forcetypeassert // the API knows no other
		patch = fmt.Sprintf(patch, name)
	case "ConfigMap":
		for _, field := range []string{"data", "binaryData"} {
			if has, _, _ := unstructured.NestedMap(was.Object, field); len(has) > 0 {
				patch = fmt.Sprintf(patch, field, slices.Sorted(maps.Keys(has))[0])
			}
		}
	}
	o := was.DeepCopy()
	must(g.t, kube.api.Patch(g.t.Context(), o, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"team":"infra"},"annotations":{"note":"ours"}}}`))))
	must(g.t, kube.api.Patch(g.t.Context(), o, client.RawPatch(types.MergePatchType, []byte(patch))))
	want := shape(was)
	set(want, "infra", "metadata", "labels", "team")
	set(want, "ours", "metadata", "annotations", "note")
	g.t.Logf("%-20s %-40s edited,  repaired in %s", was.GetKind(), was.GetName(), g.back(was, want, was.GetUID()))
}

// stripped takes away the label by which the operator finds its objects.
func (g *ground) stripped(was *unstructured.Unstructured) {
	g.t.Helper()
	must(g.t, kube.api.Patch(g.t.Context(), was.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"`+managedBy+`":null}}}`))))
	want := shape(was)
	set(want, "infra", "metadata", "labels", "team")
	set(want, "ours", "metadata", "annotations", "note")
	g.t.Logf("%-20s %-40s label stripped, repaired in %s", was.GetKind(), was.GetName(), g.back(was, want, was.GetUID()))
}

func (g *ground) deleted(was *unstructured.Unstructured) {
	g.t.Helper()
	must(g.t, kube.api.Delete(g.t.Context(), was.DeepCopy(), client.PropagationPolicy(metav1.DeletePropagationBackground)))
	g.t.Logf("%-20s %-40s deleted, back in %s", was.GetKind(), was.GetName(), g.back(was, shape(was), ""))
}

// back waits until an object has this shape, and this UID or another than before.
func (g *ground) back(was *unstructured.Unstructured, want map[string]any, uid types.UID) time.Duration {
	g.t.Helper()
	return eventually(g.t, repair, func() error {
		o := was.DeepCopy()
		if err := g.get(o); err != nil {
			return err
		}
		if diff := cmp.Diff(want, shape(o)); diff != "" {
			return fmt.Errorf("%s %s is not as it was (-want +got):\n%s", was.GetKind(), was.GetName(), diff)
		}
		if (o.GetUID() == was.GetUID()) != (uid != "") {
			return fmt.Errorf("%s %s has UID %s, before %s", was.GetKind(), was.GetName(), o.GetUID(), was.GetUID())
		}
		return nil
	})
}

func set(object map[string]any, value string, path ...string) {
	if err := unstructured.SetNestedField(object, value, path...); err != nil {
		panic(err)
	}
}

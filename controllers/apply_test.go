package controllers

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// owner makes a PrometheusServer to own what the test applies.
func (c *cluster) owner(t *testing.T, name string) *v1alpha1.PrometheusServer {
	t.Helper()
	owner := &v1alpha1.PrometheusServer{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.PrometheusServerSpec{Storage: v1alpha1.Storage{Size: resource.MustParse("1Gi")}},
	}
	c.create(t, owner)
	return owner
}

// apply applies, fails the test on an error and waits for the cache.
func (c *cluster) apply(t *testing.T, owner client.Object, desired ...client.Object) {
	t.Helper()
	must(t, c.applier().apply(t.Context(), owner, desired))
	c.caughtUp(t, desired...)
}

// versions returns the resourceVersion of each object, by type and name.
func (c *cluster) versions(t *testing.T, objects []client.Object) map[string]string {
	t.Helper()
	versions := map[string]string{}
	for _, obj := range objects {
		versions[title(obj)] = c.live(t, obj).GetResourceVersion()
	}
	return versions
}

// live is what the API server has of an object; the test fails if it has nothing.
func (c *cluster) live(t *testing.T, obj client.Object) client.Object {
	t.Helper()
	live := obj.DeepCopyObject().(client.Object)
	if !c.get(t, obj.GetName(), live) {
		t.Fatalf("%s does not exist", title(obj))
	}
	return live
}

func title(obj client.Object) string {
	return fmt.Sprintf("%s/%s", strings.TrimPrefix(fmt.Sprintf("%T", obj), "*v1."), obj.GetName())
}

// patch changes an object as somebody else would.
func (c *cluster) patch(t *testing.T, obj client.Object, patch string) {
	t.Helper()
	must(t, c.api.Patch(t.Context(), c.live(t, obj), client.RawPatch(types.MergePatchType, []byte(patch)), client.FieldOwner("somebody")))
}

func TestApplyTwiceWritesNothing(t *testing.T) {
	c := newCluster(t)
	owner, desired := c.owner(t, "main"), everyKind()
	c.apply(t, owner, desired...)
	if got := c.writes.take(); len(got) != len(desired) {
		t.Errorf("%d objects took %d writes: %q", len(desired), len(got), got)
	}
	before := c.versions(t, desired)

	c.apply(t, owner, everyKind()...)
	if got := c.writes.take(); len(got) > 0 {
		t.Errorf("applied again, nothing changed, and written: %q", got)
	}
	// Applying for real what is there already must not move a version either: that would be what a restarted operator
	// with another hash does to every object.
	for _, obj := range desired {
		child, err := newChild(c.api.Scheme(), owner, obj)
		must(t, err)
		must(t, c.applier().send(t.Context(), child))
	}
	if diff := cmp.Diff(before, c.versions(t, desired)); diff != "" {
		t.Errorf("resource versions moved: %s", diff)
	}
	kinds := map[string]bool{}
	for _, obj := range desired {
		kinds[fmt.Sprintf("%T", obj)] = true
	}
	for _, typ := range ownedTypes() {
		if !kinds[fmt.Sprintf("%T", typ)] {
			t.Errorf("this test lacks a %T", typ)
		}
	}
}

func TestApplyMarksWhatItMakes(t *testing.T) {
	c := newCluster(t)
	owner, desired := c.owner(t, "main"), everyKind()
	c.apply(t, owner, desired...)
	for _, obj := range desired {
		live := c.live(t, obj)
		ref := metav1.GetControllerOf(live)
		if ref == nil || ref.UID != owner.UID || ref.Kind != "PrometheusServer" || !ptr.Deref(ref.BlockOwnerDeletion, false) {
			t.Errorf("%s has the owner %v", title(obj), ref)
		}
		if l := live.GetLabels(); l[stack.LabelManagedBy] != stack.ManagedBy || l[stack.LabelOwnerUID] != string(owner.UID) || l["app.kubernetes.io/name"] != obj.GetName() {
			t.Errorf("%s has the labels %v", title(obj), l)
		}
		if a := live.GetAnnotations(); len(a[stack.AnnotationApplied]) != 32 || a["example.org/why"] != "test" {
			t.Errorf("%s has the annotations %v", title(obj), a)
		}
	}
}

// TestApplyRepairsDrift edits a field of every kind by hand.
func TestApplyRepairsDrift(t *testing.T) {
	c := newCluster(t)
	owner, desired := c.owner(t, "main"), everyKind()
	c.apply(t, owner, desired...)
	edits := map[string]string{
		"ServiceAccount/account":     `{"automountServiceAccountToken":true}`,
		"ConfigMap/config":           `{"data":{"prometheus.yml":"scrape_configs: []"}}`,
		"Service/web":                `{"spec":{"selector":{"app":"server","added":"by-hand"}}}`,
		"Service/outside":            `{"spec":{"ports":[{"name":"web","port":81,"targetPort":"web"}]}}`,
		"Service/headless":           `{"spec":{"publishNotReadyAddresses":false}}`,
		"Role/role":                  `{"rules":[{"apiGroups":[""],"resources":["configmaps"],"verbs":["get","watch"]}]}`,
		"RoleBinding/binding":        `{"subjects":[{"kind":"ServiceAccount","name":"default","namespace":"default"}]}`,
		"PodDisruptionBudget/budget": `{"spec":{"maxUnavailable":2}}`,
		"StatefulSet/server":         `{"spec":{"replicas":5,"template":{"spec":{"terminationGracePeriodSeconds":1}}}}`,
		"Deployment/state":           `{"spec":{"replicas":3,"strategy":{"type":"Recreate","rollingUpdate":null}}}`,
		"DaemonSet/exporter":         `{"spec":{"template":{"spec":{"nodeSelector":{"also":"this"}}}}}`,
	}
	if len(edits) != len(desired) {
		t.Errorf("%d edits for %d objects", len(edits), len(desired))
	}
	for _, obj := range desired {
		t.Run(title(obj), func(t *testing.T) {
			before := c.live(t, obj)
			c.patch(t, obj, edits[title(obj)])
			c.caughtUp(t, obj)
			c.writes.take()
			c.apply(t, owner, desired...)
			if got := c.writes.take(); len(got) != 1 && title(obj) != "Service/outside" { // that one: see collides
				t.Errorf("one edit took %d writes: %q", len(got), got)
			}
			if diff := cmp.Diff(content(t, before), content(t, c.live(t, obj)), nodePortsMayDiffer); diff != "" {
				t.Error(diff)
			}
			c.apply(t, owner, desired...)
			if got := c.writes.take(); len(got) > 0 {
				t.Errorf("written again: %q", got)
			}
		})
	}
}

// TestApplyRepairsAnEditedPort edits port numbers, which the API takes for the removal of our port and the addition of
// somebody's, and then makes sure that what it took to repair that does not cling to the object.
func TestApplyRepairsAnEditedPort(t *testing.T) {
	c := newCluster(t)
	owner, service, ds := c.owner(t, "main"), clusterService(), daemonSet()
	c.apply(t, owner, service, ds)
	c.patch(t, service, `{"metadata":{"labels":{"team":"web"}},"spec":{"ports":[{"name":"web","port":81},{"name":"reloader","port":8080}]}}`)
	must(t, c.api.Patch(t.Context(), c.live(t, ds), client.RawPatch(types.JSONPatchType,
		[]byte(`[{"op":"replace","path":"/spec/template/spec/containers/0/ports/0/containerPort","value":9191}]`)), client.FieldOwner("somebody")))
	c.caughtUp(t, service, ds)
	c.apply(t, owner, service, ds)

	service.Spec.Ports[0].Port = 9999
	c.apply(t, owner, service, ds)
	live := c.live(t, service).(*corev1.Service)
	if ports := live.Spec.Ports; len(ports) != 2 || ports[0].Port+ports[1].Port != 9999+8080 || live.Labels["team"] != "web" {
		t.Errorf("labels are %v, ports are %v", live.Labels, live.Spec.Ports)
	}
	if ports := c.live(t, ds).(*appsv1.DaemonSet).Spec.Template.Spec.Containers[0].Ports; len(ports) != 2 || ports[0].ContainerPort != 9090 {
		t.Errorf("ports of the DaemonSet are %v", ports)
	}
	for _, obj := range []client.Object{service, ds} {
		if updatedByHearth(c.live(t, obj)) {
			t.Errorf("%s has fields of ours that no apply would remove", title(obj))
		}
	}
}

// nodePortsMayDiffer: a port made anew gets another nodePort where none is asked for.
var nodePortsMayDiffer = cmp.FilterPath(func(p cmp.Path) bool {
	return strings.HasSuffix(p.String()+p.Last().String(), `["nodePort"]`)
}, cmp.Ignore())

// content is what of an object is compared before and after: everything but the bookkeeping.
func content(t *testing.T, obj client.Object) map[string]any {
	t.Helper()
	fields, err := (&child{live: obj}).fields()
	must(t, err)
	delete(fields, "status")
	metadata := fields["metadata"].(map[string]any)
	for _, name := range []string{"resourceVersion", "generation", "managedFields"} {
		delete(metadata, name)
	}
	// The API counts the changes of a DaemonSet's template here.
	if annotations, ok := metadata["annotations"].(map[string]any); ok {
		delete(annotations, "deprecated.daemonset.template.generation")
	}
	return fields
}

func TestApplyMakesAnewWhatIsDeleted(t *testing.T) {
	c := newCluster(t)
	owner, desired := c.owner(t, "main"), everyKind()
	c.apply(t, owner, desired...)
	for _, obj := range desired {
		must(t, c.api.Delete(t.Context(), c.live(t, obj), client.PropagationPolicy(metav1.DeletePropagationBackground)))
	}
	c.caughtUp(t, desired...)
	c.apply(t, owner, desired...)
	for _, obj := range desired {
		c.live(t, obj)
	}
}

func TestApplyLeavesWhatOthersAdd(t *testing.T) {
	c := newCluster(t)
	owner, desired := c.owner(t, "main"), everyKind()
	c.apply(t, owner, desired...)
	for _, obj := range desired {
		c.patch(t, obj, `{"metadata":{"labels":{"team":"web"},"annotations":{"note":"mine"}}}`)
	}
	sts := statefulSet()
	c.patch(t, sts, `{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"now"}}}}}`)
	c.caughtUp(t, desired...)
	c.writes.take()
	c.apply(t, owner, desired...)
	if got := c.writes.take(); len(got) > 0 {
		t.Errorf("written although only others' fields changed: %q", got)
	}
	// Now with a change of ours, so that each is really applied.
	for _, obj := range desired {
		obj.GetLabels()["changed"] = "yes"
	}
	c.apply(t, owner, desired...)
	for _, obj := range desired {
		live := c.live(t, obj)
		if live.GetLabels()["changed"] != "yes" || live.GetLabels()["team"] != "web" || live.GetAnnotations()["note"] != "mine" {
			t.Errorf("%s has labels %v and annotations %v", title(obj), live.GetLabels(), live.GetAnnotations())
		}
	}
	if !c.get(t, sts.Name, sts) || sts.Spec.Template.Annotations["kubectl.kubernetes.io/restartedAt"] != "now" {
		t.Error("a restart by hand was undone")
	}
}

func TestApplyRemovesWhatIsNoLongerWanted(t *testing.T) {
	c := newCluster(t)
	owner := c.owner(t, "main")
	object := func(data map[string]string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "config"}, Data: data}
	}
	c.apply(t, owner, object(map[string]string{"a": "1", "b": "2"}))
	c.apply(t, owner, object(map[string]string{"a": "1"}))
	var live corev1.ConfigMap
	if !c.get(t, "config", &live) || cmp.Diff(map[string]string{"a": "1"}, live.Data) != "" {
		t.Errorf("data are %v", live.Data)
	}
}

// TestApplyPutsBackItsMarks strips from every kind what makes it recognisable as Hearth's, one mark and then all.
func TestApplyPutsBackItsMarks(t *testing.T) {
	c := newCluster(t)
	owner, desired := c.owner(t, "main"), everyKind()
	c.apply(t, owner, desired...)
	managedBy, ownerUID := `"`+stack.LabelManagedBy+`":null`, `"`+stack.LabelOwnerUID+`":null`
	for name, patch := range map[string]string{
		"managed-by":           `{"metadata":{"labels":{` + managedBy + `}}}`,
		"owner-uid":            `{"metadata":{"labels":{` + ownerUID + `}}}`,
		"applied":              `{"metadata":{"annotations":{"` + stack.AnnotationApplied + `":null}}}`,
		"own label":            `{"metadata":{"labels":{"app.kubernetes.io/name":null}}}`,
		"owner reference":      `{"metadata":{"ownerReferences":null}}`,
		"all but the hash":     `{"metadata":{"ownerReferences":null,"labels":{` + managedBy + `,` + ownerUID + `}}}`,
		"all but the UID":      `{"metadata":{"ownerReferences":null,"annotations":null}}`,
		"controller reference": `{"metadata":{"ownerReferences":[{"apiVersion":"monitoring.hearth.dev/v1alpha1","kind":"PrometheusServer","name":"main","uid":"` + string(owner.UID) + `"}]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			before := map[string]client.Object{}
			for _, obj := range desired {
				before[title(obj)] = c.live(t, obj)
				c.patch(t, obj, patch)
			}
			c.caughtUp(t, desired...)
			c.apply(t, owner, desired...)
			for _, obj := range desired {
				if diff := cmp.Diff(content(t, before[title(obj)]), content(t, c.live(t, obj))); diff != "" {
					t.Errorf("%s: %s", title(obj), diff)
				}
			}
		})
	}
}

package controllers

import (
	"errors"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// collectGarbage does to an object that is being deleted what the garbage collector does, which is not part of an API
// server: it takes the finalizer away. It returns which one that was.
func (c *cluster) collectGarbage(t *testing.T, obj client.Object) string {
	t.Helper()
	live := c.live(t, obj)
	finalizers := live.GetFinalizers()
	if live.GetDeletionTimestamp().IsZero() || len(finalizers) != 1 {
		t.Fatalf("%s is not being deleted (finalizers %q)", title(obj), finalizers)
	}
	must(t, c.api.Patch(t.Context(), live, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))))
	c.caughtUp(t, obj)
	return finalizers[0]
}

// TestImmutableFieldsOfAStatefulSet changes each of them; except with the selector the pods must be kept.
func TestImmutableFieldsOfAStatefulSet(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*appsv1.StatefulSet)
		orphan bool
	}{
		"claim size":             {func(s *appsv1.StatefulSet) { request(s)[corev1.ResourceStorage] = resource.MustParse("2Gi") }, true},
		"service name":           {func(s *appsv1.StatefulSet) { s.Spec.ServiceName = "web" }, true},
		"pod management":         {func(s *appsv1.StatefulSet) { s.Spec.PodManagementPolicy = appsv1.OrderedReadyPodManagement }, true},
		"pod management unset":   {func(s *appsv1.StatefulSet) { s.Spec.PodManagementPolicy = "" }, true},
		"claim template's label": {func(s *appsv1.StatefulSet) { s.Spec.VolumeClaimTemplates[0].Labels = nil }, true},
		"selector": {func(s *appsv1.StatefulSet) {
			s.Spec.Selector, s.Spec.Template.Labels = selects("another"), map[string]string{"app": "another"}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			owner, sts := c.owner(t, "main"), statefulSet()
			c.apply(t, owner, sts)
			before := c.live(t, sts)
			test.change(sts)
			sts.Spec.Template.Spec.Containers[0].Image = "prom/prometheus:v3.16.0" // changed together with it

			if !test.orphan {
				c.apply(t, owner, sts) // nothing is kept, so nothing has to be waited for
			} else {
				for range 2 { // the second time it is on its way out and must be left to go
					var pending *PendingError
					if err := c.applier().apply(t.Context(), owner, []client.Object{sts}); !errors.As(err, &pending) {
						t.Fatalf("error is %v, want pending", err)
					}
					c.caughtUp(t, sts)
				}
				if finalizer := c.collectGarbage(t, sts); finalizer != metav1.FinalizerOrphanDependents {
					t.Errorf("finalizer is %q: the pods are not kept", finalizer)
				}
				c.apply(t, owner, sts)
			}
			after := c.live(t, sts).(*appsv1.StatefulSet)
			if after.UID == before.GetUID() || after.Spec.Template.Spec.Containers[0].Image != "prom/prometheus:v3.16.0" {
				t.Errorf("UID %s -> %s, image %s", before.GetUID(), after.UID, after.Spec.Template.Spec.Containers[0].Image)
			}
			c.writes.take()
			c.apply(t, owner, sts)
			if got := c.writes.take(); len(got) > 0 {
				t.Errorf("written again: %q", got)
			}
		})
	}
}

func request(s *appsv1.StatefulSet) corev1.ResourceList {
	return s.Spec.VolumeClaimTemplates[0].Spec.Resources.Requests
}

// TestNothingIsDeletedForWhatTheAPIRefuses changes an immutable field together with a mistake.
func TestNothingIsDeletedForWhatTheAPIRefuses(t *testing.T) {
	c := newCluster(t)
	owner, sts := c.owner(t, "main"), statefulSet()
	c.apply(t, owner, sts)
	before := c.live(t, sts)
	sts.Spec.ServiceName = "web"
	sts.Spec.Template.Spec.Containers[0].Image = ""
	err := c.applier().apply(t.Context(), owner, []client.Object{sts})
	if err == nil || !strings.Contains(err.Error(), "spec.template.spec.containers[0].image: Required value") {
		t.Errorf("error is %v", err)
	}
	if after := c.live(t, sts); after.GetUID() != before.GetUID() || !after.GetDeletionTimestamp().IsZero() {
		t.Error("it was deleted")
	}
}

func TestReplaceOthers(t *testing.T) {
	headless, address := headlessService(), headlessService()
	address.Spec.ClusterIP = ""
	address.Spec.Type = corev1.ServiceTypeNodePort
	binding := func(role string) *rbacv1.RoleBinding {
		return &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "binding"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role}}
	}
	selecting := daemonSet()
	selecting.Spec.Selector, selecting.Spec.Template.Labels = selects("another"), map[string]string{"app": "another"}
	for name, test := range map[string]struct{ from, to client.Object }{
		"Service to headless":   {address, headless},
		"Service from headless": {headless, address},
		"RoleBinding's role":    {binding("a"), binding("b")},
		"DaemonSet's selector":  {daemonSet(), selecting},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			owner := c.owner(t, "main")
			c.apply(t, owner, test.from)
			before := c.live(t, test.from)
			c.apply(t, owner, test.to)
			if c.live(t, test.to).GetUID() == before.GetUID() {
				t.Error("it is the same object still")
			}
			c.writes.take()
			c.apply(t, owner, test.to)
			if got := c.writes.take(); len(got) > 0 {
				t.Errorf("written again: %q", got)
			}
		})
	}
}

// TestPendingDoesNotStopTheOthers has one child on its way out, held by somebody's finalizer, and one that is not.
func TestPendingDoesNotStopTheOthers(t *testing.T) {
	c := newCluster(t)
	owner := c.owner(t, "main")
	held := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "held"}}
	c.apply(t, owner, held)
	c.patch(t, held, `{"metadata":{"finalizers":["example.org/hold"]}}`)
	must(t, c.api.Delete(t.Context(), c.live(t, held)))
	c.caughtUp(t, held)
	c.writes.take()

	other := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "other"}}
	err := c.applier().apply(t.Context(), owner, []client.Object{held, other})
	var pending *PendingError
	if !errors.As(err, &pending) || pending.Name != "held" {
		t.Errorf("error is %v, want pending", err)
	}
	if got := c.writes.take(); !slices.Equal(got, []string{"PATCH /api/v1/namespaces/" + c.namespace + "/configmaps/other"}) {
		t.Errorf("written: %q", got)
	}
	c.collectGarbage(t, held)
	c.apply(t, owner, held, other)
	c.live(t, held)
}

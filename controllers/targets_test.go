package controllers

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// reach labels the test's namespace.
func (c *cluster) reach(t *testing.T, value string) {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: c.namespace}}
	patch := fmt.Sprintf(`{"metadata":{"labels":{%q:%q}}}`, stack.LabelReach, value)
	must(t, c.api.Patch(t.Context(), ns, client.RawPatch(types.MergePatchType, []byte(patch))))
}

// roles are those that a server has, by where they hold.
func (c *cluster) roles(t *testing.T, server string) []string {
	t.Helper()
	var out []string
	add := func(b client.Object, role string) {
		if ns, name, ok := stack.BoundTo(b.GetName()); ok && ns == c.namespace && name == server {
			out = append(out, b.GetNamespace()+"/"+role)
		}
	}
	var everywhere rbacv1.ClusterRoleBindingList
	must(t, c.api.List(t.Context(), &everywhere))
	for i := range everywhere.Items {
		add(&everywhere.Items[i], everywhere.Items[i].RoleRef.Name)
	}
	var in rbacv1.RoleBindingList
	must(t, c.api.List(t.Context(), &in))
	for i := range in.Items {
		add(&in.Items[i], in.Items[i].RoleRef.Name)
	}
	slices.Sort(out)
	return out
}

// pulling is a server that pulls from Kubernetes and from what is annotated in a namespace.
func (c *cluster) pulling(t *testing.T, from string) *v1alpha1.PrometheusServer {
	t.Helper()
	ps := &v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Name: "main"}, Spec: v1alpha1.PrometheusServerSpec{
		Replicas: ptr.To(int32(0)),
		Targets: &v1alpha1.Targets{
			Kubernetes: &v1alpha1.KubernetesTargets{All: true},
			Annotations: &v1alpha1.AnnotationTargets{Pods: &v1alpha1.AnnotatedPods{}, NamespaceSelector: &metav1.LabelSelector{
				MatchLabels: map[string]string{corev1.LabelMetadataName: from}}},
		},
	}}
	c.create(t, ps)
	return ps
}

func (c *cluster) there(t *testing.T, obj client.Object) {
	t.Helper()
	eventually(t, func() error {
		if !c.get(t, obj.GetName(), obj) {
			return fmt.Errorf("there is no %s", title(obj))
		}
		return nil
	})
}

func (c *cluster) gone(t *testing.T, obj client.Object) {
	t.Helper()
	eventually(t, func() error {
		if c.get(t, obj.GetName(), obj) {
			return fmt.Errorf("%s is still there", title(obj))
		}
		return nil
	})
}

// TestReconcileBindsServersToWhatTheyPullFrom, as long as they do, their namespace is allowed to, and they are there.
func TestReconcileBindsServersToWhatTheyPullFrom(t *testing.T) {
	c := newCluster(t, operator(t.Context()))
	shop := c.elsewhere(t)
	ps := c.pulling(t, shop)
	become := func(want ...string) {
		t.Helper()
		slices.Sort(want)
		eventually(t, func() error {
			if diff := cmp.Diff(want, c.roles(t, "main")); diff != "" {
				return fmt.Errorf("roles (-want +got):\n%s", diff)
			}
			return c.observed(t, ps)
		})
	}
	all := []string{"/hearth-kubelets", "/hearth-metrics-reader", "/hearth-nodes", "/hearth-state-metrics", "default/hearth-discovery",
		"kube-system/hearth-discovery", c.namespace + "/hearth-discovery", shop + "/hearth-discovery"}
	eventually(t, func() error {
		if len(c.children(t)) == 0 {
			return errors.New("nothing is made yet")
		}
		return c.observed(t, ps)
	})
	become()
	c.reach(t, stack.ReachCluster)
	become(all...)
	state := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "kube-state-metrics-main-0"}}
	c.there(t, state)
	c.quiet(t)
	before := c.versions(t, c.children(t))
	c.writes.take()
	c.patch(t, ps, `{"metadata":{"annotations":{"test":"again"}}}`)
	time.Sleep(2 * time.Second)
	if writes := c.writes.take(); slices.ContainsFunc(writes, func(w string) bool { return strings.Contains(w, c.namespace) && !strings.Contains(w, "/events") }) {
		t.Errorf("reconciling again wrote %v", writes)
	}
	if diff := cmp.Diff(before, c.versions(t, c.children(t))); diff != "" {
		t.Errorf("resource versions moved: %s", diff)
	}
	for _, name := range []string{"hearth-nodes", "hearth-kubelets"} {
		binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: stack.BindingName(name, c.namespace, "main")}}
		must(t, c.api.Delete(t.Context(), binding))
		become(all...)
	}
	c.patch(t, ps, `{"spec":{"targets":{"annotations":null,"kubernetes":{"all":false,"kubelets":{}}}}}`)
	become("/hearth-kubelets", "/hearth-nodes")
	c.gone(t, state)
	c.reach(t, "namespace")
	become()
	c.reach(t, stack.ReachCluster)
	become("/hearth-kubelets", "/hearth-nodes")
	must(t, c.api.Delete(t.Context(), ps))
	eventually(t, func() error {
		if roles := c.roles(t, "main"); len(roles) > 0 {
			return fmt.Errorf("the server is gone, and %v is left", roles)
		}
		return nil
	})
}

package controllers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/internal/manifests"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// bindings are those of a server in the test's namespace.
func (c *cluster) bindings(server string, needs ...stack.Binding) []client.Object {
	s := &stack.Stack{Namespace: c.namespace, Name: server, Labels: stack.ServerSelector(server), Bindings: needs}
	for i := range s.Bindings {
		s.Bindings[i].Account = "prometheus-" + server
	}
	return asClientObjects(manifests.Bindings(s))
}

// elsewhere makes a second namespace.
func (c *cluster) elsewhere(t *testing.T) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	must(t, c.api.Create(t.Context(), ns))
	return ns.Name
}

// bound fails unless the cluster has exactly these bindings of a server beyond its namespace.
func (c *cluster) bound(t *testing.T, server string, want ...client.Object) error {
	t.Helper()
	var got []string
	add := func(o client.Object) {
		if ns, name, ok := stack.BoundTo(o.GetName()); ok && ns == c.namespace && name == server {
			got = append(got, bindingKey(o))
		}
	}
	var everywhere rbacv1.ClusterRoleBindingList
	must(t, c.api.List(t.Context(), &everywhere))
	for i := range everywhere.Items {
		add(&everywhere.Items[i])
	}
	var in rbacv1.RoleBindingList
	must(t, c.api.List(t.Context(), &in))
	for i := range in.Items {
		add(&in.Items[i])
	}
	var keys []string
	for _, o := range want {
		keys = append(keys, bindingKey(o))
	}
	if diff := cmp.Diff(keys, got); diff != "" {
		return fmt.Errorf("bindings (-want +got):\n%s", diff)
	}
	return nil
}

// follow waits until the cache has these bindings as the API server has them.
func (c *cluster) follow(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, obj := range objects {
		eventually(t, func() error {
			inAPI, cached := obj.DeepCopyObject().(client.Object), obj.DeepCopyObject().(client.Object)
			aerr := c.api.Get(t.Context(), client.ObjectKeyFromObject(obj), inAPI)
			cerr := c.manager.GetClient().Get(t.Context(), client.ObjectKeyFromObject(obj), cached)
			if apierrors.IsNotFound(aerr) != apierrors.IsNotFound(cerr) || aerr == nil && inAPI.GetResourceVersion() != cached.GetResourceVersion() {
				return fmt.Errorf("the cache is behind: %w", errors.Join(aerr, cerr, errors.New("or another version")))
			}
			return nil
		})
	}
}

func TestBindings(t *testing.T) {
	c := newCluster(t)
	owner, other := c.owner(t, "main"), c.elsewhere(t)
	all := c.bindings("main", stack.Binding{Role: stack.RoleNodes}, stack.Binding{Role: stack.RoleDiscovery, Namespace: other})
	bind := func(desired ...client.Object) {
		t.Helper()
		must(t, c.applier().bind(t.Context(), owner, desired))
		c.follow(t, all...)
	}
	bind(all...)
	must(t, c.bound(t, "main", all...))
	c.writes.take()
	bind(all...)
	if got := c.writes.take(); len(got) > 0 {
		t.Errorf("bound again, nothing changed, and written: %q", got)
	}
	for what, patch := range map[string]string{
		"subjects": `{"subjects":[{"kind":"ServiceAccount","name":"default","namespace":"default"}]}`,
		"labels":   `{"metadata":{"labels":{"app.kubernetes.io/managed-by":null,"monitoring.hearth.dev/owner-uid":null}}}`,
		"nobody":   `{"subjects":null}`,
	} {
		for _, obj := range all {
			before := obj.DeepCopyObject().(client.Object)
			must(t, c.api.Get(t.Context(), client.ObjectKeyFromObject(obj), before))
			must(t, c.api.Patch(t.Context(), before.DeepCopyObject().(client.Object), client.RawPatch(types.MergePatchType, []byte(patch)), client.FieldOwner("somebody")))
			eventually(t, func() error {
				must(t, c.applier().bind(t.Context(), owner, all))
				after := obj.DeepCopyObject().(client.Object)
				must(t, c.api.Get(t.Context(), client.ObjectKeyFromObject(obj), after))
				if diff := cmp.Diff(content(t, before), content(t, after)); diff != "" {
					return fmt.Errorf("%s of %s: %s", what, title(obj), diff)
				}
				return nil
			})
			c.follow(t, obj)
		}
	}
	// A role that somebody exchanged can't be changed back, only made anew.
	must(t, c.api.Delete(t.Context(), all[0].DeepCopyObject().(client.Object)))
	wrong := all[0].DeepCopyObject().(*rbacv1.ClusterRoleBinding)
	wrong.RoleRef.Name, wrong.Labels = "view", map[string]string{stack.LabelManagedBy: stack.ManagedBy}
	must(t, c.api.Create(t.Context(), wrong, client.FieldOwner("somebody")))
	c.follow(t, all[0])
	var conflict *ConflictError
	if err := c.applier().bind(t.Context(), owner, all); !errors.As(err, &conflict) {
		t.Errorf("somebody's binding of our name: %v", err)
	}
	must(t, c.api.Delete(t.Context(), wrong))
	c.follow(t, all[0])

	bind(all...)
	bind(all[1:]...)
	must(t, c.bound(t, "main", all[1:]...))
	bind()
	must(t, c.bound(t, "main"))
}

// TestBindingsThatAreTaken: nothing is done to them, and the others are made all the same.
func TestBindingsThatAreTaken(t *testing.T) {
	c := newCluster(t)
	owner, other := c.owner(t, "main"), c.elsewhere(t)
	all := c.bindings("main", stack.Binding{Role: stack.RoleNodes}, stack.Binding{Role: stack.RoleDiscovery, Namespace: other})
	theirs := all[0].DeepCopyObject().(*rbacv1.ClusterRoleBinding)
	theirs.Subjects = nil
	must(t, c.api.Create(t.Context(), theirs, client.FieldOwner("somebody")))
	t.Cleanup(func() { _ = c.api.Delete(context.WithoutCancel(t.Context()), theirs) })

	err := c.applier().bind(t.Context(), owner, all)
	var conflict *ConflictError
	if !errors.As(err, &conflict) {
		t.Fatalf("error is %v, want a conflict", err)
	}
	t.Log(err)
	if want := "kubectl delete clusterrolebinding/hearth-nodes:" + c.namespace + ":main"; !strings.Contains(err.Error(), want) {
		t.Errorf("the error does not say %q", want)
	}
	version := theirs.ResourceVersion
	must(t, c.api.Get(t.Context(), client.ObjectKeyFromObject(theirs), theirs))
	if theirs.ResourceVersion != version {
		t.Error("their binding was touched")
	}
	must(t, c.api.Get(t.Context(), client.ObjectKeyFromObject(all[1]), &rbacv1.RoleBinding{}))
	c.follow(t, all[1])
	must(t, c.applier().bind(t.Context(), owner, nil))
	must(t, c.bound(t, "main", theirs))
}

// TestBindingsInANamespaceThatGoes: it is no reason to fail, and keeps no other from being made.
func TestBindingsInANamespaceThatGoes(t *testing.T) {
	c := newCluster(t)
	owner, going := c.owner(t, "main"), c.elsewhere(t)
	// There is no namespace controller here, so it stays in this state.
	must(t, c.api.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: going}}))
	all := c.bindings("main", stack.Binding{Role: stack.RoleDiscovery, Namespace: going},
		stack.Binding{Role: stack.RoleDiscovery, Namespace: "not-any-more"}, stack.Binding{Role: stack.RoleNodes})
	must(t, c.applier().bind(t.Context(), owner, all))
	must(t, c.bound(t, "main", all[2]))
	c.follow(t, all...)
	must(t, c.applier().bind(t.Context(), owner, nil))
}

// TestBindingsGoWithTheirServer although there is no finalizer: those of a server that was deleted while no operator ran go
// when one starts, and while it runs there is none without a server.
func TestBindingsGoWithTheirServer(t *testing.T) {
	before := newCluster(t)
	gone := before.owner(t, "gone")
	all := before.bindings("gone", stack.Binding{Role: stack.RoleNodes}, stack.Binding{Role: stack.RoleDiscovery, Namespace: before.elsewhere(t)})
	must(t, before.applier().bind(t.Context(), gone, all))
	must(t, before.bound(t, "gone", all...))
	must(t, before.api.Delete(t.Context(), gone))

	newCluster(t, operator(t.Context()))
	eventually(t, func() error { return before.bound(t, "gone") })
	for _, obj := range all {
		before.follow(t, obj)
		must(t, before.applier().bind(t.Context(), gone, []client.Object{obj}))
		eventually(t, func() error { return before.bound(t, "gone") })
	}
}

// asOperator is a client with what config/rbac gives the operator, and nothing else.
func asOperator(t *testing.T, c *cluster) client.Client {
	t.Helper()
	files, err := filepath.Glob("../config/rbac/*.yaml")
	must(t, err)
	for _, file := range files {
		if filepath.Base(file) == "kustomization.yaml" {
			continue
		}
		text, err := os.ReadFile(file)
		must(t, err)
		for document := range strings.SplitSeq(string(text), "\n---\n") {
			var role rbacv1.ClusterRole
			must(t, utilyaml.Unmarshal([]byte(document), &role))
			if role.Kind == "ClusterRole" {
				must(t, client.IgnoreAlreadyExists(c.api.Create(t.Context(), &role)))
			}
		}
	}
	account := rbacv1.Subject{Kind: "ServiceAccount", Namespace: "hearth-system", Name: "hearth"}
	must(t, client.IgnoreAlreadyExists(c.api.Create(t.Context(), &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "hearth"},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "hearth"}, Subjects: []rbacv1.Subject{account}})))
	config := rest.CopyConfig(apiServer.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:hearth-system:hearth"}
	out, err := client.New(config, client.Options{Scheme: c.api.Scheme()})
	must(t, err)
	return out
}

// TestTheOperatorMayBind: the API server lets it bind servers to what it has, and to nothing else.
func TestTheOperatorMayBind(t *testing.T) {
	c := newCluster(t)
	owner, other := c.owner(t, "main"), c.elsewhere(t)
	operator := asOperator(t, c)
	a := &applier{client: operator, reader: operator}
	account := "system:serviceaccount:" + c.namespace + ":prometheus-main"
	checks := []struct {
		what    string
		allowed bool
		spec    authorizationv1.SubjectAccessReviewSpec
	}{
		{"pods of the other namespace", true, mayDo("list", "", "pods", "", other)},
		{"Services of the other namespace", true, mayDo("watch", "", "services", "", other)},
		{"EndpointSlices of the other namespace", true, mayDo("watch", "discovery.k8s.io", "endpointslices", "", other)},
		{"nodes", true, mayDo("watch", "", "nodes", "", "")},
		{"metrics of kubelets", true, mayDo("get", "", "nodes", "metrics", "")},
		{"metrics of the API server", true, authorizationv1.SubjectAccessReviewSpec{NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: "/metrics", Verb: "get"}}},
		{"pods of a third namespace", false, mayDo("list", "", "pods", "", "default")},
		{"pods everywhere", false, mayDo("list", "", "pods", "", "")},
		{"Secrets", false, mayDo("get", "", "secrets", "", other)},
		{"ConfigMaps", false, mayDo("get", "", "configmaps", "", other)},
		{"what kubelets can be told", false, mayDo("get", "", "nodes", "proxy", "")},
		{"what kubelets log", false, mayDo("get", "", "nodes", "log", "")},
	}
	review := func(spec authorizationv1.SubjectAccessReviewSpec) bool {
		t.Helper()
		spec.User = account
		r := &authorizationv1.SubjectAccessReview{Spec: spec}
		must(t, c.api.Create(t.Context(), r))
		return r.Status.Allowed
	}
	expect := func(bound bool) {
		t.Helper()
		for _, check := range checks {
			eventually(t, func() error { // the authorizer watches, too
				if got := review(check.spec); got != (check.allowed && bound) {
					return fmt.Errorf("%s: allowed is %t while bound is %t", check.what, got, bound)
				}
				return nil
			})
		}
	}
	expect(false)
	eventually(t, func() error { // what it has itself, the authorizer learns a moment after it was made
		return a.bind(t.Context(), owner, c.bindings("main", stack.Binding{Role: stack.RoleDiscovery, Namespace: other},
			stack.Binding{Role: stack.RoleNodes}, stack.Binding{Role: stack.RoleKubelets}, stack.Binding{Role: stack.RoleMetrics}))
	})
	expect(true)
	if err := a.bind(t.Context(), owner, c.bindings("main", stack.Binding{Role: "cluster-admin"})); !apierrors.IsForbidden(errors.Unwrap(err.(interface{ Unwrap() []error }).Unwrap()[0])) {
		t.Errorf("the operator may bind a server to cluster-admin: %v", err)
	}
	must(t, a.bind(t.Context(), owner, nil))
	expect(false)
}

func mayDo(verb, group, name, sub, namespace string) authorizationv1.SubjectAccessReviewSpec {
	return authorizationv1.SubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
		Verb: verb, Group: group, Resource: name, Subresource: sub, Namespace: namespace}}
}

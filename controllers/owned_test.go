package controllers

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/internal/stack"
)

func TestPrune(t *testing.T) {
	c := newCluster(t)
	owner, desired := c.owner(t, "main"), everyKind()
	c.apply(t, owner, desired...)
	// None of these may go: another owner's, nobody's, a claim, and a user's copy with all marks but another field manager.
	c.apply(t, c.owner(t, "other"), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "others"}})
	c.create(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "nobodys", Labels: map[string]string{stack.LabelManagedBy: stack.ManagedBy, stack.LabelOwnerUID: string(owner.UID)}}})
	original := c.live(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "config"}})
	c.create(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "copy", Labels: original.GetLabels(), Annotations: original.GetAnnotations(), OwnerReferences: original.GetOwnerReferences()}})
	// A stripped label does not save one that is not wanted.
	c.patch(t, original, `{"metadata":{"labels":{"`+stack.LabelOwnerUID+`":null}}}`)
	claim := claimOf("data-server-0", "", "1Gi")
	c.create(t, claim)
	c.caughtUp(t, append(desired, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "copy"}}, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "nobodys"}})...)

	c.apply(t, owner, desired[0])
	for _, obj := range desired[1:] {
		if c.get(t, obj.GetName(), obj.DeepCopyObject().(client.Object)) {
			t.Errorf("%s was not pruned", title(obj))
		}
	}
	c.live(t, desired[0])
	for _, name := range []string{"others", "nobodys", "copy"} {
		c.live(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	c.live(t, claim)
}

// TestPruneDeletesByUID deletes with what the cache knew of an object that was made anew since by somebody else.
func TestPruneDeletesByUID(t *testing.T) {
	c := newCluster(t)
	owner := c.owner(t, "main")
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "config"}}
	c.apply(t, owner, object)
	old := c.live(t, object)
	must(t, c.api.Delete(t.Context(), old))
	c.create(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "config"}, Data: map[string]string{"theirs": "yes"}})
	if err := c.applier().remove(t.Context(), old, "ConfigMap", metav1.DeletePropagationBackground); !apierrors.IsConflict(err) {
		t.Errorf("error is %v, want a conflict", err)
	}
	c.live(t, object)
	// The same for a write that goes by what the cache knew.
	child, err := newChild(c.api.Scheme(), owner, object)
	must(t, err)
	child.live = old
	if err := c.applier().send(t.Context(), child); err == nil {
		t.Error("a namesake was taken over")
	}
}

func TestPruneWaitsUntilAllIsApplied(t *testing.T) {
	c := newCluster(t)
	owner := c.owner(t, "main")
	old := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "old"}}
	c.apply(t, owner, old)
	bad := clusterService()
	bad.Spec.Ports[0].Port = 70000
	good := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "good"}}
	err := c.applier().apply(t.Context(), owner, []client.Object{bad, good})
	if !apierrors.IsInvalid(errors.Unwrap(err.(interface{ Unwrap() []error }).Unwrap()[0])) {
		t.Errorf("error is %v, want Invalid", err)
	}
	for _, text := range []string{`apply Service "web"`, "spec.ports[0].port", "70000"} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q is not in the error %q", text, err)
		}
	}
	c.live(t, good)
	c.live(t, old)
}

func TestApplyDoesNothingForAnOwnerThatGoes(t *testing.T) {
	c := newCluster(t)
	owner := c.owner(t, "main")
	owner.DeletionTimestamp = ptr.To(metav1.Now())
	must(t, c.applier().apply(t.Context(), owner, everyKind()))
	if got := c.writes.take(); len(got) > 0 {
		t.Errorf("written: %q", got)
	}
}

func TestConflict(t *testing.T) {
	c := newCluster(t)
	owner := c.owner(t, "main")
	c.apply(t, c.owner(t, "other"), headlessService())
	theirs := []client.Object{
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "account"}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "config"}, Data: map[string]string{"theirs": "yes"}},
		// Labelled as if it were ours, which proves nothing.
		&policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Name: "budget", Labels: map[string]string{
			stack.LabelManagedBy: stack.ManagedBy, stack.LabelOwnerUID: string(owner.UID),
		}}, Spec: policyv1.PodDisruptionBudgetSpec{MinAvailable: ptr.To(intstr.FromInt32(1)), Selector: &metav1.LabelSelector{}}},
	}
	for _, obj := range theirs {
		c.create(t, obj)
	}
	theirs = append(theirs, headlessService())
	c.caughtUp(t, theirs...)
	before := c.versions(t, theirs)
	c.writes.take()

	err := c.applier().apply(t.Context(), owner, everyKind())
	var conflict *ConflictError
	if !errors.As(err, &conflict) {
		t.Fatalf("error is %v, want a conflict", err)
	}
	want := []Conflict{
		{Kind: "ServiceAccount", Name: "account"}, {Kind: "ConfigMap", Name: "config"},
		{Kind: "Service", Name: "headless", Holder: `PrometheusServer "other"`}, {Kind: "PodDisruptionBudget", Name: "budget"},
	}
	if diff := cmp.Diff(want, conflict.Conflicts); diff != "" {
		t.Error(diff)
	}
	for _, text := range []string{`Rename PrometheusServer "main"`, "kubectl -n " + c.namespace + " delete serviceaccount/account configmap/config"} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q is not in the error %q", text, err)
		}
	}
	if got := c.writes.take(); len(got) > 0 {
		t.Errorf("written in spite of the conflict: %q", got)
	}
	if diff := cmp.Diff(before, c.versions(t, theirs)); diff != "" {
		t.Errorf("others' objects changed: %s", diff)
	}
	for _, obj := range []client.Object{&appsv1.StatefulSet{}, &rbacv1.Role{}} {
		if c.get(t, map[bool]string{true: "server", false: "role"}[strings.Contains(fmt.Sprintf("%T", obj), "Stateful")], obj) {
			t.Errorf("%s was made", title(obj))
		}
	}
}

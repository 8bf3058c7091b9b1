package controllers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// The operator must not hold a cluster's ConfigMaps, and nobody asked it to see their content.
func TestCachesHoldHearthsObjectsOnly(t *testing.T) {
	c := newCluster(t)
	theirs := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "theirs"}, Data: map[string]string{"password": "1234"}}
	ours := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "ours", Labels: map[string]string{stack.LabelManagedBy: stack.ManagedBy}}}
	for _, cm := range []*corev1.ConfigMap{theirs, ours} {
		c.create(t, cm)
	}
	cached := c.manager.GetClient()
	eventually(t, func() error {
		return cached.Get(t.Context(), client.ObjectKeyFromObject(ours), &corev1.ConfigMap{})
	})
	if err := cached.Get(t.Context(), client.ObjectKeyFromObject(theirs), &corev1.ConfigMap{}); !apierrors.IsNotFound(err) {
		t.Errorf("somebody else's ConfigMap is in the cache: %v", err)
	}
	var all corev1.ConfigMapList
	must(t, cached.List(t.Context(), &all))
	for i := range all.Items {
		if all.Items[i].Labels[stack.LabelManagedBy] != stack.ManagedBy {
			t.Errorf("in the cache: %s", client.ObjectKeyFromObject(&all.Items[i]))
		}
	}
}

func TestAlertRulesAreHeldPacked(t *testing.T) {
	spec := groups("vector(1)")
	ar := &v1alpha1.AlertRule{
		ObjectMeta: metav1.ObjectMeta{Name: "rules", Annotations: map[string]string{lastApplied: "{}", "team": "mine"},
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}},
		Spec: *spec.DeepCopy(),
	}
	for range 2 { // a cache may hand the same object in twice
		out, err := pack(ar)
		must(t, err)
		if out != ar || len(ar.Spec.Groups) != 0 || len(ar.ManagedFields) != 0 || ar.Annotations[lastApplied] != "" {
			t.Fatalf("packed: %+v", ar)
		}
	}
	must(t, unpack(ar))
	if diff := cmp.Diff(spec, ar.Spec); diff != "" {
		t.Errorf("-packed +unpacked:\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"team": "mine"}, ar.Annotations); diff != "" {
		t.Error(diff)
	}
	must(t, unpack(ar))
	if len(ar.Spec.Groups) != 1 {
		t.Error("unpacking what is not packed takes the spec away")
	}
	if _, err := pack("a tombstone"); err != nil {
		t.Error(err)
	}
}

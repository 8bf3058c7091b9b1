package controllers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// someOwner is an owner for what needs no API server; its kind is one that client-go's scheme knows.
func someOwner(uid types.UID) client.Object {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "main", Namespace: "monitoring", UID: uid}}
}

func configured(t *testing.T, obj client.Object) *child {
	t.Helper()
	c, err := newChild(clientgoscheme.Scheme, someOwner("u-1"), obj)
	must(t, err)
	return c
}

func TestConfigurationHasNothingThatNobodySet(t *testing.T) {
	c := configured(t, &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: "s"},
		Spec: appsv1.StatefulSetSpec{
			ServiceName: "w",
			Replicas:    ptr.To[int32](0),
			Selector:    &metav1.LabelSelector{},
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "c", Args: []string{""}}},
				Volumes:    []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
			}},
			VolumeClaimTemplates: []corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: "data"}}},
		},
	})
	want := map[string]any{
		"apiVersion": "apps/v1", "kind": "StatefulSet",
		"metadata": map[string]any{
			"name": "s", "namespace": "monitoring",
			"labels":      map[string]any{"app.kubernetes.io/managed-by": "hearth", "monitoring.hearth.dev/owner-uid": "u-1"},
			"annotations": map[string]any{"monitoring.hearth.dev/applied": c.hash},
			"ownerReferences": []any{map[string]any{
				"apiVersion": "v1", "kind": "Pod", "name": "main", "uid": "u-1", "controller": true, "blockOwnerDeletion": true,
			}},
		},
		"spec": map[string]any{
			"serviceName": "w",
			"replicas":    int64(0),
			"selector":    map[string]any{},
			"template": map[string]any{"spec": map[string]any{
				"containers": []any{map[string]any{"name": "c", "args": []any{""}}},
				"volumes":    []any{map[string]any{"name": "v", "emptyDir": map[string]any{}}},
			}},
			"volumeClaimTemplates": []any{map[string]any{"metadata": map[string]any{"name": "data"}}},
		},
	}
	if diff := cmp.Diff(want, c.config.Object); diff != "" {
		t.Error(diff)
	}
}

func TestConfigurationOfUnsetScalarStructs(t *testing.T) {
	service := configured(t, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "s"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
	})
	if diff := cmp.Diff(map[string]any{"ports": []any{map[string]any{"port": int64(80)}}}, service.config.Object["spec"]); diff != "" {
		t.Error(diff)
	}
	budget := configured(t, &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Name: "b"}, Status: policyv1.PodDisruptionBudgetStatus{CurrentHealthy: 3}})
	for _, name := range []string{"spec", "status"} {
		if got, ok := budget.config.Object[name]; ok {
			t.Errorf("%s is sent: %v", name, got)
		}
	}
}

func TestHashIsOfContentAndOwner(t *testing.T) {
	for _, obj := range everyKind() {
		if a, b := configured(t, obj), configured(t, obj); a.hash != b.hash {
			t.Errorf("%s has two hashes", a)
		}
		other, err := newChild(clientgoscheme.Scheme, someOwner("u-2"), obj)
		must(t, err)
		if other.hash == configured(t, obj).hash {
			t.Errorf("%s has the same hash for another owner", other)
		}
	}
}

func TestNewChildLeavesTheBuildersObjectAlone(t *testing.T) {
	for _, obj := range everyKind() {
		before := obj.DeepCopyObject()
		configured(t, obj)
		if diff := cmp.Diff(before, obj); diff != "" {
			t.Error(diff)
		}
	}
}

func TestNewChildRefusesAnotherNamespace(t *testing.T) {
	obj := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "c", Namespace: "elsewhere"}}
	if _, err := newChild(clientgoscheme.Scheme, someOwner("u"), obj); err == nil {
		t.Error("no error")
	}
}

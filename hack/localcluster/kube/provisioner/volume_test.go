package provisioner

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func testClaim(request, capacity string) *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "x", Name: "data", UID: "1234"},
		Spec: corev1.PersistentVolumeClaimSpec{Resources: corev1.VolumeResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(request)},
		}},
		Status: corev1.PersistentVolumeClaimStatus{
			Phase:    corev1.ClaimBound,
			Capacity: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(capacity)},
			Conditions: []corev1.PersistentVolumeClaimCondition{
				{Type: corev1.PersistentVolumeClaimResizing}, {Type: corev1.PersistentVolumeClaimFileSystemResizePending}, {Type: "Unused"},
			},
		},
	}
}

func TestVolume(t *testing.T) {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-2", Labels: map[string]string{corev1.LabelHostname: "two"}}}
	retain := corev1.PersistentVolumeReclaimRetain
	class := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "kept"}, ReclaimPolicy: &retain}
	pv := volume(testClaim("1Gi", "0"), class, node, "/volumes")
	if pv.Name != "pvc-1234" || pv.Spec.Local.Path != "/volumes/node-2/pvc-1234" || pv.Spec.Capacity.Storage().String() != "1Gi" {
		t.Errorf("got %s %s %s", pv.Name, pv.Spec.Local.Path, pv.Spec.Capacity.Storage())
	}
	if pv.Spec.PersistentVolumeReclaimPolicy != retain || pv.Spec.StorageClassName != "kept" || pv.Spec.ClaimRef.UID != "1234" {
		t.Errorf("got %+v", pv.Spec)
	}
	if got := pv.Spec.NodeAffinity.Required.NodeSelectorTerms[0].MatchExpressions[0]; got.Key != corev1.LabelHostname || got.Values[0] != "two" {
		t.Errorf("affinity %+v", got)
	}
}

func TestWithCapacity(t *testing.T) {
	pvc := testClaim("2Gi", "1Gi")
	got := withCapacity(pvc, resource.MustParse("2Gi"))
	if got == nil || got.Status.Capacity.Storage().String() != "2Gi" || got.Status.AllocatedResources.Storage().String() != "2Gi" {
		t.Fatalf("got %+v", got)
	}
	if len(got.Status.Conditions) != 1 || got.Status.Conditions[0].Type != "Unused" {
		t.Errorf("conditions %+v, want those of the resize gone and the other kept", got.Status.Conditions)
	}
	if pvc.Status.Capacity.Storage().String() != "1Gi" || len(pvc.Status.Conditions) != 3 {
		t.Error("the cache's object was changed")
	}
	if withCapacity(got, resource.MustParse("2Gi")) != nil || withCapacity(got, resource.MustParse("1Gi")) != nil {
		t.Error("nothing to grow, and it is to be written")
	}
}

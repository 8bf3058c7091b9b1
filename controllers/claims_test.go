package controllers

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/internal/stack"
)

// claimOf is a claim as the StatefulSet controller makes it.
func claimOf(name, class, size string) *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{stack.LabelManagedBy: stack.ManagedBy}},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &class,
			AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:        corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(size)}},
		},
	}
}

// storageClass makes a class of the test's own, and returns its name.
func (c *cluster) storageClass(t *testing.T, growing bool) string {
	t.Helper()
	class := &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "class-"}, Provisioner: "example.org/none", AllowVolumeExpansion: ptr.To(growing),
	}
	must(t, c.api.Create(t.Context(), class))
	return class.Name
}

// bind makes a claim and does what the volume controller does, which is not part of an API server: it binds it.
func (c *cluster) bind(t *testing.T, claim *corev1.PersistentVolumeClaim) {
	t.Helper()
	claim.Spec.VolumeName = "volume-of-" + claim.Name
	c.create(t, claim)
	claim.Status.Phase = corev1.ClaimBound
	claim.Status.Capacity = claim.Spec.Resources.Requests
	claim.Status.AccessModes = claim.Spec.AccessModes
	must(t, c.api.Status().Update(t.Context(), claim))
}

func (c *cluster) size(t *testing.T, claim string) string {
	t.Helper()
	var live corev1.PersistentVolumeClaim
	if !c.get(t, claim, &live) {
		t.Fatalf("claim %s does not exist", claim)
	}
	return live.Spec.Resources.Requests.Storage().String()
}

// statefulSetOf is statefulSet with claims of a class and size.
func statefulSetOf(class, size string) *appsv1.StatefulSet {
	sts := statefulSet()
	sts.Spec.VolumeClaimTemplates[0].Spec.StorageClassName = &class
	request(sts)[corev1.ResourceStorage] = resource.MustParse(size)
	return sts
}

func TestClaimsGrow(t *testing.T) {
	c := newCluster(t)
	owner, class := c.owner(t, "main"), c.storageClass(t, true)
	c.apply(t, owner, statefulSetOf(class, "1Gi"))
	c.bind(t, claimOf("data-server-0", class, "1Gi"))
	unlabelled := claimOf("data-server-1", class, "1Gi") // such as one restored from a snapshot
	unlabelled.Labels = nil
	c.bind(t, unlabelled)
	c.bind(t, claimOf("data-server-7", class, "1Gi")) // of a replica that was scaled away
	larger := claimOf("data-server-8", class, "5Gi")  // grown by hand
	c.bind(t, larger)
	c.bind(t, claimOf("data-server-x-0", class, "1Gi")) // of a StatefulSet server-x
	c.bind(t, claimOf("other-server-0", class, "1Gi"))  // of another template
	c.create(t, claimOf("data-server-9", class, "1Gi")) // not bound yet
	c.caughtUp(t, larger, claimOf("data-server-0", "", "1"), claimOf("data-server-7", "", "1"), claimOf("data-server-9", "", "1"))
	c.writes.take()

	var pending *PendingError
	if err := c.applier().apply(t.Context(), owner, []client.Object{statefulSetOf(class, "2Gi")}); !errors.As(err, &pending) {
		t.Fatalf("error is %v, want pending", err)
	}
	prefix := "/api/v1/namespaces/" + c.namespace + "/persistentvolumeclaims/"
	sets := "/apis/apps/v1/namespaces/" + c.namespace + "/statefulsets"
	want := []string{
		"PATCH " + prefix + "data-server-0", "PATCH " + prefix + "data-server-7", "PATCH " + prefix + "data-server-1",
		"POST " + sets, "DELETE " + sets + "/server", // the first of these is the dry run
	}
	got := c.writes.take()
	if len(got) > 2 && got[0] > got[1] { // the cache lists in no order
		got[0], got[1] = got[1], got[0]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("claims first, then the StatefulSet: %s", diff)
	}
	for name, want := range map[string]string{
		"data-server-0": "2Gi", "data-server-1": "2Gi", "data-server-7": "2Gi", "data-server-8": "5Gi",
		"data-server-x-0": "1Gi", "other-server-0": "1Gi", "data-server-9": "1Gi",
	} {
		if got := c.size(t, name); got != want {
			t.Errorf("%s has %s, want %s", name, got, want)
		}
	}
	// What could not grow because it was not bound grows once it is.
	var late corev1.PersistentVolumeClaim
	c.get(t, "data-server-9", &late)
	late.Status.Phase = corev1.ClaimBound
	must(t, c.api.Status().Update(t.Context(), &late))
	c.caughtUp(t, &late, statefulSet())
	c.collectGarbage(t, statefulSet())
	c.apply(t, owner, statefulSetOf(class, "2Gi"))
	if got := c.size(t, "data-server-9"); got != "2Gi" {
		t.Errorf("the late one has %s", got)
	}
}

func TestClaimsNeverShrink(t *testing.T) {
	c := newCluster(t)
	class := c.storageClass(t, true)
	claim := claimOf("data-server-0", class, "2Gi")
	c.bind(t, claim)
	c.caughtUp(t, claim)
	sts := statefulSetOf(class, "1Gi")
	sts.Namespace = c.namespace
	must(t, c.applier().growClaims(t.Context(), sts))
	if got := c.writes.take(); len(got) > 0 {
		t.Errorf("written: %q", got)
	}
}

// TestClaimThatCannotGrow also changes the image: that has to go on, with the claims as they are.
func TestClaimThatCannotGrow(t *testing.T) {
	c := newCluster(t)
	owner, class := c.owner(t, "main"), c.storageClass(t, false)
	old := statefulSetOf(class, "1Gi")
	c.apply(t, owner, old)
	before := c.live(t, old)
	claim := claimOf("data-server-0", class, "1Gi")
	c.bind(t, claim)
	c.caughtUp(t, claim)

	sts := statefulSetOf(class, "2Gi")
	sts.Spec.Template.Spec.Containers[0].Image = "prom/prometheus:v3.16.0"
	other := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "other"}}
	err := c.applier().apply(t.Context(), owner, []client.Object{sts, other})
	var refused *ClaimError
	if !errors.As(err, &refused) || refused.Claim != "data-server-0" || refused.Class != class || refused.Want.String() != "2Gi" {
		t.Fatalf("error is %v (%+v)", err, refused)
	}
	t.Log(err)
	for _, text := range []string{`claim "data-server-0" cannot grow from 1Gi to 2Gi`, "set allowVolumeExpansion: true", class} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q is not in the error %q", text, err)
		}
	}
	after := c.live(t, sts).(*appsv1.StatefulSet)
	if size := request(after)[corev1.ResourceStorage]; after.UID != before.GetUID() || size.String() != "1Gi" || after.Spec.Template.Spec.Containers[0].Image != "prom/prometheus:v3.16.0" {
		t.Errorf("UID %s -> %s, size %s, image %s", before.GetUID(), after.UID, size.String(), after.Spec.Template.Spec.Containers[0].Image)
	}
	c.live(t, other)
	if got := c.size(t, "data-server-0"); got != "1Gi" {
		t.Errorf("the claim has %s", got)
	}
}

func TestClaimBeyondQuota(t *testing.T) {
	err := &ClaimError{Claim: "data-server-0", Class: "fast", Have: resource.MustParse("1Gi"), Want: resource.MustParse("2Gi"), Err: errors.New("exceeded quota: small")}
	if text := err.Error(); !strings.Contains(text, "raise the namespace's quota") || strings.Contains(text, "allowVolumeExpansion") {
		t.Error(text)
	}
}

// Where a claim can't grow, the size has to be taken back, and nothing but that.
func TestSizeGoesBackToWhatTheClaimsAskFor(t *testing.T) {
	c := newCluster(t)
	ps := c.owner(t, "main")
	c.patch(t, ps, `{"spec":{"storage":{"size":"20Gi"}}}`)
	c.get(t, ps.Name, ps)
	ps.Status.Claimed = ptr.To(resource.MustParse("10Gi"))
	must(t, c.api.Status().Update(t.Context(), ps))
	c.patch(t, ps, `{"spec":{"storage":{"size":"10Gi"}}}`)
	err := c.api.Patch(t.Context(), ps, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"storage":{"size":"9Gi"}}}`)))
	if err == nil || !strings.Contains(err.Error(), "cannot shrink below what the claims ask for") {
		t.Errorf("9Gi below a claim of 10Gi: %v", err)
	}
}

package provisioner

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/klog/v2"
)

// selectedNode is where the scheduler says that a WaitForFirstConsumer claim's pod goes.
const selectedNode = "volume.kubernetes.io/selected-node"

// claim gives a claim its volume, or, if it has one, the size it asks for by now.
func (p *provisioner) claim(ctx context.Context, namespace, name string) error {
	pvc, err := p.claims.PersistentVolumeClaims(namespace).Get(name)
	if err != nil {
		return err
	}
	if pvc.DeletionTimestamp != nil || pvc.Spec.StorageClassName == nil {
		return nil
	}
	class, err := p.classes.Get(*pvc.Spec.StorageClassName)
	if err != nil || class.Provisioner != Name {
		return err
	}
	if pvc.Spec.VolumeName != "" {
		return p.grow(ctx, pvc)
	}
	node, err := p.nodeFor(pvc, class)
	if err != nil || node == nil {
		return err
	}
	return p.provision(ctx, pvc, class, node)
}

// nodeFor is the node whose pod the claim waits for, or nil if there is none yet.
func (p *provisioner) nodeFor(pvc *corev1.PersistentVolumeClaim, class *storagev1.StorageClass) (*corev1.Node, error) {
	if name := pvc.Annotations[selectedNode]; name != "" {
		return p.nodes.Get(name)
	}
	if class.VolumeBindingMode != nil && *class.VolumeBindingMode == storagev1.VolumeBindingWaitForFirstConsumer {
		return nil, nil
	}
	nodes, err := p.nodes.List(labels.Everything())
	if err != nil || len(nodes) == 0 {
		return nil, err
	}
	return slices.MinFunc(nodes, func(a, b *corev1.Node) int { return strings.Compare(a.Name, b.Name) }), nil
}

func (p *provisioner) provision(ctx context.Context, pvc *corev1.PersistentVolumeClaim, class *storagev1.StorageClass, node *corev1.Node) error {
	pv := volume(pvc, class, node, p.root)
	// The folder first: a volume that is bound is mounted at once. Chmod, because Mkdir's mode goes through the umask, and
	// a pod that runs as any user, with or without an fsGroup, must be able to write.
	if err := os.MkdirAll(pv.Spec.Local.Path, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(pv.Spec.Local.Path, 0o777); err != nil {
		return err
	}
	_, err := p.client.CoreV1().PersistentVolumes().Create(ctx, pv, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil // The cache had not seen it yet: the name is made of the claim's UID, so it is this claim's.
	}
	if err == nil {
		klog.InfoS("provisioned", "volume", pv.Name, "namespace", pvc.Namespace, "claim", pvc.Name, "path", pv.Spec.Local.Path)
	}
	return err
}

// volume is the PersistentVolume for a claim, already reserved for it, on the node.
func volume(pvc *corev1.PersistentVolumeClaim, class *storagev1.StorageClass, node *corev1.Node, root string) *corev1.PersistentVolume {
	name := "pvc-" + string(pvc.UID)
	hostname := node.Labels[corev1.LabelHostname]
	reclaim := corev1.PersistentVolumeReclaimDelete
	if class.ReclaimPolicy != nil {
		reclaim = *class.ReclaimPolicy
	}
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{provisionedBy: Name}},
		Spec: corev1.PersistentVolumeSpec{
			AccessModes:                   pvc.Spec.AccessModes,
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: *pvc.Spec.Resources.Requests.Storage()},
			PersistentVolumeReclaimPolicy: reclaim,
			StorageClassName:              class.Name,
			VolumeMode:                    pvc.Spec.VolumeMode,
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				Local: &corev1.LocalVolumeSource{Path: filepath.Join(root, node.Name, name)},
			},
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim",
				Namespace: pvc.Namespace, Name: pvc.Name, UID: pvc.UID, ResourceVersion: pvc.ResourceVersion,
			},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{
					Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{hostname},
				}}}},
			}},
		},
	}
}

// grow raises a bound volume, and then what its claim says it got, to the claim's request.
func (p *provisioner) grow(ctx context.Context, pvc *corev1.PersistentVolumeClaim) error {
	pv, err := p.volumes.Get(pvc.Spec.VolumeName)
	if err != nil || pv.Annotations[provisionedBy] != Name || pvc.Status.Phase != corev1.ClaimBound {
		return err
	}
	want := pvc.Spec.Resources.Requests[corev1.ResourceStorage]
	if has := pv.Spec.Capacity[corev1.ResourceStorage]; want.Cmp(has) > 0 {
		pv = pv.DeepCopy()
		pv.Spec.Capacity[corev1.ResourceStorage] = want
		if _, err := p.client.CoreV1().PersistentVolumes().Update(ctx, pv, metav1.UpdateOptions{}); err != nil {
			return err
		}
		klog.InfoS("grown", "volume", pv.Name, "namespace", pvc.Namespace, "claim", pvc.Name, "from", has.String(), "to", want.String())
	}
	grown := withCapacity(pvc, want)
	if grown == nil {
		return nil
	}
	_, err = p.client.CoreV1().PersistentVolumeClaims(pvc.Namespace).UpdateStatus(ctx, grown, metav1.UpdateOptions{})
	return err
}

// withCapacity is the claim with that capacity and without the conditions of a resize, or nil if it is so already.
func withCapacity(pvc *corev1.PersistentVolumeClaim, want resource.Quantity) *corev1.PersistentVolumeClaim {
	if got := pvc.Status.Capacity[corev1.ResourceStorage]; want.Cmp(got) <= 0 {
		return nil
	}
	pvc = pvc.DeepCopy()
	pvc.Status.Capacity[corev1.ResourceStorage] = want
	if pvc.Status.AllocatedResources == nil {
		pvc.Status.AllocatedResources = corev1.ResourceList{}
	}
	pvc.Status.AllocatedResources[corev1.ResourceStorage] = want
	pvc.Status.AllocatedResourceStatuses = nil
	pvc.Status.Conditions = slices.DeleteFunc(pvc.Status.Conditions, func(c corev1.PersistentVolumeClaimCondition) bool {
		return strings.Contains(string(c.Type), "Resiz")
	})
	return pvc
}

// reclaim removes a volume of ours that its claim has left behind, and its folder.
func (p *provisioner) reclaim(ctx context.Context, name string) error {
	pv, err := p.volumes.Get(name)
	if err != nil {
		return err
	}
	if pv.Annotations[provisionedBy] != Name || pv.Status.Phase != corev1.VolumeReleased || pv.Spec.Local == nil ||
		pv.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete {
		return nil
	}
	// Whoever may edit a volume must not get us to remove any folder of the machine.
	path := filepath.Clean(pv.Spec.Local.Path)
	if !strings.HasPrefix(path, filepath.Clean(p.root)+"/") {
		return fmt.Errorf("volume %s: %s is not below %s: not removed", name, path, p.root)
	}
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	err = p.client.CoreV1().PersistentVolumes().Delete(ctx, name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pv.UID}})
	if err == nil {
		klog.InfoS("removed", "volume", name, "path", path)
	}
	return err
}

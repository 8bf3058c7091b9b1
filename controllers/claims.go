package controllers

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/hearth-monitoring/hearth/internal/stack"
)

// ClaimError says that the cluster refused to grow a claim. The claim and its samples are as they were.
type ClaimError struct {
	Claim string
	Class string // of storage; empty if the claim has none
	Have  resource.Quantity
	Want  resource.Quantity
	Err   error
}

func (e *ClaimError) Error() string {
	fix := fmt.Sprintf("if the driver of StorageClass %q can grow volumes, set allowVolumeExpansion: true on it; if not, make a new PrometheusServer of that size", e.Class)
	switch {
	case strings.Contains(e.Err.Error(), "exceeded quota"):
		fix = "raise the namespace's quota"
	case e.Class == "":
		fix = "it has no StorageClass, so nothing can grow it: make a new PrometheusServer of that size"
	}
	return fmt.Sprintf("claim %q cannot grow from %s to %s: %s (%v)", e.Claim, e.Have.String(), e.Want.String(), fix, e.Err)
}

func (e *ClaimError) Unwrap() error { return e.Err }

// grow grows the claims of a StatefulSet before it is written. If one of them can't grow, the StatefulSet keeps the size
// it has, so that everything else in it goes on and a new replica does not get another size than the old ones.
func (a *applier) grow(ctx context.Context, c *child) error {
	want, ok := c.object.(*appsv1.StatefulSet)
	if !ok {
		return nil
	}
	err := a.growClaims(ctx, want)
	live, ok := c.live.(*appsv1.StatefulSet)
	if err == nil || !ok {
		return err
	}
	for i := range want.Spec.VolumeClaimTemplates {
		template := &want.Spec.VolumeClaimTemplates[i]
		for _, has := range live.Spec.VolumeClaimTemplates {
			size, sized := has.Spec.Resources.Requests[corev1.ResourceStorage]
			if sized && has.Name == template.Name && template.Spec.Resources.Requests != nil {
				template.Spec.Resources.Requests[corev1.ResourceStorage] = size
			}
		}
	}
	return errors.Join(err, c.configure())
}

// growClaims raises the request of every claim that belongs to a StatefulSet to the size its template says. It never
// lowers one: a claim that somebody made larger by hand stays so. Claims are never deleted here either.
func (a *applier) growClaims(ctx context.Context, sts *appsv1.StatefulSet) error {
	var errs []error
	for i := range sts.Spec.VolumeClaimTemplates {
		template := &sts.Spec.VolumeClaimTemplates[i]
		want, ok := template.Spec.Resources.Requests[corev1.ResourceStorage]
		if !ok {
			continue
		}
		claims, err := a.claims(ctx, sts, template.Name)
		if err != nil {
			return err
		}
		for i := range claims {
			errs = append(errs, a.growClaim(ctx, &claims[i], want))
		}
	}
	return errors.Join(errs...)
}

// claims returns the claims made from one template, those of replicas scaled away included. They go by their names, as
// for the StatefulSet controller: one that was made by hand, from a snapshot for instance, has no label and so isn't in
// the cache, and a label with the owner's UID would not survive deleting the server and making it anew.
func (a *applier) claims(ctx context.Context, sts *appsv1.StatefulSet, template string) ([]corev1.PersistentVolumeClaim, error) {
	prefix := template + "-" + sts.Name + "-"
	var list corev1.PersistentVolumeClaimList
	if err := a.client.List(ctx, &list, client.InNamespace(sts.Namespace)); err != nil {
		return nil, fmt.Errorf("list claims of StatefulSet %q: %w", sts.Name, err)
	}
	var claims []corev1.PersistentVolumeClaim
	seen := map[string]bool{}
	for _, claim := range list.Items {
		ordinal, ok := strings.CutPrefix(claim.Name, prefix)
		if _, err := strconv.ParseUint(ordinal, 10, 31); ok && err == nil {
			claims = append(claims, claim)
			seen[claim.Name] = true
		}
	}
	start := int32(0)
	if sts.Spec.Ordinals != nil {
		start = sts.Spec.Ordinals.Start
	}
	for i := range ptr.Deref(sts.Spec.Replicas, 1) {
		name := prefix + strconv.Itoa(int(start+i))
		if seen[name] {
			continue
		}
		var claim corev1.PersistentVolumeClaim
		err := a.reader.Get(ctx, client.ObjectKey{Namespace: sts.Namespace, Name: name}, &claim)
		if err == nil {
			claims = append(claims, claim)
		} else if !apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("get claim %q: %w", name, err)
		}
	}
	return claims, nil
}

// growClaim patches the one field. A merge patch and not server-side apply, which would make the claim if it were gone,
// and would give Hearth a field that the StatefulSet controller made; with the resourceVersion, because what is larger
// by now must not be made smaller.
func (a *applier) growClaim(ctx context.Context, claim *corev1.PersistentVolumeClaim, want resource.Quantity) error {
	have := claim.Spec.Resources.Requests[corev1.ResourceStorage]
	// Before it is bound nobody can grow a claim; binding it is an event that brings us back.
	if have.Cmp(want) >= 0 || claim.Status.Phase != corev1.ClaimBound || !claim.DeletionTimestamp.IsZero() {
		return nil
	}
	grown := claim.DeepCopy()
	grown.Spec.Resources.Requests[corev1.ResourceStorage] = want
	err := a.client.Patch(ctx, grown, client.MergeFromWithOptions(claim, client.MergeFromWithOptimisticLock{}), client.FieldOwner(stack.ManagedBy))
	switch {
	case err == nil, apierrors.IsNotFound(err):
		return nil
	case apierrors.IsForbidden(err) && !strings.Contains(err.Error(), "cannot patch resource"): // the latter is a missing permission of ours
		return &ClaimError{Claim: claim.Name, Class: ptr.Deref(claim.Spec.StorageClassName, ""), Have: have, Want: want, Err: err}
	}
	return fmt.Errorf("grow claim %q: %w", claim.Name, err)
}

// own makes owner an owner of a claim, so that the claim is deleted with it, or ends that. Other owners stay.
func (a *applier) own(ctx context.Context, owner client.Object, claim *corev1.PersistentVolumeClaim, owned bool) error {
	has, err := controllerutil.HasOwnerReference(claim.OwnerReferences, owner, a.client.Scheme())
	if err != nil || has == owned {
		return err
	}
	changed := claim.DeepCopy()
	if owned {
		err = controllerutil.SetOwnerReference(owner, changed, a.client.Scheme())
	} else {
		err = controllerutil.RemoveOwnerReference(owner, changed, a.client.Scheme())
	}
	if err != nil {
		return fmt.Errorf("owner of claim %q: %w", claim.Name, err)
	}
	// With the resourceVersion: the patch replaces the whole list of owners.
	err = a.client.Patch(ctx, changed, client.MergeFromWithOptions(claim, client.MergeFromWithOptimisticLock{}), client.FieldOwner(stack.ManagedBy))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("owner of claim %q: %w", claim.Name, err)
	}
	return nil
}

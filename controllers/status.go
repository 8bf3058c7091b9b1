package controllers

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// statusWriter is the one path by which a status is written: once for each reconcile, and only if it changed.
type statusWriter struct {
	client client.Client
	events events.EventRecorder
	// echoes are of the writes of the controller.
	echoes *echoes
}

// write sends the status that changed has and before has not. An object that is gone needs none.
//
// It is sent with the resourceVersion, because what was computed from an old status must not be laid over a newer one. If
// the API answers that there is a newer one, that is on its way through the watch, and the next reconcile starts from it.
func (w statusWriter) write(ctx context.Context, before, changed client.Object, was, now []metav1.Condition) error {
	if equality.Semantic.DeepEqual(before, changed) {
		return nil
	}
	patch, err := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}).Data(changed)
	if err != nil {
		return fmt.Errorf("patch: %w", err)
	}
	// Of the answer only the metadata is asked for: the rest is large, and nothing new.
	answer := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: changed.GetNamespace(), Name: changed.GetName()}}
	gvk, err := apiutil.GVKForObject(changed, w.client.Scheme())
	if err != nil {
		return err
	}
	answer.SetGroupVersionKind(gvk)
	if err := w.client.Status().Patch(ctx, answer, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(stack.ManagedBy)); err != nil {
		if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
			return nil
		}
		return err
	}
	w.echoes.wrote(answer)
	w.announce(changed, was, now)
	return nil
}

// announce makes an event when Ready turns, or turns into another reason.
func (w statusWriter) announce(object client.Object, was, now []metav1.Condition) {
	before, after := meta.FindStatusCondition(was, v1alpha1.ConditionReady), meta.FindStatusCondition(now, v1alpha1.ConditionReady)
	if after == nil || !news(before, after) {
		return
	}
	kind := corev1.EventTypeNormal
	if meta.IsStatusConditionTrue(now, v1alpha1.ConditionStalled) || after.Reason == v1alpha1.ReasonRetrying || after.Reason == v1alpha1.ReasonLoadFailed {
		kind = corev1.EventTypeWarning
	}
	w.events.Eventf(object, nil, kind, after.Reason, "Reconcile", "%s", after.Message)
}

// news reports whether there is something to tell. That a revision is being loaded is none, nor that a server has loaded it:
// with every edit of a rule, both would be said of every server that has it.
func news(before, after *metav1.Condition) bool {
	switch {
	case after.Reason == v1alpha1.ReasonLoading:
		return false
	case before == nil:
		return true
	case before.Reason == v1alpha1.ReasonLoading && after.Reason == v1alpha1.ReasonReady:
		return false
	}
	return before.Status != after.Status || before.Reason != after.Reason
}

// dated are the conditions with the generation they speak of and the time since when they hold.
func dated(before, now []metav1.Condition, generation int64) []metav1.Condition {
	out := slices.Clone(before)
	for _, c := range now {
		c.ObservedGeneration = generation
		meta.SetStatusCondition(&out, c)
	}
	return slices.DeleteFunc(out, func(c metav1.Condition) bool {
		return meta.FindStatusCondition(now, c.Type) == nil
	})
}

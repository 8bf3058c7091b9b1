package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/internal/stack"
)

// collides tells whether the API refused an apply because two elements of a list can't be there together. That is what
// becomes of an edit as ordinary as another port number: the API tells ports apart by their number, so to it our port was
// deleted and somebody's port of the same name was added, which stays when ours is applied again.
func collides(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsInvalid(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	for _, cause := range status.Status().Details.Causes {
		if cause.Type == metav1.CauseTypeFieldValueDuplicate {
			return true
		}
	}
	return false
}

// overwrite puts c's lists in place of the live ones, whoever their elements belong to, and applies. A merge patch does
// that: it merges fields but replaces lists. Only the spec is sent, so that labels, annotations and owner references of
// others stay; and no hash, so that c isn't taken for settled before the apply has gone through.
func (a *applier) overwrite(ctx context.Context, c *child) error {
	body, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": c.live.GetUID(), "annotations": map[string]any{stack.AnnotationApplied: nil}},
		"spec":     c.config.Object["spec"],
	})
	if err != nil {
		return fmt.Errorf("patch for %s: %w", c, err)
	}
	if err := a.client.Patch(ctx, c.live, client.RawPatch(types.MergePatchType, body), client.FieldOwner(stack.ManagedBy)); err != nil {
		return fmt.Errorf("overwrite %s: %w", c, err)
	}
	return a.send(ctx, c)
}

// release hands the fields that overwrite wrote to the field manager that applies. Left with the other one, which has the
// same name and the operation Update, they would stay when they are no longer wanted.
func (a *applier) release(ctx context.Context, c *child) error {
	patch, err := csaupgrade.UpgradeManagedFieldsPatch(c.live, sets.New(stack.ManagedBy), stack.ManagedBy)
	if err != nil || patch == nil {
		return err
	}
	if err := a.client.Patch(ctx, c.live, client.RawPatch(types.JSONPatchType, patch)); err != nil {
		return fmt.Errorf("hand over the fields of %s: %w", c, err)
	}
	return nil
}

func updatedByHearth(obj client.Object) bool {
	for _, entry := range obj.GetManagedFields() {
		if entry.Manager == stack.ManagedBy && entry.Operation == metav1.ManagedFieldsOperationUpdate && entry.Subresource == "" {
			return true
		}
	}
	return false
}

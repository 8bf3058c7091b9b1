package controllers

import (
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/status"
)

// lookAgain is when something outside of what Hearth watches is looked at again: an object that is in the way, or a
// StorageClass that does not let a claim grow.
const lookAgain = time.Minute

var (
	_ status.Reasoned = (*ConflictError)(nil)
	_ status.Reasoned = (*ClaimError)(nil)
	_ status.Reasoned = (*PendingError)(nil)
	_ status.Reasoned = (*UnlistedError)(nil)
)

// Reason is NameConflict.
func (e *ConflictError) Reason() string { return v1alpha1.ReasonNameConflict }

// Stalled is true: somebody has to rename or delete an object.
func (e *ConflictError) Stalled() bool { return true }

// Reason is ClaimCannotGrow.
func (e *ClaimError) Reason() string { return v1alpha1.ReasonClaimCannotGrow }

// Stalled is true: somebody has to change the StorageClass, a quota or the spec.
func (e *ClaimError) Stalled() bool { return true }

// Reason is Progressing.
func (e *PendingError) Reason() string { return v1alpha1.ReasonProgressing }

// Stalled is false: the watch brings us back.
func (e *PendingError) Stalled() bool { return false }

// Reason is Progressing.
func (e *UnlistedError) Reason() string { return v1alpha1.ReasonProgressing }

// Stalled is false: it is tried again, and told when it worked.
func (e *UnlistedError) Stalled() bool { return false }

// outcome says when to come back after err: at the next event, later, or with backoff.
func outcome(err error) (reconcile.Result, error) {
	var pending *PendingError
	var unlisted *UnlistedError
	var conflict *ConflictError
	var claim *ClaimError
	var invalid *status.Invalid
	switch {
	case err == nil, errors.As(err, &pending), errors.As(err, &unlisted):
		return reconcile.Result{}, nil
	case errors.As(err, &conflict), errors.As(err, &claim):
		return reconcile.Result{RequeueAfter: lookAgain}, nil
	case apierrors.IsConflict(err):
		// The cache is behind what was written last. What is missing is on its way; there is nothing to complain of.
		return reconcile.Result{RequeueAfter: time.Second}, nil
	case errors.As(err, &invalid):
		return reconcile.Result{}, reconcile.TerminalError(err)
	}
	return reconcile.Result{}, err
}

// soon is outcome, with a look again after later if that is sooner; zero is never.
func soon(later time.Duration, err error) (reconcile.Result, error) {
	result, err := outcome(err)
	if err == nil && later > 0 && (result.RequeueAfter == 0 || later < result.RequeueAfter) {
		result.RequeueAfter = later
	}
	return result, err
}

// Package controllers is the shell: every read from and write to Kubernetes is here, and nowhere else. What to write is
// decided by the pure packages below internal/.
package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/internal/stack"
)

// applier is the one path by which the children of a declared object are written.
type applier struct {
	client client.Client // reads from the cache of CacheOptions
	reader client.Reader // reads from the API server
	// settled are the owner's children that need no second look, if anybody remembers them.
	settled settled
	// echoes are of the writes of the controller, nil if it does not tell them apart.
	echoes *echoes
}

// PendingError says that a child can't be written yet, because an earlier one of its name is still on its way out. It is
// no failure: the watch reports when that is gone, and the next reconcile goes on.
type PendingError struct {
	Kind, Name string
}

func (e *PendingError) Error() string {
	return fmt.Sprintf("%s %q is being deleted and is made anew as soon as it is gone", e.Kind, e.Name)
}

// apply makes the owner's children what desired says, and deletes what it does not say. An unchanged set costs no request.
//
// If a name is taken by somebody else's object, it writes nothing and returns a *ConflictError. A child that the API
// refuses does not keep the others from being written, but it does keep everything from being pruned. A *PendingError
// comes back alone, never beside a real error. Claims of a StatefulSet are grown on the way; a *ClaimError says which one
// could not.
func (a *applier) apply(ctx context.Context, owner client.Object, desired []client.Object) error {
	_, err := a.applyBeside(ctx, owner, desired, nil)
	return err
}

// applyBeside is apply for two sets of children, of which the second must not keep anything of the first from being written:
// what is wrong with it is the first error.
func (a *applier) applyBeside(ctx context.Context, owner client.Object, desired, beside []client.Object) (besides, err error) {
	if !owner.GetDeletionTimestamp().IsZero() {
		return nil, nil // the garbage collector is taking the children; making them anew would be a race with it
	}
	all := slices.Concat(desired, beside)
	live, err := a.owned(ctx, owner)
	if err != nil {
		return nil, err
	}
	open, wanted, err := a.open(all, live)
	if err != nil {
		return nil, err
	}
	children, err := a.children(owner, open)
	if err != nil {
		return nil, err
	}
	var first, second []*child
	for _, c := range children {
		if slices.Contains(beside, c.wanted) {
			second = append(second, c)
		} else {
			first = append(first, c)
		}
	}
	if err := a.look(ctx, owner, first); err != nil {
		return nil, err
	}
	if err := a.writeAll(ctx, first); err != nil {
		return nil, err
	}
	if besides = a.look(ctx, owner, second); besides == nil {
		besides = a.writeAll(ctx, second)
	}
	return besides, a.prune(ctx, live, wanted)
}

// writeAll writes what it can of the children.
func (a *applier) writeAll(ctx context.Context, children []*child) error {
	var pending *PendingError
	var errs []error
	for _, c := range children {
		if err := a.grow(ctx, c); err != nil {
			errs = append(errs, err)
		}
		if err := a.write(ctx, c); err != nil && !errors.As(err, &pending) {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	if pending != nil {
		return pending
	}
	return nil
}

func (a *applier) children(owner client.Object, desired []client.Object) ([]*child, error) {
	children := make([]*child, 0, len(desired))
	for _, object := range desired {
		c, err := newChild(a.client.Scheme(), owner, object)
		if err != nil {
			return nil, err
		}
		children = append(children, c)
	}
	return children, nil
}

// look fills in what there is of each child, and fails if something of it is not the owner's.
//
// Between this look and the write of a child that did not exist, somebody else can still create an object of that name: if
// it has a controller, the API refuses ours beside it, and if it has none, it is taken over. Server-side apply offers no
// way to say "only if it does not exist". Once a child exists, its UID is sent along and there is no such gap.
func (a *applier) look(ctx context.Context, owner client.Object, children []*child) error {
	conflict := &ConflictError{Namespace: owner.GetNamespace(), Name: owner.GetName()}
	for _, c := range children {
		live, err := a.find(ctx, c, a.client)
		if live == nil && err == nil {
			// What the cache does not have may still exist: somebody else's, or ours with its label stripped.
			live, err = a.find(ctx, c, a.reader)
		}
		if err != nil {
			return err
		}
		if live != nil && !belongsTo(live, owner, c.hash) {
			conflict.OwnerKind = metav1.GetControllerOf(c.object).Kind
			conflict.Conflicts = append(conflict.Conflicts, conflictWith(live, c.gvk.Kind))
		}
		c.live = live
	}
	if len(conflict.Conflicts) > 0 {
		return conflict
	}
	return nil
}

// find returns the object of a child's name, or nil if there is none.
func (a *applier) find(ctx context.Context, c *child, from client.Reader) (client.Object, error) {
	obj, err := a.client.Scheme().New(c.gvk)
	if err != nil {
		return nil, err
	}
	found, ok := obj.(client.Object)
	if !ok {
		return nil, fmt.Errorf("%T is not an object", obj)
	}
	if err := from.Get(ctx, client.ObjectKeyFromObject(c.object), found); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("get %s: %w", c, err)
	}
	return found, nil
}

// write brings one child to the cluster, if that takes anything.
func (a *applier) write(ctx context.Context, c *child) error {
	if c.live == nil {
		return a.send(ctx, c)
	}
	if !c.live.GetDeletionTimestamp().IsZero() {
		return &PendingError{Kind: c.gvk.Kind, Name: c.live.GetName()}
	}
	live, err := c.fields()
	if err != nil {
		return err
	}
	strangers := c.hasStrangers(live)
	if c.settled(live) && !strangers {
		a.settled.note(c, c.live)
		return nil
	}
	if strangers {
		return a.overwrite(ctx, c)
	}
	if c.immutableDrift(live) == "" {
		err = a.send(ctx, c)
		switch {
		case collides(err):
			return a.overwrite(ctx, c)
		case !refusedAsImmutable(err):
			return err
		}
	}
	return a.replace(ctx, c, live)
}

// send applies the configuration. Force takes back what others changed; the UID makes sure that it is the object that was
// looked at, and that one deleted meanwhile is not half made anew.
func (a *applier) send(ctx context.Context, c *child) error {
	config := c.config.DeepCopy()
	if c.live != nil {
		config.SetUID(c.live.GetUID())
		if updatedByHearth(c.live) {
			if err := a.release(ctx, c); err != nil {
				return err
			}
		}
	}
	err := a.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(config), client.FieldOwner(stack.ManagedBy), client.ForceOwnership)
	if err != nil {
		return fmt.Errorf("apply %s: %w", c, err)
	}
	a.sent(c, config)
	return nil
}

// sent notes what the API server made of what was sent to it. Only of a configuration that is all there is to know: what
// becomes of a workload, others say in its status, and their events are to be heard.
func (a *applier) sent(c *child, answer *unstructured.Unstructured) {
	if _, is := c.object.(*corev1.ConfigMap); is && drift(c.config.Object, answer.Object) == "" {
		a.echoes.wrote(answer)
		a.settled.note(c, answer)
	}
}

// replace deletes a child and makes it anew, because a field of it has to change that the API does not change.
//
// Workloads are orphaned: their pods run on, and the new object takes them over because its selector is the same. Where
// the selector itself changes it never would, and the old pods would run for ever (or, in a StatefulSet, keep the names
// the new ones need): then they go with the old object. A Service and a RoleBinding have nothing below them that could be
// kept; the names and addresses of a Service that changes to or from headless change by intention.
func (a *applier) replace(ctx context.Context, c *child, live map[string]any) error {
	// Nothing is deleted for the sake of something that the API would not take: a creation without effect is validated
	// like a real one, and fails only because the name is taken.
	err := a.client.Create(ctx, c.config.DeepCopy(), client.DryRunAll, client.FieldOwner(stack.ManagedBy))
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("replace %s: %w", c, err)
	}
	policy := metav1.DeletePropagationBackground
	switch c.object.(type) {
	case *appsv1.StatefulSet, *appsv1.DaemonSet, *appsv1.Deployment:
		if !c.differsAt(live, "spec", "selector") {
			policy = metav1.DeletePropagationOrphan
		}
	}
	if err := a.remove(ctx, c.live, c.gvk.Kind, policy); err != nil {
		return err
	}
	// With a finalizer, that of orphaning among them, it is still there, and what is applied to it now goes with it.
	left, err := a.find(ctx, c, a.reader)
	if err != nil {
		return err
	}
	if left != nil {
		return &PendingError{Kind: c.gvk.Kind, Name: c.object.GetName()}
	}
	c.live = nil
	return a.send(ctx, c)
}

// refusedAsImmutable tells whether the API refused an object only because of fields that can't be changed. There is no
// code for that, only these words, and for a StatefulSet others before Kubernetes 1.37.
func refusedAsImmutable(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsInvalid(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	causes := status.Status().Details.Causes
	for _, cause := range causes {
		if !strings.Contains(cause.Message, "is immutable") && !strings.Contains(cause.Message, "cannot change roleRef") &&
			!strings.Contains(cause.Message, "updates to statefulset spec for fields other than") {
			return false
		}
	}
	return len(causes) > 0
}

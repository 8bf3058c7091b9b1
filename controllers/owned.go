package controllers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/hearth-monitoring/hearth/internal/stack"
)

// ownedTypes are the kinds of which Hearth makes objects: what is watched, cached and pruned. Claims are missing on
// purpose: the StatefulSet controller makes them, and the samples in them outlive every spec.
func ownedTypes() []client.Object {
	return []client.Object{
		&corev1.ServiceAccount{},
		&corev1.ConfigMap{},
		&corev1.Service{},
		&rbacv1.Role{},
		&rbacv1.RoleBinding{},
		&appsv1.StatefulSet{},
		&appsv1.DaemonSet{},
		&appsv1.Deployment{},
		&policyv1.PodDisruptionBudget{},
	}
}

// ConflictError says that names Hearth needs are taken by objects that are not the owner's. Nothing was written.
type ConflictError struct {
	// OwnerKind, Namespace and Name are those of the object whose children could not be made.
	OwnerKind, Namespace, Name string
	// Conflicts has one entry for each name that is taken.
	Conflicts []Conflict
	// Commands delete what is in the way where that is beyond Namespace.
	Commands []string
}

// Conflict is one name that is taken.
type Conflict struct {
	Kind, Name string
	// Holder is the controller the object belongs to, such as `NodeExporter "node"`; empty if it has none.
	Holder string
}

func (e *ConflictError) Error() string {
	var taken, resources []string
	for _, c := range e.Conflicts {
		text := fmt.Sprintf("%s %q", c.Kind, c.Name)
		if c.Holder != "" {
			text += " (which belongs to " + c.Holder + ")"
		}
		taken = append(taken, text)
		resources = append(resources, strings.ToLower(c.Kind)+"/"+c.Name)
	}
	commands := e.Commands
	if len(commands) == 0 {
		commands = []string{"kubectl -n " + e.Namespace + " delete " + strings.Join(resources, " ")}
	}
	return fmt.Sprintf("not made by this %s and therefore left alone: %s. Rename %s %q, or delete what is in its way if nobody needs it: %s",
		e.OwnerKind, strings.Join(taken, ", "), e.OwnerKind, e.Name, strings.Join(commands, " && "))
}

// belongsTo tells whether live is owner's. Its controller decides. Without one, somebody may have stripped the owner
// reference: then live must have been applied by Hearth, as its field managers say, and either name the owner in its label
// or, stripped of that too, carry the hash of what this very owner wants (its UID is part of what is hashed). The label or
// the annotation alone prove nothing, because they survive `kubectl get -o yaml | kubectl create -f -`.
func belongsTo(live, owner client.Object, hash string) bool {
	if controller := metav1.GetControllerOf(live); controller != nil {
		return controller.UID == owner.GetUID()
	}
	if !appliedByHearth(live) {
		return false
	}
	return live.GetLabels()[stack.LabelOwnerUID] == string(owner.GetUID()) ||
		live.GetAnnotations()[stack.AnnotationApplied] == hash
}

func appliedByHearth(obj client.Object) bool {
	for _, entry := range obj.GetManagedFields() {
		if entry.Manager == stack.ManagedBy && entry.Operation == metav1.ManagedFieldsOperationApply && entry.Subresource == "" {
			return true
		}
	}
	return false
}

func conflictWith(live client.Object, kind string) Conflict {
	c := Conflict{Kind: kind, Name: live.GetName()}
	if controller := metav1.GetControllerOf(live); controller != nil {
		c.Holder = fmt.Sprintf("%s %q", controller.Kind, controller.Name)
	}
	return c
}

// prune deletes what the owner had and no longer wants, by kind and name.
func (a *applier) prune(ctx context.Context, had map[string]client.Object, wanted map[string]bool) error {
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(had)) {
		if !wanted[key] {
			kind, _, _ := strings.Cut(key, "/")
			errs = append(errs, a.remove(ctx, had[key], kind, metav1.DeletePropagationBackground))
		}
	}
	return errors.Join(errs...)
}

// owned are the owner's objects that Hearth applied and that are not on their way out, by kind and name. They are of the cache
// and must not be changed. It goes by the controller reference and not by the owner's label, so that a stripped label doesn't
// leave anything behind. A user's copy of a child still has that reference; the field managers tell it apart, and it is left
// to the garbage collector.
func (a *applier) owned(ctx context.Context, owner client.Object) (map[string]client.Object, error) {
	out := map[string]client.Object{}
	for _, typ := range ownedTypes() {
		gvk, err := apiutil.GVKForObject(typ, a.client.Scheme())
		if err != nil {
			return nil, err
		}
		obj, err := a.client.Scheme().New(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		if err != nil {
			return nil, err
		}
		list, ok := obj.(client.ObjectList)
		if !ok {
			return nil, fmt.Errorf("%T is not a list", obj)
		}
		if err := a.client.List(ctx, list, client.InNamespace(owner.GetNamespace()), client.UnsafeDisableDeepCopy); err != nil {
			return nil, fmt.Errorf("list %s: %w", gvk.Kind, err)
		}
		err = meta.EachListItem(list, func(item runtime.Object) error {
			obj, ok := item.(client.Object)
			if ok && obj.GetDeletionTimestamp().IsZero() && metav1.IsControlledBy(obj, owner) && appliedByHearth(obj) {
				out[gvk.Kind+"/"+obj.GetName()] = obj
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// remove deletes exactly this object: the UID keeps a namesake made meanwhile by somebody else alive.
func (a *applier) remove(ctx context.Context, obj client.Object, kind string, policy metav1.DeletionPropagation) error {
	uid := obj.GetUID()
	err := a.client.Delete(ctx, obj, client.Preconditions{UID: &uid}, client.PropagationPolicy(policy))
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete %s %q: %w", kind, obj.GetName(), err)
	}
	return nil
}

package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/hearth-monitoring/hearth/internal/stack"
)

// What a server is granted beyond its own namespace is bound by ClusterRoleBindings, and by RoleBindings in other
// namespaces. No owner reference reaches there, so no garbage collector cleans up after the server. Their names do instead:
// each says whose it is, the reconciler of a server that does not exist deletes what bears its name, and that it does at
// every start too, because every binding that there is wakes the reconciler of its server. No finalizer has to wait for it.

// bind makes the bindings of owner beyond its namespace what desired says. One that can't be made keeps no other from being
// made: they do not depend on each other. An unchanged set costs no request.
func (a *applier) bind(ctx context.Context, owner client.Object, desired []client.Object) error {
	if !owner.GetDeletionTimestamp().IsZero() {
		return nil // what it has goes when it is gone
	}
	conflict := &ConflictError{OwnerKind: kindOf(a.client.Scheme(), owner), Namespace: owner.GetNamespace(), Name: owner.GetName()}
	keep := map[string]bool{}
	var pending *PendingError
	var errs []error
	for _, object := range desired {
		keep[bindingKey(object)] = true
		if err := a.bindOne(ctx, owner, object, conflict); err != nil && !errors.As(err, &pending) {
			errs = append(errs, err)
		}
	}
	errs = append(errs, a.unbind(ctx, client.ObjectKeyFromObject(owner), keep))
	if len(conflict.Conflicts) > 0 {
		errs = append(errs, conflict)
	}
	if err := errors.Join(errs...); err != nil || pending == nil {
		return err
	}
	return pending // alone, as from apply
}

func (a *applier) bindOne(ctx context.Context, owner, object client.Object, conflict *ConflictError) error {
	c, err := newBinding(a.client.Scheme(), owner, object)
	if err != nil {
		return err
	}
	if c.live, err = a.find(ctx, c, a.client); c.live == nil && err == nil {
		c.live, err = a.find(ctx, c, a.reader) // as in look
	}
	if err != nil {
		return err
	}
	if c.live != nil && !appliedByHearth(c.live) {
		conflict.Conflicts = append(conflict.Conflicts, conflictWith(c.live, c.gvk.Kind))
		conflict.Commands = append(conflict.Commands, deleteCommand(c))
		return nil
	}
	return ignoreNamespaceGone(a.write(ctx, c))
}

// unbind deletes the bindings of a server beyond its namespace, but for those to keep.
func (a *applier) unbind(ctx context.Context, server types.NamespacedName, keep map[string]bool) error {
	var everywhere rbacv1.ClusterRoleBindingList
	if err := a.client.List(ctx, &everywhere, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list ClusterRoleBindings: %w", err)
	}
	var elsewhere rbacv1.RoleBindingList
	if err := a.client.List(ctx, &elsewhere, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list RoleBindings: %w", err)
	}
	var errs []error
	drop := func(binding client.Object, kind string) {
		if boundBeyond(binding, server) && !keep[bindingKey(binding)] {
			errs = append(errs, a.remove(ctx, binding, kind, metav1.DeletePropagationBackground))
		}
	}
	for i := range everywhere.Items {
		drop(&everywhere.Items[i], "ClusterRoleBinding")
	}
	for i := range elsewhere.Items {
		drop(&elsewhere.Items[i], "RoleBinding")
	}
	return errors.Join(errs...)
}

// boundBeyond says whether a binding was made for a server, beyond its namespace, and is not on its way out.
func boundBeyond(binding client.Object, server types.NamespacedName) bool {
	namespace, name, ok := stack.BoundTo(binding.GetName())
	return ok && namespace == server.Namespace && name == server.Name && binding.GetNamespace() != server.Namespace &&
		binding.GetDeletionTimestamp().IsZero() && appliedByHearth(binding)
}

func bindingKey(binding client.Object) string {
	return binding.GetNamespace() + "/" + binding.GetName()
}

func deleteCommand(c *child) string {
	command := "kubectl "
	if c.object.GetNamespace() != "" {
		command += "-n " + c.object.GetNamespace() + " "
	}
	return command + "delete " + strings.ToLower(c.gvk.Kind) + "/" + c.object.GetName()
}

// ignoreNamespaceGone: where there is no namespace any more there is nothing to see in it either.
func ignoreNamespaceGone(err error) error {
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) || apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// ofBinding maps a binding to the server that its name says.
func ofBinding() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request {
		namespace, server, ok := stack.BoundTo(o.GetName())
		if !ok {
			return nil
		}
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: namespace, Name: server}}}
	})
}

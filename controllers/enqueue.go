package controllers

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// sideBySide lets a few objects of a kind be reconciled at once, so that a slow one keeps nobody waiting.
func sideBySide() controller.Options { return controller.Options{MaxConcurrentReconciles: 4} }

// selectable are changes that can change a selection.
func selectable() predicate.Predicate { return predicate.LabelChangedPredicate{} }

// specOrSelectable are those that can also change what is made of the selected object.
func specOrSelectable() predicate.Predicate {
	return predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, selectable())
}

// byLabel maps an object to the one of ours that a label names.
func byLabel(label string) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request {
		name, ok := o.GetLabels()[label]
		if !ok {
			return nil
		}
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace(), Name: name}}}
	})
}

// every maps any event to all objects of the list's kind.
func every(from client.Reader, list client.ObjectList) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []reconcile.Request {
		return those(ctx, from, list, func(client.Object) bool { return true })
	})
}

// those are the objects of the list's kind that fit; list itself stays empty. Reading from a cache fails only when the
// operator is being stopped.
func those(ctx context.Context, from client.Reader, list client.ObjectList, fits func(client.Object) bool) []reconcile.Request {
	var out []reconcile.Request
	items, ok := list.DeepCopyObject().(client.ObjectList)
	if !ok {
		return nil
	}
	err := from.List(ctx, items)
	if err == nil {
		err = meta.EachListItem(items, func(item runtime.Object) error {
			if o, ok := item.(client.Object); ok && fits(o) {
				out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(o)})
			}
			return nil
		})
	}
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, fmt.Sprintf("list %T", items))
	}
	return out
}

package controllers

import (
	"context"
	"fmt"
	"maps"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// sideBySide lets a few objects of a kind be reconciled at once, so that a slow one keeps nobody waiting.
func sideBySide() controller.Options { return controller.Options{MaxConcurrentReconciles: 4} }

// selectable are changes that can change a selection.
func selectable() predicate.Predicate { return predicate.LabelChangedPredicate{} }

// specOrSelectable are those that can also change what is made of the selected object.
func specOrSelectable() predicate.Predicate {
	return predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, selectable())
}

// runs are changes of whether there are ready exporters, by pool: from when there are, servers ought to find them.
func runs() predicate.Predicate {
	running := func(o client.Object) map[string]bool {
		out := map[string]bool{}
		if ne, ok := o.(*v1alpha1.NodeExporter); ok {
			for _, p := range ne.Status.Pools {
				out[p.Name] = p.Ready > 0
			}
		}
		return out
	}
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool { return !maps.Equal(running(e.ObjectOld), running(e.ObjectNew)) },
		// These are selectable already.
		CreateFunc: func(event.CreateEvent) bool { return false }, DeleteFunc: func(event.DeleteEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

// scraping are changes of what a server says of its targets.
func scraping() predicate.Predicate {
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, ok := e.ObjectOld.(*v1alpha1.PrometheusServer)
			now, both := e.ObjectNew.(*v1alpha1.PrometheusServer)
			return ok && both && !equality.Semantic.DeepEqual(before.Status.Targets, now.Status.Targets)
		},
	}
}

// noticed is a predicate that tells of what it lets through, before anybody is enqueued for it.
func noticed(p predicate.Predicate, tell func(client.Object)) predicate.Predicate {
	note := func(passes bool, o client.Object) bool {
		if passes {
			tell(o)
		}
		return passes
	}
	return predicate.Funcs{
		CreateFunc:  func(e event.CreateEvent) bool { return note(p.Create(e), e.Object) },
		UpdateFunc:  func(e event.UpdateEvent) bool { return note(p.Update(e), e.ObjectNew) },
		DeleteFunc:  func(e event.DeleteEvent) bool { return note(p.Delete(e), e.Object) },
		GenericFunc: func(e event.GenericEvent) bool { return note(p.Generic(e), e.Object) },
	}
}

// unhurriedPriority is below that of an object that changed, which is 0, and above that of one that was there at the start.
const unhurriedPriority = handler.LowPriority / 2

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// unhurried lets what a handler enqueues wait behind objects that changed themselves.
func unhurried(h handler.EventHandler) handler.EventHandler {
	return through(h, func(q queue) queue { return later{q} })
}

// gatherThousands is how long what one of thousands does waits for what others do.
const gatherThousands = time.Second

// gathered lets what a handler enqueues wait a moment, so that of thousands of events several are looked at together.
func gathered(h handler.EventHandler) handler.EventHandler {
	return through(h, func(q queue) queue { return delayed{q} })
}

// through has a handler enqueue into another queue.
func through(h handler.EventHandler, other func(queue) queue) handler.EventHandler {
	return handler.Funcs{
		CreateFunc:  func(ctx context.Context, e event.CreateEvent, q queue) { h.Create(ctx, e, other(q)) },
		UpdateFunc:  func(ctx context.Context, e event.UpdateEvent, q queue) { h.Update(ctx, e, other(q)) },
		DeleteFunc:  func(ctx context.Context, e event.DeleteEvent, q queue) { h.Delete(ctx, e, other(q)) },
		GenericFunc: func(ctx context.Context, e event.GenericEvent, q queue) { h.Generic(ctx, e, other(q)) },
	}
}

// delayed is a queue to which everything is added after gatherThousands.
type delayed struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]
}

func (d delayed) Add(item reconcile.Request) { d.AddAfter(item, gatherThousands) }

// later is a queue to which everything is added with unhurriedPriority.
type later struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]
}

func (l later) Add(item reconcile.Request) {
	if q, ok := l.TypedRateLimitingInterface.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
		q.AddWithOpts(priorityqueue.AddOpts{Priority: ptr.To(unhurriedPriority)}, item)
		return
	}
	l.TypedRateLimitingInterface.Add(item)
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
	err := from.List(ctx, items, client.UnsafeDisableDeepCopy)
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

package controllers

import (
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// echoes keeps a controller's own writes from being news to it. Each write comes back through a watch some milliseconds
// later, and every such event would have an object looked at again of which nothing is new, several times for one edit.
//
// Until a write has come back, the cache has the object as it was before. What is worked out from that can be wrong in a way
// that nobody would notice any more, so a reconcile asks wait first. The zero value is ready to use, and nil knows no writes.
type echoes struct {
	mu     sync.Mutex
	writes map[types.UID]echo
}

// echo is the last write of an object.
type echo struct {
	// version is the resourceVersion it was given.
	version string
	// heard is true once it has come back.
	heard bool
	// owed is true if a reconcile was turned away until it does.
	owed bool
}

// wrote notes what the API server answered to a write.
func (e *echoes) wrote(o metav1.Object) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.writes == nil {
		e.writes = map[types.UID]echo{}
	}
	// A write that changed nothing has the version of the last one, and no event.
	if e.writes[o.GetUID()].version != o.GetResourceVersion() {
		e.writes[o.GetUID()] = echo{version: o.GetResourceVersion()}
	}
}

// wait tells that the cache does not have the last write of an object yet. The reconcile is to end with this result then: it
// is begun again when it makes sense.
func (e *echoes) wait(cached metav1.Object) (bool, reconcile.Result) {
	e.mu.Lock()
	defer e.mu.Unlock()
	last, ok := e.writes[cached.GetUID()]
	if !ok {
		return false, reconcile.Result{}
	}
	order, err := resourceversion.CompareResourceVersion(cached.GetResourceVersion(), last.version)
	if err != nil || order >= 0 {
		return false, reconcile.Result{}
	}
	if last.heard {
		return true, reconcile.Result{RequeueAfter: time.Millisecond} // it came after the cache was read
	}
	last.owed = true
	e.writes[cached.GetUID()] = last
	return true, reconcile.Result{}
}

// others lets through all events but those of own writes, unless somebody waits for one.
func (e *echoes) others() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(ev event.CreateEvent) bool { return !e.hear(ev.Object) },
		UpdateFunc: func(ev event.UpdateEvent) bool { return !e.hear(ev.ObjectNew) },
		DeleteFunc: func(ev event.DeleteEvent) bool {
			e.forget(ev.Object)
			return true
		},
	}
}

// hear notes that an object came, and tells whether that is an own write for which nobody waits.
func (e *echoes) hear(o client.Object) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	last, ok := e.writes[o.GetUID()]
	if !ok || last.heard || last.version != o.GetResourceVersion() {
		return false
	}
	e.writes[o.GetUID()] = echo{version: last.version, heard: true}
	return !last.owed
}

func (e *echoes) forget(o client.Object) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.writes, o.GetUID())
}

package controllers

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/controllers/grafana"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/status"
)

// How often a Grafana that has what it should is looked at, for what its users changed; how soon one that has not, and that
// ever less often up to a minute; how long one attempt may take; and for how long it is tried to remove what a server had in
// a Grafana after it left.
const (
	grafanaLook    = 5 * time.Minute
	grafanaRetry   = 2 * time.Second
	grafanaRetries = time.Minute
	grafanaAttempt = 3 * time.Minute
	grafanaGiveUp  = 24 * time.Hour
)

// ExistingGrafanas keeps what servers have in Grafanas that others run. It is a controller of its own, so that no edit of a
// rule waits for a Grafana: the reconciler of servers says what a Grafana should have and reads what became of it.
//
// A Grafana is outside the cluster, and no garbage collector reaches there. A server's record, a ConfigMap that does not go
// with it, says where it has something: the reconciler of a server that does not exist cleans up there and deletes the record,
// and as every record wakes it at a start, nothing is left of a server that was deleted while no operator ran. There is no
// finalizer, so a Grafana that is down keeps nothing from being deleted.
type ExistingGrafanas struct {
	client client.Client
	reader client.Reader
	// local is for tests: a Grafana may be on this host.
	local bool
	// look, retry and giveUp are for tests: shorter ones.
	look, retry, giveUp time.Duration

	wake   chan event.GenericEvent
	events chan event.GenericEvent

	mu      sync.Mutex
	servers map[types.NamespacedName]*toldGrafana
	account []string
}

// toldGrafana is what is known of one server.
type toldGrafana struct {
	// wanted is what the reconciler of servers said last, and asked whether it has said anything; nil: nothing.
	wanted *stack.GrafanaExisting
	asked  bool
	// outcome is what became of it, nil while that is not known.
	outcome *status.ExistingGrafana

	// What follows belongs to Reconcile, of which there is one at a time for each server.

	// done is what was attempted last, and next when to attempt it again though nothing has changed.
	done     attempted
	next     time.Time
	failures int
	memory   map[string]*grafana.Memory
	// access is how places were reached last, for when the Secret is gone with the server.
	access map[string]grafana.Options
	record *grafanaRecord
}

// attempted is what makes an attempt another one.
type attempted struct {
	wanted *stack.GrafanaExisting
	owner  types.UID
	adopt  string
}

// NewExistingGrafanas knows of none.
func NewExistingGrafanas() *ExistingGrafanas {
	return &ExistingGrafanas{
		look: grafanaLook, retry: grafanaRetry, giveUp: grafanaGiveUp,
		wake: make(chan event.GenericEvent, 64), events: make(chan event.GenericEvent, 64),
		servers: map[types.NamespacedName]*toldGrafana{},
	}
}

// Events has a PrometheusServer whenever there is another outcome for it.
func (g *ExistingGrafanas) Events() <-chan event.GenericEvent { return g.events }

// Want says what a server's Grafana should have, nil for none.
func (g *ExistingGrafanas) Want(ctx context.Context, server types.NamespacedName, wanted *stack.GrafanaExisting) {
	g.mu.Lock()
	known := g.of(server)
	same := known.asked && reflect.DeepEqual(known.wanted, wanted)
	if !same {
		known.wanted, known.asked = wanted, true
		if wanted == nil {
			known.outcome = nil
		}
	}
	g.mu.Unlock()
	if !same {
		send(ctx, g.wake, server)
	}
}

// Outcome is what became of what is wanted, nil while that is not known.
func (g *ExistingGrafanas) Outcome(server types.NamespacedName) *status.ExistingGrafana {
	g.mu.Lock()
	defer g.mu.Unlock()
	if known := g.servers[server]; known != nil {
		return known.outcome
	}
	return nil
}

// of is called with the lock held.
func (g *ExistingGrafanas) of(server types.NamespacedName) *toldGrafana {
	known := g.servers[server]
	if known == nil {
		known = &toldGrafana{memory: map[string]*grafana.Memory{}, access: map[string]grafana.Options{}}
		g.servers[server] = known
	}
	return known
}

func send(ctx context.Context, to chan<- event.GenericEvent, server types.NamespacedName) {
	ps := &v1alpha1.PrometheusServer{}
	ps.Namespace, ps.Name = server.Namespace, server.Name
	select {
	case to <- event.GenericEvent{Object: ps}:
	case <-ctx.Done():
	}
}

// SetupWithManager watches servers, for their end, and records, for what is left of servers that ended before.
func (g *ExistingGrafanas) SetupWithManager(mgr ctrl.Manager) error {
	g.client, g.reader = mgr.GetClient(), mgr.GetAPIReader()
	changes := predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{})
	starts := predicate.Funcs{
		CreateFunc:  func(e event.CreateEvent) bool { return e.Object.GetLabels()[labelGrafanaRecord] != "" },
		UpdateFunc:  func(event.UpdateEvent) bool { return false },
		DeleteFunc:  func(event.DeleteEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("existing-grafana").
		WithOptions(sideBySide()).
		For(&v1alpha1.PrometheusServer{}, builder.WithPredicates(changes)).
		Watches(&corev1.ConfigMap{}, byLabel(labelGrafanaRecord), builder.WithPredicates(starts)).
		WatchesRawSource(source.Channel(g.wake, &handler.EnqueueRequestForObject{})).
		Complete(g)
}

// Reconcile makes what a server has in Grafanas what it should have, if anything changed or it is time to look.
func (g *ExistingGrafanas) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var ps v1alpha1.PrometheusServer
	// Under the lock, which Want takes too: what is wanted by a server that was just made must not be forgotten with the one before.
	g.mu.Lock()
	err := g.client.Get(ctx, req.NamespacedName, &ps)
	if client.IgnoreNotFound(err) != nil {
		g.mu.Unlock()
		return reconcile.Result{}, fmt.Errorf("get PrometheusServer: %w", err)
	}
	gone := apierrors.IsNotFound(err)
	known := g.of(req.NamespacedName)
	if gone {
		known.wanted, known.asked, known.outcome = nil, false, nil
	}
	wanted, asked := known.wanted, known.asked || gone
	g.mu.Unlock()
	if !asked {
		return reconcile.Result{}, nil // the server's own reconciler has not got that far, and what is there stays
	}
	now := attempted{wanted: wanted, owner: ps.UID, adopt: ps.Annotations[grafana.AnnotationAdopt]}
	if early := time.Until(known.next); early > 0 && reflect.DeepEqual(known.done, now) {
		return reconcile.Result{RequeueAfter: early}, nil
	}
	if !reflect.DeepEqual(known.done, now) {
		known.failures = 0
	}
	known.done = now
	ctx, cancel := context.WithTimeout(ctx, grafanaAttempt)
	defer cancel()
	a := &grafanaAttempted{grafanas: g, server: req.NamespacedName, known: known, ps: &ps, wanted: wanted, log: ctrl.LoggerFrom(ctx)}
	outcome, err := a.make(ctx)
	if err != nil {
		known.next = time.Time{}
		return reconcile.Result{}, err
	}
	g.tell(ctx, req.NamespacedName, wanted, outcome)
	return g.later(req.NamespacedName, known, a, gone), nil
}

// tell hands the outcome to the reconciler of servers, if it is another one.
func (g *ExistingGrafanas) tell(ctx context.Context, server types.NamespacedName, wanted *stack.GrafanaExisting, outcome *status.ExistingGrafana) {
	g.mu.Lock()
	known := g.of(server)
	// While this was under way something else may have become wanted.
	changed := known.wanted == wanted && wanted != nil && !reflect.DeepEqual(known.outcome, outcome)
	if changed {
		known.outcome = outcome
	}
	g.mu.Unlock()
	if changed {
		send(ctx, g.events, server)
	}
}

// later is when to attempt it again. A server that is gone and has nothing anywhere is forgotten.
func (g *ExistingGrafanas) later(server types.NamespacedName, known *toldGrafana, a *grafanaAttempted, gone bool) reconcile.Result {
	after := g.look
	switch {
	case a.failed:
		after = min(g.retry<<min(known.failures, 10), max(grafanaRetries, g.retry))
		known.failures++
	case a.wanted == nil:
		if gone {
			g.mu.Lock()
			delete(g.servers, server)
			g.mu.Unlock()
		}
		return reconcile.Result{}
	default:
		known.failures = 0
	}
	after = wait.Jitter(after, 0.2) // or all of them would come at once, for ever
	known.next = time.Now().Add(after)
	return reconcile.Result{RequeueAfter: after}
}

// identity is who the operator is to the API server, as kubectl create rolebinding wants it named.
func (g *ExistingGrafanas) identity(ctx context.Context) string {
	g.mu.Lock()
	known := g.account
	g.mu.Unlock()
	if known == nil {
		user, err := whoAmI(ctx, g.client)
		if err != nil {
			return "--serviceaccount=hearth-system:hearth" // where config/default puts it
		}
		known = []string{user}
		g.mu.Lock()
		g.account = known
		g.mu.Unlock()
	}
	if account, ok := strings.CutPrefix(known[0], "system:serviceaccount:"); ok {
		return "--serviceaccount=" + account
	}
	return "--user=" + known[0]
}

package controllers

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/amconfig"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/status"
)

// Routes is what the servers' reconciler tells the AlertRules' one about routing: what each server's Alertmanager is told.
// It is kept in memory because it follows from objects; after a start, each server's first reconcile fills it again.
type Routes struct {
	events chan event.GenericEvent

	mu      sync.Mutex
	servers map[types.NamespacedName]*serverRoutes
}

// serverRoutes are those of one server. It is not changed once it is made.
type serverRoutes struct {
	routing  *stack.Routing // nil without an Alertmanager
	verdicts map[types.NamespacedName]stack.RouteVerdict
	// since is the revision of the Alertmanager's configuration in which the newest of an AlertRule first was.
	since map[types.NamespacedName]publishedRoute
	// problem is why the routing is not what is published.
	problem string
	loaded  loadedRoutes
}

// publishedRoute is where one generation of an AlertRule's routing first was.
type publishedRoute struct{ generation, revision int64 }

// loadedRoutes is what is known of a server's Alertmanager.
type loadedRoutes struct {
	heard    bool  // something is known
	revision int64 // the newest that every replica has run at some time
	why      string
}

// NewRoutes is a store without routes.
func NewRoutes() *Routes {
	return &Routes{events: make(chan event.GenericEvent, 1024), servers: map[types.NamespacedName]*serverRoutes{}}
}

// Events has an AlertRule whenever its alerts may go elsewhere on a server.
func (r *Routes) Events() <-chan event.GenericEvent { return r.events }

// Set makes this the routing of a server that selects these rules. It is published as this revision of the Alertmanager's
// configuration, unless there is a problem.
func (r *Routes) Set(ctx context.Context, server types.NamespacedName, routing *stack.Routing, rules []stack.Verdict, revision int64, problem string) {
	if routing != nil && routing.Pending {
		return // it is not what the Alertmanager is told
	}
	now := routesOf(routing)
	now.problem = problem
	r.mu.Lock()
	was, known := r.servers[server]
	if known {
		now.loaded = was.loaded
	} else {
		was = &serverRoutes{}
	}
	now.follow(was, rules, revision)
	r.servers[server] = now
	r.mu.Unlock()
	for _, rule := range now.changed(was, known, rules) {
		if !r.tell(ctx, rule) {
			return
		}
	}
}

// changed are the rules whose alerts may go other ways than before, or of which something else is said: all of them, if the server's own
// route is another one. Those that say nothing about routing have no other reason, and they are most of ten thousand.
func (s *serverRoutes) changed(was *serverRoutes, known bool, rules []stack.Verdict) []types.NamespacedName {
	var out []types.NamespacedName
	if !known || !s.sameForAll(was) {
		for i := range rules {
			out = append(out, judgedRule(&rules[i]))
		}
		return out
	}
	for rule := range s.verdicts {
		if !s.same(was, rule) {
			out = append(out, rule)
		}
	}
	for rule := range was.verdicts {
		if _, still := s.verdicts[rule]; !still {
			out = append(out, rule)
		}
	}
	return out
}

// follow notes in which revision the newest routing of each AlertRule first was.
func (s *serverRoutes) follow(was *serverRoutes, rules []stack.Verdict, revision int64) {
	if s.routing == nil {
		s.loaded = loadedRoutes{}
	}
	if len(s.verdicts) == 0 {
		return
	}
	same := s.sameForAll(was)
	for i := range rules {
		rule := judgedRule(&rules[i])
		if _, routed := s.verdicts[rule]; !routed {
			continue
		}
		published, known := was.since[rule]
		s.since[rule] = published // so that it is no difference
		if !known || published.generation != rules[i].Generation || !same || !s.same(was, rule) {
			s.since[rule] = publishedRoute{rules[i].Generation, revision}
		}
	}
}

// Loaded says which revision of its configuration every replica of a server's Alertmanager runs, and what keeps them from the
// newest. That one has been loaded stays so: that a replica is restarted is for the server's status to say.
func (r *Routes) Loaded(ctx context.Context, server types.NamespacedName, revision int64, why string) {
	r.mu.Lock()
	was, known := r.servers[server]
	if !known || was.routing == nil {
		r.mu.Unlock()
		return
	}
	now := *was
	now.loaded = loadedRoutes{heard: true, revision: max(was.loaded.revision, revision), why: why}
	r.servers[server] = &now
	r.mu.Unlock()
	if now.loaded == was.loaded {
		return
	}
	for rule := range now.since {
		if now.onItsWay(rule) == was.onItsWay(rule) && was.loaded.heard {
			continue
		}
		if !r.tell(ctx, rule) {
			return
		}
	}
}

// onItsWay is why the Alertmanager doesn't have the routing of an AlertRule yet, empty if it does.
func (s *serverRoutes) onItsWay(rule types.NamespacedName) string {
	published, routed := s.since[rule]
	if !routed || s.loaded.revision >= published.revision {
		return ""
	}
	if s.loaded.why != "" {
		return fmt.Sprintf("the Alertmanager has not loaded revision %d: %s", published.revision, s.loaded.why)
	}
	return fmt.Sprintf("the Alertmanager has not loaded revision %d yet", published.revision)
}

// tell waits where the queue of events is full, which ends with ctx.
func (r *Routes) tell(ctx context.Context, rule types.NamespacedName) bool {
	object := &v1alpha1.AlertRule{ObjectMeta: metav1.ObjectMeta{Namespace: rule.Namespace, Name: rule.Name}}
	select {
	case r.events <- event.GenericEvent{Object: object}:
		return true
	case <-ctx.Done():
		return false
	}
}

// routesOf are those of a server with this routing, nil for one without an Alertmanager.
func routesOf(routing *stack.Routing) *serverRoutes {
	out := &serverRoutes{routing: routing, verdicts: map[types.NamespacedName]stack.RouteVerdict{}, since: map[types.NamespacedName]publishedRoute{}}
	if routing == nil {
		return out
	}
	for _, v := range routing.Verdicts {
		out.verdicts[types.NamespacedName{Namespace: v.Namespace, Name: v.Name}] = v
	}
	return out
}

// sameForAll says whether what concerns all rules alike is the same as before.
func (s *serverRoutes) sameForAll(was *serverRoutes) bool {
	if s.routing == nil || was.routing == nil {
		return s.routing == was.routing
	}
	return s.problem == was.problem && reflect.DeepEqual(s.routing.Config.Route, was.routing.Config.Route)
}

// same says whether the alerts of a rule go the same ways as before as far as it decides that itself, and as much is said of it.
func (s *serverRoutes) same(was *serverRoutes, rule types.NamespacedName) bool {
	return s.since[rule] == was.since[rule] && reflect.DeepEqual(s.verdicts[rule], was.verdicts[rule]) &&
		reflect.DeepEqual(s.routing.Config.RouteOf(rule.Namespace, rule.Name), was.routing.Config.RouteOf(rule.Namespace, rule.Name))
}

// Forget removes a server that is gone.
func (r *Routes) Forget(server types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.servers, server)
}

func (r *Routes) of(server types.NamespacedName) (*serverRoutes, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.servers[server]
	return s, ok
}

// Of is what becomes of an AlertRule's receivers and notify on the servers that select it, nil while that of one of them
// is not known. The spec is asked for only if it is needed.
func (r *Routes) Of(rule types.NamespacedName, verdict Verdict, servers []status.RuleServer, spec func() (*v1alpha1.AlertRule, error)) ([]status.RuleRouting, error) {
	out := []status.RuleRouting{}
	var alerts []amconfig.Alert
	for _, s := range servers {
		known, ok := r.of(types.NamespacedName{Namespace: s.Namespace, Name: s.Name})
		if !ok || known.routing != nil && !known.loaded.heard {
			return nil, nil
		}
		one := status.RuleRouting{Namespace: s.Namespace, Name: s.Name, Contributes: verdict.Routing != nil}
		if known.routing == nil {
			if verdict.Routing != nil {
				one.Problems = []string{"PrometheusServer " + s.Namespace + "/" + s.Name +
					" has no Alertmanager of its own, so nothing is routed there: its spec.alerting.alertmanager deploys one"}
			}
			out = append(out, one)
			continue
		}
		if alerts == nil {
			ar, err := spec()
			if err != nil {
				return nil, err
			}
			alerts = amconfig.Alerts(ar)
		}
		if err := known.say(&one, rule, alerts); err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

// say adds what a server with an Alertmanager makes of an AlertRule's receivers and notify, and where its alerts go.
func (s *serverRoutes) say(to *status.RuleRouting, rule types.NamespacedName, alerts []amconfig.Alert) (err error) {
	to.Problems, to.Loading = s.verdicts[rule].Problems, s.onItsWay(rule)
	if to.Contributes && s.problem != "" {
		to.Problems = append(slices.Clone(to.Problems), "the Alertmanager's configuration can't be made, and what was published before stays: "+s.problem)
	}
	to.Alerts, err = destinations(&s.routing.Config, rule, alerts)
	return err
}

func destinations(routing *amconfig.Routing, rule types.NamespacedName, alerts []amconfig.Alert) ([]status.AlertDestinations, error) {
	if len(alerts) == 0 {
		return nil, nil
	}
	tree, err := amconfig.NewTree(routing.Route, routing.RouteOf(rule.Namespace, rule.Name))
	if err != nil {
		return nil, err
	}
	var out []status.AlertDestinations
	for _, a := range alerts {
		out = append(out, status.AlertDestinations{Group: a.Group, Alert: a.Name, To: tree.Preview(a)})
	}
	return out, nil
}

// routes is what becomes of an AlertRule's receivers and notify.
func (r *AlertRuleReconciler) routes(ar *v1alpha1.AlertRule, packed string, verdict Verdict, servers []status.RuleServer) ([]status.RuleRouting, error) {
	return r.Routes.Of(client.ObjectKeyFromObject(ar), verdict, servers, func() (*v1alpha1.AlertRule, error) {
		if packed == "" {
			return ar, nil
		}
		whole := &v1alpha1.AlertRule{ObjectMeta: metav1.ObjectMeta{
			Namespace: ar.Namespace, Name: ar.Name, Annotations: map[string]string{packedSpec: packed},
		}}
		return whole, unpack(whole)
	})
}

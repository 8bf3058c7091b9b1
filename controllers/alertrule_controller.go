package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/status"
)

// AlertRuleReconciler judges AlertRules, and says in their status what was found and where they are loaded. It makes
// nothing: the servers that select a rule take it up themselves, as the verdict on it says.
type AlertRuleReconciler struct {
	client.Client
	Events     events.EventRecorder
	Ledger     *Ledger
	Verdicts   *Verdicts
	Namespaces *Namespaces
	Metrics    *Metrics
	Alerts     *Alerts
	Routes     *Routes
	Tests      *Tests

	settling settling
	echoes   echoes
}

// Reconcile judges one AlertRule, if that was not done, and writes its status.
func (r *AlertRuleReconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	ar := &v1alpha1.AlertRule{}
	err := r.Get(ctx, req.NamespacedName, ar)
	if err != nil || ar.DeletionTimestamp != nil {
		if client.IgnoreNotFound(err) == nil {
			r.Verdicts.Forget(req.NamespacedName)
			r.Alerts.ForgetRule(req.NamespacedName)
			r.Tests.Forget(req.NamespacedName)
			r.settling.forget(req.NamespacedName)
		}
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if stale, result := r.echoes.wait(ar); stale {
		return result, nil
	}
	packed := ar.Annotations[packedSpec]
	verdict, err := r.judge(ctx, ar)
	if err != nil {
		return reconcile.Result{}, err
	}
	observed, err := r.observe(ctx, ar, verdict)
	if err != nil {
		return reconcile.Result{}, err
	}
	if observed.Routing, err = r.routes(ar, packed, verdict, observed.Servers); err != nil {
		return reconcile.Result{}, err
	}
	if wait := r.settling.wait(ar, observed); wait > 0 {
		// In a burst, those that nobody has looked at yet go before those that have to be looked at again.
		return reconcile.Result{RequeueAfter: wait, Priority: new(unhurriedPriority)}, nil
	}
	r.measure(ar, observed)
	if err := r.writeStatus(ctx, ar, status.OfRule(ar, observed)); err != nil {
		return reconcile.Result{}, fmt.Errorf("write status: %w", err)
	}
	return reconcile.Result{}, nil
}

// judge is the verdict on an AlertRule of the cache. Each generation is judged once; whatever takes time happens here, where
// no server waits for it.
func (r *AlertRuleReconciler) judge(ctx context.Context, ar *v1alpha1.AlertRule) (Verdict, error) {
	verdict, ok := r.Verdicts.Of(ar)
	if ok {
		delete(ar.Annotations, packedSpec)
		return verdict, nil
	}
	if err := unpack(ar); err != nil {
		return Verdict{}, err
	}
	verdict = r.Verdicts.Judge(ar)
	if verdict.Problem == "" && len(ar.Spec.Tests) > 0 {
		verdict.Tests = status.Tests{Count: len(ar.Spec.Tests), Running: true}
		result := r.Tests.Take(ar)
		if result == nil {
			// The servers are not told yet: they keep what they have of it until the tests have passed.
			return verdict, nil
		}
		verdict.tested(result)
	}
	r.Verdicts.Set(ctx, ar, verdict)
	return verdict, nil
}

func (r *AlertRuleReconciler) observe(ctx context.Context, ar *v1alpha1.AlertRule, verdict Verdict) (status.Rule, error) {
	out := status.Rule{Rules: verdict.Rules, Problem: verdict.Problem, Tests: verdict.Tests, Warnings: verdict.Warnings}
	var servers v1alpha1.PrometheusServerList
	if err := r.List(ctx, &servers, client.UnsafeDisableDeepCopy); err != nil {
		return out, fmt.Errorf("list PrometheusServers: %w", err)
	}
	namespaces, err := r.Namespaces.Labels(ctx, r)
	if err != nil {
		return out, err
	}
	for i := range servers.Items {
		ps := &servers.Items[i]
		if ps.DeletionTimestamp == nil && stack.SelectsRule(ps, ar, namespaces) {
			s := r.onServer(ps, ar)
			r.refusedThere(ps, ar, verdict, &s)
			r.alertsOn(ps, ar, &s)
			out.Servers = append(out.Servers, s)
		}
	}
	if len(out.Servers) == 0 {
		out.Nearest = stack.NearestToRule(servers.Items, ar, namespaces)
	}
	slices.SortFunc(out.Servers, func(a, b status.RuleServer) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out, nil
}

// onServer is what a server has of a rule. What it says of an older generation counts for nothing.
func (r *AlertRuleReconciler) onServer(ps *v1alpha1.PrometheusServer, ar *v1alpha1.AlertRule) status.RuleServer {
	server := client.ObjectKeyFromObject(ps)
	entry, ok := r.Ledger.Of(server, client.ObjectKeyFromObject(ar))
	judged := ok && entry.Generation == ar.Generation
	if known := before(ps, ar); known != nil {
		// The operator has just started. What it found out before it was stopped holds until the server says otherwise.
		started := !r.Ledger.Knows(server) || ok && entry.Generation == 0
		if started || known.Loaded && judged && entry.Problem == "" && known.Revision <= entry.Revision {
			return *known
		}
	}
	return entered(server, entry, judged)
}

// refusedThere adds why a rule that is right is still not what this server takes from a tenant. Nothing else in its status says so.
func (r *AlertRuleReconciler) refusedThere(ps *v1alpha1.PrometheusServer, ar *v1alpha1.AlertRule, verdict Verdict, out *status.RuleServer) {
	entry, ok := r.Ledger.Of(client.ObjectKeyFromObject(ps), client.ObjectKeyFromObject(ar))
	if ok && entry.Generation == ar.Generation && entry.Problem != "" && verdict.Problem == "" {
		first, _, _ := strings.Cut(entry.Problem, "\n")
		out.Message += ": " + first
	}
}

// entered is what the ledger's entry says that a server has of a rule. Unless the server has judged this generation, the
// entry is of an older one, or there is none.
func entered(server client.ObjectKey, entry Entry, judged bool) status.RuleServer {
	out := status.RuleServer{Namespace: server.Namespace, Name: server.Name}
	switch {
	case !judged:
		out.Message = "not taken up yet"
	case entry.Problem != "":
		out.LastGood, out.Message = entry.LastGood, "rejected"
		if entry.LastGood {
			out.Message = "rejected; the last good version stays loaded"
		}
	case entry.Refused:
		out.Revision, out.Message = entry.Revision, fmt.Sprintf("revision %d cannot be loaded: the condition Loaded of PrometheusServer %s says why", entry.Revision, server.Name)
	case !entry.Loaded:
		out.Revision, out.Message = entry.Revision, fmt.Sprintf("revision %d is being loaded", entry.Revision)
	default:
		out.Revision, out.Loaded = entry.Revision, true
	}
	return out
}

// alertsOn adds what a server says of a rule's alerts.
func (r *AlertRuleReconciler) alertsOn(ps *v1alpha1.PrometheusServer, ar *v1alpha1.AlertRule, out *status.RuleServer) {
	var was RuleAlerts
	for _, s := range ar.Status.Servers {
		if s.Namespace == ps.Namespace && s.Name == ps.Name {
			was = RuleAlerts{Firing: s.Firing, Pending: s.Pending, Error: s.LastError, Missing: strings.Join(s.MissingMetrics, "\n")}
		}
	}
	now := r.Alerts.Of(client.ObjectKeyFromObject(ps), client.ObjectKeyFromObject(ar), was)
	out.Firing, out.Pending, out.Error = now.Firing, now.Pending, now.Error
	if now.Missing != "" {
		out.Missing = strings.Split(now.Missing, "\n")
	}
}

// measure notes how long a generation took from the API server's event to the last replica of its last server.
func (r *AlertRuleReconciler) measure(ar *v1alpha1.AlertRule, observed status.Rule) {
	if observed.OnItsWay() {
		return // a slow one counts as well, once it has arrived
	}
	rule := client.ObjectKeyFromObject(ar)
	arrived, ok := r.Verdicts.takeArrival(rule, ar.Generation)
	if !ok || !observed.Loaded() {
		return
	}
	var last time.Time
	for _, s := range observed.Servers {
		entry, _ := r.Ledger.Of(client.ObjectKey{Namespace: s.Namespace, Name: s.Name}, rule)
		if entry.LoadedAt.After(last) {
			last = entry.LoadedAt
		}
	}
	if last.After(arrived) {
		r.Metrics.applyToLoaded.Observe(last.Sub(arrived).Seconds())
	}
}

// before is what the status says of a server and this generation of a rule, nil if it says nothing.
func before(ps *v1alpha1.PrometheusServer, ar *v1alpha1.AlertRule) *status.RuleServer {
	if ar.Status.ObservedGeneration != ar.Generation {
		return nil
	}
	lastGood := meta.FindStatusCondition(ar.Status.Conditions, v1alpha1.ConditionLoaded)
	for _, s := range ar.Status.Servers {
		if s.Namespace == ps.Namespace && s.Name == ps.Name {
			return &status.RuleServer{Namespace: s.Namespace, Name: s.Name, Revision: s.Revision, Loaded: s.Loaded, Message: s.Message,
				LastGood: !s.Loaded && lastGood != nil && lastGood.Reason == v1alpha1.ReasonLastGoodLoaded}
		}
	}
	return nil
}

func (r *AlertRuleReconciler) writeStatus(ctx context.Context, ar *v1alpha1.AlertRule, now v1alpha1.AlertRuleStatus) error {
	changed := ar.DeepCopy()
	changed.Status = now
	changed.Status.Conditions = dated(ar.Status.Conditions, now.Conditions, ar.Generation)
	return statusWriter{r.Client, r.Events, &r.echoes}.write(ctx, ar, changed, ar.Status.Conditions, changed.Status.Conditions)
}

// SetupWithManager watches the rules, the servers that may select them, and what those servers say they have.
func (r *AlertRuleReconciler) SetupWithManager(mgr ctrl.Manager) error {
	all := unhurried(every(r, &v1alpha1.AlertRuleList{}))
	return ctrl.NewControllerManagedBy(mgr).
		WithOptions(sideBySide()).
		For(&v1alpha1.AlertRule{}, builder.WithPredicates(specOrSelectable(), r.arrivals())).
		// What is left is a status that somebody else wrote, or one that was waited for. The echoes come first, to hear of every deletion.
		Watches(&v1alpha1.AlertRule{}, unhurried(&handler.EnqueueRequestForObject{}), builder.WithPredicates(r.echoes.others(), predicate.Not(specOrSelectable()))).
		Watches(&v1alpha1.PrometheusServer{}, all, builder.WithPredicates(specOrSelectable())).
		WatchesMetadata(&corev1.Namespace{}, all, builder.WithPredicates(r.Namespaces.changes())).
		// A verdict is waited for by a server, a status by a person.
		WatchesRawSource(source.Channel(r.Tests.Events(), &handler.EnqueueRequestForObject{})).
		WatchesRawSource(source.Channel(r.Ledger.Events(), unhurried(&handler.EnqueueRequestForObject{}))).
		WatchesRawSource(source.Channel(r.Routes.Events(), unhurried(&handler.EnqueueRequestForObject{}))).
		WatchesRawSource(source.Channel(r.Alerts.Events(), unhurried(&handler.EnqueueRequestForObject{}))).
		Complete(r)
}

// arrivals lets every event through and notes when a generation came that was not there when the operator started.
func (r *AlertRuleReconciler) arrivals() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool {
			if !e.IsInInitialList {
				r.Verdicts.arrive(e.Object)
			}
			return true
		},
		UpdateFunc: func(e event.UpdateEvent) bool {
			if e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() {
				r.Verdicts.arrive(e.ObjectNew)
			}
			return true
		},
	}
}

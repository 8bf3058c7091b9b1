package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/rules"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/status"
)

// AlertRuleReconciler says in the status of AlertRules where they are loaded. It makes nothing: the servers that select a
// rule take it up themselves.
type AlertRuleReconciler struct {
	client.Client
	Events events.EventRecorder
	Ledger *Ledger
}

// Reconcile writes the status of one AlertRule.
func (r *AlertRuleReconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	ar := &v1alpha1.AlertRule{}
	if err := r.Get(ctx, req.NamespacedName, ar); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	observed, err := r.observe(ctx, ar)
	if err != nil {
		return reconcile.Result{}, err
	}
	if err := r.writeStatus(ctx, ar, status.OfRule(ar, observed)); err != nil {
		return reconcile.Result{}, fmt.Errorf("write status: %w", err)
	}
	return reconcile.Result{}, nil
}

func (r *AlertRuleReconciler) observe(ctx context.Context, ar *v1alpha1.AlertRule) (status.Rule, error) {
	var out status.Rule
	if _, err := rules.Render(ar); err != nil {
		out.Problem = err.Error()
	}
	var servers v1alpha1.PrometheusServerList
	if err := r.List(ctx, &servers); err != nil {
		return out, fmt.Errorf("list PrometheusServers: %w", err)
	}
	namespaces, err := namespaceLabels(ctx, r)
	if err != nil {
		return out, err
	}
	for i := range servers.Items {
		ps := &servers.Items[i]
		if ps.DeletionTimestamp == nil && stack.SelectsRule(ps, ar, namespaces) {
			out.Servers = append(out.Servers, r.onServer(ps, ar))
		}
	}
	slices.SortFunc(out.Servers, func(a, b status.RuleServer) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out, nil
}

// onServer is what a server has of a rule. What it says of an older generation counts for nothing.
func (r *AlertRuleReconciler) onServer(ps *v1alpha1.PrometheusServer, ar *v1alpha1.AlertRule) status.RuleServer {
	out := status.RuleServer{Namespace: ps.Namespace, Name: ps.Name}
	entry, ok := r.Ledger.Of(client.ObjectKeyFromObject(ps), client.ObjectKeyFromObject(ar))
	if known := before(ps, ar); known != nil && !r.Ledger.Knows(client.ObjectKeyFromObject(ps)) {
		// The operator has just started. What it found out before it was stopped holds until the server says otherwise.
		return *known
	}
	switch {
	case !ok || entry.Generation != ar.Generation:
		out.Message = "not taken up yet"
	case entry.Problem != "":
		out.LastGood, out.Message = entry.LastGood, "rejected"
		if entry.LastGood {
			out.Message = "rejected; the last good version stays loaded"
		}
	case !entry.Loaded:
		out.Revision, out.Message = entry.Revision, fmt.Sprintf("revision %d is being loaded", entry.Revision)
	default:
		out.Revision, out.Loaded = entry.Revision, true
	}
	return out
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
	return statusWriter{r.Client, r.Events}.write(ctx, ar, changed, ar.Status.Conditions, changed.Status.Conditions)
}

// SetupWithManager watches the rules, the servers that may select them, and what those servers say they have.
func (r *AlertRuleReconciler) SetupWithManager(mgr ctrl.Manager) error {
	all := every(r, &v1alpha1.AlertRuleList{})
	return ctrl.NewControllerManagedBy(mgr).
		WithOptions(sideBySide()).
		For(&v1alpha1.AlertRule{}).
		Watches(&v1alpha1.PrometheusServer{}, all, builder.WithPredicates(specOrSelectable())).
		WatchesMetadata(&corev1.Namespace{}, all, builder.WithPredicates(selectable())).
		WatchesRawSource(source.Channel(r.Ledger.Events(), &handler.EnqueueRequestForObject{})).
		Complete(r)
}

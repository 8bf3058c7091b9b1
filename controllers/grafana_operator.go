package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/manifests"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/status"
)

// The kinds of grafana-operator are somebody else's and may come at any time, so they are not watched: what was written is
// looked at again every few minutes, by servers that have any of it.
// +kubebuilder:rbac:groups=grafana.integreatly.org,resources=grafanadatasources;grafanadashboards,verbs=get;list;create;patch;delete

const (
	// grafanaOperatorLook is how often it is looked whether the objects for grafana-operator are still as they should be.
	grafanaOperatorLook = 5 * time.Minute
	// grafanaOperatorSoon is how soon, while one is on its way out or its kind on its way in.
	grafanaOperatorSoon = 2 * time.Second
)

// grafanaDefinitions are the kinds that are written, by the names of their CustomResourceDefinitions.
func grafanaDefinitions() map[string]string {
	group := manifests.GrafanaOperatorVersion().Group
	return map[string]string{
		"grafanadatasources." + group: manifests.KindGrafanaDatasource,
		"grafanadashboards." + group:  manifests.KindGrafanaDashboard,
	}
}

// operatorKept is what is known of the objects for grafana-operator.
type operatorKept struct {
	// written is what was written last and into what, as text, and looked is when.
	written string
	looked  time.Time
}

// grafanaKinds are the events of the kinds' definitions.
func grafanaKinds() predicate.Predicate {
	return predicate.NewPredicateFuncs(func(o client.Object) bool {
		_, ours := grafanaDefinitions()[o.GetName()]
		return ours
	})
}

// ofGrafanaOperator are the servers that write objects for grafana-operator.
func (r *PrometheusServerReconciler) ofGrafanaOperator() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []reconcile.Request {
		return those(ctx, r, &v1alpha1.PrometheusServerList{}, func(o client.Object) bool {
			ps, ok := o.(*v1alpha1.PrometheusServer)
			return ok && ps.Spec.Grafana != nil && ps.Spec.Grafana.Operator != nil
		})
	})
}

// grafanaOperator writes the objects for grafana-operator, and deletes those that are not wanted any more. It is nil for a
// server that declares none.
func (r *PrometheusServerReconciler) grafanaOperator(ctx context.Context, ps *v1alpha1.PrometheusServer, s *stack.Stack, known *grafanaKept) *status.GrafanaPart {
	wanted, err := manifests.GrafanaOperator(s)
	var installed map[string]string
	if err == nil {
		installed, err = r.grafanaInstalled(ctx)
	}
	if err == nil && ps.DeletionTimestamp.IsZero() {
		err = r.keepOperatorObjects(ctx, ps, wanted, installed, known)
	}
	const way = "operator"
	missing := len(grafanaDefinitions()) - len(installed)
	switch {
	case s.Grafana == nil || s.Grafana.Operator == nil:
		if err != nil {
			known.later = sooner(known.later, lookersRetry)
		}
		return nil
	case err != nil:
		part := status.GrafanaFailed(way, err)
		return &part
	case missing > 0:
		return &status.GrafanaPart{Way: way, Reason: v1alpha1.ReasonKindsMissing,
			Message: "the kinds GrafanaDatasource and GrafanaDashboard of grafana-operator (grafana.integreatly.org) are not installed; as soon as they are, the objects are written"}
	}
	return &status.GrafanaPart{Way: way, OK: true, Message: fmt.Sprintf(
		"%d objects are there for grafana-operator; whether it took them, they say themselves: kubectl -n %s get grafanadatasources,grafanadashboards", len(wanted), ps.Namespace)}
}

// grafanaInstalled are the kinds that are installed, with the UIDs of their definitions.
func (r *PrometheusServerReconciler) grafanaInstalled(ctx context.Context) (map[string]string, error) {
	out := map[string]string{}
	for name, kind := range grafanaDefinitions() {
		definition := definitions()
		err := r.Get(ctx, client.ObjectKey{Name: name}, definition)
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("get CustomResourceDefinition %q: %w", name, err)
		}
		if err == nil && definition.DeletionTimestamp.IsZero() {
			out[kind] = string(definition.UID)
		}
	}
	return out, nil
}

// keepOperatorObjects does nothing while what was written last is wanted still, and that is not long ago.
func (r *PrometheusServerReconciler) keepOperatorObjects(ctx context.Context, ps *v1alpha1.PrometheusServer, wanted []*unstructured.Unstructured, installed map[string]string, known *grafanaKept) error {
	text, err := json.Marshal([]any{wanted, installed})
	if err != nil {
		return err
	}
	left := grafanaOperatorLook - time.Since(known.operator.looked)
	if known.operator.written == string(text) && (len(wanted) == 0 || left > 0) {
		if len(wanted) > 0 {
			known.later = sooner(known.later, left)
		}
		return nil
	}
	known.operator = operatorKept{}
	var errs []error
	for _, object := range wanted {
		if installed[object.GetKind()] != "" {
			errs = append(errs, r.applyOperatorObject(ctx, ps, object.DeepCopy()))
		}
	}
	for kind := range installed {
		errs = append(errs, r.pruneOperatorObjects(ctx, ps, kind, wanted))
	}
	if err := errors.Join(errs...); err != nil {
		known.later = sooner(known.later, grafanaOperatorSoon)
		return err
	}
	known.operator = operatorKept{written: string(text), looked: time.Now()}
	if len(wanted) > 0 {
		known.later = sooner(known.later, grafanaOperatorLook)
	}
	return nil
}

func (r *PrometheusServerReconciler) applyOperatorObject(ctx context.Context, ps *v1alpha1.PrometheusServer, object *unstructured.Unstructured) error {
	object.SetLabels(with(object.GetLabels(), map[string]string{stack.LabelOwnerUID: string(ps.UID)}))
	if err := controllerutil.SetControllerReference(ps, object, r.Scheme()); err != nil {
		return err
	}
	live, err := r.findOperatorObject(ctx, ps, object)
	if err != nil {
		return err
	}
	object.SetUID(live.GetUID())
	err = r.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(stack.ManagedBy), client.ForceOwnership)
	if apierrors.IsInvalid(err) && strings.Contains(err.Error(), "immutable") {
		// Which Grafanas are meant can't be changed: it goes, from those where it was as well, and is made anew once it is gone.
		if err := r.applier(nil).remove(ctx, live, object.GetKind(), metav1.DeletePropagationBackground); err != nil {
			return err
		}
		return &PendingError{Kind: object.GetKind(), Name: object.GetName()}
	}
	if err != nil {
		return fmt.Errorf("apply %s %q: %w", object.GetKind(), object.GetName(), err)
	}
	return nil
}

// findOperatorObject is what there is of an object, empty for nothing. It fails if that is somebody else's.
func (r *PrometheusServerReconciler) findOperatorObject(ctx context.Context, ps *v1alpha1.PrometheusServer, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	live := &unstructured.Unstructured{Object: map[string]any{}}
	live.SetGroupVersionKind(object.GroupVersionKind())
	err := r.Reader.Get(ctx, client.ObjectKeyFromObject(object), live)
	switch {
	case meta.IsNoMatchError(err):
		return nil, &PendingError{Kind: object.GetKind(), Name: "the kind"} // installed, and served in a moment
	case apierrors.IsNotFound(err):
		return live, nil
	case err != nil:
		return nil, fmt.Errorf("get %s %q: %w", object.GetKind(), object.GetName(), err)
	case !live.GetDeletionTimestamp().IsZero():
		return nil, &PendingError{Kind: object.GetKind(), Name: object.GetName()}
	case !belongsTo(live, ps, ""):
		return nil, &ConflictError{OwnerKind: kindOf(r.Scheme(), ps), Namespace: ps.Namespace, Name: ps.Name,
			Conflicts: []Conflict{conflictWith(live, object.GetKind())}}
	}
	return live, nil
}

func (r *PrometheusServerReconciler) pruneOperatorObjects(ctx context.Context, ps *v1alpha1.PrometheusServer, kind string, wanted []*unstructured.Unstructured) error {
	keep := map[string]bool{}
	for _, object := range wanted {
		keep[object.GetKind()+"/"+object.GetName()] = true
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(manifests.GrafanaOperatorVersion().WithKind(kind + "List"))
	err := r.Reader.List(ctx, list, client.InNamespace(ps.Namespace), client.MatchingLabels{stack.LabelOwnerUID: string(ps.UID)})
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return nil // there is nothing of a kind that is not served yet, or not any more
	}
	if err != nil {
		return fmt.Errorf("list %ss: %w", kind, err)
	}
	var errs []error
	for i := range list.Items {
		object := &list.Items[i]
		if !keep[kind+"/"+object.GetName()] && metav1.IsControlledBy(object, ps) && appliedByHearth(object) && object.GetDeletionTimestamp().IsZero() {
			errs = append(errs, r.applier(nil).remove(ctx, object, kind, metav1.DeletePropagationBackground))
		}
	}
	return errors.Join(errs...)
}

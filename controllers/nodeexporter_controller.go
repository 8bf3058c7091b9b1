package controllers

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/manifests"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/status"
)

// NodeExporterReconciler makes NodeExporters true.
type NodeExporterReconciler struct {
	client.Client
	// Reader reads from the API server and not from the caches.
	Reader client.Reader
	Events events.EventRecorder
	// Images are used where a declaration names none.
	Images stack.Images

	echoes echoes
}

// Reconcile makes one NodeExporter true and says in its status how far that is so.
func (r *NodeExporterReconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	ne := &v1alpha1.NodeExporter{}
	if err := r.Get(ctx, req.NamespacedName, ne); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if stale, result := r.echoes.wait(ne); stale {
		return result, nil
	}
	observed, err := r.reconcile(ctx, ne)
	// Returned alone: joined to a terminal error, a failed status write would never be retried.
	if werr := r.writeStatus(ctx, ne, status.OfExporter(ne, observed, err)); werr != nil {
		return reconcile.Result{}, fmt.Errorf("write status: %w", werr)
	}
	return outcome(err)
}

func (r *NodeExporterReconciler) reconcile(ctx context.Context, ne *v1alpha1.NodeExporter) (*status.Exporter, error) {
	in, err := r.gather(ctx, ne)
	if err != nil {
		return nil, fmt.Errorf("gather: %w", err)
	}
	e, invalid := stack.ResolveExporter(in)
	if len(invalid) > 0 {
		return nil, &status.Invalid{Err: invalid.ToAggregate()}
	}
	objects, err := manifests.Exporter(e)
	if err != nil {
		return nil, err
	}
	a := &applier{client: r.Client, reader: r.Reader, echoes: &r.echoes}
	aerr := a.apply(ctx, ne, asClientObjects(objects))
	observed, err := r.observe(ctx, ne, e, in)
	if err != nil {
		return nil, err
	}
	return observed, aerr
}

func (r *NodeExporterReconciler) gather(ctx context.Context, ne *v1alpha1.NodeExporter) (stack.ExporterInputs, error) {
	var servers v1alpha1.PrometheusServerList
	if err := r.List(ctx, &servers); err != nil {
		return stack.ExporterInputs{}, fmt.Errorf("list PrometheusServers: %w", err)
	}
	namespaces, err := namespaceLabels(ctx, r)
	if err != nil {
		return stack.ExporterInputs{}, err
	}
	return stack.ExporterInputs{Exporter: ne, Servers: servers.Items, NamespaceLabels: namespaces, Images: r.Images}, nil
}

// observe reads what runs of an exporter, and what the servers that select it say of it.
func (r *NodeExporterReconciler) observe(ctx context.Context, ne *v1alpha1.NodeExporter, e *stack.Exporter, in stack.ExporterInputs) (*status.Exporter, error) {
	out := &status.Exporter{}
	var pods corev1.PodList
	if err := r.List(ctx, &pods, client.InNamespace(e.Namespace), client.MatchingLabels(e.Selector), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	for _, pool := range e.Pools {
		var set appsv1.DaemonSet
		err := r.Get(ctx, client.ObjectKey{Namespace: e.Namespace, Name: pool.DaemonSet}, &set)
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("get DaemonSet %q: %w", pool.DaemonSet, err)
		}
		out.Pools = append(out.Pools, status.Pool{
			Name:      pool.Name,
			DaemonSet: pool.DaemonSet,
			Nodes:     set.Status.DesiredNumberScheduled,
			Ready:     set.Status.NumberReady,
			Updated:   set.Status.UpdatedNumberScheduled,
			Settled:   err == nil && set.Status.ObservedGeneration == set.Generation,
			Waiting:   firstWaiting(pods.Items, pool.Name),
		})
	}
	if out.Scrapes = scrapes(ne, e, out.Pools, in); len(out.Scrapes) == 0 {
		out.Nearest = stack.NearestToExporter(in.Servers, ne, in.NamespaceLabels)
	}
	var err error
	out.LeftOut, err = r.leaveOuts(ctx, ne, e)
	return out, err
}

// firstWaiting is why one pod of a pool does not run.
func firstWaiting(pods []corev1.Pod, pool string) string {
	for i := range pods {
		pod := &pods[i]
		if pod.Labels[stack.LabelPool] == pool && !status.PodReady(pod) {
			if why := status.PodWaiting(pod); why != "" {
				return pod.Name + ": " + why
			}
		}
	}
	return ""
}

// scrapes are what the servers' own status says of the exporter's jobs.
func scrapes(ne *v1alpha1.NodeExporter, e *stack.Exporter, pools []status.Pool, in stack.ExporterInputs) []status.Scrape {
	var out []status.Scrape
	for i := range in.Servers {
		ps := &in.Servers[i]
		if ps.DeletionTimestamp == nil && stack.SelectsExporter(ps, ne, in.NamespaceLabels) {
			out = append(out, scrapeOf(ps, e, pools))
		}
	}
	return out
}

func scrapeOf(ps *v1alpha1.PrometheusServer, e *stack.Exporter, pools []status.Pool) status.Scrape {
	out := status.Scrape{Server: "PrometheusServer " + ps.Namespace + "/" + ps.Name, Pools: map[string]int32{}}
	if ps.Status.Targets == nil {
		return out
	}
	up := int32(0)
	for i, pool := range e.Pools {
		if pools[i].Nodes == 0 {
			out.Pools[pool.Name] = 0 // A job without a target is in no server's status.
		}
		for _, job := range ps.Status.Targets.Jobs {
			if job.Name == pool.Job {
				up += job.Up
				out.Pools[pool.Name] = job.Up
				if job.LastError != "" {
					out.LastError = job.LastError
				}
			}
		}
	}
	if len(out.Pools) == len(e.Pools) {
		out.Up = &up
	}
	return out
}

func (r *NodeExporterReconciler) writeStatus(ctx context.Context, ne *v1alpha1.NodeExporter, now v1alpha1.NodeExporterStatus) error {
	changed := ne.DeepCopy()
	changed.Status = now
	changed.Status.Conditions = dated(ne.Status.Conditions, now.Conditions, ne.Generation)
	return statusWriter{r.Client, r.Events, &r.echoes}.write(ctx, ne, changed, ne.Status.Conditions, changed.Status.Conditions)
}

// SetupWithManager watches what an exporter is made of and the servers that select it.
func (r *NodeExporterReconciler) SetupWithManager(mgr ctrl.Manager) error {
	all := every(r, &v1alpha1.NodeExporterList{})
	// There is a pod on every node, and how many of them are ready, the DaemonSet says.
	b := ctrl.NewControllerManagedBy(mgr).
		WithOptions(sideBySide()).
		For(&v1alpha1.NodeExporter{}, builder.WithPredicates(r.echoes.others())).
		Watches(&v1alpha1.PrometheusServer{}, all, builder.WithPredicates(predicate.Or[client.Object](specOrSelectable(), scraping()))).
		WatchesMetadata(&corev1.Namespace{}, all, builder.WithPredicates(selectable())).
		Watches(&corev1.Node{}, gathered(all), builder.WithPredicates(reassigned())).
		Watches(&corev1.Pod{}, gathered(byLabel(stack.LabelNodeExporter)), builder.WithPredicates(tells()))
	for _, typ := range ownedTypes() {
		b = b.Owns(typ, builder.WithPredicates(r.echoes.others()))
	}
	return b.Complete(r)
}

package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
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
	"github.com/hearth-monitoring/hearth/internal/manifests"
	"github.com/hearth-monitoring/hearth/internal/promconfig"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/status"
)

// PrometheusServerReconciler makes PrometheusServers true.
type PrometheusServerReconciler struct {
	client.Client
	// Reader reads from the API server and not from the caches.
	Reader client.Reader
	Events events.EventRecorder
	// Images are used where a declaration names none.
	Images     stack.Images
	Replicas   *Replicas
	Ledger     *Ledger
	Verdicts   *Verdicts
	Namespaces *Namespaces
	Alerts     *Alerts
	Routes     *Routes
	// Monitors may be nil: then nothing of monitoring.coreos.com is read.
	Monitors *Monitors
	// Operator is the operator itself, as far as servers can pull from it, and OperatorNews has an event when that changes;
	// nil: they can't.
	Operator     func() stack.Operator
	OperatorNews <-chan event.GenericEvent

	// Existing tells Grafanas that others run; nil: SetupWithManager makes one.
	Existing *ExistingGrafanas

	memory  memory
	echoes  echoes
	looked  looked
	shipped shipped
	// strays is nil where Monitors is.
	strays     *strays
	targetless *targetless
}

// +kubebuilder:rbac:groups=monitoring.hearth.dev,resources=prometheusservers;nodeexporters;alertrules,verbs=get;list;watch
// +kubebuilder:rbac:groups=monitoring.hearth.dev,resources=prometheusservers/status;nodeexporters/status;alertrules/status,verbs=patch
// Setting blockOwnerDeletion takes this where the cluster enforces it.
// +kubebuilder:rbac:groups=monitoring.hearth.dev,resources=prometheusservers/finalizers;nodeexporters/finalizers,verbs=update
// +kubebuilder:rbac:groups="",resources=namespaces;nodes,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=serviceaccounts;configmaps;services,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=apps,resources=statefulsets;daemonsets;deployments,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=roles;rolebindings,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=clusterrolebindings,verbs=get;list;watch;create;patch;delete
// A StatefulSet's claims are made by Kubernetes, a Grafana's by the operator.
// +kubebuilder:rbac:groups="",resources=persistentvolumeclaims,verbs=get;list;watch;create;patch
// Pods are followed; pods, services and endpointslices are also what a server's discovery is granted, and nobody can grant
// what they don't have.
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups=discovery.k8s.io,resources=endpointslices,verbs=get;list;watch
// These as well are only to be granted: see config/rbac/server_roles.yaml. What follows the first two is kube-state-metrics'.
// +kubebuilder:rbac:groups="",resources=nodes/metrics,verbs=get
// +kubebuilder:rbac:urls=/metrics,verbs=get
// +kubebuilder:rbac:groups="",resources=limitranges;persistentvolumes;replicationcontrollers;resourcequotas,verbs=list;watch
// +kubebuilder:rbac:groups=apps,resources=replicasets,verbs=list;watch
// +kubebuilder:rbac:groups=batch,resources=cronjobs;jobs,verbs=list;watch
// +kubebuilder:rbac:groups=autoscaling,resources=horizontalpodautoscalers,verbs=list;watch
// +kubebuilder:rbac:groups=networking.k8s.io,resources=ingresses;networkpolicies,verbs=list;watch
// +kubebuilder:rbac:groups=networking.k8s.io,resources=ingresses,verbs=get
// +kubebuilder:rbac:groups=storage.k8s.io,resources=storageclasses,verbs=list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
// The metrics endpoint asks the API server who a client is and whether it may read them.
// +kubebuilder:rbac:groups=authentication.k8s.io,resources=tokenreviews,verbs=create
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create

// Reconcile makes one PrometheusServer true and says in its status how far that is so.
func (r *PrometheusServerReconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	ps := &v1alpha1.PrometheusServer{}
	if err := r.Get(ctx, req.NamespacedName, ps); err != nil {
		if client.IgnoreNotFound(err) == nil {
			r.forget(ctx, req.NamespacedName)
			err = r.applier(nil).unbind(ctx, req.NamespacedName, nil)
		}
		return reconcile.Result{}, err
	}
	if stale, result := r.echoes.wait(ps); stale {
		return result, nil
	}
	known := r.memory.of(req.NamespacedName, ps.UID)
	observed, err := r.reconcile(ctx, ps, known)
	if unlisted := (*UnlistedError)(nil); errors.As(err, &unlisted) && unlisted.Err == nil {
		return reconcile.Result{}, nil // in a moment it is known, and there is nothing to say until then
	}
	return r.conclude(ctx, ps, known, observed, err)
}

// conclude says what came of a reconcile, to who wants to know in this process and in the server's status.
func (r *PrometheusServerReconciler) conclude(ctx context.Context, ps *v1alpha1.PrometheusServer, known *served, observed *status.Server, err error) (reconcile.Result, error) {
	if observed != nil && observed.Asking {
		return soon(known.later, err)
	}
	r.tell(ctx, ps, observed)
	if r.strays.wake(); observed != nil {
		observed.Strays = r.strays.of(client.ObjectKeyFromObject(ps))
	}
	now := status.OfServer(ps, observed, err)
	if wait := known.arriving.wait(ps, now, time.Now()); wait > 0 && err == nil {
		return soon(sooner(known.later, wait), nil)
	}
	// Returned alone: joined to a terminal error, a failed status write would never be retried.
	if werr := r.writeStatus(ctx, ps, now); werr != nil {
		return reconcile.Result{}, fmt.Errorf("write status: %w", werr)
	}
	return soon(sooner(known.later, known.grafana.later), err)
}

// reconcile is the straight line. Between gather and apply nothing takes a context: that part is pure. What runs is
// observed even where something could not be applied, because it runs on.
func (r *PrometheusServerReconciler) reconcile(ctx context.Context, ps *v1alpha1.PrometheusServer, known *served) (*status.Server, error) {
	began, version := time.Now(), r.Verdicts.Version()
	in, err := r.gather(ctx, ps, known)
	if err != nil {
		return nil, fmt.Errorf("gather: %w", err)
	}
	s, invalid := stack.Resolve(in)
	if len(invalid) > 0 {
		return nil, &status.Invalid{Err: invalid.ToAggregate()}
	}
	known.made, known.madeOf = s, ps.Generation
	made, err := render(s, known)
	if err != nil {
		return nil, &status.Invalid{Err: err}
	}
	// Before it is written, so that whatever of it gets written is never given another content. It is a copy, because a
	// pointer into made would keep all the objects in memory.
	manifest := made.files.Manifest
	known.manifest = &manifest
	known.grafana.later = 0
	aerr := r.apply(ctx, ps, s, made, known)
	if in.Rules == nil {
		known.take(&s.Rules, version, ps.Generation, began)
	}
	observed, err := r.observe(ctx, s, made)
	if err != nil {
		return nil, err
	}
	if r.targetless != nil {
		observed.Awaited = append(observed.Awaited, r.targetless.of(client.ObjectKeyFromObject(ps), s, observed, ps.Status.Targets)...)
	}
	r.grafana(ctx, s, observed)
	if observed.Grafana, err = r.lookers(ctx, ps, s, made, known); err != nil {
		return nil, err
	}
	return observed, aerr
}

// rendered is what a server is made of: its files, those of its Alertmanager, and the objects with both in them.
type rendered struct {
	files   promconfig.Files
	amFiles *promconfig.Files // nil without an Alertmanager
	// amProblem is why amFiles are those that are published already, and not newer ones.
	amProblem string
	objects   []manifests.Object
	// grafana are the objects by which people get to look at the server, and grafanaErr is why they could not be applied.
	grafana    []manifests.Object
	grafanaErr error
}

// render fails only because of what is declared: nothing but another declaration helps.
func render(s *stack.Stack, known *served) (*rendered, error) {
	var out rendered
	var err error
	if out.files, err = known.renderer.Render(s); err != nil {
		return nil, err
	}
	if out.amFiles, out.amProblem, err = renderAlertmanager(s, &known.notifier); err != nil {
		return nil, err
	}
	if out.objects, err = known.builder.Server(s, out.files, out.amFiles); err != nil {
		return nil, err
	}
	if out.grafana, err = manifests.Grafana(s); err != nil {
		return nil, err
	}
	return &out, nil
}

// apply writes what was rendered. The AlertRules hear of the routing only once all of it is written: before that, it is
// not what the Alertmanager is told.
func (r *PrometheusServerReconciler) apply(ctx context.Context, ps *v1alpha1.PrometheusServer, s *stack.Stack, made *rendered, known *served) error {
	var err error
	if made.grafanaErr, err = r.applier(known).applyBeside(ctx, ps, asClientObjects(made.objects), asClientObjects(made.grafana)); err != nil {
		return err
	}
	// Only now that the ServiceAccount is known to be the server's own: nobody else's is to be granted anything.
	if err := r.applier(nil).bind(ctx, ps, asClientObjects(manifests.Bindings(s))); err != nil {
		return err
	}
	if err := r.bequeath(ctx, ps, s); err != nil {
		return err
	}
	revision := int64(0)
	if made.amFiles != nil {
		revision = made.amFiles.Manifest.Revision
	}
	r.Routes.Set(ctx, client.ObjectKeyFromObject(ps), s.Routing, s.Rules.Verdicts, revision, made.amProblem)
	return nil
}

// bequeath settles what becomes of the claims when the server is deleted: they go with it if it owns them.
func (r *PrometheusServerReconciler) bequeath(ctx context.Context, ps *v1alpha1.PrometheusServer, s *stack.Stack) error {
	err := r.bequeathSet(ctx, ps, s.Names.Base, s.Selector, s.Storage.WhenDeleted)
	if s.Alertmanager != nil {
		err = errors.Join(err, r.bequeathSet(ctx, ps, s.Alertmanager.Names.Base, s.Alertmanager.Selector, s.Alertmanager.Storage.WhenDeleted))
	}
	return err
}

func (r *PrometheusServerReconciler) bequeathSet(ctx context.Context, ps *v1alpha1.PrometheusServer, set string, selector map[string]string, policy v1alpha1.ClaimPolicy) error {
	claims, err := r.claims(ctx, ps.Namespace, set, selector)
	if err != nil {
		return err
	}
	var errs []error
	for i := range claims {
		errs = append(errs, r.applier(nil).own(ctx, ps, &claims[i], policy == v1alpha1.ClaimDelete))
	}
	return errors.Join(errs...)
}

func (r *PrometheusServerReconciler) applier(known *served) *applier {
	out := &applier{client: r.Client, reader: r.Reader, echoes: &r.echoes}
	if known != nil {
		out.settled = known.settled
	}
	return out
}

// tell lets the AlertRules know which of them the server has.
func (r *PrometheusServerReconciler) tell(ctx context.Context, ps *v1alpha1.PrometheusServer, o *status.Server) {
	if o == nil {
		return
	}
	server := client.ObjectKeyFromObject(ps)
	r.Ledger.Set(ctx, server, o.Verdicts, o.Revision, o.Loaded())
	r.Ledger.Refuse(ctx, server, o.Refused())
	reports := make([]shardReports, max(1, o.Shards))
	for i := range o.Pods {
		shard := o.Pods[i].Shard
		reports[shard] = append(reports[shard], o.Pods[i].Report)
	}
	r.Alerts.Set(server, reports)
	if r.Monitors != nil {
		r.Monitors.announce(r.Events, ps, remarks(o), remarked(&ps.Status))
	}
	if o.Alertmanager != nil {
		r.Routes.Loaded(ctx, server, o.Alertmanager.Loaded(), o.Alertmanager.NotLoaded())
	}
}

func (r *PrometheusServerReconciler) forget(ctx context.Context, server types.NamespacedName) {
	r.memory.forget(server)
	r.Replicas.Track(PodSet{Server: server, Part: prometheusPart}, nil)
	r.Replicas.Track(alertmanagerPods(server), nil)
	r.Ledger.Forget(ctx, server)
	r.Alerts.Forget(server)
	r.Routes.Forget(server)
	if r.Monitors != nil {
		r.Monitors.announcer.forget(server)
		r.strays.wake()
	}
	r.targetless.forget(server)
}

func (r *PrometheusServerReconciler) writeStatus(ctx context.Context, ps *v1alpha1.PrometheusServer, now v1alpha1.PrometheusServerStatus) error {
	changed := ps.DeepCopy()
	changed.Status = now
	changed.Status.Conditions = dated(ps.Status.Conditions, now.Conditions, ps.Generation)
	return statusWriter{r.Client, r.Events, &r.echoes}.write(ctx, ps, changed, ps.Status.Conditions, changed.Status.Conditions)
}

func asClientObjects(objects []manifests.Object) []client.Object {
	out := make([]client.Object, len(objects))
	for i, o := range objects {
		out[i] = o
	}
	return out
}

// SetupWithManager watches what a server is made from, what it is made of, and what its replicas report.
func (r *PrometheusServerReconciler) SetupWithManager(mgr ctrl.Manager) error {
	if r.Existing == nil {
		r.Existing = NewExistingGrafanas()
	}
	all := every(r, &v1alpha1.PrometheusServerList{})
	ofRule := handler.EnqueueRequestsFromMapFunc(r.serversOfRule)
	touch := func(client.Object) { r.Verdicts.Touch() }
	b := ctrl.NewControllerManagedBy(mgr).
		WithOptions(sideBySide()).
		For(&v1alpha1.PrometheusServer{}, builder.WithPredicates(r.echoes.others())).
		Watches(&v1alpha1.PrometheusServer{}, r.referring(), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.NodeExporter{}, all, builder.WithPredicates(predicate.Or[client.Object](selectable(), runs()))).
		Watches(&v1alpha1.AlertRule{}, ofRule, builder.WithPredicates(noticed(leaving(), r.Verdicts.TouchRule))).
		WatchesMetadata(&corev1.Namespace{}, all, builder.WithPredicates(noticed(r.Namespaces.changes(), touch))).
		Watches(&corev1.Pod{}, byLabel(stack.LabelServer)).
		Watches(&rbacv1.ClusterRoleBinding{}, ofBinding()).
		Watches(&rbacv1.RoleBinding{}, ofBinding()).
		Watches(&corev1.PersistentVolumeClaim{}, byLabel(stack.LabelServer)).
		Watches(definitions(), r.ofGrafanaOperator(), builder.WithPredicates(grafanaKinds())).
		WatchesRawSource(source.Channel(r.Verdicts.Events(), ofRule)).
		WatchesRawSource(source.Channel(r.Replicas.Events(), &handler.EnqueueRequestForObject{})).
		WatchesRawSource(source.Channel(r.Existing.Events(), &handler.EnqueueRequestForObject{}))
	r.targetless = newTargetless(r)
	b = b.WatchesRawSource(source.Channel(r.targetless.news, &handler.EnqueueRequestForObject{}))
	if r.Monitors != nil {
		r.strays = newStrays(r)
		b = b.WatchesRawSource(source.Channel(r.Monitors.Events(), r.monitoring())).
			WatchesRawSource(source.Channel(r.strays.news, &handler.EnqueueRequestForObject{}))
	}
	if r.OperatorNews != nil {
		b = b.WatchesRawSource(source.Channel(r.OperatorNews, all))
	}
	for _, typ := range ownedTypes() {
		b = b.Owns(typ, builder.WithPredicates(r.echoes.others()))
	}
	err := errors.Join(b.Complete(r), r.Existing.SetupWithManager(mgr), mgr.Add(r.targetless))
	if r.Monitors != nil {
		err = errors.Join(err, mgr.Add(r.strays))
	}
	return err
}

// monitoring are the servers that select monitors or PrometheusRules.
func (r *PrometheusServerReconciler) monitoring() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []reconcile.Request {
		return those(ctx, r, &v1alpha1.PrometheusServerList{}, func(o client.Object) bool {
			ps, ok := o.(*v1alpha1.PrometheusServer)
			return ok && stack.SelectsForeign(ps)
		})
	})
}

// leaving are the events of an AlertRule that matter to a server before there is a verdict: it is deleted or being deleted,
// or selected by others now.
func leaving() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			return selectable().Update(e) || e.ObjectOld.GetDeletionTimestamp().IsZero() != e.ObjectNew.GetDeletionTimestamp().IsZero()
		},
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

// serversOfRule are the servers that select a rule and those that had it before.
func (r *PrometheusServerReconciler) serversOfRule(ctx context.Context, o client.Object) []reconcile.Request {
	ar, ok := o.(*v1alpha1.AlertRule)
	if !ok {
		return nil
	}
	namespaces, err := r.Namespaces.Labels(ctx, r)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "find the servers of an AlertRule")
		return nil
	}
	return those(ctx, r, &v1alpha1.PrometheusServerList{}, func(o client.Object) bool {
		ps, ok := o.(*v1alpha1.PrometheusServer)
		_, had := r.Ledger.Of(client.ObjectKeyFromObject(o), client.ObjectKeyFromObject(ar))
		return ok && (had || stack.SelectsRule(ps, ar, namespaces))
	})
}

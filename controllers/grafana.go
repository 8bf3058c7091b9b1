package controllers

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/grafana"
	"github.com/hearth-monitoring/hearth/internal/manifests"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/status"
)

// To make a Secret is all that the operator may do with one that is not its own: it can't read it, not even to see whether it
// is there, nor change it.
// +kubebuilder:rbac:groups="",resources=secrets,verbs=create

// lookersRetry is how soon what failed about a Grafana is tried again. It is no error of the server's, so there is no backoff.
const lookersRetry = 30 * time.Second

// grafanaKept is what is known of a server's Grafana from one reconcile to the next.
type grafanaKept struct {
	// claim is the one for which a password is known to be there, and pods those for which that was looked at.
	claim types.UID
	pods  map[types.UID]bool
	// later is how long from now there is something to look at again; zero is never.
	later time.Duration

	operator operatorKept
}

// lookers sees to what Grafanas need beside the server's children, and says what became of each. What goes wrong with them is
// in what it says: it keeps nothing else from going on.
func (r *PrometheusServerReconciler) lookers(ctx context.Context, ps *v1alpha1.PrometheusServer, s *stack.Stack, made *rendered, known *served) ([]status.GrafanaPart, error) {
	var out []status.GrafanaPart
	g := s.Grafana
	if g != nil && g.Deployment != nil {
		part := status.GrafanaFailed("deploy", made.grafanaErr)
		var err error
		if made.grafanaErr == nil {
			part, err = r.ownGrafana(ctx, ps, s, known)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, part)
	}
	if g != nil && g.Sidecar != nil {
		out = append(out, sidecarPart(g, made.grafanaErr))
	}
	if part := r.grafanaOperator(ctx, ps, s, &known.grafana); part != nil {
		out = append(out, *part)
	}
	if slices.ContainsFunc(out, func(p status.GrafanaPart) bool {
		return p.Reason == v1alpha1.ReasonRetrying || p.Reason == v1alpha1.ReasonNameConflict
	}) {
		known.grafana.later = sooner(known.grafana.later, lookersRetry)
	}
	return out, nil
}

func sidecarPart(g *stack.Grafana, err error) status.GrafanaPart {
	const way = "sidecar"
	switch {
	case err != nil:
		return status.GrafanaFailed(way, err)
	case g.Sidecar.Problem != "":
		return status.GrafanaPart{Way: way, Reason: v1alpha1.ReasonSecretsMissing, Message: g.Sidecar.Problem}
	}
	return status.GrafanaPart{Way: way, OK: true, Message: fmt.Sprintf("ConfigMaps with %d datasources and %d dashboards are there for it to read",
		len(g.Sidecar.Contents.Datasources), len(g.Dashboards))}
}

// ownGrafana is what became of the Grafana that Hearth deploys.
func (r *PrometheusServerReconciler) ownGrafana(ctx context.Context, ps *v1alpha1.PrometheusServer, s *stack.Stack, known *served) (status.GrafanaPart, error) {
	observed, pods, err := r.observeGrafana(ctx, s)
	if err != nil {
		return status.GrafanaPart{}, err
	}
	if !ps.DeletionTimestamp.IsZero() {
		return observed.Part(), nil // its claim, where it goes with the server, must not be made anew
	}
	claim, err := r.grafanaClaim(ctx, ps, s)
	if err == nil && s.Grafana.Deployment.Generated {
		err = r.grafanaPassword(ctx, s, claim, pods, &known.grafana)
	}
	if err != nil {
		return status.GrafanaFailed("deploy", err), nil
	}
	if observed.Claim == nil {
		observed.Claim = &sizes([]corev1.PersistentVolumeClaim{*claim})[0]
	}
	return observed.Part(), nil
}

// observeGrafana reads what runs of it.
func (r *PrometheusServerReconciler) observeGrafana(ctx context.Context, s *stack.Stack) (status.GrafanaDeployment, []corev1.Pod, error) {
	g := s.Grafana.Deployment
	out := status.GrafanaDeployment{Namespace: s.Namespace, Name: g.Base, Port: g.Service.Port, Secrets: []string{g.AdminSecret}}
	for _, key := range grafana.Variables(g.Contents.Datasources, "") {
		out.Secrets = append(out.Secrets, key.Secret)
	}
	slices.Sort(out.Secrets[1:])
	out.Secrets = slices.Compact(out.Secrets)
	key := client.ObjectKey{Namespace: s.Namespace, Name: g.Base}
	var deployment appsv1.Deployment
	if err := r.Get(ctx, key, &deployment); client.IgnoreNotFound(err) != nil {
		return out, nil, fmt.Errorf("get Deployment %q: %w", g.Base, err)
	}
	now := deployment.Status
	out.Available = now.ObservedGeneration == deployment.Generation && now.UpdatedReplicas > 0 && now.AvailableReplicas > 0
	var pods corev1.PodList
	if err := r.List(ctx, &pods, client.InNamespace(s.Namespace), client.MatchingLabels(g.Selector)); err != nil {
		return out, nil, fmt.Errorf("list pods: %w", err)
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		out.Pods = append(out.Pods, status.Pod{Name: pod.Name, Ready: status.PodReady(pod), Waiting: status.PodWaiting(pod)})
	}
	slices.SortFunc(out.Pods, func(a, b status.Pod) int { return cmp.Compare(a.Name, b.Name) })
	var claim corev1.PersistentVolumeClaim
	err := r.Get(ctx, key, &claim)
	if err == nil {
		out.Claim = &sizes([]corev1.PersistentVolumeClaim{claim})[0]
	}
	return out, pods.Items, client.IgnoreNotFound(err)
}

// grafanaClaim makes the claim of Grafana's database, and keeps its size and its owner. One of the name that is there already,
// made from a snapshot perhaps, is the one.
func (r *PrometheusServerReconciler) grafanaClaim(ctx context.Context, ps *v1alpha1.PrometheusServer, s *stack.Stack) (*corev1.PersistentVolumeClaim, error) {
	wanted := manifests.GrafanaClaim(s)
	a := r.applier(nil)
	var claim corev1.PersistentVolumeClaim
	err := r.Get(ctx, client.ObjectKeyFromObject(wanted), &claim)
	if apierrors.IsNotFound(err) {
		err = r.Reader.Get(ctx, client.ObjectKeyFromObject(wanted), &claim)
	}
	if apierrors.IsNotFound(err) {
		if err = r.Create(ctx, wanted, client.FieldOwner(stack.ManagedBy)); err != nil {
			return nil, fmt.Errorf("create claim %q: %w", wanted.Name, err)
		}
		claim = *wanted
	}
	if err != nil {
		return nil, fmt.Errorf("get claim %q: %w", wanted.Name, err)
	}
	if !claim.DeletionTimestamp.IsZero() {
		return nil, &PendingError{Kind: "PersistentVolumeClaim", Name: claim.Name}
	}
	if err := a.own(ctx, ps, &claim, s.Grafana.Deployment.Storage.WhenDeleted == v1alpha1.ClaimDelete); err != nil {
		return nil, err
	}
	return &claim, a.growClaim(ctx, &claim, wanted.Spec.Resources.Requests[corev1.ResourceStorage])
}

// grafanaPassword sees to it that the Secret with the administrator's first password is there. It belongs to the claim, because
// Grafana keeps the password in the database that is on it: without it a new one would open nothing.
//
// Whether there is one, only the attempt to make it says. So that is attempted once for each claim, and once for each pod that
// is not ready: it may be waiting for nothing else.
func (r *PrometheusServerReconciler) grafanaPassword(ctx context.Context, s *stack.Stack, claim *corev1.PersistentVolumeClaim, pods []corev1.Pod, known *grafanaKept) error {
	tried, open := map[types.UID]bool{}, known.claim != claim.UID
	for i := range pods {
		pod := &pods[i]
		tried[pod.UID] = true
		open = open || !known.pods[pod.UID] && !status.PodReady(pod)
	}
	if !open {
		known.pods = tried
		return nil
	}
	meta := manifests.GrafanaClaim(s).ObjectMeta
	meta.Name = s.Grafana.Deployment.AdminSecret
	meta.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "PersistentVolumeClaim", Name: claim.Name, UID: claim.UID}}
	err := r.Create(ctx, &corev1.Secret{
		ObjectMeta: meta,
		Type:       corev1.SecretTypeBasicAuth,
		StringData: map[string]string{corev1.BasicAuthUsernameKey: "admin", corev1.BasicAuthPasswordKey: rand.Text()},
	}, client.FieldOwner(stack.ManagedBy))
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create Secret %q: %w", meta.Name, err)
	}
	known.claim, known.pods = claim.UID, tried
	return nil
}

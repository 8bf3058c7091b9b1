package controllers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/internal/manifests"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/status"
)

// observe reads what runs of a server and of its Alertmanager, and has their replicas followed from now on.
func (r *PrometheusServerReconciler) observe(ctx context.Context, s *stack.Stack, made *rendered) (*status.Server, error) {
	out, err := r.observeServer(ctx, s, made.files.Manifest.Revision)
	if err != nil {
		return nil, err
	}
	if out.Alertmanager, err = r.observeAlertmanager(ctx, s, made.amFiles); err != nil {
		return nil, err
	}
	if out.Alertmanager != nil {
		out.Alertmanager.Problem = made.amProblem
		out.Alerts.HasOwn, out.Alerts.Own = true, out.Alertmanager.Pods
		out.Asking = out.Asking || out.Alertmanager.Asking
	}
	return out, nil
}

func (r *PrometheusServerReconciler) observeServer(ctx context.Context, s *stack.Stack, revision int64) (*status.Server, error) {
	out := &status.Server{Replicas: s.Replicas * s.Shards, Shards: s.Shards, Spread: s.Spread, Revision: revision, Verdicts: s.Rules.Verdicts, Foreign: s.Rules.Foreign, Monitors: s.Monitors,
		Home: s.Namespace, Account: s.Names.Base, Awaited: s.Awaited(), Withheld: s.Withheld, Agent: s.Agent, RemoteWrites: s.RemoteWrites}
	out.Alerts = status.AlertPath{Server: s.Namespace + "/" + s.Name, Shards: s.Shards > 1, Missing: s.Alertmanagers.Missing}
	for _, target := range s.Alertmanagers.Targets {
		out.Alerts.Targets += len(target.Hosts)
	}
	for _, secret := range slices.Sorted(maps.Keys(s.Alertmanagers.Secrets)) {
		out.Needs = append(out.Needs, fmt.Sprintf("Secret %q with %v", secret, s.Alertmanagers.Secrets[secret]))
	}
	set := PodSet{Server: client.ObjectKey{Namespace: s.Namespace, Name: s.Name}, Part: prometheusPart}
	return out, r.observeShards(ctx, s, set, out)
}

// observeSet reads what runs of one StatefulSet.
func (r *PrometheusServerReconciler) observeSet(ctx context.Context, namespace, name string, selector map[string]string, part PodSet, out *status.Server) error {
	pods, updated, err := r.runs(ctx, namespace, name, selector)
	if err != nil {
		return err
	}
	out.Updated = updated
	r.follow(part, pods, out)
	claims, err := r.claims(ctx, namespace, name, selector)
	out.Claims = sizes(claims)
	return err
}

// runs are the pods of a StatefulSet, and how many of them are of its newest template.
func (r *PrometheusServerReconciler) runs(ctx context.Context, namespace, name string, selector map[string]string) (pods []corev1.Pod, updated int32, err error) {
	var set appsv1.StatefulSet
	if err := r.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &set); client.IgnoreNotFound(err) != nil {
		return nil, 0, fmt.Errorf("get StatefulSet %q: %w", name, err)
	}
	// Until the StatefulSet controller has seen the newest template, its numbers are of another one.
	if set.Status.ObservedGeneration == set.Generation {
		updated = set.Status.UpdatedReplicas
		if set.Status.UpdateRevision == set.Status.CurrentRevision {
			updated = set.Status.Replicas
		}
	}
	pods, err = r.pods(ctx, namespace, selector, &set)
	return pods, updated, err
}

// follow has exactly these pods followed from now on, and notes what is known of them.
func (r *PrometheusServerReconciler) follow(part PodSet, pods []corev1.Pod, out *status.Server) {
	r.Replicas.Track(part, pods)
	for i := range pods {
		pod := &pods[i]
		out.Asking = out.Asking || status.PodReady(pod) && r.Replicas.Asking(pod.UID)
		out.Pods = append(out.Pods, status.Pod{
			Name: pod.Name, Shard: stack.ShardOf(pod.Labels), Ready: status.PodReady(pod), Waiting: status.PodWaiting(pod), Report: r.Replicas.Report(pod.UID),
		})
	}
}

// pods are those of a StatefulSet, by name.
func (r *PrometheusServerReconciler) pods(ctx context.Context, namespace string, selector map[string]string, set *appsv1.StatefulSet) ([]corev1.Pod, error) {
	var list corev1.PodList
	if err := r.List(ctx, &list, client.InNamespace(namespace), client.MatchingLabels(selector)); err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	pods := slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return !metav1.IsControlledBy(&p, set) })
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return pods, nil
}

// claims are those of a StatefulSet, or of all shards of a server, those of replicas and shards that are gone included, by name.
func (r *PrometheusServerReconciler) claims(ctx context.Context, namespace, set string, selector map[string]string) ([]corev1.PersistentVolumeClaim, error) {
	var list corev1.PersistentVolumeClaimList
	if err := r.List(ctx, &list, client.InNamespace(namespace), client.MatchingLabels(selector)); err != nil {
		return nil, fmt.Errorf("list claims: %w", err)
	}
	claims := slices.DeleteFunc(list.Items, func(c corev1.PersistentVolumeClaim) bool {
		_, ok := stack.ShardOfPod(set, strings.TrimPrefix(c.Name, manifests.DataClaim+"-"))
		return !ok
	})
	slices.SortFunc(claims, func(a, b corev1.PersistentVolumeClaim) int { return strings.Compare(a.Name, b.Name) })
	return claims, nil
}

func sizes(claims []corev1.PersistentVolumeClaim) []status.Claim {
	var out []status.Claim
	for i := range claims {
		c := status.Claim{Name: claims[i].Name, Requested: claims[i].Spec.Resources.Requests[corev1.ResourceStorage]}
		if capacity, ok := claims[i].Status.Capacity[corev1.ResourceStorage]; ok {
			c.Capacity = &capacity
		}
		out = append(out, c)
	}
	return out
}

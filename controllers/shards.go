package controllers

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/status"
)

// shardsUp are the shards of which a replica is ready and has loaded a configuration. Nobody asks of a server with one.
func (r *PrometheusServerReconciler) shardsUp(ctx context.Context, ps *v1alpha1.PrometheusServer) ([]int32, error) {
	if stack.ShardsOf(ps) == 1 {
		return nil, nil
	}
	var list corev1.PodList
	if err := r.List(ctx, &list, client.InNamespace(ps.Namespace), client.MatchingLabels(stack.ServerSelector(ps.Name)), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	var out []int32
	for i := range list.Items {
		pod := &list.Items[i]
		if report := r.Replicas.Report(pod.UID); report != nil && report.Ready && report.Loaded > 0 && pod.DeletionTimestamp == nil && status.PodReady(pod) {
			out = append(out, stack.ShardOf(pod.Labels))
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// observeShards reads what runs of each shard, and has the pods of all of them followed.
func (r *PrometheusServerReconciler) observeShards(ctx context.Context, s *stack.Stack, set PodSet, out *status.Server) error {
	var all []corev1.Pod
	for _, shard := range s.AllShards() {
		pods, updated, err := r.runs(ctx, s.Namespace, shard.Base, shard.Selector)
		if err != nil {
			return err
		}
		all = append(all, pods...)
		out.Updated += updated
	}
	r.follow(set, all, out)
	claims, err := r.claims(ctx, s.Namespace, s.Names.Base, s.Selector)
	out.Claims = sizes(claims)
	return err
}

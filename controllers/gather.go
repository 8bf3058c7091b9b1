package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// gather reads, from the caches, everything that decides what the server becomes.
func (r *PrometheusServerReconciler) gather(ctx context.Context, ps *v1alpha1.PrometheusServer) (stack.Inputs, error) {
	var exporters v1alpha1.NodeExporterList
	if err := r.List(ctx, &exporters); err != nil {
		return stack.Inputs{}, fmt.Errorf("list NodeExporters: %w", err)
	}
	var rules v1alpha1.AlertRuleList
	if err := r.List(ctx, &rules); err != nil {
		return stack.Inputs{}, fmt.Errorf("list AlertRules: %w", err)
	}
	namespaces, err := namespaceLabels(ctx, r)
	if err != nil {
		return stack.Inputs{}, err
	}
	published, err := r.published(ctx, ps)
	if err != nil {
		return stack.Inputs{}, err
	}
	return stack.Inputs{
		Server:          ps,
		NodeExporters:   exporters.Items,
		AlertRules:      rules.Items,
		NamespaceLabels: namespaces,
		Published:       published,
		Images:          r.Images,
	}, nil
}

// published is what the cluster has of the server's files. What this process published last counts if the cache does not
// have it yet: two different contents must never be the same revision.
func (r *PrometheusServerReconciler) published(ctx context.Context, ps *v1alpha1.PrometheusServer) (stack.Published, error) {
	out, err := r.cached(ctx, ps)
	if err != nil {
		return stack.Published{}, err
	}
	if last, ok := r.memory.of(ps.UID); ok && last.Manifest.Revision > revisionOf(out) {
		out = last
	}
	// A replica can be ahead after the cluster was restored from a backup, and would take what is published for old. This
	// manifest fits no content, so that what is published next is newer than what any replica has.
	if ahead := r.Replicas.Newest(client.ObjectKeyFromObject(ps)); ahead > revisionOf(out) {
		out.Manifest = &bundle.Manifest{Revision: ahead}
	}
	return out, nil
}

func revisionOf(p stack.Published) int64 {
	if p.Manifest == nil {
		return 0
	}
	return p.Manifest.Revision
}

func (r *PrometheusServerReconciler) cached(ctx context.Context, ps *v1alpha1.PrometheusServer) (stack.Published, error) {
	var list corev1.ConfigMapList
	if err := r.List(ctx, &list, client.InNamespace(ps.Namespace), client.MatchingLabels{stack.LabelOwnerUID: string(ps.UID)}); err != nil {
		return stack.Published{}, fmt.Errorf("list published ConfigMaps: %w", err)
	}
	out := stack.Published{Parts: map[string][]byte{}}
	for i := range list.Items {
		object := &list.Items[i]
		if object.Name != bundle.ManifestName(stack.NamesOf(ps.Name).Base) {
			out.Parts[object.Name] = object.BinaryData[bundle.PartKey]
			continue
		}
		// A manifest that somebody broke is as good as none: the next one takes its place.
		if manifest, err := bundle.ParseManifest([]byte(object.Data[bundle.ManifestKey])); err == nil {
			out.Manifest = &manifest
		}
	}
	return out, nil
}

// namespaceLabels are the labels of every namespace, by its name.
func namespaceLabels(ctx context.Context, from client.Reader) (map[string]map[string]string, error) {
	var list metav1.PartialObjectMetadataList
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	if err := from.List(ctx, &list); err != nil {
		return nil, fmt.Errorf("list namespaces: %w", err)
	}
	out := make(map[string]map[string]string, len(list.Items))
	for i := range list.Items {
		out[list.Items[i].Name] = list.Items[i].Labels
	}
	return out, nil
}

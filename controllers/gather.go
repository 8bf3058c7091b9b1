package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/monitors"
	"github.com/hearth-monitoring/hearth/internal/rules"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// gather reads, from the caches, everything that decides what the server becomes.
func (r *PrometheusServerReconciler) gather(ctx context.Context, ps *v1alpha1.PrometheusServer, known *served) (stack.Inputs, error) {
	var exporters v1alpha1.NodeExporterList
	if err := r.List(ctx, &exporters); err != nil {
		return stack.Inputs{}, fmt.Errorf("list NodeExporters: %w", err)
	}
	namespaces, err := r.Namespaces.Labels(ctx, r)
	if err != nil {
		return stack.Inputs{}, err
	}
	in := stack.Inputs{Server: ps, NodeExporters: exporters.Items, NamespaceLabels: namespaces, Images: r.Images, Confined: &known.confined,
		Before: known.before(ps.Generation)}
	if in.Monitors, err = r.monitors(ps); err != nil {
		return stack.Inputs{}, err
	}
	if r.Operator != nil {
		in.Operator = r.Operator()
	}
	if ps.Spec.Grafana != nil {
		in.Dashboards = r.shipped.dashboards()
	}
	if in.Published.Manifest, err = r.published(ctx, ps, known); err != nil {
		return stack.Inputs{}, err
	}
	if in.Others, err = r.others(ctx, ps); err != nil {
		return stack.Inputs{}, err
	}
	if in.ShardsUp, err = r.shardsUp(ctx, ps); err != nil {
		return stack.Inputs{}, err
	}
	if err := r.gatherAlerting(ctx, ps, known, &in); err != nil {
		return stack.Inputs{}, err
	}
	if known.current(r.Verdicts.Version(), ps.Generation) {
		in.Rules = known.rules
		return in, nil
	}
	err = r.gatherRules(ctx, ps, known, &in)
	return in, err
}

func (r *PrometheusServerReconciler) gatherRules(ctx context.Context, ps *v1alpha1.PrometheusServer, known *served, in *stack.Inputs) (err error) {
	if in.AlertRules, err = r.alertRules(ctx); err != nil {
		return err
	}
	if r.Monitors != nil && ps.Spec.PrometheusRules != nil {
		if in.PrometheusRules, err = r.Monitors.PrometheusRules(); err != nil {
			return err
		}
	}
	in.Published.Rules = map[string]bundle.File{}
	// Of tenants' rules it is known only later which ones can be loaded.
	all := stack.TenancyOf(ps).Label != ""
	lastGood(in.Published.Rules, in.AlertRules, rules.Path, known, all)
	lastGood(in.Published.Rules, in.PrometheusRules, rules.PrometheusRulePath, known, all)
	return nil
}

// monitors are all there are of the kinds that the server selects.
func (r *PrometheusServerReconciler) monitors(ps *v1alpha1.PrometheusServer) ([]*stack.Monitor, error) {
	if r.Monitors == nil {
		return nil, nil
	}
	return r.Monitors.All(func(kind monitors.Kind) bool {
		selector, _ := stack.MonitorSelector(ps, kind)
		return selector != nil
	})
}

// lastGood adds what is published of those rules of which the newest generation can't be loaded, or not yet, or of each.
func lastGood(out map[string]bundle.File, all []*stack.AlertRule, path func(namespace, name string) string, known *served, each bool) {
	for _, ar := range all {
		if ar.Judged && ar.Problem == "" && !each {
			continue
		}
		if file, ok := known.renderer.File(path(ar.Namespace, ar.Name)); ok {
			out[file.Path] = file
		}
	}
}

// published is the manifest of the server's files. What this process published last counts if the cache does not have it
// yet: two different contents must never be the same revision.
func (r *PrometheusServerReconciler) published(ctx context.Context, ps *v1alpha1.PrometheusServer, known *served) (*bundle.Manifest, error) {
	out, err := r.cachedManifest(ctx, ps, known)
	if err != nil {
		return nil, err
	}
	if !known.remembered {
		parts, err := r.cachedParts(ctx, ps)
		if err != nil {
			return nil, err
		}
		known.renderer.Remember(out, parts)
		known.remembered = true
	}
	if known.manifest != nil && known.manifest.Revision > revisionOf(out) {
		out = known.manifest
	}
	// A replica can be ahead after the cluster was restored from a backup, and would take what is published for old. This
	// manifest fits no content, so that what is published next is newer than what any replica has.
	if ahead := r.Replicas.Newest(prometheusPods(ps)); ahead > revisionOf(out) {
		fits := bundle.Manifest{Revision: ahead}
		if out != nil {
			fits.Objects, fits.Shards = out.Objects, out.Shards // as many buckets as before
		}
		out = &fits
	}
	return out, nil
}

func revisionOf(m *bundle.Manifest) int64 {
	if m == nil {
		return 0
	}
	return m.Revision
}

// cachedManifest is the one that the cluster has, nil if it has none.
func (r *PrometheusServerReconciler) cachedManifest(ctx context.Context, ps *v1alpha1.PrometheusServer, known *served) (*bundle.Manifest, error) {
	var object corev1.ConfigMap
	key := client.ObjectKey{Namespace: ps.Namespace, Name: bundle.ManifestName(stack.NamesOf(ps.Name).Base)}
	if err := r.Get(ctx, key, &object, client.UnsafeDisableDeepCopy); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("get ConfigMap %q: %w", key.Name, err)
	}
	// One that is not found stays empty here, and so is not this server's either.
	if object.Labels[stack.LabelOwnerUID] != string(ps.UID) {
		known.cached, known.cachedVersion = nil, ""
		return nil, nil
	}
	if object.ResourceVersion == known.cachedVersion {
		return known.cached, nil
	}
	known.cached, known.cachedVersion = nil, object.ResourceVersion
	// A manifest that somebody broke is as good as none: the next one takes its place.
	if manifest, err := bundle.ParseManifest([]byte(object.Data[bundle.ManifestKey])); err == nil {
		known.cached = &manifest
	}
	return known.cached, nil
}

// cachedParts are the packed parts that the cluster has, by object name. They must not be changed.
func (r *PrometheusServerReconciler) cachedParts(ctx context.Context, ps *v1alpha1.PrometheusServer) (map[string][]byte, error) {
	var list corev1.ConfigMapList
	err := r.List(ctx, &list, client.InNamespace(ps.Namespace), client.MatchingLabels{stack.LabelOwnerUID: string(ps.UID)}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("list published ConfigMaps: %w", err)
	}
	out := map[string][]byte{}
	for i := range list.Items {
		if packed, ok := list.Items[i].BinaryData[bundle.PartKey]; ok {
			out[list.Items[i].Name] = packed
		}
	}
	return out, nil
}

package controllers

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/amconfig"
	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/promconfig"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/status"
)

// alertmanagerPart is the part that notifies.
const alertmanagerPart = "alertmanager"

func alertmanagerPods(server client.ObjectKey) PodSet {
	return PodSet{Server: server, Part: alertmanagerPart}
}

// notifier is what is known of a server's Alertmanager from one reconcile to the next.
type notifier struct {
	renderer   promconfig.AlertmanagerRenderer
	remembered bool
	// manifest is what this process published last, see served.
	manifest *bundle.Manifest
	// routed are the receivers in the published files of revision.
	routed   map[string]bool
	revision int64
}

// gatherAlerting reads what decides where alerts go, beside the spec.
func (r *PrometheusServerReconciler) gatherAlerting(ctx context.Context, ps *v1alpha1.PrometheusServer, known *served, in *stack.Inputs) error {
	if ps.Spec.Alerting == nil || ps.Spec.Alerting.Alertmanager == nil {
		return nil
	}
	var err error
	in.PublishedAlertmanager, err = r.publishedAlertmanager(ctx, ps, &known.notifier)
	in.Grants = stack.Grants{Secrets: r.grants(client.ObjectKeyFromObject(ps)), Routed: known.notifier.published()}
	return err
}

// others are the PrometheusServers that one names, as far as they exist.
func (r *PrometheusServerReconciler) others(ctx context.Context, ps *v1alpha1.PrometheusServer) ([]v1alpha1.PrometheusServer, error) {
	var out []v1alpha1.PrometheusServer
	for _, ref := range stack.References(ps) {
		var other v1alpha1.PrometheusServer
		err := r.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, &other)
		if err == nil {
			out = append(out, other)
		} else if !apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("get PrometheusServer %q: %w", ref.Name, err)
		}
	}
	return out, nil
}

// publishedAlertmanager is the manifest of the Alertmanager's files, as for the server's own.
func (r *PrometheusServerReconciler) publishedAlertmanager(ctx context.Context, ps *v1alpha1.PrometheusServer, known *notifier) (*bundle.Manifest, error) {
	var object corev1.ConfigMap
	key := client.ObjectKey{Namespace: ps.Namespace, Name: bundle.ManifestName(stack.AlertmanagerName(ps.Name))}
	if err := r.Get(ctx, key, &object, client.UnsafeDisableDeepCopy); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("get ConfigMap %q: %w", key.Name, err)
	}
	var out *bundle.Manifest
	if object.Labels[stack.LabelOwnerUID] == string(ps.UID) {
		if manifest, err := bundle.ParseManifest([]byte(object.Data[bundle.ManifestKey])); err == nil {
			out = &manifest
		}
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
	if ahead := r.Replicas.Newest(alertmanagerPods(client.ObjectKeyFromObject(ps))); ahead > revisionOf(out) {
		out = &bundle.Manifest{Revision: ahead}
	}
	return out, nil
}

// published are the receivers in the files that were published last.
func (n *notifier) published() map[string]bool {
	files := n.renderer.Known()
	if files == nil || files.Manifest.Revision == n.revision {
		return n.routed
	}
	n.revision, n.routed = files.Manifest.Revision, nil
	for _, packed := range files.Parts {
		if texts, err := bundle.Unpack(packed); err == nil && texts[amconfig.FileName] != nil {
			n.routed = amconfig.ReceiversIn(texts[amconfig.FileName])
		}
	}
	return n.routed
}

// grants are what the Alertmanager's pods say about the Secrets they were told to read. What one of them can't read can't
// be counted on.
func (r *PrometheusServerReconciler) grants(server client.ObjectKey) map[string]stack.Grant {
	out := map[string]stack.Grant{}
	for _, report := range r.Replicas.Reports(alertmanagerPods(server)) {
		for _, s := range report.Secrets {
			id := s.Namespace + "/" + s.Name
			known, said := out[id]
			if !said || known.Problem == "" || s.Problem != "" && s.Problem < known.Problem {
				out[id] = stack.Grant{Problem: s.Problem, Forbidden: s.Forbidden, MissingKeys: s.MissingKeys}
			}
		}
	}
	return out
}

// renderAlertmanager makes the Alertmanager's files, nil for a server without one. Where they can't be made, what is
// published stays, and the problem is why.
func renderAlertmanager(s *stack.Stack, known *notifier) (files *promconfig.Files, problem string, err error) {
	if s.Alertmanager == nil {
		*known = notifier{}
		return nil, "", nil
	}
	files, err = known.renderer.Render(s)
	if err != nil {
		if files = known.renderer.Known(); files == nil {
			return nil, "", err
		}
		problem = err.Error()
	}
	known.manifest = &files.Manifest
	return files, problem, nil
}

// observeAlertmanager is nil for a server without one.
func (r *PrometheusServerReconciler) observeAlertmanager(ctx context.Context, s *stack.Stack, files *promconfig.Files) (*status.Server, error) {
	server := client.ObjectKey{Namespace: s.Namespace, Name: s.Name}
	if s.Alertmanager == nil || files == nil {
		r.Replicas.Track(alertmanagerPods(server), nil)
		return nil, nil
	}
	am := s.Alertmanager
	out := &status.Server{Replicas: am.Replicas, Revision: files.Manifest.Revision, Set: am.Names.Base}
	for _, secret := range slices.Sorted(maps.Keys(s.Routing.Mounted)) {
		out.Needs = append(out.Needs, fmt.Sprintf("Secret %q with %v", secret, s.Routing.Mounted[secret]))
	}
	return out, r.observeSet(ctx, s.Namespace, am.Names.Base, am.Selector, alertmanagerPods(server), out)
}

// referring are the servers that send their alerts or samples to another.
func (r *PrometheusServerReconciler) referring() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request {
		return those(ctx, r, &v1alpha1.PrometheusServerList{}, func(candidate client.Object) bool {
			ps, ok := candidate.(*v1alpha1.PrometheusServer)
			return ok && slices.Contains(stack.References(ps), v1alpha1.ServerReference{Namespace: o.GetNamespace(), Name: o.GetName()})
		})
	})
}

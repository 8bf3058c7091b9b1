package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/adopt"
	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/monitors"
	"github.com/hearth-monitoring/hearth/internal/rules"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// page is how many objects are read with one request.
const page = 500

// reader reads what there is. It has no method that writes.
type reader struct {
	client dynamic.Interface
}

// cluster is what the report is about; with a namespace, only its Prometheuses and agents.
func (r *reader) cluster(ctx context.Context, namespace string) (*adopt.Cluster, error) {
	out := &adopt.Cluster{NamespaceLabels: map[string]map[string]string{}}
	out.Exists = func(kind, namespace, name string) (bool, error) { return r.exists(ctx, kind, namespace, name) }
	err := r.each(ctx, schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}, func(u *unstructured.Unstructured) {
		out.NamespaceLabels[u.GetName()] = u.GetLabels()
	})
	if err != nil {
		return nil, err
	}
	for _, kind := range []schema.GroupVersionResource{
		monitoringv1.SchemeGroupVersion.WithResource(monitoringv1.PrometheusName),
		monitoringv1alpha1.SchemeGroupVersion.WithResource(monitoringv1alpha1.PrometheusAgentName),
	} {
		err = r.each(ctx, kind, func(u *unstructured.Unstructured) {
			if namespace == "" || u.GetNamespace() == namespace {
				out.Prometheuses = append(out.Prometheuses, u.Object)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	for _, kind := range adopt.Kinds() {
		if err := r.objects(ctx, kind, out); err != nil {
			return nil, err
		}
	}
	for _, other := range []struct {
		kind string
		from schema.GroupVersionResource
	}{
		{monitoringv1.AlertmanagersKind, monitoringv1.SchemeGroupVersion.WithResource(monitoringv1.AlertmanagerName)},
		{monitoringv1alpha1.AlertmanagerConfigKind, monitoringv1alpha1.SchemeGroupVersion.WithResource(monitoringv1alpha1.AlertmanagerConfigName)},
		{monitoringv1.ThanosRulerKind, monitoringv1.SchemeGroupVersion.WithResource(monitoringv1.ThanosRulerName)},
	} {
		err := r.each(ctx, other.from, func(u *unstructured.Unstructured) {
			out.Others = append(out.Others, adopt.Object{Kind: other.kind, Namespace: u.GetNamespace(), Name: u.GetName()})
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// objects reads the monitors or rules of a kind, and judges them as the operator does.
func (r *reader) objects(ctx context.Context, kind monitors.Kind, out *adopt.Cluster) error {
	from := map[monitors.Kind]schema.GroupVersionResource{
		monitors.ServiceMonitorKind: monitoringv1.SchemeGroupVersion.WithResource(monitoringv1.ServiceMonitorName),
		monitors.PodMonitorKind:     monitoringv1.SchemeGroupVersion.WithResource(monitoringv1.PodMonitorName),
		monitors.ProbeKind:          monitoringv1.SchemeGroupVersion.WithResource(monitoringv1.ProbeName),
		monitors.ScrapeConfigKind:   monitoringv1alpha1.SchemeGroupVersion.WithResource(monitoringv1alpha1.ScrapeConfigName),
		monitors.PrometheusRuleKind: monitoringv1.SchemeGroupVersion.WithResource(monitoringv1.PrometheusRuleName),
	}[kind]
	return r.each(ctx, from, func(u *unstructured.Unstructured) {
		if kind == monitors.PrometheusRuleKind {
			out.Rules = append(out.Rules, judged(u))
			return
		}
		m := adopt.Monitor{Object: u.Object, Monitor: stack.Monitor{Kind: kind, Namespace: u.GetNamespace(), Name: u.GetName(), Labels: u.GetLabels()}}
		m.Compiled, m.Problem = monitors.Compile(kind, u.Object)
		out.Monitors = append(out.Monitors, m)
	})
}

// judged is a PrometheusRule with the verdict on it.
func judged(u *unstructured.Unstructured) *stack.AlertRule {
	out := &stack.AlertRule{Namespace: u.GetNamespace(), Name: u.GetName(), UID: string(u.GetUID()), Generation: u.GetGeneration(), Labels: u.GetLabels(), Judged: true}
	ar := &v1alpha1.AlertRule{ObjectMeta: metav1.ObjectMeta{Namespace: out.Namespace, Name: out.Name}}
	groups, _, err := unstructured.NestedFieldNoCopy(u.Object, "spec", "groups")
	if err == nil {
		var text []byte
		if text, err = json.Marshal(map[string]any{"groups": groups}); err == nil {
			err = json.Unmarshal(text, &ar.Spec)
		}
	}
	if err != nil {
		out.Problem = fmt.Sprintf("spec.groups: %v", err)
		return out
	}
	ar.Spec.MissingMetrics = v1alpha1.MissingMetricsIgnore
	verdict := rules.JudgePrometheusRule(ar)
	if out.Problem = verdict.Problem(); out.Problem == "" {
		content := bundle.NewContent(verdict.File.Text)
		out.File = bundle.File{Path: verdict.File.Path, Content: content, Rules: verdict.File.Rules}
	}
	return out
}

// each reads all objects of a kind, by namespace and name. Of a kind that is not installed there are none.
func (r *reader) each(ctx context.Context, kind schema.GroupVersionResource, take func(*unstructured.Unstructured)) error {
	var all []unstructured.Unstructured
	for options := (metav1.ListOptions{Limit: page}); ; {
		list, err := r.client.Resource(kind).List(ctx, options)
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("list %s: %w", kind.GroupResource(), err)
		}
		all = append(all, list.Items...)
		if options.Continue = list.GetContinue(); options.Continue == "" {
			break
		}
	}
	slices.SortFunc(all, func(a, b unstructured.Unstructured) int {
		return cmp.Or(cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
	})
	for i := range all {
		take(&all[i])
	}
	return nil
}

// exists says whether somebody else has an object that a PrometheusServer would be made of. Those of Hearth's own are no obstacle.
func (r *reader) exists(ctx context.Context, kind, namespace, name string) (bool, error) {
	resource, ok := map[string]schema.GroupVersionResource{
		"ServiceAccount":      {Version: "v1", Resource: "serviceaccounts"},
		"Service":             {Version: "v1", Resource: "services"},
		"ConfigMap":           {Version: "v1", Resource: "configmaps"},
		"StatefulSet":         {Group: "apps", Version: "v1", Resource: "statefulsets"},
		"Role":                {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"},
		"RoleBinding":         {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"},
		"PodDisruptionBudget": {Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"},
	}[kind]
	if !ok {
		return false, fmt.Errorf("no resource is known for kind %s", kind)
	}
	u, err := r.client.Resource(resource).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil && u.GetLabels()[stack.LabelManagedBy] != stack.ManagedBy, err
}

package controllers

import (
	"context"
	"fmt"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/internal/monitors"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// Bounds of what one look reads: objects of a kind in one request, namespaces, and the Services behind which it looks.
const (
	maxLookedAt   = 200
	maxLookedIn   = 5
	maxLookBehind = 3
)

// absentLook finds out why one job of a monitor has no target.
type absentLook struct {
	client   client.Reader
	monitors *Monitors
}

// why is the reason, none if the monitor is gone.
func (l *absentLook) why(ctx context.Context, j *absentJob) (stack.Reason, error) {
	of, ok := monitors.OfJob(j.name)
	if !ok {
		return stack.Reason{}, nil
	}
	switch of.Kind {
	case monitors.ServiceMonitorKind:
		var sm monitoringv1.ServiceMonitor
		if err := l.read(ctx, of, &sm); err != nil || of.Endpoint >= len(sm.Spec.Endpoints) {
			return stack.Reason{}, client.IgnoreNotFound(err)
		}
		return l.service(ctx, of, &sm, j.in)
	case monitors.PodMonitorKind:
		var pm monitoringv1.PodMonitor
		if err := l.read(ctx, of, &pm); err != nil || of.Endpoint >= len(pm.Spec.PodMetricsEndpoints) {
			return stack.Reason{}, client.IgnoreNotFound(err)
		}
		return l.pod(ctx, of, &pm, j.in)
	case monitors.ProbeKind:
		var p monitoringv1.Probe
		if err := l.read(ctx, of, &p); err != nil {
			return stack.Reason{}, client.IgnoreNotFound(err)
		}
		if p.Spec.Targets.Ingress != nil {
			return l.ingress(ctx, p.Spec.Targets.Ingress, j.in)
		}
	}
	return stack.WhyNothing(j.in), nil
}

// read reads a monitor as it is now.
func (l *absentLook) read(ctx context.Context, of monitors.Origin, into any) error {
	u, err := l.monitors.client.Resource(foreignKinds()[of.Kind]).Namespace(of.Namespace).Get(ctx, of.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, into)
}

func (l *absentLook) service(ctx context.Context, of monitors.Origin, sm *monitoringv1.ServiceMonitor, in stack.Places) (stack.Reason, error) {
	all, err := found(ctx, l, &corev1.ServiceList{}, sm.Spec.Selector, &in, func(list *corev1.ServiceList) []*corev1.Service { return pointers(list.Items) })
	if err != nil {
		return stack.Reason{}, err
	}
	matches := stack.Matches(sm.Spec.Selector, all)
	if len(matches) == 0 {
		return stack.NoMatch("Service", sm.Spec.Selector, all, in), nil
	}
	behind := make([]stack.FoundService, 0, maxLookBehind)
	for _, s := range matches[:min(len(matches), maxLookBehind)] {
		f := stack.FoundService{Service: *s}
		var slices discoveryv1.EndpointSliceList
		err := l.client.List(ctx, &slices, client.InNamespace(s.Namespace), client.MatchingLabels{discoveryv1.LabelServiceName: s.Name}, client.Limit(maxLookBehind))
		if err != nil {
			return stack.Reason{}, fmt.Errorf("list EndpointSlices: %w", err)
		}
		f.Slices = slices.Items
		if len(s.Spec.Selector) > 0 {
			var pods corev1.PodList
			err := l.client.List(ctx, &pods, client.InNamespace(s.Namespace), client.MatchingLabels(s.Spec.Selector), client.Limit(maxLookBehind))
			if err != nil {
				return stack.Reason{}, fmt.Errorf("list pods: %w", err)
			}
			f.Pods = pods.Items
		}
		behind = append(behind, f)
	}
	return stack.WhyNoService(fmt.Sprintf("spec.endpoints[%d]", of.Endpoint), &sm.Spec.Endpoints[of.Endpoint], behind, in), nil
}

func (l *absentLook) pod(ctx context.Context, of monitors.Origin, pm *monitoringv1.PodMonitor, in stack.Places) (stack.Reason, error) {
	all, err := found(ctx, l, &corev1.PodList{}, pm.Spec.Selector, &in, func(list *corev1.PodList) []*corev1.Pod { return pointers(list.Items) })
	if err != nil {
		return stack.Reason{}, err
	}
	matches := stack.Matches(pm.Spec.Selector, all)
	if len(matches) == 0 {
		return stack.NoMatch("pod", pm.Spec.Selector, all, in), nil
	}
	pods := make([]corev1.Pod, len(matches))
	for i := range matches {
		pods[i] = *matches[i]
	}
	return stack.WhyNoPod(fmt.Sprintf("spec.podMetricsEndpoints[%d]", of.Endpoint), &pm.Spec.PodMetricsEndpoints[of.Endpoint], pods, in), nil
}

func (l *absentLook) ingress(ctx context.Context, t *monitoringv1.ProbeTargetIngress, in stack.Places) (stack.Reason, error) {
	all, err := found(ctx, l, &networkingv1.IngressList{}, t.Selector, &in, func(list *networkingv1.IngressList) []*networkingv1.Ingress {
		return pointers(list.Items)
	})
	if err != nil {
		return stack.Reason{}, err
	}
	if len(stack.Matches(t.Selector, all)) == 0 {
		return stack.NoMatch("Ingress", t.Selector, all, in), nil
	}
	return stack.WhyNothing(in), nil
}

func pointers[T any](items []T) []*T {
	out := make([]*T, len(items))
	for i := range items {
		out[i] = &items[i]
	}
	return out
}

// found are the objects of a kind where a monitor looks. Where there are too many, those that its selector takes are among them
// in any case, up to as many again.
func found[T metav1.Object, L client.ObjectList](ctx context.Context, l *absentLook, list L, selector metav1.LabelSelector, in *stack.Places, items func(L) []T) ([]T, error) {
	namespaces := in.Namespaces
	if namespaces == nil || len(namespaces) > maxLookedIn {
		in.Truncated = namespaces != nil
		namespaces = []string{metav1.NamespaceAll}
	}
	var out []T
	read := func(options ...client.ListOption) error {
		for _, namespace := range namespaces {
			into, _ := list.DeepCopyObject().(L) // it is of the same type
			if err := l.client.List(ctx, into, append(options, client.InNamespace(namespace), client.Limit(maxLookedAt))...); err != nil {
				return fmt.Errorf("list %T: %w", list, err)
			}
			out = append(out, items(into)...)
			in.Truncated = in.Truncated || into.GetContinue() != ""
		}
		return nil
	}
	if err := read(); err != nil {
		return nil, err
	}
	if s, err := metav1.LabelSelectorAsSelector(&selector); in.Truncated && err == nil {
		if err := read(client.MatchingLabelsSelector{Selector: s}); err != nil {
			return nil, err
		}
	}
	return within(out, in.Namespaces), nil
}

// within are those of the objects that are in one of the namespaces; nil is all.
func within[T metav1.Object](objects []T, namespaces []string) []T {
	if namespaces == nil {
		return objects
	}
	names := map[string]bool{}
	for _, n := range namespaces {
		names[n] = true
	}
	var out []T
	for _, o := range objects {
		if names[o.GetNamespace()] {
			out = append(out, o)
		}
	}
	return out
}

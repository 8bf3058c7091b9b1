package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/test/bench/cluster"
)

// goes is the name of everything that is removed.
const goes = "goes"

// removal is what there is, what of it is removed, and the target that goes with that.
type removal struct {
	name    string
	objects []client.Object
	removed client.Object
	pool    string
	has     string
}

// removals removes each sort of thing so many times, and prints how long its target stayed: since the API server had answered the
// deletion, and since it had the object no more, which of a pod is when it has stopped.
func (b *bench) removals(ctx context.Context) error {
	fmt.Printf("\nRemoved %d times, each after %s of rest: ms until Prometheus has no such target.\n", b.o.removals, b.o.rest)
	fmt.Print("\n| removed | since it was gone: p50 | max | since the API's answer: p50 | max | since it was gone, each |\n|---|---|---|---|---|---|\n")
	for _, r := range b.removable() {
		if !strings.Contains(r.name, b.o.only) {
			continue
		}
		var answered, gone []float64
		for i := range b.o.removals {
			sinceAnswer, sinceGone, err := b.removeOne(ctx, r)
			if err != nil {
				return fmt.Errorf("%s %d: %w", r.name, i, err)
			}
			answered, gone = append(answered, sinceAnswer), append(gone, sinceGone)
		}
		each := fmt.Sprintf("%.0f", gone)
		slices.Sort(answered)
		slices.Sort(gone)
		fmt.Printf("| %s | %.0f | %.0f | %.0f | %.0f | %s |\n", r.name, cluster.Quantile(gone, 0.5), gone[len(gone)-1],
			cluster.Quantile(answered, 0.5), answered[len(answered)-1], each)
	}
	return nil
}

// removable are the sorts of things with which targets go. What is annotated is in the server's own namespace, and what monitors
// select in a tenant's.
func (b *bench) removable() []removal {
	theirs := metav1.ObjectMeta{Namespace: tenantOf(0), Name: goes, Labels: map[string]string{"app": goes}}
	own := *theirs.DeepCopy()
	own.Namespace, own.Labels[tenant] = namespace, "true"
	annotated := *own.DeepCopy()
	annotated.Annotations = map[string]string{"prometheus.io/scrape": "true", "prometheus.io/port": "9102"}
	service := func(meta metav1.ObjectMeta) client.Object {
		return &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Selector: map[string]string{"app": goes}, Ports: []corev1.ServicePort{{Name: port, Port: 9102}}}}
	}
	pod, annotatedPod, annotatedService := b.target(own), b.target(annotated), service(annotated)
	exporter := &v1alpha1.NodeExporter{ObjectMeta: own}
	probe, scrape, monitor := b.probe(theirs), b.scrapeConfig(theirs), b.monitor(0, 0)
	monitor.ObjectMeta, monitor.Spec.Selector.MatchLabels = theirs, map[string]string{"app": goes}
	// A pod comes before its Service, see running.
	monitored := []client.Object{b.target(theirs), service(theirs), monitor}
	of := theirs.Namespace + "/" + goes
	const pods, services = "kubernetes-pods", "kubernetes-service-endpoints"
	return []removal{
		{"ServiceMonitor", monitored, monitor, "serviceMonitor/" + of + "/0", port},
		{"its Service", monitored, monitored[1], "serviceMonitor/" + of + "/0", port},
		{"its Service's pod", monitored, monitored[0], "serviceMonitor/" + of + "/0", port},
		{"Probe", []client.Object{probe}, probe, "probe/" + of, b.address},
		{"ScrapeConfig", []client.Object{scrape}, scrape, "scrapeConfig/" + of, b.address},
		{"NodeExporter", []client.Object{exporter}, exporter, "nodeExporter/" + namespace + "/" + goes, "node-exporter"},
		{"annotated pod", []client.Object{annotatedPod}, annotatedPod, pods, goes},
		{"annotated Service", []client.Object{pod, annotatedService}, annotatedService, services, goes},
		{"its pod", []client.Object{pod, annotatedService}, pod, services, goes},
	}
}

func (b *bench) probe(meta metav1.ObjectMeta) *monitoringv1.Probe {
	return &monitoringv1.Probe{ObjectMeta: meta, Spec: monitoringv1.ProbeSpec{
		ProberSpec: monitoringv1.ProberSpec{URL: b.address + ":9102", Path: "/metrics"},
		Targets:    monitoringv1.ProbeTargets{StaticConfig: &monitoringv1.ProbeTargetStaticConfig{Targets: []string{"http://" + b.address}}},
	}}
}

func (b *bench) scrapeConfig(meta metav1.ObjectMeta) *monitoringv1alpha1.ScrapeConfig {
	return &monitoringv1alpha1.ScrapeConfig{ObjectMeta: meta, Spec: monitoringv1alpha1.ScrapeConfigSpec{
		StaticConfigs: []monitoringv1alpha1.StaticConfig{{Targets: []monitoringv1alpha1.Target{monitoringv1alpha1.Target(b.address + ":9102")}}},
	}}
}

// removeOne makes what there is, waits for the target and then for a while, removes what is removed, and returns for how many
// milliseconds the target stayed since the API server's answer and since that was gone.
func (b *bench) removeOne(ctx context.Context, r removal) (sinceAnswer, sinceGone float64, err error) {
	for _, o := range r.objects {
		if err := errors.Join(b.Create(ctx, clone(o)), b.running(ctx, o)); err != nil {
			return 0, 0, err
		}
	}
	if err := b.awaitTarget(ctx, r.pool, r.has, true); err != nil {
		return 0, 0, err
	}
	if err := cluster.Sleep(ctx, b.o.rest); err != nil {
		return 0, 0, err
	}
	if err := b.API.Delete(ctx, clone(r.removed), client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
		return 0, 0, err
	}
	answered := time.Now()
	left := make(chan error, 1)
	var gone time.Time
	go func() {
		err := b.gone(ctx, r.removed)
		gone = time.Now()
		left <- err
	}()
	err = b.awaitTarget(ctx, r.pool, r.has, false)
	without := time.Now()
	if err := errors.Join(err, <-left); err != nil {
		return 0, 0, err
	}
	for _, o := range r.objects {
		if err := errors.Join(client.IgnoreNotFound(b.API.Delete(ctx, clone(o))), b.gone(ctx, o)); err != nil {
			return 0, 0, err
		}
	}
	return cluster.Milliseconds(without.Sub(answered)), max(0, cluster.Milliseconds(without.Sub(gone))), nil
}

// running waits until a pod does. Prometheus looks at the pods behind a Service when that or its EndpointSlice changes, and at no other
// time: the target of a pod of which it hears later than of the slice is dropped until then.
func (b *bench) running(ctx context.Context, o client.Object) error {
	pod, is := clone(o).(*corev1.Pod)
	if !is {
		return nil
	}
	return cluster.Until(ctx, 2*time.Minute, "the pod runs", func(ctx context.Context) error {
		err := b.API.Get(ctx, client.ObjectKeyFromObject(o), pod)
		if err == nil && pod.Status.Phase != corev1.PodRunning {
			err = fmt.Errorf("it is %s", pod.Status.Phase)
		}
		return err
	})
}

// gone waits until the API server has an object no more.
func (b *bench) gone(ctx context.Context, o client.Object) error {
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		err := b.API.Get(ctx, client.ObjectKeyFromObject(o), clone(o))
		if err != nil {
			if apierrors.IsNotFound(err) {
				return nil
			}
			return err
		}
	}
	return fmt.Errorf("%T %s is not gone", o, o.GetName())
}

// clone is one that the API may write into.
func clone(o client.Object) client.Object { return o.DeepCopyObject().(client.Object) }

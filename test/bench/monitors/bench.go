package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/test/bench/cluster"
	"github.com/hearth-monitoring/hearth/test/upstream"
)

const (
	namespace = "monitors-bench"
	// tenant is the label of the namespaces with monitors, and port the name of that of every endpoint.
	tenant = "monitors-bench"
	port   = "metrics"
)

// bench is the cluster and the server that is measured.
type bench struct {
	*cluster.Cluster
	o options

	image   string // of the operator, which has an exporter in it
	address string // of the pod that is behind every endpoint
	pod     *corev1.Pod
	edits   int
	idleCPU float64
}

func newBench(o options) *bench {
	// Edits are numbered on from those of earlier runs: an edit that changes nothing would be there at once.
	return &bench{Cluster: cluster.New(namespace), o: o, edits: int(time.Now().Unix() % 1e8)}
}

// connect finds the cluster, and makes the server and what it takes there.
func (b *bench) connect(ctx context.Context) error {
	reach := map[string]string{stack.LabelReach: stack.ReachCluster}
	if err := b.Connect(ctx, b.o.kubeconfig, reach, monitoringv1.AddToScheme, monitoringv1alpha1.AddToScheme); err != nil {
		return err
	}
	definitions, err := upstream.Read(ctx, ".", "servicemonitors", "probes", "scrapeconfigs")
	if err != nil {
		return err
	}
	for _, d := range definitions {
		if err := b.Create(ctx, d); err != nil {
			return err
		}
	}
	if b.image, err = b.OperatorImage(ctx); err != nil {
		return err
	}
	for i := range b.o.namespaces {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: tenantOf(i), Labels: map[string]string{tenant: "true"}}}
		if err := b.Create(ctx, ns); err != nil {
			return err
		}
	}
	if err := b.Create(ctx, b.server(), b.target(b.In("target"))); err != nil {
		return err
	}
	if err := b.Observe(ctx, &v1alpha1.PrometheusServerList{}); err != nil {
		return err
	}
	return cluster.Until(ctx, time.Minute, "ServiceMonitors are served", func(ctx context.Context) error {
		return b.Seen.Follow(ctx, &monitoringv1.ServiceMonitorList{})
	})
}

// server is one that selects the monitors of all tenants.
func (b *bench) server() *v1alpha1.PrometheusServer {
	tenants := &metav1.LabelSelector{MatchLabels: map[string]string{tenant: "true"}}
	all := &v1alpha1.ObjectSelector{Selector: &metav1.LabelSelector{}, NamespaceSelector: tenants}
	return &v1alpha1.PrometheusServer{ObjectMeta: b.In(cluster.Server), Spec: v1alpha1.PrometheusServerSpec{
		ScrapeInterval: v1alpha1.Duration(b.o.interval),
		// Without a request a pod gets next to nothing while others want the processor.
		Resources: &corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m")}},
		Storage:   v1alpha1.Storage{Size: resource.MustParse("2Gi"), WhenDeleted: v1alpha1.ClaimDelete},
		Targets: &v1alpha1.Targets{
			MonitorTargets: v1alpha1.MonitorTargets{ServiceMonitors: all, Probes: all, ScrapeConfigs: all},
			NodeExporters:  &v1alpha1.ObjectSelector{Selector: tenants},
			Annotations:    &v1alpha1.AnnotationTargets{Pods: &v1alpha1.AnnotatedPods{}, Services: &v1alpha1.AnnotatedServices{}},
		},
	}}
}

// target is a pod that answers with next to nothing.
func (b *bench) target(meta metav1.ObjectMeta) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: meta, Spec: corev1.PodSpec{
		AutomountServiceAccountToken: new(false), TerminationGracePeriodSeconds: new(int64(1)),
		Containers: []corev1.Container{{
			Name: "target", Image: b.image, Command: []string{"/node_exporter"},
			Args:  []string{"--web.listen-address=:9102", "--collector.disable-defaults", "--collector.time"},
			Ports: []corev1.ContainerPort{{Name: port, ContainerPort: 9102}},
		}},
	}}
}

func tenantOf(i int) string { return fmt.Sprintf("%s-%d", tenant, i) }

// of is what the i-th service has: its names.
func (b *bench) of(i int) metav1.ObjectMeta {
	name := fmt.Sprintf("service-%d", i)
	return metav1.ObjectMeta{Namespace: tenantOf(i % b.o.namespaces), Name: name, Labels: map[string]string{"app": name}}
}

// monitored is the i-th service: what a monitor of it discovers.
func (b *bench) monitored(i int) []client.Object {
	return []client.Object{
		&corev1.Service{ObjectMeta: b.of(i), Spec: corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone, Ports: []corev1.ServicePort{{Name: port, Port: 9102}}}},
		b.slice(i),
	}
}

func (b *bench) slice(i int) *discoveryv1.EndpointSlice {
	meta := b.of(i)
	meta.Labels = map[string]string{discoveryv1.LabelServiceName: meta.Name, discoveryv1.LabelManagedBy: namespace}
	return &discoveryv1.EndpointSlice{
		ObjectMeta: meta, AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{{Addresses: []string{b.address}}},
		Ports:     []discoveryv1.EndpointPort{{Name: new(port), Port: new(int32(9102)), Protocol: new(corev1.ProtocolTCP)}},
	}
}

// monitor is that of the i-th service, as people write them, in its edit-th version: a parameter of the target's address
// says which.
func (b *bench) monitor(i, edit int) *monitoringv1.ServiceMonitor {
	meta := b.of(i)
	return &monitoringv1.ServiceMonitor{ObjectMeta: meta, Spec: monitoringv1.ServiceMonitorSpec{
		Selector:     metav1.LabelSelector{MatchLabels: map[string]string{"app": meta.Name}},
		TargetLabels: []string{"app"},
		Endpoints: []monitoringv1.Endpoint{{
			Port: port, Path: "/metrics", Params: map[string][]string{"edit": {marker(edit)}},
			MetricRelabelConfigs: []monitoringv1.RelabelConfig{{Action: "drop", SourceLabels: []monitoringv1.LabelName{"__name__"}, Regex: "go_gc_.*"}},
		}},
	}}
}

func marker(edit int) string { return fmt.Sprintf("e%d.", edit) }

// pool is the scrape job of the i-th service.
func (b *bench) pool(i int) string {
	meta := b.of(i)
	return "serviceMonitor/" + meta.Namespace + "/" + meta.Name + "/0"
}

// fill makes the monitors, and waits until each has its target.
func (b *bench) fill(ctx context.Context) error {
	var err error
	if b.pod, err = b.Awake(ctx, 5*time.Minute); err != nil {
		return err
	}
	target := &corev1.Pod{}
	err = cluster.Until(ctx, 2*time.Minute, "the target has an address", func(ctx context.Context) error {
		err := b.API.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "target"}, target)
		if err == nil && target.Status.PodIP == "" {
			err = fmt.Errorf("it is %s", target.Status.Phase)
		}
		return err
	})
	if err != nil {
		return err
	}
	b.address = target.Status.PodIP
	// Those that come and go have their services already.
	if err := b.CreateMany(ctx, 0, b.o.monitors+b.o.changes, b.monitored); err != nil {
		return err
	}
	began := time.Now()
	if err := b.CreateMany(ctx, 0, b.o.monitors, func(i int) []client.Object { return []client.Object{b.monitor(i, 0)} }); err != nil {
		return err
	}
	made := time.Now()
	if err := cluster.Until(ctx, 10*time.Minute, "every monitor has its target", b.complete); err != nil {
		return err
	}
	fmt.Printf("\n%d ServiceMonitors were made in %.1f s; all their targets were there %.1f s later.\n",
		b.o.monitors, made.Sub(began).Seconds(), time.Since(made).Seconds())
	return nil
}

// complete fails until Prometheus has the targets of all monitors, as the reloader counts them or as Prometheus itself does.
func (b *bench) complete(ctx context.Context) error {
	text, err := b.Get(ctx, cluster.Prometheus(b.pod, "/api/v1/targets?state=active"))
	if err != nil {
		return err
	}
	if n := strings.Count(string(text), `"scrapePool":"serviceMonitor/`); n != b.o.monitors {
		return fmt.Errorf("%d targets of %d", n, b.o.monitors)
	}
	return nil
}

// printSizes prints how large what is published is, and what Prometheus itself takes.
func (b *bench) printSizes(ctx context.Context) error {
	var parts corev1.ConfigMapList
	if err := b.API.List(ctx, &parts, client.InNamespace(namespace)); err != nil {
		return err
	}
	size := 0
	for i := range parts.Items {
		for _, packed := range parts.Items[i].BinaryData {
			size += len(packed)
		}
	}
	var ps v1alpha1.PrometheusServer
	if err := b.API.Get(ctx, client.ObjectKey{Namespace: namespace, Name: cluster.Server}, &ps); err != nil {
		return err
	}
	m, err := b.Metrics(ctx, cluster.Prometheus(b.pod, "/metrics"))
	if err != nil {
		return err
	}
	r, err := b.Metrics(ctx, fmt.Sprintf("http://%s:%d/metrics", b.pod.Status.PodIP, replica.Port))
	if err != nil {
		return err
	}
	fmt.Printf("\nPublished: %d kB packed. Resident memory of Prometheus %.0f MB, of its reloader %.0f MB. Status: %s targets, %d jobs in it.\n",
		size/1000, m["process_resident_memory_bytes"]/1e6, r["process_resident_memory_bytes"]/1e6, ps.Status.Targets.Summary, len(ps.Status.Targets.Jobs))
	return nil
}

// remove leaves nothing behind but the kind, which may be somebody's.
func (b *bench) remove() {
	var tenants []client.Object
	for i := range b.o.namespaces {
		tenants = append(tenants, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: tenantOf(i)}})
	}
	b.Remove(tenants...)
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/test/bench/cluster"
)

const (
	namespace = "nodes-bench"
	// fake is the label of the nodes that are kwok's.
	fake = "nodes-bench"
	pool = "nodeExporter/" + namespace + "/node"
)

// bench is the cluster and the server that is measured.
type bench struct {
	*cluster.Cluster
	o options

	kwok    int    // its process
	address string // of the pod that stands behind every fake one
	pod     *corev1.Pod
	real    int // nodes that are no fakes
	idleCPU float64
}

func newBench(o options) *bench { return &bench{Cluster: cluster.New(namespace), o: o} }

// connect finds the cluster, and makes the server, the exporter and the pod that answers there.
func (b *bench) connect(ctx context.Context) error {
	if err := b.Connect(ctx, b.o.kubeconfig, nil); err != nil {
		return err
	}
	image, err := b.OperatorImage(ctx)
	if err != nil {
		return err
	}
	var nodes corev1.NodeList
	if err := b.API.List(ctx, &nodes); err != nil {
		return err
	}
	for i := range nodes.Items {
		if nodes.Items[i].Labels[fake] == "" {
			b.real++
		}
	}
	all := &v1alpha1.ObjectSelector{Selector: &metav1.LabelSelector{}}
	err = b.Create(ctx,
		&v1alpha1.PrometheusServer{ObjectMeta: b.In(cluster.Server), Spec: v1alpha1.PrometheusServerSpec{
			ScrapeInterval: v1alpha1.Duration(b.o.interval),
			// Without a request a pod gets next to nothing while others want the processor.
			Resources: &corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m")}},
			Storage:   v1alpha1.Storage{Size: resource.MustParse("4Gi"), WhenDeleted: v1alpha1.ClaimDelete},
			Targets:   &v1alpha1.Targets{NodeExporters: all},
		}},
		&v1alpha1.NodeExporter{ObjectMeta: b.In("node")},
		&corev1.Pod{ObjectMeta: b.In("target"), Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "target", Image: image, Command: []string{"/node_exporter"}, Args: []string{"--collector.disable-defaults", "--collector.time"},
		}}}})
	if err != nil {
		return err
	}
	if err := b.Observe(ctx, &v1alpha1.PrometheusServerList{}); err != nil {
		return err
	}
	if err := b.Seen.Follow(ctx, &v1alpha1.NodeExporterList{}, client.InNamespace(namespace)); err != nil {
		return err
	}
	return cluster.Until(ctx, 2*time.Minute, "the target has an address", func(ctx context.Context) error {
		target := &corev1.Pod{}
		err := b.API.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "target"}, target)
		if b.address = target.Status.PodIP; err == nil && b.address == "" {
			err = fmt.Errorf("it is %s", target.Status.Phase)
		}
		return err
	})
}

func (b *bench) node(i int) *corev1.Node {
	name := fmt.Sprintf("fake-%d", i)
	room := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("4"), corev1.ResourceMemory: resource.MustParse("16Gi"), corev1.ResourcePods: resource.MustParse("110"),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			fake: "true", corev1.LabelHostname: name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64",
			corev1.LabelTopologyZone: fmt.Sprintf("zone-%d", i%3), corev1.LabelInstanceTypeStable: "large",
		}},
		// What is deployed for real is not to end up here.
		Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: fake, Value: "true", Effect: corev1.TaintEffectNoSchedule}}},
		// It comes to life as a kubelet's does, which registers it ready: kwok has its hands full with thousands of them.
		Status: corev1.NodeStatus{
			Phase: corev1.NodeRunning,
			Conditions: []corev1.NodeCondition{{
				Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", LastHeartbeatTime: metav1.Now(), LastTransitionTime: metav1.Now(),
			}},
			Allocatable: room, Capacity: room,
		},
	}
}

// fill makes the nodes, and waits until each has a target and all has been said about it.
func (b *bench) fill(ctx context.Context) error {
	var err error
	if b.pod, err = b.Awake(ctx, 5*time.Minute); err != nil {
		return err
	}
	before, err := b.Costs(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := b.CreateMany(ctx, 0, b.o.nodes, func(i int) []client.Object { return []client.Object{b.node(i)} }); err != nil {
		return err
	}
	if err := cluster.Until(ctx, 30*time.Minute, "every node has its exporter", b.ready(b.o.nodes+b.real)); err != nil {
		return err
	}
	ready := time.Now()
	if err := cluster.Until(ctx, 10*time.Minute, "every exporter is a target", b.targets(b.o.nodes+b.real)); err != nil {
		return err
	}
	done := time.Now()
	if err := b.Seen.Settled(ctx, 30*time.Minute, 5*time.Second); err != nil {
		fmt.Println("\nSomething goes on being written:", err)
	}
	after, err := b.Costs(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("\n%d nodes were made, and their exporters ready %.0f s later; all were targets %.1f s after that. Until then the operator took"+
		" %.1f s of its processor, and the NodeExporter's status was written %d times, the server's %d times.\n", b.o.nodes, ready.Sub(began).Seconds(),
		done.Sub(ready).Seconds(), after.CPU-before.CPU, after.Writes["NodeExporter status"]-before.Writes["NodeExporter status"],
		after.Writes["PrometheusServer status"]-before.Writes["PrometheusServer status"])
	return b.printSizes(ctx)
}

// ready fails until the DaemonSet says that so many pods are.
func (b *bench) ready(n int) func(context.Context) error {
	return func(ctx context.Context) error {
		var set appsv1.DaemonSet
		err := b.API.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "node-exporter-node"}, &set)
		if err == nil && int(set.Status.NumberReady) != n {
			err = fmt.Errorf("%d of %d", set.Status.NumberReady, n)
		}
		return err
	}
}

// targets fails until Prometheus has so many.
func (b *bench) targets(n int) func(context.Context) error {
	return func(ctx context.Context) error {
		text, err := b.page(ctx)
		if err != nil {
			return err
		}
		if got := strings.Count(text, `"scrapePool":`); got != n {
			return fmt.Errorf("%d targets of %d", got, n)
		}
		return nil
	}
}

// page lists the targets.
func (b *bench) page(ctx context.Context) (string, error) {
	query := url.Values{"state": {"active"}, "scrapePool": {pool}}
	text, err := b.Get(ctx, cluster.Prometheus(b.pod, "/api/v1/targets?"+query.Encode()))
	return string(text), err
}

// printSizes prints what all of it comes to.
func (b *bench) printSizes(ctx context.Context) error {
	var ne v1alpha1.NodeExporter
	if err := b.API.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "node"}, &ne); err != nil {
		return err
	}
	ne.Status.Conditions = nil
	says, err := json.Marshal(ne.Status)
	if err != nil {
		return err
	}
	m, err := b.Metrics(ctx, cluster.Prometheus(b.pod, "/metrics"))
	if err != nil {
		return err
	}
	var config struct{ Data struct{ YAML string } }
	text, err := b.Get(ctx, cluster.Prometheus(b.pod, "/api/v1/status/config"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &config); err != nil {
		return err
	}
	fmt.Printf("\nThe NodeExporter says %s. The server's configuration is %.1f kB, with Prometheus' defaults; its resident memory %.0f MB. kwok has %s.\n",
		says, float64(len(config.Data.YAML))/1000, m["process_resident_memory_bytes"]/1e6, b.memoryOfKwok())
	return nil
}

func (b *bench) memoryOfKwok() string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(b.kwok) + "/status")
	if err != nil {
		return "ended"
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return "ended"
}

// remove leaves nothing behind.
func (b *bench) remove() {
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Minute)
	defer stop()
	b.Remove()
	err := b.API.DeleteAllOf(ctx, &corev1.Node{}, client.MatchingLabelsSelector{Selector: labels.SelectorFromSet(labels.Set{fake: "true"})})
	if err != nil {
		fmt.Fprintln(os.Stderr, "clean up:", err)
	}
}

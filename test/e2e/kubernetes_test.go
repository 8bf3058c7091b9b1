package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// TestKubernetesTargets: Kubernetes itself, and what is annotated, with their labels; and what a server is granted for that
// goes when it no longer needs it. kube-state-metrics itself is no image of this cluster: another program stands in for its pod.
func TestKubernetesTargets(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	ps := g.kubernetesServer()
	image := operatorPod(t.Context()).Spec.Containers[0].Image
	g.create(append(g.annotated(image), ps)...)

	message, _ := g.awaitMessage(2*time.Minute, ps, v1alpha1.ConditionTargetsHealthy, "spec.targets.kubernetes is left out", "spec.targets.annotations is left out",
		"kubectl label namespace "+g.servers+" monitoring.hearth.dev/reach=cluster")
	t.Log(message)
	if got := g.bindings(ps); len(got) > 0 {
		t.Errorf("bound without leave: %v", got)
	}
	// Prometheus does not look at an endpoint again when it hears of its pod's address later (docs/targets.md).
	for _, name := range []string{"annotated", "behind"} {
		g.pod(name)
	}
	g.reach("cluster")
	server := through(ps)
	t.Run("up", func(t *testing.T) { g.in(t).targetsAre(server, g.in(t).expected()) })
	g.await(time.Minute, ps, v1alpha1.ConditionTargetsHealthy, metav1.ConditionTrue, v1alpha1.ReasonAllUp)
	t.Logf("%v", g.bindings(ps))
	t.Run("what the rules ask for", func(t *testing.T) { g.in(t).answers(server) })
	t.Run("removed", func(t *testing.T) {
		g := g.in(t)
		must(t, kube.api.Delete(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: g.nodes, Name: "annotated"}}, client.GracePeriodSeconds(1)))
		want := g.expected()
		delete(want, "kubernetes-pods annotated:9102/metrics")
		took := g.targetsAre(server, want)
		t.Logf("the target of an annotated pod is gone %s after the pod was deleted", took)
		g.awaitMessage(time.Minute, ps, v1alpha1.ConditionTargetsHealthy, "kubernetes-pods: no target found: no pod that runs in "+g.nodes)
	})
	t.Run("revoked", func(t *testing.T) { g.in(t).revoked(ps) })
}

// kubernetesServer is one with all that this test is about. The pod of its kube-state-metrics has no node to run on.
func (g *ground) kubernetesServer() *v1alpha1.PrometheusServer {
	ps := g.server()
	// A kubelet and an API server have much to say, and may not be scraped for longer than this.
	ps.Spec.ScrapeInterval = "5s"
	ps.Spec.Targets = &v1alpha1.Targets{
		Kubernetes: &v1alpha1.KubernetesTargets{All: true, StateMetrics: &v1alpha1.StateMetrics{Shards: 1, NodeSelector: map[string]string{"no": "such"}}},
		Annotations: &v1alpha1.AnnotationTargets{
			Pods: &v1alpha1.AnnotatedPods{}, Services: &v1alpha1.AnnotatedServices{},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: g.nodes}},
		},
	}
	return ps
}

// reach changes the label that allows the servers of this ground to look beyond their namespace.
func (g *ground) reach(value string) {
	g.t.Helper()
	patch := fmt.Sprintf(`{"metadata":{"labels":{"monitoring.hearth.dev/reach":%q}}}`, value)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: g.servers}}
	must(g.t, kube.api.Patch(g.t.Context(), ns, client.RawPatch(types.MergePatchType, []byte(patch))))
}

// annotated are a pod, a Service and what stands in for kube-state-metrics, and what somebody might try with annotations.
func (g *ground) annotated(image string) []client.Object {
	yes := map[string]string{"prometheus.io/scrape": "true", "prometheus.io/port": "9102"}
	pod := func(namespace, name string, labels, annotations map[string]string, ports ...int32) *corev1.Pod {
		p := standIn(image, ports...)
		p.ObjectMeta = metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels, Annotations: annotations}
		return p
	}
	service := func(name string, selector, annotations map[string]string, port int32) *corev1.Service {
		return &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: g.nodes, Name: name, Labels: map[string]string{"team": "shop"}, Annotations: annotations},
			Spec:       corev1.ServiceSpec{Selector: selector, Ports: []corev1.ServicePort{{Name: "metrics", Port: port, TargetPort: intstr.FromInt32(port)}}},
		}
	}
	text := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "text"}, Data: map[string]string{
		"pods.prom": "# TYPE kube_pod_info gauge\nkube_pod_info{namespace=\"shop\",pod=\"till\",node=\"n1\"} 1\n",
	}}
	there := text.DeepCopy()
	text.Namespace, there.Namespace = g.servers, g.nodes
	spoof := map[string]string{"app": "annotated", "job": "apiserver", "instance": "me", "namespace": "kube-system", "replica": "r", "pod-template-hash": "x"}
	return []client.Object{
		text, there,
		pod(g.nodes, "annotated", spoof, yes, 9102),
		pod(g.nodes, "behind", map[string]string{"app": "behind"}, nil, 9103),
		pod(g.nodes, "silent", map[string]string{"app": "silent"}, map[string]string{"prometheus.io/scrape": "false"}, 9102),
		pod(g.servers, "state-metrics-stand-in", map[string]string{
			"app.kubernetes.io/name": "kube-state-metrics", "app.kubernetes.io/instance": "main",
			"monitoring.hearth.dev/state-metrics": "main", "monitoring.hearth.dev/shard": "0",
		}, nil, 8080, 8081),
		service("behind", map[string]string{"app": "behind"}, map[string]string{
			"prometheus.io/scrape": "true", "prometheus.io/path": "/metrics", "prometheus.io/param_x": "y",
		}, 9103),
		// The pod behind this one is annotated itself: it is scraped once.
		service("twice", map[string]string{"app": "annotated"}, map[string]string{"prometheus.io/scrape": "true"}, 9102),
		// Nothing behind these is a pod, whatever they say.
		service("elsewhere", nil, map[string]string{"prometheus.io/scrape": "true", "prometheus.io/port": "9103"}, 10250),
		&discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: g.nodes, Name: "elsewhere", Labels: map[string]string{discoveryv1.LabelServiceName: "elsewhere"}},
			AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{kube.address}, TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: g.nodes, Name: "behind"}}, {Addresses: []string{kube.address}}},
			Ports:       []discoveryv1.EndpointPort{{Name: ptr.To("metrics"), Port: ptr.To(int32(10250)), Protocol: ptr.To(corev1.ProtocolTCP)}},
		},
	}
}

// standIn is a pod that answers on these ports, with a metric as kube-state-metrics has it among others.
func standIn(image string, ports ...int32) *corev1.Pod {
	p := &corev1.Pod{Spec: corev1.PodSpec{
		AutomountServiceAccountToken:  ptr.To(false),
		TerminationGracePeriodSeconds: ptr.To(int64(1)),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To(int64(65534)), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Volumes: []corev1.Volume{{Name: "text", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: "text"},
		}}}},
	}}
	for i, port := range ports {
		name := map[int32]string{8080: "http-metrics", 8081: "telemetry"}[port]
		if name == "" {
			name = "web"
		}
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{
			Name: "c" + strconv.Itoa(i), Image: image, Command: []string{"/node_exporter"},
			Args:         []string{fmt.Sprintf("--web.listen-address=:%d", port), "--collector.disable-defaults", "--collector.textfile", "--collector.textfile.directory=/text"},
			Ports:        []corev1.ContainerPort{{Name: name, ContainerPort: port}},
			VolumeMounts: []corev1.VolumeMount{{Name: "text", MountPath: "/text"}},
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: ptr.To(false), ReadOnlyRootFilesystem: ptr.To(true), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
		})
	}
	return p
}

// expected is the table: by job, whose and where, the labels of each target. What differs from cluster to cluster is put
// in: the names and addresses of nodes and pods.
func (g *ground) expected() map[string]map[string]string {
	g.t.Helper()
	out := map[string]map[string]string{}
	for _, node := range kube.nodes {
		for job, path := range map[string]string{"kubelet": "/metrics", "kubelet/cadvisor": "/metrics/cadvisor", "kubelet/probes": "/metrics/probes"} {
			out[job+" "+node] = map[string]string{"job": "kubelet", "instance": node, "node": node, "metrics_path": path}
		}
	}
	slices1, err := kube.typed.DiscoveryV1().EndpointSlices("default").List(g.t.Context(), metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=kubernetes"})
	must(g.t, err)
	for _, slice := range slices1.Items {
		for _, endpoint := range slice.Endpoints {
			address := fmt.Sprintf("%s:%d", endpoint.Addresses[0], *slice.Ports[0].Port)
			out["apiserver "+address] = map[string]string{"job": "apiserver", "instance": address, "namespace": "default", "service": "kubernetes", "endpoint": "https"}
		}
	}
	dns, err := kube.typed.CoreV1().Pods("kube-system").List(g.t.Context(), metav1.ListOptions{LabelSelector: "k8s-app=kube-dns"})
	must(g.t, err)
	for _, pod := range dns.Items {
		out["coredns "+pod.Name] = map[string]string{"job": "coredns", "instance": pod.Status.PodIP + ":9153", "namespace": "kube-system", "pod": pod.Name, "node": pod.Spec.NodeName}
	}
	state := map[string]string{"job": "kube-state-metrics", "instance": "kube-state-metrics-main-0"}
	out["kube-state-metrics kube-state-metrics-main-0"], out["kube-state-metrics/self kube-state-metrics-main-0"] = state, state
	if pod := g.pod("annotated"); pod != nil {
		out["kubernetes-pods annotated:9102/metrics"] = map[string]string{"job": "kubernetes-pods", "instance": pod.Status.PodIP + ":9102", "namespace": g.nodes, "pod": "annotated",
			"node": pod.Spec.NodeName, "app": "annotated"}
	}
	if pod := g.pod("behind"); pod != nil {
		out["kubernetes-service-endpoints behind:9103/metrics?x=y"] = map[string]string{"job": "kubernetes-service-endpoints", "instance": pod.Status.PodIP + ":9103", "namespace": g.nodes,
			"service": "behind", "pod": "behind", "node": pod.Spec.NodeName, "team": "shop"}
		// The endpoint that somebody wrote by hand and that names this pod: at the pod's own address, whatever it says.
		out["kubernetes-service-endpoints behind:9103/metrics"] = map[string]string{"job": "kubernetes-service-endpoints", "instance": pod.Status.PodIP + ":9103", "namespace": g.nodes,
			"service": "elsewhere", "pod": "behind", "node": pod.Spec.NodeName, "team": "shop"}
	}
	return out
}

// pod is one of this ground's, which has its address by then, or nil.
func (g *ground) pod(name string) *corev1.Pod {
	g.t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: g.nodes, Name: name}}
	gone := false
	eventually(g.t, time.Minute, func() error {
		err := g.get(pod)
		if gone = apierrors.IsNotFound(err); gone {
			return nil
		}
		if err == nil && pod.Status.PodIP == "" {
			err = fmt.Errorf("pod %s has no address yet", name)
		}
		return err
	})
	if gone {
		return nil
	}
	return pod
}

// targetsAre waits until a server's targets, but for itself, are exactly these and up. One that somebody made up can't be.
func (g *ground) targetsAre(server prometheus, want map[string]map[string]string) time.Duration {
	g.t.Helper()
	return eventually(g.t, 3*time.Minute, func() error {
		var data struct {
			ActiveTargets []struct {
				ScrapePool, ScrapeURL, Health, LastError string
				Labels                                   map[string]string
			}
		}
		if err := server.api(g.t.Context(), "/api/v1/targets", map[string]string{"state": "active"}, &data); err != nil {
			return err
		}
		got, wrong := map[string]map[string]string{}, ""
		for _, target := range data.ActiveTargets {
			if target.ScrapePool == "prometheus" || target.ScrapePool == "hearth-reloader" {
				continue
			}
			key := target.ScrapePool + " " + target.Labels["instance"]
			switch {
			case target.ScrapePool == "coredns":
				key = target.ScrapePool + " " + target.Labels["pod"]
			case strings.HasPrefix(target.ScrapePool, "kubernetes-"):
				_, port, _ := strings.Cut(target.ScrapeURL, target.Labels["instance"])
				_, number, _ := strings.Cut(target.Labels["instance"], ":")
				key = target.ScrapePool + " " + target.Labels["pod"] + ":" + number + port
			}
			got[key] = target.Labels
			if target.Health != "up" {
				wrong += fmt.Sprintf("\n%s is %s: %s", key, target.Health, target.LastError)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || wrong != "" {
			return fmt.Errorf("targets (-want +got):\n%s%s", diff, wrong)
		}
		return nil
	})
}

// answers asks for the series that the kubernetes-mixin's rules ask for, by the selectors of its rules (docs/targets.md), and
// for those that nobody asks for and that are dropped.
func (g *ground) answers(server prometheus) {
	for _, selector := range mixinSelectors {
		eventually(g.t, 90*time.Second, func() error {
			result, err := server.query(g.t.Context(), "count("+selector+")")
			if err == nil && len(result) == 0 {
				err = fmt.Errorf("nothing is %s", selector)
			}
			if err == nil {
				g.t.Logf("%6.0f series of %s", result[0].Value.float(), selector)
			}
			return err
		})
	}
	for _, selector := range []string{
		`{__name__=~"apiserver_request(_sli)?_duration_seconds_bucket", le=~"0.6|1.25|2(.0)?|20(.0)?"}`,
		`{__name__=~"container_tasks_state|container_network_tcp_usage_total"}`,
		`container_last_seen{pod="",namespace=""}`,
		`{job!~"kubernetes-.*", exported_namespace!=""}`,
		`{job="apiserver", instance="me"}`,
	} {
		result, err := server.query(g.t.Context(), selector)
		must(g.t, err)
		if len(result) > 0 {
			g.t.Errorf("%d series of %s, such as %v", len(result), selector, result[0].Metric)
		}
	}
	result, err := server.query(g.t.Context(), `sum by (job, metrics_path) (scrape_samples_post_metric_relabeling)`)
	must(g.t, err)
	for _, s := range result {
		g.t.Logf("%6.0f samples of %v", s.Value.float(), s.Metric)
	}
}

// mixinSelectors are those of docs/targets.md, each with a metric that this cluster has at all times.
var mixinSelectors = []string{
	`up{job="apiserver"}`,
	`apiserver_request_total{job="apiserver"}`,
	`apiserver_request_sli_duration_seconds_bucket{job="apiserver",verb=~"LIST|GET",scope=~"resource|",le=~"1(\\.0)?"}`,
	`apiserver_request_sli_duration_seconds_bucket{job="apiserver",le=~"5(\\.0)?"}`,
	`apiserver_request_sli_duration_seconds_bucket{job="apiserver",le=~"30(\\.0)?"}`,
	`workqueue_adds_total{job="apiserver"}`,
	`up{job="kubelet", metrics_path="/metrics"}`,
	`kubelet_node_name{job="kubelet", metrics_path="/metrics"}`,
	`kubelet_running_pods{job="kubelet", metrics_path="/metrics"} * on(instance) group_left(node) kubelet_node_name{job="kubelet", metrics_path="/metrics"}`,
	`kubelet_pleg_relist_duration_seconds_bucket{job="kubelet", metrics_path="/metrics"}`,
	`container_cpu_usage_seconds_total{job="kubelet", metrics_path="/metrics/cadvisor", image!=""}`,
	`container_memory_working_set_bytes{job="kubelet", metrics_path="/metrics/cadvisor", container!="", image!="", namespace!="", pod!="", node!=""}`,
	`container_network_receive_bytes_total{job="kubelet", metrics_path="/metrics/cadvisor", namespace!="", pod!=""}`,
	`prober_probe_total{job="kubelet", metrics_path="/metrics/probes", pod!=""}`,
	`coredns_panics_total{job="coredns", pod!=""}`,
	`kube_pod_info{job="kube-state-metrics", namespace="shop", pod="till", node="n1", instance="kube-state-metrics-main-0"}`,
}

// bindings are what a server has beyond its namespace, and the one in it.
func (g *ground) bindings(ps *v1alpha1.PrometheusServer) []string {
	g.t.Helper()
	found := map[string]bool{}
	suffix := ":" + ps.Namespace + ":" + ps.Name
	var everywhere rbacv1.ClusterRoleBindingList
	must(g.t, kube.api.List(g.t.Context(), &everywhere))
	for _, b := range everywhere.Items {
		if role, ok := strings.CutSuffix(b.Name, suffix); ok {
			found[role] = true
		}
	}
	var in rbacv1.RoleBindingList
	must(g.t, kube.api.List(g.t.Context(), &in))
	for _, b := range in.Items {
		if role, ok := strings.CutSuffix(b.Name, suffix); ok {
			found[b.Namespace+"/"+role] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// revoked takes away first the label, then the fields, then the server.
func (g *ground) revoked(ps *v1alpha1.PrometheusServer) {
	g.t.Helper()
	become := func(want ...string) {
		g.t.Helper()
		took := eventually(g.t, 30*time.Second, func() error {
			if diff := cmp.Diff(want, g.bindings(ps)); diff != "" {
				return fmt.Errorf("bindings (-want +got):\n%s", diff)
			}
			return nil
		})
		g.t.Logf("bindings are %v after %s", want, took)
	}
	change(g, ps, func(ps *v1alpha1.PrometheusServer) {
		ps.Spec.Targets.Kubernetes = &v1alpha1.KubernetesTargets{Kubelets: &v1alpha1.KubeletTargets{}}
	})
	annotations := g.nodes + "/hearth-discovery"
	become(annotations, "hearth-kubelets", "hearth-nodes")
	g.gone(30*time.Second, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: g.servers, Name: "kube-state-metrics-main-0"}})
	g.reach("namespace")
	become()
	g.reach("cluster")
	become(annotations, "hearth-kubelets", "hearth-nodes")
	must(g.t, kube.api.Delete(g.t.Context(), ps))
	become()
}

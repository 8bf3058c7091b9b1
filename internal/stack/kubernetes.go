package stack

import (
	"cmp"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// Where Kubernetes has what is pulled from.
const (
	apiServerNamespace = "default"
	coreDNSNamespace   = "kube-system"
)

// LabelStateMetrics holds the name of the PrometheusServer that a pod of kube-state-metrics belongs to, LabelShard the
// number of its shard; a pod of the server itself has the latter too.
const (
	LabelStateMetrics = "monitoring.hearth.dev/state-metrics"
	LabelShard        = "monitoring.hearth.dev/shard"
)

// The scrape jobs of Kubernetes itself, by which Prometheus reports on them. The label job is another matter.
const (
	JobAPIServer        = "apiserver"
	JobKubelet          = "kubelet"
	JobKubeletCAdvisor  = "kubelet/cadvisor"
	JobKubeletProbes    = "kubelet/probes"
	JobCoreDNS          = "coredns"
	JobStateMetrics     = "kube-state-metrics"
	JobStateMetricsSelf = "kube-state-metrics/self"
)

// The names of the ports of kube-state-metrics: of the cluster, and of itself.
const (
	StateMetricsPort     = "http-metrics"
	StateMetricsSelfPort = "telemetry"
)

// Kubernetes is what of Kubernetes itself is pulled from.
type Kubernetes struct {
	APIServer, CoreDNS bool
	// Kubelets is nil where they are not.
	Kubelets *v1alpha1.KubeletTargets
	// StateMetrics is nil where there is none.
	StateMetrics *StateMetrics
}

// StateMetrics is a kube-state-metrics that can be built.
type StateMetrics struct {
	// Base is kube-state-metrics-<server>: the ServiceAccount and the Service, and the prefix of one Deployment for each shard.
	Base string
	// Selector are the labels by which the pods of all shards are found; they never change.
	Selector map[string]string
	// Labels are on every object made for it; they contain Selector.
	Labels map[string]string

	Image       string
	PullSecrets []corev1.LocalObjectReference
	Shards      int32
	Scheduling  Scheduling
}

// kubernetes resolves what of Kubernetes itself is pulled from. It is all there or not at all: whether the server may look
// there depends on no part of it.
func kubernetes(in Inputs, reach *reach) Kubernetes {
	declared := kubernetesTargets(in.Server)
	if declared == nil {
		return Kubernetes{}
	}
	const path = "spec.targets.kubernetes"
	chosen := func(named bool, needs ...Binding) bool { return (named || declared.All) && reach.allow(path, needs...) }
	out := Kubernetes{
		APIServer: chosen(declared.APIServer != nil, Binding{Role: RoleDiscovery, Namespace: apiServerNamespace}, Binding{Role: RoleMetrics}),
		CoreDNS:   chosen(declared.CoreDNS != nil, Binding{Role: RoleDiscovery, Namespace: coreDNSNamespace}),
	}
	if chosen(declared.Kubelets != nil, Binding{Role: RoleNodes}, Binding{Role: RoleKubelets}) {
		out.Kubelets = cmp.Or(declared.Kubelets, &v1alpha1.KubeletTargets{})
	}
	state := stateMetrics(in, cmp.Or(declared.StateMetrics, &v1alpha1.StateMetrics{}))
	if chosen(declared.StateMetrics != nil, Binding{Role: RoleDiscovery, Namespace: in.Server.Namespace}, Binding{Role: RoleStateMetrics, Account: state.Base}) {
		out.StateMetrics = state
	}
	return out
}

func kubernetesTargets(ps *v1alpha1.PrometheusServer) *v1alpha1.KubernetesTargets {
	if ps.Spec.Targets == nil {
		return nil
	}
	return ps.Spec.Targets.Kubernetes
}

func stateMetrics(in Inputs, declared *v1alpha1.StateMetrics) *StateMetrics {
	server := in.Server.Name
	s := &StateMetrics{
		Base:        "kube-state-metrics-" + server,
		Selector:    map[string]string{labelName: "kube-state-metrics", labelInstance: server, LabelStateMetrics: server},
		Image:       declared.Image,
		PullSecrets: in.Server.Spec.ImagePullSecrets,
		Shards:      max(1, declared.Shards),
		Scheduling: Scheduling{
			Resources:         valueOr(declared.Resources, stateMetricsResources()),
			NodeSelector:      declared.NodeSelector,
			Tolerations:       declared.Tolerations,
			PriorityClassName: declared.PriorityClassName,
		},
	}
	if s.Image == "" {
		s.Image = "registry.k8s.io/kube-state-metrics/kube-state-metrics:v" + cmp.Or(declared.Version, in.Images.StateMetricsVersion)
	}
	s.Labels = maps.Clone(s.Selector)
	s.Labels[LabelManagedBy] = ManagedBy
	s.Labels[labelComponent] = "exporter"
	return s
}

func stateMetricsResources() corev1.ResourceRequirements {
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("64Mi")},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("512Mi")},
	}
}

package promconfig

import (
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// What the kubelet puts into every pod that mounts its ServiceAccount's token.
const (
	accountDir = "/var/run/secrets/kubernetes.io/serviceaccount"
	tokenFile  = accountDir + "/token"
	caFile     = accountDir + "/ca.crt"
)

// kubernetesJobs pull from Kubernetes itself, with the labels that the kubernetes-mixin's rules and dashboards ask for: see
// docs/targets.md.
func kubernetesJobs(s *stack.Stack) []scrapeConfig {
	k := s.Kubernetes
	var out []scrapeConfig
	if k.APIServer {
		out = append(out, byAddress(s, apiServer())...)
	}
	if k.Kubelets != nil {
		out = append(out, by(s, "node", kubelet(s, stack.JobKubelet, "/metrics"), cAdvisor(s), kubelet(s, stack.JobKubeletProbes, "/metrics/probes"))...)
	}
	if k.CoreDNS {
		out = append(out, byAddress(s, coreDNS())...)
	}
	if k.StateMetrics != nil {
		out = append(out, by(s, "instance", stateMetrics(s), stateMetricsSelf(s))...)
	}
	return out
}

func token() *authorization { return &authorization{CredentialsFile: tokenFile} }

// apiServer finds each API server behind the Service kubernetes. Their certificates are for the Service's name.
func apiServer() scrapeConfig {
	return scrapeConfig{
		JobName:       stack.JobAPIServer,
		Scheme:        "https",
		Authorization: token(),
		TLSConfig:     &tlsConfig{CAFile: caFile, ServerName: "kubernetes.default.svc"},
		KubernetesSD: []kubernetesSD{{
			Role:       "endpointslice",
			Namespaces: namespaces{Names: []string{"default"}},
			Selectors: []sdSelector{
				{Role: "endpointslice", Label: "kubernetes.io/service-name=kubernetes"},
				{Role: "service", Field: "metadata.name=kubernetes"},
				// API servers are no pods of this namespace, so none of its pods need be held in memory.
				{Role: "pod", Field: "metadata.name=kubernetes"},
			},
		}},
		RelabelConfigs: []relabelConfig{
			{Action: "keep", SourceLabels: []string{"__meta_kubernetes_endpointslice_port_name"}, Regex: "https"},
			{SourceLabels: []string{"__meta_kubernetes_namespace"}, TargetLabel: "namespace"},
			{SourceLabels: []string{"__meta_kubernetes_service_name"}, TargetLabel: "service"},
			{SourceLabels: []string{"__meta_kubernetes_endpointslice_port_name"}, TargetLabel: "endpoint"},
		},
		MetricRelabelConfigs: []relabelConfig{
			// A few hundred resources times as many verbs, each with twenty buckets. The rules ask for 1, 5 and 30 seconds; these
			// are enough for the quantiles beside them.
			{
				Action: "drop", SourceLabels: []string{"__name__", "le"},
				Regex: `(apiserver_request|apiserver_request_sli|etcd_request)_duration_seconds_bucket;(0\.6|0\.8|1\.25|1\.5|2|3|4|6|8|15|20|45)(\.0)?`,
			},
			{
				Action: "drop", SourceLabels: []string{"__name__"},
				Regex: `apiserver_(response_sizes|request_body_size_bytes|watch_events_sizes|watch_list_duration_seconds)_bucket|etcd_(debugging|disk|server).*`,
			},
		},
	}
}

// kubelet finds the kubelets through the nodes themselves, so that one without any pod is seen as well. The target's instance
// is the node's name, as Prometheus' discovery of nodes has it.
func kubelet(s *stack.Stack, name, path string) scrapeConfig {
	job := scrapeConfig{
		JobName: name,
		// A kubelet speaks of pods: namespace, pod and container are theirs.
		HonorLabels:   true,
		MetricsPath:   path,
		Scheme:        "https",
		Authorization: token(),
		TLSConfig:     &tlsConfig{CAFile: caFile},
		KubernetesSD:  []kubernetesSD{{Role: "node"}},
		RelabelConfigs: []relabelConfig{
			{TargetLabel: "job", Replacement: "kubelet"},
			{SourceLabels: []string{"__meta_kubernetes_node_name"}, TargetLabel: "node"},
			{SourceLabels: []string{"__metrics_path__"}, TargetLabel: "metrics_path"},
		},
	}
	if s.Kubernetes.Kubelets.InsecureSkipVerify {
		job.TLSConfig = &tlsConfig{InsecureSkipVerify: true}
	}
	if name == stack.JobKubelet {
		job.MetricRelabelConfigs = []relabelConfig{{
			Action: "drop", SourceLabels: []string{"__name__", "le"},
			Regex: `(csi_operations|storage_operation_duration)_seconds_bucket;(0\.25|2\.5|15|25|120|600)(\.0)?`,
		}}
	}
	return job
}

// cAdvisor has figures that are some seconds old and says how old. Taken as they are, rates are right; that a container is
// gone is known from its figures no longer being there.
func cAdvisor(s *stack.Stack) scrapeConfig {
	job := kubelet(s, stack.JobKubeletCAdvisor, "/metrics/cadvisor")
	job.TrackStaleness = true
	job.MetricRelabelConfigs = []relabelConfig{
		// Either always zero or asked for by nobody, and for each container.
		{
			Action: "drop", SourceLabels: []string{"__name__"},
			Regex: `container_(network_(tcp|udp)6?_usage_total|tasks_state|cpu_load_(d_)?average_10s)`,
		},
		// Of cgroups that are no pod, of which a node has hundreds.
		{
			Action: "drop", SourceLabels: []string{"__name__", "pod", "namespace"},
			Regex: `(container_spec_.*|container_file_descriptors|container_sockets|container_threads|container_threads_max|container_start_time_seconds|container_last_seen);;`,
		},
		// Once for the pod is enough.
		{
			Action: "drop", SourceLabels: []string{"__name__", "container"},
			Regex: `container_blkio_device_usage_total;.+`,
		},
	}
	return job
}

// coreDNS goes by the pods and not by the Service, which on some clusters has no port for metrics.
func coreDNS() scrapeConfig {
	return scrapeConfig{
		JobName: stack.JobCoreDNS,
		KubernetesSD: []kubernetesSD{{
			Role:       "pod",
			Namespaces: namespaces{Names: []string{"kube-system"}},
			Selectors:  []sdSelector{{Role: "pod", Label: "k8s-app=kube-dns"}},
		}},
		RelabelConfigs: []relabelConfig{
			{Action: "keep", SourceLabels: []string{"__meta_kubernetes_pod_container_port_name"}, Regex: "metrics"},
			{SourceLabels: []string{"__meta_kubernetes_namespace"}, TargetLabel: "namespace"},
			{SourceLabels: []string{"__meta_kubernetes_pod_name"}, TargetLabel: "pod"},
			{SourceLabels: []string{"__meta_kubernetes_pod_node_name"}, TargetLabel: "node"},
		},
	}
}

// stateMetrics speaks of other objects: namespace, pod and node are theirs, and its own are left out. The instance is the
// shard and not the pod, or every update of it would begin new series for all that there is in the cluster.
func stateMetrics(s *stack.Stack) scrapeConfig {
	job := stateMetricsPort(s, stack.JobStateMetrics, stack.StateMetricsPort)
	job.HonorLabels = true
	return job
}

func stateMetricsSelf(s *stack.Stack) scrapeConfig {
	return stateMetricsPort(s, stack.JobStateMetricsSelf, stack.StateMetricsSelfPort)
}

func stateMetricsPort(s *stack.Stack, name, port string) scrapeConfig {
	state := s.Kubernetes.StateMetrics
	pods := stack.LabelStateMetrics + "=" + s.Name
	return scrapeConfig{
		JobName: name,
		KubernetesSD: []kubernetesSD{{
			Role:       "endpointslice",
			Namespaces: namespaces{Names: []string{s.Namespace}},
			Selectors: []sdSelector{
				{Role: "endpointslice", Label: "kubernetes.io/service-name=" + state.Base},
				{Role: "service", Label: pods},
				{Role: "pod", Label: pods},
			},
		}},
		RelabelConfigs: []relabelConfig{
			{Action: "keep", SourceLabels: []string{"__meta_kubernetes_endpointslice_port_name"}, Regex: port},
			{TargetLabel: "job", Replacement: "kube-state-metrics"},
			{SourceLabels: []string{"__meta_kubernetes_pod_label_monitoring_hearth_dev_shard"}, TargetLabel: "instance", Replacement: state.Base + "-$1"},
		},
	}
}

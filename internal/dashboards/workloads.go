package dashboards

// workloads is what runs on the cluster: who takes how much, of what was reserved, and what does not run.
func workloads() board {
	return board{
		uid: "hearth-workloads", title: "Kubernetes workloads",
		answers: "Which pods take what, how does that compare with what they asked for, and which do not run? From the kubelets (spec.targets.kubernetes.kubelets) and kube-state-metrics (stateMetrics).",
		variables: []variable{
			choice(), cluster("container_memory_working_set_bytes"), values("namespace", "Namespace", `container_memory_working_set_bytes{pod!="",cluster=~"$cluster"}`),
			values("pod", "Pod", `container_memory_working_set_bytes{pod!="",cluster=~"$cluster",namespace=~"$namespace"}`),
		},
		match: `cluster=~"$cluster",namespace=~"$namespace",pod=~"$pod"`,
		rows: []row{
			{"Now", workloadsNow()}, {"CPU and memory", workloadsUse()}, {"Network and volumes", workloadsIO()}, {"What does not run as it should", workloadsWrong()},
		},
	}
}

const (
	podCPU    = `sum by (namespace, pod) (rate(container_cpu_usage_seconds_total{MATCH,container!="",image!=""}[5m]))`
	podMemory = `sum by (namespace, pod) (container_memory_working_set_bytes{MATCH,container!="",image!=""})`
)

func workloadsNow() []panel {
	asked := func(resource string) string {
		return `sum by (namespace, pod) (kube_pod_container_resource_requests{MATCH,resource="` + resource + `"})`
	}
	limit := `sum by (namespace, pod) (kube_pod_container_resource_limits{MATCH,resource="memory"})`
	return []panel{
		number("Pods", "With a container that runs.", count, query(`count(`+podMemory+`)`, "pods")),
		number("CPU", "In CPUs, of all of them together.", count, query(`sum(rate(container_cpu_usage_seconds_total{MATCH,container!="",image!=""}[5m]))`, "CPUs")),
		number("Memory", "That could not be taken from them.", bytesIEC, query(`sum(container_memory_working_set_bytes{MATCH,container!="",image!=""})`, "memory")),
		number("Pods not ready", "That should run and are not ready (kube-state-metrics).", count,
			query(`sum(kube_pod_status_ready{MATCH,condition="false"} * on (cluster, namespace, pod) group_left () (kube_pod_status_phase{MATCH,phase=~"Pending|Running"} == 1))`, "not ready")).colored(anyIsBad()),
		number("Restarts", "Of containers in the last hour (kube-state-metrics).", count,
			query(`sum(increase(kube_pod_container_status_restarts_total{MATCH}[1h]))`, "restarts")).colored(levels("green", 1.0, "orange", 5.0, "red")),
		number("Killed for memory", "Containers that the kernel killed at their limit in the last hour.", count,
			query(`sum(increase(container_oom_events_total{MATCH}[1h]))`, "killed")).colored(anyIsBad()),
		table("Pods", "What they take beside what they asked for (kube-state-metrics). Who takes much more than it asked for is the first to be evicted; who takes much less keeps others out.",
			[]column{
				{from: "namespace", title: "Namespace"}, {from: "pod", title: "Pod"},
				{from: "Value #A", title: "CPUs", unit: count}, {from: "Value #B", title: "of the request", unit: ratio, limits: levels("text", 1.0, "orange", 2.0, "red")},
				{from: "Value #C", title: "Memory", unit: bytesIEC}, {from: "Value #D", title: "of the memory request", unit: ratio, limits: levels("text", 1.0, "orange", 2.0, "red")},
				{from: "Value #E", title: "of the memory limit", unit: ratio, limits: levels("text", 0.8, "orange", 0.95, "red")},
			},
			query(podCPU, ""), query(podCPU+` / `+asked("cpu"), ""),
			query(podMemory, ""), query(podMemory+` / `+asked("memory"), ""), query(podMemory+` / `+limit, ""),
		).sized(24, 11),
	}
}

func workloadsUse() []panel {
	return []panel{
		graph("CPU by namespace", "In CPUs.", count,
			query(`sum by (namespace) (rate(container_cpu_usage_seconds_total{MATCH,container!="",image!=""}[$__rate_interval]))`, "{{namespace}}")).stacked(),
		graph("CPU by pod", "Those that take the most.", count,
			query(`topk(10, sum by (namespace, pod) (rate(container_cpu_usage_seconds_total{MATCH,container!="",image!=""}[$__rate_interval])))`, "{{namespace}}/{{pod}}")),
		graph("Held back", "Share of periods in which a container stood still because it had used up its CPU limit.", ratio,
			query(`topk(10, sum by (namespace, pod, container) (rate(container_cpu_cfs_throttled_periods_total{MATCH,container!=""}[$__rate_interval])) / (sum by (namespace, pod, container) (rate(container_cpu_cfs_periods_total{MATCH,container!=""}[$__rate_interval])) > 0))`, "{{namespace}}/{{pod}} {{container}}")).
			none("no container has a CPU limit").upToOne().limit(fullAt(0.25, 0.5)),
		graph("Memory by namespace", "That could not be taken from them.", bytesIEC,
			query(`sum by (namespace) (container_memory_working_set_bytes{MATCH,container!="",image!=""})`, "{{namespace}}")).stacked(),
		graph("Memory by pod", "Those that take the most.", bytesIEC, query(`topk(10, `+podMemory+`)`, "{{namespace}}/{{pod}}")),
		graph("Closest to the memory limit", "At 100 % the kernel kills the container.", ratio,
			query(`topk(10, max by (namespace, pod, container) (container_memory_working_set_bytes{MATCH,container!="",image!=""} / (container_spec_memory_limit_bytes{MATCH,container!="",image!=""} > 0)))`, "{{namespace}}/{{pod}} {{container}}")).
			upToOne().limit(fullAt(0.8, 0.95)),
	}
}

func workloadsIO() []panel {
	return []panel{
		graph("Received", "By pod, those with the most.", perByte,
			query(`topk(10, sum by (namespace, pod) (rate(container_network_receive_bytes_total{MATCH}[$__rate_interval])))`, "{{namespace}}/{{pod}}")),
		graph("Sent", "By pod, those with the most.", perByte,
			query(`topk(10, sum by (namespace, pod) (rate(container_network_transmit_bytes_total{MATCH}[$__rate_interval])))`, "{{namespace}}/{{pod}}")),
		graph("Written to disk", "By pod, those with the most.", perByte,
			query(`topk(10, sum by (namespace, pod) (rate(container_fs_writes_bytes_total{MATCH}[$__rate_interval])))`, "{{namespace}}/{{pod}}")),
		graph("Fullest volumes", "Claims, as the kubelets see them.", ratio,
			query(`topk(10, max by (namespace, persistentvolumeclaim) (kubelet_volume_stats_used_bytes{cluster=~"$cluster",namespace=~"$namespace"} / (kubelet_volume_stats_capacity_bytes{cluster=~"$cluster",namespace=~"$namespace"} > 0)))`, "{{namespace}}/{{persistentvolumeclaim}}")).
			upToOne().limit(fullAt(0.8, 0.95)),
	}
}

func workloadsWrong() []panel {
	return []panel{
		graph("Restarts", "Of containers, by pod (kube-state-metrics).", count,
			query(`sum by (namespace, pod) (increase(kube_pod_container_status_restarts_total{MATCH}[$__rate_interval])) > 0`, "{{namespace}}/{{pod}}")).none("none").limit(anyIsBad()),
		graph("Waiting, and why", "Containers that can't start (kube-state-metrics).", count,
			query(`sum by (namespace, pod, reason) (kube_pod_container_status_waiting_reason{MATCH}) > 0`, "{{namespace}}/{{pod}} {{reason}}")).none("none").limit(anyIsBad()),
		graph("Replicas that are missing", "Of Deployments, StatefulSets and DaemonSets (kube-state-metrics).", count,
			query(`kube_deployment_status_replicas_unavailable{cluster=~"$cluster",namespace=~"$namespace"} > 0`, "{{namespace}}/{{deployment}}"),
			query(`kube_statefulset_replicas{cluster=~"$cluster",namespace=~"$namespace"} - kube_statefulset_status_replicas_ready{cluster=~"$cluster",namespace=~"$namespace"} > 0`, "{{namespace}}/{{statefulset}}"),
			query(`kube_daemonset_status_number_unavailable{cluster=~"$cluster",namespace=~"$namespace"} > 0`, "{{namespace}}/{{daemonset}}")).none("none").limit(anyIsBad()),
	}
}

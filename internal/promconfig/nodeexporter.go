package promconfig

import (
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// exporterPort is the name of the exporter's port in its Service and pods.
const exporterPort = "metrics"

// nodeExporter discovers the pods of one NodeExporter through the EndpointSlices of its headless Service.
func nodeExporter(e stack.ExporterTarget) scrapeConfig {
	// Selectors keep the server from holding every pod and Service of the namespace in memory.
	pods := stack.LabelNodeExporter + "=" + e.Name
	config := scrapeConfig{
		JobName: e.Job(),
		KubernetesSD: []kubernetesSD{{
			Role:       "endpointslice",
			Namespaces: namespaces{Names: []string{e.Namespace}},
			Selectors: []sdSelector{
				{Role: "endpointslice", Label: "kubernetes.io/service-name=" + e.Service},
				{Role: "service", Label: pods},
				{Role: "pod", Label: pods},
			},
		}},
		RelabelConfigs: []relabelConfig{
			onlyExporterPort(),
			jobNodeExporter(),
			instanceIsNode(),
		},
	}
	if e.Pool != "" {
		// The jobs of all pools discover the same, so Prometheus does it once for all of them. It need not remember what
		// each of them leaves to the others.
		config.RelabelConfigs = append([]relabelConfig{onlyPool(e.Pool)}, config.RelabelConfigs...)
		config.Limits.KeepDroppedTargets = new(int64(1))
	}
	return config
}

// onlyPool: each pool has a job of its own. The label is the operator's, on every pod.
func onlyPool(pool string) relabelConfig {
	return relabelConfig{
		Action:       "keep",
		SourceLabels: []string{"__meta_kubernetes_pod_label_monitoring_hearth_dev_pool"},
		Regex:        pool,
	}
}

// onlyExporterPort: a pod that somebody gave a second port has an endpoint for each of them.
func onlyExporterPort() relabelConfig {
	return relabelConfig{
		Action:       "keep",
		SourceLabels: []string{"__meta_kubernetes_endpointslice_port_name"},
		Regex:        exporterPort,
	}
}

// jobNodeExporter is the job that the dashboards and rules people already have ask for.
func jobNodeExporter() relabelConfig {
	return relabelConfig{TargetLabel: "job", Replacement: "node-exporter"}
}

// instanceIsNode: the node and not the pod, whose name and address are new after every update and would make every series
// new too.
func instanceIsNode() relabelConfig {
	return relabelConfig{
		SourceLabels: []string{"__meta_kubernetes_endpointslice_endpoint_node_name"},
		TargetLabel:  "instance",
	}
}

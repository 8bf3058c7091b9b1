package promconfig

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/hearth-monitoring/hearth/internal/stack"
)

// operator pulls from each replica of the operator, with the token of the server's own ServiceAccount. Only the one that leads
// has anything to tell of rules; a Service would answer with any of them.
func operator(o *stack.Operator) scrapeConfig {
	return scrapeConfig{
		JobName:       stack.JobOperator,
		Scheme:        "https",
		Authorization: token(),
		TLSConfig:     &tlsConfig{CAFile: authoritiesFile(o), ServerName: o.ServerName},
		KubernetesSD: []kubernetesSD{{
			Role:       "endpointslice",
			Namespaces: namespaces{Names: []string{o.Namespace}},
			Selectors: []sdSelector{
				{Role: "endpointslice", Label: "kubernetes.io/service-name=" + stack.OperatorService},
				{Role: "service", Field: "metadata.name=" + stack.OperatorService},
				{Role: "pod", Label: "app.kubernetes.io/name=hearth"},
			},
		}},
		RelabelConfigs: []relabelConfig{
			{Action: "keep", SourceLabels: []string{"__meta_kubernetes_endpointslice_port_name"}, Regex: stack.OperatorPort},
			{SourceLabels: []string{"__meta_kubernetes_pod_name"}, TargetLabel: "pod"},
			{SourceLabels: []string{"__meta_kubernetes_namespace"}, TargetLabel: "namespace"},
		},
	}
}

// authoritiesFile has who signs the operator's certificate, beside prometheus.yml. The name follows from the content, so that a
// change of it is one of the configuration.
func authoritiesFile(o *stack.Operator) string {
	sum := sha256.Sum256(o.Authorities)
	return "operator-ca-" + hex.EncodeToString(sum[:4]) + ".crt"
}

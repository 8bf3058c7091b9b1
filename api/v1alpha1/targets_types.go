package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Targets says what is pulled from.
type Targets struct {
	// nodeExporters selects NodeExporters. Their series carry job="node-exporter" and instance=<the node's name>.
	// +optional
	NodeExporters *ObjectSelector `json:"nodeExporters,omitempty"`
	// What monitoring.coreos.com describes.
	MonitorTargets `json:",inline"`
	// kubernetes is Kubernetes itself, with the jobs and labels that the rules and dashboards of the kubernetes-mixin ask for.
	// It takes the label monitoring.hearth.dev/reach=cluster on this namespace.
	// +optional
	Kubernetes *KubernetesTargets `json:"kubernetes,omitempty"`
	// annotations are pods and Services that say themselves that they are to be scraped: prometheus.io/scrape: "true".
	// +optional
	Annotations *AnnotationTargets `json:"annotations,omitempty"`
	// operator: {} pulls from the operator itself, which the rules of config/monitoring are about. It takes the label
	// monitoring.hearth.dev/reach=cluster on this namespace, since the operator's is another one.
	// +optional
	Operator *OperatorTargets `json:"operator,omitempty"`
}

// OperatorTargets is the operator. There is nothing to set.
type OperatorTargets struct{}

// KubernetesTargets says what of Kubernetes itself is pulled from. {all: true} is everything; a part that is named as well
// is as it says there.
//
// +kubebuilder:validation:XValidation:rule="(has(self.all) && self.all) || has(self.apiServer) || has(self.kubelets) || has(self.coreDNS) || has(self.stateMetrics)",message="kubernetes selects nothing: name its parts, such as kubelets: {}, or all: true"
type KubernetesTargets struct {
	// all of the parts below, each as if it were {} where it is not named.
	// +optional
	All bool `json:"all,omitempty"`
	// apiServer is job="apiserver": every API server behind the Service kubernetes in the namespace default.
	// +optional
	APIServer *APIServerTargets `json:"apiServer,omitempty"`
	// kubelets are job="kubelet" on every node, three times: their own metrics, those of the containers (cAdvisor) and those of
	// probes, told apart by the label metrics_path.
	// +optional
	Kubelets *KubeletTargets `json:"kubelets,omitempty"`
	// coreDNS is job="coredns": the pods labelled k8s-app=kube-dns in kube-system.
	// +optional
	CoreDNS *CoreDNSTargets `json:"coreDNS,omitempty"`
	// stateMetrics is job="kube-state-metrics": the state of the cluster's objects. Hearth deploys it beside this server. It reads
	// no Secrets and no ConfigMaps.
	// +optional
	StateMetrics *StateMetrics `json:"stateMetrics,omitempty"`
}

// APIServerTargets has nothing to set yet.
type APIServerTargets struct{}

// CoreDNSTargets has nothing to set yet.
type CoreDNSTargets struct{}

// KubeletTargets says how kubelets are pulled from.
type KubeletTargets struct {
	// insecureSkipVerify takes any certificate for a kubelet's. Left out, it has to be signed by the cluster's own CA, which many
	// clusters only do for kubelets with serverTLSBootstrap: true. With it, whoever can pretend to be a node gets the server's token,
	// with which the cluster's pods and nodes can be listed.
	// +optional
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}

// StateMetrics says how kube-state-metrics runs.
type StateMetrics struct {
	// version of kube-state-metrics, without a leading v. The image is
	// registry.k8s.io/kube-state-metrics/kube-state-metrics:v<version> unless image is set.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^2[.][0-9]+[.][0-9]+(-.+)?$')",message="version must be a release of kube-state-metrics 2, without a leading v, such as 2.20.0"
	Version string `json:"version,omitempty"`
	// image of kube-state-metrics, instead of the one that follows from version.
	// +optional
	// +kubebuilder:validation:MinLength=1
	Image string `json:"image,omitempty"`
	// shards that each know a part of the objects, for clusters with more of them than one pod can hold.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:XValidation:rule="self >= 1 && self <= 64",message="shards must be between 1 and 64; one does for a few ten thousand pods"
	Shards int32 `json:"shards,omitempty"`
	// resources of each pod.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`
	// nodeSelector limits the pods to nodes with these labels.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// tolerations of the pods.
	// +optional
	// +listType=atomic
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
	// priorityClassName of the pods.
	// +optional
	PriorityClassName string `json:"priorityClassName,omitempty"`
}

// AnnotationTargets says where the annotations prometheus.io/scrape, port, path, scheme and param_<name> count.
//
// +kubebuilder:validation:XValidation:rule="has(self.pods) || has(self.services)",message="annotations selects nothing: set pods: {}, services: {} or both"
type AnnotationTargets struct {
	// pods that are annotated, as job="kubernetes-pods". Without a port each declared port of theirs is a target.
	// +optional
	Pods *AnnotatedPods `json:"pods,omitempty"`
	// services that are annotated: the pods behind them, as job="kubernetes-service-endpoints".
	// +optional
	Services *AnnotatedServices `json:"services,omitempty"`
	// namespaceSelector is matched against the labels of namespaces. Left out it means this object's own namespace; {} means every
	// namespace. Any but the own one takes the label monitoring.hearth.dev/reach=cluster on this namespace.
	// +optional
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`
}

// AnnotatedPods has nothing to set yet.
type AnnotatedPods struct{}

// AnnotatedServices has nothing to set yet.
type AnnotatedServices struct{}

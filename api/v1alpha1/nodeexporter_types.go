package v1alpha1

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NodeExporterSpec declares an exporter on every node, or on the nodes of each pool.
//
// +kubebuilder:validation:XValidation:rule="!has(self.pools) || size(self.pools) == 0 || !has(self.nodeSelector) || size(self.nodeSelector) == 0",message="nodeSelector and pools exclude each other: give each pool its own nodeSelector"
type NodeExporterSpec struct {
	// image of the exporter. Left out it is the image the operator itself runs.
	// +optional
	// +kubebuilder:validation:MinLength=1
	Image string `json:"image,omitempty"`
	// imagePullSecrets name Secrets of this namespace with which the image is pulled.
	// +optional
	// +listType=map
	// +listMapKey=name
	ImagePullSecrets []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`
	// hostNetwork puts the pods into the network of their nodes. Only qdisc and the number of tracked connections need it:
	// the interfaces and connections that the other collectors tell of are the node's either way. The exporter then
	// listens on the node's own address, where whoever reaches the node reaches it, and port must be free on every node.
	// +optional
	HostNetwork bool `json:"hostNetwork,omitempty"`
	// port the exporter listens on: in its own pod network, or with hostNetwork on the node.
	// +optional
	// +kubebuilder:default=9100
	// +kubebuilder:validation:XValidation:rule="self >= 1024 && self <= 65535",message="port must be between 1024 and 65535: the exporter runs without privileges; 9100 is the usual one"
	Port int32 `json:"port,omitempty"`
	// collectors switches collectors on and off and sets what they leave out.
	// +optional
	Collectors *Collectors `json:"collectors,omitempty"`
	// pools split the nodes; each pool gets a DaemonSet of its own. A node belongs to the first pool in the list whose
	// nodeSelector it matches, never to two; a pool without a nodeSelector takes every node that is left. Without pools
	// every node gets the same exporter.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(p, self.exists_one(q, q.name == p.name))",message="two pools have the same name: rename one"
	Pools []NodePool `json:"pools,omitempty"`
	// resources of the exporter's container.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`
	// tolerations of the pods. Left out every taint is tolerated, so that every node is covered; [] tolerates none.
	// +optional
	// +listType=atomic
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
	// nodeSelector limits the exporter to nodes with these labels.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// affinity of the pods, for what nodeSelector cannot say.
	// +optional
	Affinity *corev1.NodeAffinity `json:"affinity,omitempty"`
	// priorityClassName of the pods, such as system-node-critical.
	// +optional
	PriorityClassName string `json:"priorityClassName,omitempty"`
	// updateStrategy of the DaemonSets. Left out: a rolling update of one node in ten at a time.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!has(self.rollingUpdate) || !has(self.rollingUpdate.maxUnavailable) || type(self.rollingUpdate.maxUnavailable) != int || self.rollingUpdate.maxUnavailable <= 100000",message="rollingUpdate.maxUnavailable must be a number of nodes up to 100000, or a share of them such as 10%"
	// +kubebuilder:validation:XValidation:rule="!has(self.rollingUpdate) || !has(self.rollingUpdate.maxSurge) || type(self.rollingUpdate.maxSurge) != int || self.rollingUpdate.maxSurge <= 100000",message="rollingUpdate.maxSurge must be a number of nodes up to 100000, or a share of them such as 10%"
	UpdateStrategy *appsv1.DaemonSetUpdateStrategy `json:"updateStrategy,omitempty"`
	// podMetadata adds labels and annotations to the pods.
	// +optional
	PodMetadata *PodMetadata `json:"podMetadata,omitempty"`
}

// NodePool is a set of nodes and what differs on them. A field that is left out has the value of the NodeExporter.
type NodePool struct {
	// name of the pool; its DaemonSet is called node-exporter-<NodeExporter>-<pool>.
	// +required
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')",message="a pool's name consists of lower case letters, digits and '-', as in a DNS label"
	Name string `json:"name"`
	// nodeSelector are the labels of the pool's nodes. Left out: every node that no earlier pool takes.
	// +optional
	// +kubebuilder:validation:MaxProperties=8
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// collectors of this pool, instead of the NodeExporter's.
	// +optional
	Collectors *Collectors `json:"collectors,omitempty"`
	// resources of this pool, instead of the NodeExporter's.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`
	// tolerations of this pool, instead of the NodeExporter's.
	// +optional
	// +listType=atomic
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
}

// NodeExporterStatus says what is running.
type NodeExporterStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// nodes is the number of nodes that should run an exporter.
	// +optional
	Nodes int32 `json:"nodes"`
	// ready is the number of nodes whose exporter is ready.
	// +optional
	Ready int32 `json:"ready"`
	// up is the number of exporters that the servers scrape successfully; with several servers, what the worst of them
	// sees. Absent while no PrometheusServer selects this NodeExporter.
	// +optional
	Up *int32 `json:"up,omitempty"`
	// unassigned are the nodes that no pool takes, though nobody said that none should. The condition Covered says why.
	// +optional
	Unassigned *UnassignedNodes `json:"unassigned,omitempty"`
	// pools has the same numbers for each pool.
	// +optional
	// +listType=map
	// +listMapKey=name
	Pools []NodePoolStatus `json:"pools,omitempty"`
	// conditions: Ready, Scraped, Covered, and while they are true Reconciling and Stalled.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// NodePoolStatus says what is running in one pool.
type NodePoolStatus struct {
	// name of the pool; "default" where the NodeExporter has no pools.
	Name string `json:"name"`
	// daemonSet that runs the pool's exporters.
	// +optional
	DaemonSet string `json:"daemonSet,omitempty"`
	// nodes is the number of nodes that should run an exporter.
	Nodes int32 `json:"nodes"`
	// ready is the number of nodes whose exporter is ready.
	Ready int32 `json:"ready"`
	// updated is the number of nodes that run the exporter as declared now.
	Updated int32 `json:"updated"`
	// up is the number of the pool's exporters that the servers scrape successfully; with several servers, what the worst
	// of them sees. Absent while no server says.
	// +optional
	Up *int32 `json:"up,omitempty"`
}

// UnassignedNodes are nodes without an exporter.
type UnassignedNodes struct {
	// count is how many there are.
	Count int32 `json:"count"`
	// nodes are the names of the first ten.
	// +optional
	// +listType=atomic
	Nodes []string `json:"nodes,omitempty"`
}

// NodeExporter runs Hearth's node exporter on every node and publishes it to the PrometheusServers that select it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=ne,categories=monitoring
// +kubebuilder:printcolumn:name="Nodes",type=integer,JSONPath=`.status.nodes`
// +kubebuilder:printcolumn:name="Ready",type=integer,JSONPath=`.status.ready`
// +kubebuilder:printcolumn:name="Up",type=integer,JSONPath=`.status.up`
// +kubebuilder:printcolumn:name="Unassigned",type=integer,JSONPath=`.status.unassigned.count`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Status",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 26",message="the name of a NodeExporter can have at most 26 characters: the names of its DaemonSets are made from it"
// +kubebuilder:validation:XValidation:rule="!self.metadata.name.contains('.')",message="the name of a NodeExporter cannot contain a dot: the name of its Service is made from it"
type NodeExporter struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what should run.
	// +optional
	// +kubebuilder:default={}
	Spec NodeExporterSpec `json:"spec,omitempty"`
	// status is what is running.
	// +optional
	Status NodeExporterStatus `json:"status,omitempty"`
}

// NodeExporterList is a list of NodeExporters.
//
// +kubebuilder:object:root=true
type NodeExporterList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []NodeExporter `json:"items"`
}

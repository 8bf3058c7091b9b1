package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PrometheusServerSpec declares a Prometheus: what it pulls from, which rules it evaluates and how it keeps its samples.
//
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.shards) || oldSelf.shards < 2 || has(self.shards)",message="shards cannot just be left out while there are several: write shards: 1, which stops the others and keeps their claims"
type PrometheusServerSpec struct {
	// version of Prometheus, without a leading v, 3.11.0 or later (the first that takes retention from its configuration
	// without a restart). The image is prom/prometheus:v<version> unless image is set.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^3[.](1[1-9]|[2-9][0-9])[.][0-9]+(-.+)?$')",message="version must be 3.11.0 or a later Prometheus 3 release, without a leading v, such as 3.15.0"
	Version string `json:"version,omitempty"`
	// image of Prometheus, instead of the one that follows from version.
	// +optional
	// +kubebuilder:validation:MinLength=1
	Image string `json:"image,omitempty"`
	// imagePullSecrets name Secrets of this namespace with which images are pulled.
	// +optional
	// +listType=map
	// +listMapKey=name
	ImagePullSecrets []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`
	// replicas that each pull from every target, for availability. 0 stops the server and keeps its claims.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:XValidation:rule="self >= 0 && self <= 10",message="replicas must be between 0 and 10; 2 survive the loss of a node"
	Replicas *int32 `json:"replicas,omitempty"`
	// shards over which targets are distributed. Each is a Prometheus of its own, with replicas pods, and evaluates every rule
	// over its own targets alone: see docs/shards.md. Left out: 1.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= 1 && self <= 32",message="shards must be between 1 and 32"
	Shards *int32 `json:"shards,omitempty"`
	// scrapeInterval between two pulls from a target.
	// +optional
	// +kubebuilder:default="30s"
	ScrapeInterval Duration `json:"scrapeInterval,omitempty"`
	// scrapeTimeout after which a pull has failed, not above scrapeInterval. Left out: 10s, or scrapeInterval if that is less.
	// +optional
	ScrapeTimeout Duration `json:"scrapeTimeout,omitempty"`
	// evaluationInterval between two evaluations of a rule group that has no interval of its own.
	// +optional
	// +kubebuilder:default="30s"
	EvaluationInterval Duration `json:"evaluationInterval,omitempty"`
	// retention of samples. With both limits set, the first one reached counts.
	// +optional
	// +kubebuilder:default={}
	Retention Retention `json:"retention,omitzero"`
	// storage of samples.
	// +optional
	// +kubebuilder:default={size: "10Gi"}
	Storage Storage `json:"storage,omitzero"`
	// externalLabels are added to every sample and alert that leaves this server. Hearth adds prometheus (namespace/name),
	// replica (the pod's name) and, with shards, shard (its number) unless they are set here; "" removes one of these.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	ExternalLabels map[string]string `json:"externalLabels,omitempty"`
	// externalURL under which users reach this server, used in the links of alerts.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="isURL(self) && self.matches('^https?://')",message="externalURL must be a full URL, such as https://prometheus.example.org/"
	ExternalURL string `json:"externalURL,omitempty"`
	// resources of the Prometheus container.
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
	// affinity of the pods. Left out, replicas prefer different nodes.
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`
	// priorityClassName of the pods.
	// +optional
	PriorityClassName string `json:"priorityClassName,omitempty"`
	// podMetadata adds labels and annotations to the pods.
	// +optional
	PodMetadata *PodMetadata `json:"podMetadata,omitempty"`
	// service through which the server is reached.
	// +optional
	// +kubebuilder:default={}
	Service Service `json:"service,omitzero"`
	// web protects the server's own pages and API.
	// +optional
	Web *Web `json:"web,omitempty"`
	// targets to pull from. The server always pulls from itself.
	// +optional
	Targets *Targets `json:"targets,omitempty"`
	// rules selects the AlertRules to load. Left out: none.
	// +optional
	Rules *ObjectSelector `json:"rules,omitempty"`
	// prometheusRules selects PrometheusRules of monitoring.coreos.com/v1 to load as well. They are read where they are, and
	// picked up when their kind is installed later. Left out: none.
	// +optional
	PrometheusRules *ObjectSelector `json:"prometheusRules,omitempty"`
	// What holds for objects of other namespaces.
	Tenancy `json:",inline"`
	// alerting says where alerts go. Left out: nowhere.
	// +optional
	Alerting *Alerting `json:"alerting,omitempty"`
	// grafana says where people look at what the server has. Left out: nowhere that Hearth knows of.
	// +optional
	Grafana *Grafana `json:"grafana,omitempty"`
	// RemoteWriting is where samples go beyond this server.
	RemoteWriting `json:",inline"`
}

// Retention says how long samples are kept.
type Retention struct {
	// time after which samples are removed.
	// +optional
	// +kubebuilder:default="15d"
	Time Duration `json:"time,omitempty"`
	// size of the blocks above which the oldest are removed, such as 8Gi. Keep it below storage.size: the write-ahead log
	// and compaction need room as well. Left out: 80 % of storage.size.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!quantity(string(self)).isLessThan(quantity('1Mi'))",message="retention.size must be 1Mi or more, such as 8Gi; leave it out for 80 % of storage.size"
	Size *resource.Quantity `json:"size,omitempty"`
}

// Storage says where samples are kept.
//
// +kubebuilder:validation:XValidation:rule="(has(self.storageClassName) == has(oldSelf.storageClassName)) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",message="storage.storageClassName cannot change: a claim keeps its class; make a new PrometheusServer for another one",reason=FieldValueForbidden
type Storage struct {
	// size of each replica's claim. It can grow, where the StorageClass allows it; it can't shrink below what the claims ask
	// for.
	// +optional
	// +kubebuilder:default="10Gi"
	// +kubebuilder:validation:XValidation:rule="!quantity(string(self)).isLessThan(quantity('64Mi'))",message="storage.size must be 64Mi or more, such as 10Gi"
	Size resource.Quantity `json:"size,omitzero"`
	// storageClassName of the claims. Left out: the cluster's default class.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	StorageClassName *string `json:"storageClassName,omitempty"`
	// whenDeleted says what becomes of the claims, and so of the samples, when this object is deleted: Retain or Delete.
	// +optional
	// +kubebuilder:default=Retain
	// +kubebuilder:validation:Enum=Retain;Delete
	WhenDeleted ClaimPolicy `json:"whenDeleted,omitempty"`
}

// ClaimPolicy says what becomes of a claim when the object it belongs to is deleted.
type ClaimPolicy string

// The claim policies.
const (
	ClaimRetain ClaimPolicy = "Retain"
	ClaimDelete ClaimPolicy = "Delete"
)

// Service says how the server is reached.
//
// +kubebuilder:validation:XValidation:rule="!has(self.nodePort) || self.type != 'ClusterIP'",message="nodePort needs type NodePort or LoadBalancer: set service.type"
type Service struct {
	// type of the Service: ClusterIP, NodePort or LoadBalancer.
	// +optional
	// +kubebuilder:default=ClusterIP
	// +kubebuilder:validation:Enum=ClusterIP;NodePort;LoadBalancer
	Type corev1.ServiceType `json:"type,omitempty"`
	// port of the Service. The pods themselves listen on 9090.
	// +optional
	// +kubebuilder:default=9090
	// +kubebuilder:validation:XValidation:rule="self >= 1 && self <= 65535",message="port must be between 1 and 65535; 9090 is the usual one"
	Port int32 `json:"port,omitempty"`
	// nodePort is the port on every node, for the types NodePort and LoadBalancer. Left out the cluster picks one.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= 1 && self <= 65535",message="nodePort must be a port of the cluster's node port range, which is 30000 to 32767 unless the cluster says otherwise"
	NodePort int32 `json:"nodePort,omitempty"`
	// annotations of the Service, such as those that a load balancer reads.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Web protects the server's pages and API. What it names is mounted into the pods: the operator reads no Secret. The pods
// do not start while a Secret or one of its keys is missing.
type Web struct {
	// tls serves HTTPS instead of HTTP.
	// +optional
	TLS *WebTLS `json:"tls,omitempty"`
	// basicAuth asks for a user name and a password.
	// +optional
	BasicAuth *SecretName `json:"basicAuth,omitempty"`
}

// WebTLS names the server's certificate.
type WebTLS struct {
	// secretName names a Secret of this namespace with the keys tls.crt and tls.key (type kubernetes.io/tls).
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName"`
}

// SecretName names a Secret of this namespace.
type SecretName struct {
	// secretName names a Secret of this namespace with the keys username and password (type kubernetes.io/basic-auth).
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName"`
}

// PrometheusServer runs a Prometheus that pulls from what it selects and keeps the samples.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=ps;prom,categories=monitoring
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.ready`
// +kubebuilder:printcolumn:name="Loaded",type=integer,JSONPath=`.status.configuration.loaded`
// +kubebuilder:printcolumn:name="Targets",type=string,JSONPath=`.status.targets.summary`
// +kubebuilder:printcolumn:name="Firing",type=integer,JSONPath=`.status.alerts.firing`
// +kubebuilder:printcolumn:name="Alertmanager",type=string,JSONPath=`.status.alertmanager.ready`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Status",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 36",message="the name of a PrometheusServer can have at most 36 characters: the names of its pods are made from it"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.storage) || !has(oldSelf.spec.storage) || !quantity(string(self.spec.storage.size)).isLessThan(quantity(string(oldSelf.spec.storage.size))) || (has(oldSelf.status) && has(oldSelf.status.claimed) && !quantity(string(self.spec.storage.size)).isLessThan(quantity(string(oldSelf.status.claimed))))",message="cannot shrink below what the claims ask for: a volume only grows; make a new PrometheusServer for a smaller one",reason=FieldValueForbidden,fieldPath=".spec.storage.size"
// +kubebuilder:validation:XValidation:rule="!self.metadata.name.contains('.')",message="the name of a PrometheusServer cannot contain a dot: the name of its Service is made from it"
type PrometheusServer struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what should run.
	// +optional
	// +kubebuilder:default={}
	Spec PrometheusServerSpec `json:"spec,omitempty"`
	// status is what is running.
	// +optional
	Status PrometheusServerStatus `json:"status,omitempty"`
}

// PrometheusServerList is a list of PrometheusServers.
//
// +kubebuilder:object:root=true
type PrometheusServerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []PrometheusServer `json:"items"`
}

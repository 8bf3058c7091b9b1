package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Grafana says where people look at what the server has: in a Grafana that Hearth deploys, or in others there are. The ways
// do not exclude each other; each is kept by itself.
//
// +kubebuilder:validation:XValidation:rule="has(self.deploy) || has(self.existing) || has(self.sidecar) || has(self.operator)",message="grafana says nothing: set deploy: {}, existing, sidecar: {} or operator"
type Grafana struct {
	// default is whether the datasources have the uids prometheus and alertmanager, and are what Grafana takes by default. Otherwise
	// they are prometheus_<namespace>_<name> and alertmanager_<namespace>_<name>. One Grafana takes one default. Left out: yes in the
	// Grafana of deploy, no in others, which may have one.
	// +optional
	Default *bool `json:"default,omitempty"`
	// dashboards of Hearth's. false leaves them out, where another server has put them into the same Grafana.
	// +optional
	// +kubebuilder:default=true
	Dashboards *bool `json:"dashboards,omitempty"`
	// datasourceTLS says how Grafana checks the certificate of web.tls. Left out, it takes that very certificate and no other.
	// +optional
	DatasourceTLS *DatasourceTLS `json:"datasourceTLS,omitempty"`
	// deploy a Grafana beside this server; {} takes the defaults.
	// +optional
	Deploy *GrafanaDeployment `json:"deploy,omitempty"`
	// existing is a Grafana whose HTTP API is told.
	// +optional
	Existing *GrafanaExisting `json:"existing,omitempty"`
	// sidecar writes ConfigMaps of this namespace, labelled grafana_datasource: "1" and grafana_dashboard: "1", for a Grafana
	// beside which a sidecar reads such ConfigMaps.
	// +optional
	Sidecar *GrafanaSidecar `json:"sidecar,omitempty"`
	// operator writes GrafanaDatasources and GrafanaDashboards of this namespace for grafana-operator.
	// +optional
	Operator *GrafanaOperator `json:"operator,omitempty"`
}

// DatasourceTLS says whom Grafana trusts to be this server.
type DatasourceTLS struct {
	// ca that signed the certificate.
	// +optional
	CA *SecretKey `json:"ca,omitempty"`
	// serverName that the certificate is made out to, where that is not the Service's, prometheus-<name>.<namespace>.svc.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ServerName string `json:"serverName,omitempty"`
	// insecureSkipVerify takes any certificate.
	// +optional
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}

// GrafanaDeployment says how the server's Grafana runs.
type GrafanaDeployment struct {
	// version of Grafana, without a leading v, 12.0.0 or later. The image is grafana/grafana:<version> unless image is set.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^1[2-9][.][0-9]+[.][0-9]+(-.+)?$')",message="version must be 12.0.0 or a later Grafana release, without a leading v, such as 13.2.0"
	Version string `json:"version,omitempty"`
	// image of Grafana, instead of the one that follows from version.
	// +optional
	// +kubebuilder:validation:MinLength=1
	Image string `json:"image,omitempty"`
	// adminSecret with the first administrator's name and password. Left out: Hearth makes them up and keeps them in the Secret
	// grafana-<name>-admin. Grafana reads them when its storage is new, and never again.
	// +optional
	AdminSecret *SecretName `json:"adminSecret,omitempty"`
	// storage of what people make in Grafana: users, their own dashboards.
	// +optional
	// +kubebuilder:default={size: "1Gi"}
	Storage GrafanaStorage `json:"storage,omitzero"`
	// externalURL under which users reach this Grafana.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="isURL(self) && self.matches('^https?://')",message="externalURL must be a full URL, such as https://grafana.example.org/"
	ExternalURL string `json:"externalURL,omitempty"`
	// resources of the Grafana container.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`
	// nodeSelector limits the pod to nodes with these labels.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// tolerations of the pod.
	// +optional
	// +listType=atomic
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
	// service through which Grafana is reached.
	// +optional
	// +kubebuilder:default={}
	Service GrafanaService `json:"service,omitzero"`
}

// GrafanaStorage says where Grafana's database is kept.
//
// +kubebuilder:validation:XValidation:rule="(has(self.storageClassName) == has(oldSelf.storageClassName)) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",message="storage.storageClassName cannot change: a claim keeps its class",reason=FieldValueForbidden
type GrafanaStorage struct {
	// size of the claim. It can grow, where the StorageClass allows it.
	// +optional
	// +kubebuilder:default="1Gi"
	// +kubebuilder:validation:XValidation:rule="!quantity(string(self)).isLessThan(quantity('64Mi'))",message="storage.size must be 64Mi or more, such as 1Gi"
	Size resource.Quantity `json:"size,omitzero"`
	// storageClassName of the claim. Left out: the cluster's default class.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	StorageClassName *string `json:"storageClassName,omitempty"`
	// whenDeleted says what becomes of the claim, and of the Secret with the password in it, when the PrometheusServer is deleted:
	// Retain or Delete. They stay when only deploy is taken out of its spec.
	// +optional
	// +kubebuilder:default=Retain
	// +kubebuilder:validation:Enum=Retain;Delete
	WhenDeleted ClaimPolicy `json:"whenDeleted,omitempty"`
}

// GrafanaService says how Grafana is reached.
//
// +kubebuilder:validation:XValidation:rule="!has(self.nodePort) || self.type != 'ClusterIP'",message="nodePort needs type NodePort or LoadBalancer: set service.type"
type GrafanaService struct {
	// type of the Service: ClusterIP, NodePort or LoadBalancer.
	// +optional
	// +kubebuilder:default=ClusterIP
	// +kubebuilder:validation:Enum=ClusterIP;NodePort;LoadBalancer
	Type corev1.ServiceType `json:"type,omitempty"`
	// port of the Service. The pod itself listens on 3000.
	// +optional
	// +kubebuilder:default=3000
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`
	// nodePort is the port on every node, for the types NodePort and LoadBalancer. Left out the cluster picks one.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	NodePort int32 `json:"nodePort,omitempty"`
	// annotations of the Service, such as those that a load balancer reads.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Annotations map[string]string `json:"annotations,omitempty"`
}

// GrafanaExisting is a Grafana that Hearth does not run.
type GrafanaExisting struct {
	// url of Grafana, with the path that leads to it, if any.
	// +required
	URL URL `json:"url"`
	// tokenSecret has the token of a service account of that Grafana.
	// +required
	TokenSecret SecretKey `json:"tokenSecret"`
	// tls for https.
	// +optional
	TLS *ClientTLS `json:"tls,omitempty"`
}

// GrafanaSidecar says what the sidecar's Grafana has.
type GrafanaSidecar struct {
	// credentialsFrom begins the names of the environment variables by which that Grafana has what it takes to ask this server,
	// where web protects it: with MAIN, they are MAIN_USERNAME and MAIN_PASSWORD for web.basicAuth, MAIN_CA for web.tls. The
	// ConfigMap names them, so no credential is in it.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Z_][A-Z0-9_]*$`
	CredentialsFrom string `json:"credentialsFrom,omitempty"`
}

// GrafanaOperator says which Grafanas of grafana-operator are meant.
type GrafanaOperator struct {
	// instanceLabels that a Grafana has to have; {} means every one.
	// +required
	// +kubebuilder:validation:MaxProperties=16
	InstanceLabels map[string]string `json:"instanceLabels"`
	// everyNamespace means the Grafanas of other namespaces as well.
	// +optional
	EveryNamespace bool `json:"everyNamespace,omitempty"`
}

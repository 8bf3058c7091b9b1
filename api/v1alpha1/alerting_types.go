package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Alerting says where alerts go: to an Alertmanager that Hearth deploys, to others there are, or both.
//
// +kubebuilder:validation:XValidation:rule="has(self.alertmanager) || !(has(self.receivers) || has(self.route) || has(self.inhibitRules) || has(self.timeIntervals) || has(self.templates))",message="receivers, route, inhibitRules, timeIntervals and templates configure the Alertmanager that Hearth deploys: set alerting.alertmanager ({} will do)"
type Alerting struct {
	// alertmanager to deploy; {} takes the defaults. Left out: none.
	// +optional
	Alertmanager *Alertmanager `json:"alertmanager,omitempty"`
	// external are Alertmanagers that Hearth does not deploy for this server. Alerts are sent to each.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	External []ExternalAlertmanager `json:"external,omitempty"`
	// receivers that route, and every AlertRule this server selects, can send to. Secrets are those of this namespace.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Receivers []Receiver `json:"receivers,omitempty"`
	// route of the alerts that no AlertRule routes by its notify.
	// +optional
	Route *Route `json:"route,omitempty"`
	// inhibitRules mute alerts while other alerts fire.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	InhibitRules []InhibitRule `json:"inhibitRules,omitempty"`
	// timeIntervals that routes name in muteTimeIntervals and activeTimeIntervals; AlertRules can name them too.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	TimeIntervals []TimeInterval `json:"timeIntervals,omitempty"`
	// templates that receivers can use, in Alertmanager's format.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Templates []Template `json:"templates,omitempty"`
}

// Alertmanager says how the server's Alertmanager runs.
type Alertmanager struct {
	// version of Alertmanager, without a leading v, 0.31.0 or later (the first that knows every field of receivers). The
	// image is prom/alertmanager:v<version> unless image is set.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^0[.](3[1-9]|[4-9][0-9])[.][0-9]+(-.+)?$')",message="version must be 0.31.0 or a later Alertmanager release, without a leading v, such as 0.31.1"
	Version string `json:"version,omitempty"`
	// image of Alertmanager, instead of the one that follows from version.
	// +optional
	// +kubebuilder:validation:MinLength=1
	Image string `json:"image,omitempty"`
	// replicas: 1, or 3 that tell each other what they have sent. Two could not agree on who is right after they lost
	// each other.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:XValidation:rule="self == 1 || self == 3",message="replicas must be 1, or 3 to survive the loss of a node"
	Replicas *int32 `json:"replicas,omitempty"`
	// storage of silences and of the log of notifications.
	// +optional
	// +kubebuilder:default={size: "1Gi"}
	Storage AlertmanagerStorage `json:"storage,omitzero"`
	// retention of silences that have ended and of the log of notifications.
	// +optional
	// +kubebuilder:default="120h"
	Retention Duration `json:"retention,omitempty"`
	// externalURL under which users reach this Alertmanager, used in the links of notifications.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="isURL(self) && self.matches('^https?://')",message="externalURL must be a full URL, such as https://alertmanager.example.org/"
	ExternalURL string `json:"externalURL,omitempty"`
	// logLevel: debug, info, warn or error. Left out: info.
	// +optional
	// +kubebuilder:validation:Enum=debug;info;warn;error
	LogLevel string `json:"logLevel,omitempty"`
	// resources of the Alertmanager container.
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
	// affinity of the pods to nodes, for what nodeSelector cannot say. Replicas prefer different nodes in any case.
	// +optional
	Affinity *corev1.NodeAffinity `json:"affinity,omitempty"`
	// priorityClassName of the pods.
	// +optional
	PriorityClassName string `json:"priorityClassName,omitempty"`
	// podMetadata adds labels and annotations to the pods.
	// +optional
	PodMetadata *PodMetadata `json:"podMetadata,omitempty"`
	// service through which the Alertmanager is reached.
	// +optional
	// +kubebuilder:default={}
	Service AlertmanagerService `json:"service,omitzero"`
}

// AlertmanagerStorage says where silences and the log of notifications are kept.
//
// +kubebuilder:validation:XValidation:rule="(has(self.storageClassName) == has(oldSelf.storageClassName)) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",message="storage.storageClassName cannot change: a claim keeps its class",reason=FieldValueForbidden
type AlertmanagerStorage struct {
	// size of each replica's claim. It can grow, where the StorageClass allows it.
	// +optional
	// +kubebuilder:default="1Gi"
	// +kubebuilder:validation:XValidation:rule="!quantity(string(self)).isLessThan(quantity('16Mi'))",message="storage.size must be 16Mi or more, such as 1Gi"
	Size resource.Quantity `json:"size,omitzero"`
	// storageClassName of the claims. Left out: the cluster's default class.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	StorageClassName *string `json:"storageClassName,omitempty"`
	// whenDeleted says what becomes of the claims when the PrometheusServer is deleted: Retain or Delete. They stay when only
	// alertmanager is taken out of its spec.
	// +optional
	// +kubebuilder:default=Retain
	// +kubebuilder:validation:Enum=Retain;Delete
	WhenDeleted ClaimPolicy `json:"whenDeleted,omitempty"`
}

// AlertmanagerService says how the Alertmanager is reached.
//
// +kubebuilder:validation:XValidation:rule="!has(self.nodePort) || self.type != 'ClusterIP'",message="nodePort needs type NodePort or LoadBalancer: set service.type"
type AlertmanagerService struct {
	// type of the Service: ClusterIP, NodePort or LoadBalancer.
	// +optional
	// +kubebuilder:default=ClusterIP
	// +kubebuilder:validation:Enum=ClusterIP;NodePort;LoadBalancer
	Type corev1.ServiceType `json:"type,omitempty"`
	// port of the Service. The pods themselves listen on 9093.
	// +optional
	// +kubebuilder:default=9093
	// +kubebuilder:validation:XValidation:rule="self >= 1 && self <= 65535",message="port must be between 1 and 65535; 9093 is the usual one"
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

// ExternalAlertmanager is one that Hearth does not deploy for this server: at an address, or that of another
// PrometheusServer.
//
// +kubebuilder:validation:XValidation:rule="has(self.url) != has(self.prometheusServer)",message="an external Alertmanager has either url or prometheusServer: set exactly one of them"
// +kubebuilder:validation:XValidation:rule="has(self.url) || (!has(self.tls) && !has(self.basicAuth))",message="tls and basicAuth go with url: Hearth knows how to reach the Alertmanager of a prometheusServer"
type ExternalAlertmanager struct {
	// url of the Alertmanager, with the path that leads to it, if any.
	// +optional
	URL URL `json:"url,omitempty"`
	// prometheusServer whose Alertmanager it is.
	// +optional
	PrometheusServer *ServerReference `json:"prometheusServer,omitempty"`
	// tls for https.
	// +optional
	TLS *ClientTLS `json:"tls,omitempty"`
	// basicAuth with which Prometheus says who it is.
	// +optional
	BasicAuth *SecretName `json:"basicAuth,omitempty"`
}

// ServerReference names a PrometheusServer.
type ServerReference struct {
	// namespace of the PrometheusServer. Left out: this object's own.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
	// name of the PrometheusServer.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=36
	Name string `json:"name"`
}

// Grouping says which alerts make one notification, and when it is sent.
type Grouping struct {
	// groupBy are the labels whose values alerts of one notification share; ["..."] is every label.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	GroupBy []string `json:"groupBy,omitempty"`
	// groupWait is how long to wait for more alerts before the first notification of a group.
	// +optional
	GroupWait RuleDuration `json:"groupWait,omitempty"`
	// groupInterval is how long to wait before a notification about what changed in a group.
	// +optional
	GroupInterval RuleDuration `json:"groupInterval,omitempty"`
	// repeatInterval is how long to wait before a notification is sent again.
	// +optional
	RepeatInterval RuleDuration `json:"repeatInterval,omitempty"`
}

// Route is that of the alerts that no AlertRule routes by its notify.
type Route struct {
	// receiver of the alerts that none of routes takes. Left out: nobody is notified of them.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Receiver string `json:"receiver,omitempty"`
	// Grouping of every alert, unless its route says otherwise. Left out: by alertname and hearth_alertrule, 30s, 5m, 4h.
	Grouping `json:",inline"`
	// routes are tried in order; the first that matches takes the alert, and with continue the ones after it too.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Routes []Notify `json:"routes,omitempty"`
}

// Notify sends the alerts that match to a receiver.
type Notify struct {
	// receiver to notify.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Receiver string `json:"receiver"`
	// matchers that the labels of an alert must all fulfil, such as severity="critical" or service=~"api|web". Left out:
	// every alert.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Matchers []Matcher `json:"matchers,omitempty"`
	// Grouping of these alerts. Left out: as the server's route says.
	Grouping `json:",inline"`
	// muteTimeIntervals name time intervals of the server in which nobody is notified.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	MuteTimeIntervals []string `json:"muteTimeIntervals,omitempty"`
	// activeTimeIntervals name time intervals of the server outside of which nobody is notified.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	ActiveTimeIntervals []string `json:"activeTimeIntervals,omitempty"`
	// continue with the entries after this one, although this one matched.
	// +optional
	Continue bool `json:"continue,omitempty"`
}

// Matcher is an Alertmanager matcher: a label, one of = != =~ !~, and a value.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=1024
type Matcher string

// InhibitRule mutes alerts while others fire.
type InhibitRule struct {
	// sourceMatchers of the alerts that mute.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	SourceMatchers []Matcher `json:"sourceMatchers"`
	// targetMatchers of the alerts that are muted.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	TargetMatchers []Matcher `json:"targetMatchers"`
	// equal are labels that both alerts must have with the same value.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Equal []string `json:"equal,omitempty"`
}

// TimeInterval is a name for times of the week, month and year.
type TimeInterval struct {
	// name by which routes name it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Name string `json:"name"`
	// timeIntervals that make it up: it is any of them.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	TimeIntervals []TimePeriod `json:"timeIntervals"`
}

// TimePeriod is the time in which all that is set in it holds. Ranges are written as Alertmanager does, with both ends in
// them: monday:friday, 1:5, -1, may:august, 2026:2028.
type TimePeriod struct {
	// times of the day.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Times []TimeOfDay `json:"times,omitempty"`
	// weekdays, such as monday:friday or sunday.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=7
	Weekdays []string `json:"weekdays,omitempty"`
	// daysOfMonth, such as "1:5" or "-3:-1", which are the last three.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=31
	DaysOfMonth []string `json:"daysOfMonth,omitempty"`
	// months by name or number, such as may:august or "12".
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=12
	Months []string `json:"months,omitempty"`
	// years, such as "2026" or "2026:2028".
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Years []string `json:"years,omitempty"`
	// location is a time zone, such as Europe/Berlin. Left out: UTC.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Location string `json:"location,omitempty"`
}

// TimeOfDay is a time of the day.
type TimeOfDay struct {
	// startTime, such as 08:30.
	// +required
	// +kubebuilder:validation:Pattern=`^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$`
	StartTime string `json:"startTime"`
	// endTime, which is not part of it, such as 17:00 or 24:00.
	// +required
	// +kubebuilder:validation:Pattern=`^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$`
	EndTime string `json:"endTime"`
}

// Template is a file of Alertmanager templates.
type Template struct {
	// name of the file, without its ending.
	// +required
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// text of the file: one or more {{ define "NAME" }}...{{ end }}.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	Text string `json:"text"`
}

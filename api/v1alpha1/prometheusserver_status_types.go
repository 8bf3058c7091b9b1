package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PrometheusServerStatus says what is loaded and running.
type PrometheusServerStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// ready is "ready replicas / wanted replicas".
	// +optional
	Ready string `json:"ready,omitempty"`
	// replicas is the number of pods that exist.
	// +optional
	Replicas int32 `json:"replicas"`
	// readyReplicas is the number of pods that are ready.
	// +optional
	ReadyReplicas int32 `json:"readyReplicas"`
	// version of Prometheus that the replicas say they run.
	// +optional
	Version string `json:"version,omitempty"`
	// configuration says which revision is published and which one is loaded.
	// +optional
	Configuration ConfigurationStatus `json:"configuration,omitzero"`
	// targets says what is up and down.
	// +optional
	Targets *TargetsStatus `json:"targets,omitempty"`
	// rules says what was selected, rejected and loaded.
	// +optional
	Rules RulesStatus `json:"rules,omitzero"`
	// monitors says what became of the selected ServiceMonitors and PodMonitors; absent where none are selected.
	// +optional
	Monitors *MonitorsStatus `json:"monitors,omitempty"`
	// unselected says what of monitoring.coreos.com no server selects, and this one comes closest to; absent where there is nothing.
	// +optional
	Unselected *UnselectedStatus `json:"unselected,omitempty"`
	// alerts that are firing and pending; absent while no replica answers.
	// +optional
	Alerts *AlertsStatus `json:"alerts,omitempty"`
	// alertmanager is the server's own; absent where none is declared.
	// +optional
	Alertmanager *AlertmanagerStatus `json:"alertmanager,omitempty"`
	// claimed is the most that one of the claims asks for. spec.storage.size can be taken back to it, and not below.
	// +optional
	Claimed *resource.Quantity `json:"claimed,omitempty"`
	// storage of each replica; at most 64.
	// +optional
	// +listType=map
	// +listMapKey=claim
	// +kubebuilder:validation:MaxItems=64
	Storage []ClaimStatus `json:"storage,omitempty"`
	// conditions: Ready, Loaded, TargetsHealthy, RulesAccepted, where monitors are selected MonitorsAccepted, with remoteWrite RemoteWriteHealthy, with an Alertmanager AlertmanagerReady, with grafana GrafanaReady, and while they are true Reconciling and Stalled.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ConfigurationStatus says which revision of the configuration is published and loaded.
type ConfigurationStatus struct {
	// published is the revision that the replicas should run.
	// +optional
	Published int64 `json:"published,omitempty"`
	// loaded is the oldest revision that a replica runs, as its Prometheus acknowledged it.
	// +optional
	Loaded int64 `json:"loaded,omitempty"`
	// shards over which targets are distributed; absent with one. New shards get their part once all of them run.
	// +optional
	Shards int32 `json:"shards,omitempty"`
	// replicas has the same for each replica.
	// +optional
	// +listType=map
	// +listMapKey=pod
	Replicas []ReplicaStatus `json:"replicas,omitempty"`
}

// ReplicaStatus says what one pod has loaded.
type ReplicaStatus struct {
	// pod is the name of the pod.
	Pod string `json:"pod"`
	// shard that the pod is of; absent for shard 0.
	// +optional
	Shard int32 `json:"shard,omitempty"`
	// loaded is the revision that its Prometheus runs; 0 while it has none.
	Loaded int64 `json:"loaded"`
	// message says what is wrong, in Prometheus' own words where they are known.
	// +optional
	Message string `json:"message,omitempty"`
}

// TargetsStatus says what is up and down.
type TargetsStatus struct {
	// summary is "targets up / all targets".
	Summary string `json:"summary"`
	// jobs has one entry for each scrape job, those with targets down first; at most 100.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	Jobs []JobStatus `json:"jobs,omitempty"`
}

// JobStatus says what is up and down in one scrape job.
type JobStatus struct {
	// name of the job, such as nodeExporter/<namespace>/<name>.
	Name string `json:"name"`
	// up is the number of targets whose last scrape succeeded.
	Up int32 `json:"up"`
	// down is the number of targets whose last scrape failed or that have not been scraped yet.
	Down int32 `json:"down"`
	// lastError is Prometheus' own text for one of the targets that are down, or why there is no target.
	// +optional
	LastError string `json:"lastError,omitempty"`
}

// RulesStatus says what became of the selected AlertRules and PrometheusRules.
type RulesStatus struct {
	// selected is the number of AlertRules and PrometheusRules that the server selects.
	Selected int32 `json:"selected"`
	// rejected is the number of those whose current version is not loaded because it is invalid.
	Rejected int32 `json:"rejected"`
	// loaded is the number of rules that Prometheus says it evaluates.
	Loaded int32 `json:"loaded"`
	// rejections says why, for at most 20 of them.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	Rejections []Rejection `json:"rejections,omitempty"`
	// failing are those that are loaded and cannot be evaluated, with Prometheus' own text; at most 10.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	Failing []Rejection `json:"failing,omitempty"`
}

// Rejection says why an object's current version is not loaded.
type Rejection struct {
	// kind of the object: AlertRule or PrometheusRule.
	Kind string `json:"kind"`
	// namespace of the object.
	Namespace string `json:"namespace"`
	// name of the object.
	Name string `json:"name"`
	// message says what is wrong with it.
	Message string `json:"message"`
}

// AlertsStatus counts alerts.
type AlertsStatus struct {
	// firing is the number of alerts that are firing.
	Firing int32 `json:"firing"`
	// pending is the number of alerts whose for has not passed yet.
	Pending int32 `json:"pending"`
}

// ClaimStatus says how large a claim is.
type ClaimStatus struct {
	// claim is the name of the PersistentVolumeClaim.
	// +kubebuilder:validation:MaxLength=253
	Claim string `json:"claim"`
	// requested is what it asks for.
	Requested resource.Quantity `json:"requested"`
	// capacity is what it has; absent until it is bound.
	// +optional
	Capacity *resource.Quantity `json:"capacity,omitempty"`
}

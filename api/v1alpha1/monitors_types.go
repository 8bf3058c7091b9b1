package v1alpha1

// MonitorTargets are what the objects of monitoring.coreos.com describe. They are read where they are, and picked up when
// their kinds are installed later.
type MonitorTargets struct {
	// serviceMonitors selects ServiceMonitors of monitoring.coreos.com/v1. Targets outside of this object's namespace take its
	// namespace to be labelled monitoring.hearth.dev/reach=cluster.
	// +optional
	ServiceMonitors *ObjectSelector `json:"serviceMonitors,omitempty"`
	// podMonitors selects PodMonitors of monitoring.coreos.com/v1, as serviceMonitors does.
	// +optional
	PodMonitors *ObjectSelector `json:"podMonitors,omitempty"`
	// probes selects Probes of monitoring.coreos.com/v1, as serviceMonitors does.
	// +optional
	Probes *ObjectSelector `json:"probes,omitempty"`
	// scrapeConfigs selects ScrapeConfigs of monitoring.coreos.com/v1alpha1, as serviceMonitors does.
	// +optional
	ScrapeConfigs *ObjectSelector `json:"scrapeConfigs,omitempty"`
}

// MonitorsStatus says what became of the selected monitors.
type MonitorsStatus struct {
	// selected is the number of monitors that the server selects.
	Selected int32 `json:"selected"`
	// rejected is the number of those whose current version is not scraped because it is invalid, or not allowed here.
	Rejected int32 `json:"rejected"`
	// rejections says why, for at most 20 of them.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	Rejections []MonitorRejection `json:"rejections,omitempty"`
}

// MonitorRejection says why a monitor's current version is not scraped.
type MonitorRejection struct {
	// kind of the monitor, such as ServiceMonitor.
	Kind string `json:"kind"`
	// namespace of the monitor.
	Namespace string `json:"namespace"`
	// name of the monitor.
	Name string `json:"name"`
	// message says which field is wrong, and what to do.
	Message string `json:"message"`
}

// UnselectedStatus says what no server selects, of the kinds of monitoring.coreos.com that this one selects.
type UnselectedStatus struct {
	// count is the number of such objects.
	Count int32 `json:"count"`
	// nearest are those of them that it misses by least, and by what; at most 5.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=5
	Nearest []MonitorRejection `json:"nearest,omitempty"`
}

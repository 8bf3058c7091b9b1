package v1alpha1

import "k8s.io/apimachinery/pkg/api/resource"

// Tenancy is what holds for the objects of namespaces whose people need not trust one another. The server's own namespace is
// no tenant's: who writes there has the server.
type Tenancy struct {
	// enforcedNamespaceLabel is a label, such as namespace, that has to say which namespace declared it: on every series and
	// alert that follows from a ServiceMonitor, PodMonitor, Probe, ScrapeConfig, AlertRule, PrometheusRule or an annotation,
	// whatever that object or a target says. Rules see only series with it. It does not concern objects of this namespace.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	EnforcedNamespaceLabel string `json:"enforcedNamespaceLabel,omitempty"`
	// tenantTargets says what other namespaces can have scraped: Discovered, only pods that Kubernetes discovers in the
	// namespace itself; or Any, whatever their objects name. Left out: Discovered with enforcedNamespaceLabel, else Any.
	// +optional
	// +kubebuilder:validation:Enum=Any;Discovered
	TenantTargets TenantTargets `json:"tenantTargets,omitempty"`
	// excludedNamespaces are trusted like this one: enforcedNamespaceLabel, tenantTargets and limits don't hold there.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	ExcludedNamespaces []string `json:"excludedNamespaces,omitempty"`
	// limits of what each namespace can have scraped, this one too.
	// +optional
	Limits *TenantLimits `json:"limits,omitempty"`
}

// TenantTargets says what tenants can have scraped.
type TenantTargets string

// What tenants can have scraped.
const (
	TenantTargetsAny        TenantTargets = "Any"
	TenantTargetsDiscovered TenantTargets = "Discovered"
)

// TenantLimits bound what objects of a namespace ask for. Where an object has a smaller limit of its own, that holds. A scrape
// beyond a limit fails as a whole. Left out: no limit.
type TenantLimits struct {
	// samples of a scrape.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Samples int64 `json:"samples,omitempty"`
	// targets of a scrape job, which is an endpoint of a monitor.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Targets int64 `json:"targets,omitempty"`
	// labels of a series.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Labels int64 `json:"labels,omitempty"`
	// labelNameLength of each label.
	// +optional
	// +kubebuilder:validation:Minimum=1
	LabelNameLength int64 `json:"labelNameLength,omitempty"`
	// labelValueLength of each label.
	// +optional
	// +kubebuilder:validation:Minimum=1
	LabelValueLength int64 `json:"labelValueLength,omitempty"`
	// histogramBuckets of a native histogram, whose resolution is reduced to that.
	// +optional
	// +kubebuilder:validation:Minimum=1
	HistogramBuckets int64 `json:"histogramBuckets,omitempty"`
	// bodySize of the response to a scrape, uncompressed, such as 10Mi.
	// +optional
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).isGreaterThan(quantity('0'))",message="bodySize must be above 0, such as 10Mi"
	BodySize *resource.Quantity `json:"bodySize,omitempty"`
	// jobs of all monitors of a namespace together. The oldest ones are taken.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Jobs int64 `json:"jobs,omitempty"`
}

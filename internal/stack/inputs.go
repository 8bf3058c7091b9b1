package stack

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/amconfig"
	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/grafana"
	"github.com/hearth-monitoring/hearth/internal/rules"
)

// Inputs is everything that decides what a PrometheusServer becomes. It is read in one place and changed nowhere.
type Inputs struct {
	// Server is the declaration.
	Server *v1alpha1.PrometheusServer
	// NodeExporters are all there are; Resolve selects.
	NodeExporters []v1alpha1.NodeExporter
	// AlertRules are all there are and that are not being deleted, by namespace and name; Resolve selects.
	AlertRules []*AlertRule
	// PrometheusRules are all there are, in the same way: nothing of them is routed.
	PrometheusRules []*AlertRule
	// Confined remembers what confined rule files are made of; nil: nothing is remembered.
	Confined *rules.Keeper
	// Rules is what Resolve made of the same AlertRules and PrometheusRules before, nil if anything of them has changed since.
	Rules *Rules
	// Before is what it made before, for the same generation of the server; nil: nothing. An AlertRule or monitor that is in both
	// is not decided again: of ten thousand, an edit is about one.
	Before *Stack
	// NamespaceLabels are the labels of each namespace, by its name.
	NamespaceLabels map[string]map[string]string
	// Monitors are all there are, by kind, namespace and name; Resolve selects.
	Monitors []*Monitor
	// Published is what the cluster has of this server's files now.
	Published Published
	// ShardsUp are the shards of which a replica runs what is published.
	ShardsUp []int32
	// PublishedAlertmanager is what it has of its Alertmanager's files, nil if nothing.
	PublishedAlertmanager *bundle.Manifest
	// Others are the PrometheusServers that the server names, as far as they exist: see References.
	Others []v1alpha1.PrometheusServer
	// Grants is what the Alertmanager's pods say about the Secrets that AlertRules name.
	Grants Grants
	// Operator is the operator itself, as far as it can be pulled from.
	Operator Operator
	// Dashboards are Hearth's own.
	Dashboards []grafana.Dashboard
	// Images are the operator's defaults.
	Images Images
}

// AlertRule is what decides what becomes of an AlertRule: its labels, and the verdict on its newest generation. The rules
// themselves are not in it, since there may be ten thousand. It is never changed: another generation or verdict is another one.
type AlertRule struct {
	Namespace, Name string
	UID             string
	Generation      int64
	Labels          map[string]string
	// Judged is false while there is no verdict on this generation yet: what is published of the object stays.
	Judged bool
	// Problem is why this generation must not be loaded, empty if it may.
	Problem string
	// File is what this generation becomes, if it may be loaded.
	File bundle.File
	// Created is when the object was; of two that define the same receiver the older one counts.
	Created metav1.Time
	// Routing is what this generation says about receivers and routes, nil for nothing. It does not depend on Problem.
	Routing *amconfig.Contribution
}

// Published is what the cluster has of a server's files, zero where it has nothing.
type Published struct {
	Manifest *bundle.Manifest
	// Rules has, by path, the published files of those AlertRules and PrometheusRules of which no newer generation can be loaded.
	Rules map[string]bundle.File
}

// Images are the images used where a declaration names none.
type Images struct {
	// Hearth has the exporter's and the reloader's binaries.
	Hearth string
	// PrometheusVersion is the version where the declaration has neither version nor image.
	PrometheusVersion string
	// AlertmanagerVersion is the version of an Alertmanager whose declaration has neither version nor image.
	AlertmanagerVersion string
	// StateMetricsVersion is the version of a kube-state-metrics whose declaration has neither version nor image.
	StateMetricsVersion string
	// GrafanaVersion is the version of a Grafana whose declaration has neither version nor image.
	GrafanaVersion string
}

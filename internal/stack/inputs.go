package stack

import (
	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/bundle"
)

// Inputs is everything that decides what a PrometheusServer becomes. It is read in one place and changed nowhere.
type Inputs struct {
	// Server is the declaration.
	Server *v1alpha1.PrometheusServer
	// NodeExporters and AlertRules are all there are; Resolve selects.
	NodeExporters []v1alpha1.NodeExporter
	AlertRules    []v1alpha1.AlertRule
	// NamespaceLabels are the labels of each namespace, by its name.
	NamespaceLabels map[string]map[string]string
	// Published is what the cluster has of this server's files now.
	Published Published
	// Images are the operator's defaults.
	Images Images
}

// Published is the manifest and the packed parts found in the cluster, zero where there are none.
type Published struct {
	Manifest *bundle.Manifest
	// Parts are packed bytes by object name.
	Parts map[string][]byte
}

// Images are the images used where a declaration names none.
type Images struct {
	// Hearth has the exporter's and the reloader's binaries.
	Hearth string
	// PrometheusVersion is the version where the declaration has neither version nor image.
	PrometheusVersion string
}

package stack

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// exporters are the selected NodeExporters, sorted by namespace and name.
func exporters(in Inputs, path *field.Path) ([]ExporterTarget, field.ErrorList) {
	selection, errs := Selected(NodeExporterSelector(in.Server), in.Server.Namespace, path)
	if len(errs) > 0 {
		return nil, errs
	}
	var out []ExporterTarget
	for i := range in.NodeExporters {
		ne := &in.NodeExporters[i]
		if ne.DeletionTimestamp == nil && selection.Takes(ne.Labels, ne.Namespace, in.NamespaceLabels) {
			out = append(out, ExporterTarget{Namespace: ne.Namespace, Name: ne.Name, Service: ExporterNames(ne.Name).Base})
		}
	}
	slices.SortFunc(out, func(a, b ExporterTarget) int { return cmp.Compare(a.Job(), b.Job()) })
	return out, nil
}

// NodeExporterSelector is a server's selector for NodeExporters, nil where it has none.
func NodeExporterSelector(ps *v1alpha1.PrometheusServer) *v1alpha1.ObjectSelector {
	if ps.Spec.Targets == nil {
		return nil
	}
	return ps.Spec.Targets.NodeExporters
}

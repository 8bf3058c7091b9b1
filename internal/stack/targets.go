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
			target := ExporterTarget{Namespace: ne.Namespace, Name: ne.Name, Service: ExporterNames(ne.Name).Base}
			for _, target.Pool = range poolNames(ne) {
				target.Running = slices.ContainsFunc(ne.Status.Pools, func(p v1alpha1.NodePoolStatus) bool {
					return p.Name == target.Pool && p.Ready > 0
				})
				out = append(out, target)
			}
		}
	}
	slices.SortFunc(out, func(a, b ExporterTarget) int { return cmp.Compare(a.Job(), b.Job()) })
	return out, nil
}

// poolNames are those by which jobs are told apart: one without a name where there are no pools.
func poolNames(ne *v1alpha1.NodeExporter) []string {
	if len(ne.Spec.Pools) == 0 {
		return []string{""}
	}
	names := make([]string, len(ne.Spec.Pools))
	for i, pool := range ne.Spec.Pools {
		names[i] = pool.Name
	}
	return names
}

// NodeExporterSelector is a server's selector for NodeExporters, nil where it has none.
func NodeExporterSelector(ps *v1alpha1.PrometheusServer) *v1alpha1.ObjectSelector {
	if ps.Spec.Targets == nil {
		return nil
	}
	return ps.Spec.Targets.NodeExporters
}

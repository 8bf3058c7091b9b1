package admission

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/promconfig"
	"github.com/hearth-monitoring/hearth/internal/rules"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

func alertRule(ar *v1alpha1.AlertRule) (field.ErrorList, []string) {
	if _, err := rules.Render(ar); err != nil {
		return field.ErrorList{{Type: field.ErrorTypeInvalid, Field: "spec.groups", BadValue: field.OmitValueType{}, Detail: err.Error()}}, nil
	}
	return nil, nil
}

// server judges a declaration by itself: what else there is in the cluster may come later.
func server(images stack.Images) func(*v1alpha1.PrometheusServer) (field.ErrorList, []string) {
	return func(ps *v1alpha1.PrometheusServer) (field.ErrorList, []string) {
		s, problems := stack.Resolve(stack.Inputs{Server: ps, Images: images})
		if problems = byItself(problems); len(problems) > 0 || s == nil {
			return problems, nil
		}
		if _, err := promconfig.Configuration(s); err != nil {
			return field.ErrorList{field.Invalid(field.NewPath("spec"), field.OmitValueType{}, err.Error())}, nil
		}
		return nil, nil
	}
}

func exporter(images stack.Images) func(*v1alpha1.NodeExporter) (field.ErrorList, []string) {
	return func(ne *v1alpha1.NodeExporter) (field.ErrorList, []string) {
		_, problems := stack.ResolveExporter(stack.ExporterInputs{Exporter: ne, Images: images})
		return byItself(problems), nil
	}
}

// byItself leaves out what is missing from the cluster: it can be applied next.
func byItself(problems field.ErrorList) field.ErrorList {
	var out field.ErrorList
	for _, p := range problems {
		if p.Type != field.ErrorTypeNotFound {
			out = append(out, p)
		}
	}
	return out
}

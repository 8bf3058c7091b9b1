package monitors

import (
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Compile is what a monitor becomes that was read without its type, or why it becomes nothing.
func Compile(kind Kind, object map[string]any) (*Compiled, string) {
	switch kind {
	case PodMonitorKind:
		return compileAs(object, OfPodMonitor)
	case ProbeKind:
		return compileAs(object, OfProbe)
	case ScrapeConfigKind:
		return compileAs(object, OfScrapeConfig)
	}
	return compileAs(object, OfServiceMonitor)
}

func compileAs[T any](object map[string]any, of func(*T) (*Compiled, field.ErrorList)) (*Compiled, string) {
	typed := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object, typed); err != nil {
		return nil, err.Error()
	}
	out, errs := of(typed)
	if len(errs) > 0 {
		return nil, errs.ToAggregate().Error()
	}
	return out, ""
}

// Package v1alpha1 is the contract: the three kinds of the API group monitoring.hearth.dev, their validation and the
// constants their status speaks in. It holds no logic and imports nothing else of this module.
//
// +kubebuilder:object:generate=true
// +groupName=monitoring.hearth.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of every type in this package.
var GroupVersion = schema.GroupVersion{Group: "monitoring.hearth.dev", Version: "v1alpha1"}

// AddToScheme registers the three kinds and their lists.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion,
		&NodeExporter{}, &NodeExporterList{},
		&PrometheusServer{}, &PrometheusServerList{},
		&AlertRule{}, &AlertRuleList{},
	)
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}

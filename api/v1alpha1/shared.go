package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Duration is a length of time as Prometheus writes it: a whole number and a unit, largest unit first, such as 30s, 1h30m
// or 15d (units: ms, s, m, h, d, w, y).
//
// +kubebuilder:validation:MaxLength=32
// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$') && self.matches('[1-9]')",message="must be a Prometheus duration above zero, largest unit first, such as 30s, 1h30m or 15d"
type Duration string

// RuleDuration is a Duration in a rule. It has a pattern and no CEL rule, because a CEL rule on every rule of every group
// costs more than an API server allows; Prometheus' own parser checks it again.
//
// +kubebuilder:validation:MaxLength=32
// +kubebuilder:validation:Pattern=`^([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$`
type RuleDuration string

// ObjectSelector selects objects by their labels and by the labels of their namespace. Both must match.
type ObjectSelector struct {
	// selector is matched against the object's labels. Left out it selects nothing; {} selects every object.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
	// namespaceSelector is matched against the labels of the object's namespace. Left out it means this object's own
	// namespace; {} means every namespace. A namespace can be named by its label kubernetes.io/metadata.name.
	// +optional
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`
}

// PodMetadata is put on the pods beside Hearth's own labels.
//
// +kubebuilder:validation:XValidation:rule="!has(self.labels) || self.labels.all(k, !k.startsWith('monitoring.hearth.dev/') && !k.startsWith('app.kubernetes.io/'))",message="labels below monitoring.hearth.dev/ and app.kubernetes.io/ are Hearth's own: use another prefix"
type PodMetadata struct {
	// labels are added to the pods.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Labels map[string]string `json:"labels,omitempty"`
	// annotations are added to the pods.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Annotations map[string]string `json:"annotations,omitempty"`
}

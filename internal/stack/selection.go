package stack

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// Selection decides whether an ObjectSelector takes an object.
type Selection struct {
	objects, namespaces labels.Selector
	home                string
}

// Selected compiles an ObjectSelector of an object in namespace home. A nil selector takes nothing.
func Selected(s *v1alpha1.ObjectSelector, home string, path *field.Path) (Selection, field.ErrorList) {
	if s == nil || s.Selector == nil {
		return Selection{objects: labels.Nothing()}, nil
	}
	var errs field.ErrorList
	objects, err := metav1.LabelSelectorAsSelector(s.Selector)
	if err != nil {
		errs = append(errs, field.Invalid(path.Child("selector"), s.Selector, err.Error()))
	}
	out := Selection{objects: objects, home: home}
	if s.NamespaceSelector != nil {
		if out.namespaces, err = metav1.LabelSelectorAsSelector(s.NamespaceSelector); err != nil {
			errs = append(errs, field.Invalid(path.Child("namespaceSelector"), s.NamespaceSelector, err.Error()))
		}
	}
	return out, errs
}

// Takes says whether an object with these labels in this namespace is selected.
func (s Selection) Takes(object map[string]string, namespace string, namespaceLabels map[string]map[string]string) bool {
	if !s.objects.Matches(labels.Set(object)) {
		return false
	}
	if s.namespaces == nil {
		return namespace == s.home
	}
	of, known := namespaceLabels[namespace]
	return known && s.namespaces.Matches(labels.Set(of))
}

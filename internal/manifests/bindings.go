package manifests

import (
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/internal/stack"
)

// homeBindings are the bindings in the server's own namespace: children like all others.
func homeBindings(s *stack.Stack) []Object {
	var out []Object
	for _, b := range s.Bindings {
		if b.Namespace == s.Namespace {
			out = append(out, bindingIn(s, b))
		}
	}
	return out
}

// Bindings are the bindings of a server beyond its own namespace. They have no owner reference, which does not reach that far:
// their names say whose they are (see stack.BindingName).
func Bindings(s *stack.Stack) []Object {
	var out []Object
	for _, b := range s.Bindings {
		switch b.Namespace {
		case s.Namespace:
		case "":
			out = append(out, bindingEverywhere(s, b))
		default:
			out = append(out, bindingIn(s, b))
		}
	}
	return out
}

func bindingEverywhere(s *stack.Stack, b stack.Binding) *rbacv1.ClusterRoleBinding {
	meta := serverMeta(s, stack.BindingName(b.Role, s.Namespace, s.Name))
	meta.Namespace = ""
	return &rbacv1.ClusterRoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRoleBinding"},
		ObjectMeta: meta,
		RoleRef:    clusterRole(b),
		Subjects:   subjectOf(s, b),
	}
}

func bindingIn(s *stack.Stack, b stack.Binding) *rbacv1.RoleBinding {
	meta := serverMeta(s, stack.BindingName(b.Role, s.Namespace, s.Name))
	meta.Namespace = b.Namespace
	return &rbacv1.RoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
		ObjectMeta: meta,
		RoleRef:    clusterRole(b),
		Subjects:   subjectOf(s, b),
	}
}

func clusterRole(b stack.Binding) rbacv1.RoleRef {
	return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: b.Role}
}

func subjectOf(s *stack.Stack, b stack.Binding) []rbacv1.Subject {
	return []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: s.Namespace, Name: b.Account}}
}

package manifests

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/promconfig"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

func serverAccount(s *stack.Stack) *corev1.ServiceAccount {
	return account(serverMeta(s, s.Names.Base))
}

func account(meta metav1.ObjectMeta) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta: meta,
		// The pods mount it on purpose; nobody else should by accident.
		AutomountServiceAccountToken: new(false),
	}
}

func serverRole(s *stack.Stack, files promconfig.Files) *rbacv1.Role {
	return reloaderRole(serverMeta(s, s.Names.Base), files)
}

// reloaderRole lets the reloader watch the one manifest and get the parts it names. What a server discovers is granted where
// it is: see exporterRole.
func reloaderRole(meta metav1.ObjectMeta, files promconfig.Files) *rbacv1.Role {
	return &rbacv1.Role{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "Role"},
		ObjectMeta: meta,
		Rules: []rbacv1.PolicyRule{
			{
				APIGroups:     []string{""},
				Resources:     []string{"configmaps"},
				ResourceNames: []string{bundle.ManifestName(meta.Name)},
				Verbs:         []string{"get", "list", "watch"},
			},
			{
				APIGroups:     []string{""},
				Resources:     []string{"configmaps"},
				ResourceNames: files.Manifest.Names(),
				Verbs:         []string{"get"},
			},
		},
	}
}

func serverRoleBinding(s *stack.Stack) *rbacv1.RoleBinding {
	return roleBinding(serverMeta(s, s.Names.Base))
}

// roleBinding binds the role of an account's own name.
func roleBinding(meta metav1.ObjectMeta) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: meta.Namespace, Name: meta.Name}},
	}
}

package manifests

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/hearth-monitoring/hearth/internal/stack"
)

// Exporter lists the objects of a NodeExporter in the order in which they are applied.
func Exporter(e *stack.Exporter) ([]Object, error) {
	objects := []Object{exporterAccount(e), exporterService(e)}
	if len(e.Scrapers) > 0 {
		objects = append(objects, exporterRole(e), exporterRoleBinding(e))
	}
	for _, pool := range e.Pools {
		config, err := exporterConfig(e, pool)
		if err != nil {
			return nil, err
		}
		// The settings come first: a pod does not start without them.
		objects = append(objects, config, daemonSet(e, pool))
	}
	return objects, nil
}

func exporterMeta(e *stack.Exporter, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: e.Namespace, Name: name, Labels: maps.Clone(e.Labels)}
}

func exporterAccount(e *stack.Exporter) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		TypeMeta:                     metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta:                   exporterMeta(e, e.Base),
		AutomountServiceAccountToken: new(false),
	}
}

// exporterService is headless: it exists to be discovered. Pods that are not ready are part of it, because a target that is
// down should be seen to be down.
func exporterService(e *stack.Exporter) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: exporterMeta(e, e.Base),
		Spec: corev1.ServiceSpec{
			Type:      corev1.ServiceTypeClusterIP,
			ClusterIP: corev1.ClusterIPNone,
			Selector:  e.Selector,
			Ports: []corev1.ServicePort{{
				Name:       exporterPortName,
				Protocol:   corev1.ProtocolTCP,
				Port:       e.Port,
				TargetPort: intstr.FromString(exporterPortName),
			}},
			PublishNotReadyAddresses: true,
		},
	}
}

// exporterRole is what a server needs to discover the exporter's pods, and it holds in this namespace only. It belongs to
// the NodeExporter and not to the server, so that it goes with what it gives access to and nothing has to be cleaned up
// across namespaces.
func exporterRole(e *stack.Exporter) *rbacv1.Role {
	read := []string{"get", "list", "watch"}
	return &rbacv1.Role{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "Role"},
		ObjectMeta: exporterMeta(e, e.Base),
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"pods", "services"}, Verbs: read},
			{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: read},
		},
	}
}

func exporterRoleBinding(e *stack.Exporter) *rbacv1.RoleBinding {
	binding := &rbacv1.RoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
		ObjectMeta: exporterMeta(e, e.Base),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: e.Base},
	}
	for _, s := range e.Scrapers {
		binding.Subjects = append(binding.Subjects, rbacv1.Subject{
			Kind: rbacv1.ServiceAccountKind, Namespace: s.Namespace, Name: s.ServiceAccount,
		})
	}
	return binding
}

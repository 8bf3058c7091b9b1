package manifests

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/hearth-monitoring/hearth/internal/stack"
)

// The port by which the replicas of an Alertmanager tell each other what they know.
const (
	meshPort    = 9094
	meshTCPName = "mesh-tcp"
	meshUDPName = "mesh-udp"
)

// alertmanagerService is how users reach the Alertmanager. The server doesn't go through it: every replica has to have
// every alert.
func alertmanagerService(s *stack.Stack) *corev1.Service {
	am := s.Alertmanager
	meta := alertmanagerMeta(s, am.Names.Base)
	meta.Annotations = am.Service.Annotations
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: meta,
		Spec: corev1.ServiceSpec{
			Type:     am.Service.Type,
			Selector: am.Selector,
			Ports: []corev1.ServicePort{{
				Name:       webPortName,
				Protocol:   corev1.ProtocolTCP,
				Port:       am.Service.Port,
				TargetPort: intstr.FromString(webPortName),
				NodePort:   am.Service.NodePort,
			}},
		},
	}
}

// alertmanagerPodsService gives each pod its DNS name, before it is ready too: the replicas find each other by these names.
func alertmanagerPodsService(s *stack.Stack) *corev1.Service {
	am := s.Alertmanager
	service := &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: alertmanagerMeta(s, am.Names.Pods),
		Spec: corev1.ServiceSpec{
			Type:      corev1.ServiceTypeClusterIP,
			ClusterIP: corev1.ClusterIPNone,
			Selector:  am.Selector,
			Ports: []corev1.ServicePort{{
				Name: webPortName, Protocol: corev1.ProtocolTCP, Port: stack.AlertmanagerPort, TargetPort: intstr.FromString(webPortName),
			}},
			PublishNotReadyAddresses: true,
		},
	}
	if am.Mesh() {
		service.Spec.Ports = append(service.Spec.Ports,
			corev1.ServicePort{Name: meshTCPName, Protocol: corev1.ProtocolTCP, Port: meshPort, TargetPort: intstr.FromString(meshTCPName)},
			corev1.ServicePort{Name: meshUDPName, Protocol: corev1.ProtocolUDP, Port: meshPort, TargetPort: intstr.FromString(meshUDPName)})
	}
	return service
}

package manifests

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// The server's own port in its pods, and its name.
const (
	webPort     = 9090
	webPortName = "web"
)

// serverService is how users reach the server, or one of its shards: one for all would answer each time from another part of
// the targets. What may be there only once, a node port, a load balancer and what annotations have made, is that of shard 0.
func serverService(s *stack.Stack, shard stack.Shard) *corev1.Service {
	meta, reached := serverMeta(s, shard.Base), v1alpha1.Service{Type: corev1.ServiceTypeClusterIP, Port: s.Service.Port}
	if shard.Number == 0 {
		reached, meta.Annotations = s.Service, s.Service.Annotations
	}
	service := &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: meta,
		Spec: corev1.ServiceSpec{
			Type:     reached.Type,
			Selector: shard.Selector,
			Ports: []corev1.ServicePort{{
				Name:       webPortName,
				Protocol:   corev1.ProtocolTCP,
				Port:       reached.Port,
				TargetPort: intstr.FromString(webPortName),
				NodePort:   reached.NodePort,
			}},
			SessionAffinity: corev1.ServiceAffinityNone,
		},
	}
	if s.Replicas > 1 {
		// Replicas scrape at different moments: a graph that is refreshed from one and then the other would jump.
		service.Spec.SessionAffinity = corev1.ServiceAffinityClientIP
	}
	return service
}

// podsService gives each pod of every shard its DNS name.
func podsService(s *stack.Stack) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: serverMeta(s, s.Names.Pods),
		Spec: corev1.ServiceSpec{
			Type:      corev1.ServiceTypeClusterIP,
			ClusterIP: corev1.ClusterIPNone,
			Selector:  s.Selector,
			Ports: []corev1.ServicePort{{
				Name:       webPortName,
				Protocol:   corev1.ProtocolTCP,
				Port:       webPort,
				TargetPort: intstr.FromString(webPortName),
			}},
			PublishNotReadyAddresses: true,
		},
	}
}

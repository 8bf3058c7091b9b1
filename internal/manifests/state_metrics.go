package manifests

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/hearth-monitoring/hearth/internal/stack"
)

// The ports of kube-state-metrics.
const (
	stateMetricsPort     = 8080
	stateMetricsSelfPort = 8081
)

// stateMetricsResources are the kinds of objects that it tells of. hearth-state-metrics, in config/rbac, lists each of them
// and no other: no Secrets, and no ConfigMaps, whose lists would bring what is in them.
func stateMetricsResources() []string {
	return []string{
		"cronjobs", "daemonsets", "deployments", "endpointslices", "horizontalpodautoscalers", "ingresses", "jobs", "limitranges",
		"namespaces", "networkpolicies", "nodes", "persistentvolumeclaims", "persistentvolumes", "poddisruptionbudgets", "pods",
		"replicasets", "replicationcontrollers", "resourcequotas", "services", "statefulsets", "storageclasses",
	}
}

// stateMetrics lists the objects of the server's kube-state-metrics.
func stateMetrics(s *stack.Stack) []Object {
	k := s.Kubernetes.StateMetrics
	if k == nil {
		return nil
	}
	out := []Object{account(stateMetricsMeta(s, k, k.Base)), stateMetricsService(s, k)}
	for shard := range k.Shards {
		out = append(out, stateMetricsDeployment(s, k, shard))
	}
	return out
}

func stateMetricsMeta(s *stack.Stack, k *stack.StateMetrics, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: s.Namespace, Name: name, Labels: maps.Clone(k.Labels)}
}

// stateMetricsService is headless: it is there to be discovered, shard by shard. A shard that is not ready should be seen to
// be down.
func stateMetricsService(s *stack.Stack, k *stack.StateMetrics) *corev1.Service {
	port := func(name string, number int32) corev1.ServicePort {
		return corev1.ServicePort{Name: name, Protocol: corev1.ProtocolTCP, Port: number, TargetPort: intstr.FromString(name)}
	}
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: stateMetricsMeta(s, k, k.Base),
		Spec: corev1.ServiceSpec{
			Type:                     corev1.ServiceTypeClusterIP,
			ClusterIP:                corev1.ClusterIPNone,
			Selector:                 k.Selector,
			Ports:                    []corev1.ServicePort{port(stack.StateMetricsPort, stateMetricsPort), port(stack.StateMetricsSelfPort, stateMetricsSelfPort)},
			PublishNotReadyAddresses: true,
		},
	}
}

// stateMetricsDeployment is one shard. There are never two pods of it: both would tell of the same objects.
func stateMetricsDeployment(s *stack.Stack, k *stack.StateMetrics, shard int32) *appsv1.Deployment {
	number := map[string]string{stack.LabelShard: strconv.Itoa(int(shard))}
	meta := stateMetricsMeta(s, k, fmt.Sprintf("%s-%d", k.Base, shard))
	meta.Labels = merged(meta.Labels, number)
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "Deployment"},
		ObjectMeta: meta,
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(1)),
			Strategy: appsv1.DeploymentStrategy{
				Type: appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{
					MaxSurge: new(intstr.FromInt32(0)), MaxUnavailable: new(intstr.FromInt32(1)),
				},
			},
			Selector: &metav1.LabelSelector{MatchLabels: merged(k.Selector, number)},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: merged(meta.Labels)},
				Spec: corev1.PodSpec{
					ServiceAccountName:           k.Base,
					AutomountServiceAccountToken: new(true),
					EnableServiceLinks:           new(false),
					ImagePullSecrets:             k.PullSecrets,
					Containers:                   []corev1.Container{stateMetricsContainer(k, shard)},
					SecurityContext: &corev1.PodSecurityContext{
						RunAsNonRoot:   new(true),
						RunAsUser:      new(int64(nobody)),
						RunAsGroup:     new(int64(nobody)),
						SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
					},
					NodeSelector:      k.Scheduling.NodeSelector,
					Tolerations:       k.Scheduling.Tolerations,
					PriorityClassName: k.Scheduling.PriorityClassName,
				},
			},
		},
	}
}

func stateMetricsContainer(k *stack.StateMetrics, shard int32) corev1.Container {
	args := []string{
		fmt.Sprintf("--port=%d", stateMetricsPort),
		fmt.Sprintf("--telemetry-port=%d", stateMetricsSelfPort),
		"--resources=" + strings.Join(stateMetricsResources(), ","),
	}
	if k.Shards > 1 {
		args = append(args, fmt.Sprintf("--shard=%d", shard), fmt.Sprintf("--total-shards=%d", k.Shards))
	}
	port := func(name string, number int32) corev1.ContainerPort {
		return corev1.ContainerPort{Name: name, ContainerPort: number, Protocol: corev1.ProtocolTCP}
	}
	probe := func(path string, port int32) *corev1.Probe {
		return &corev1.Probe{ProbeHandler: httpGet(path, port), PeriodSeconds: 10, TimeoutSeconds: 5, FailureThreshold: 6}
	}
	return corev1.Container{
		Name:      "kube-state-metrics",
		Image:     k.Image,
		Args:      args,
		Ports:     []corev1.ContainerPort{port(stack.StateMetricsPort, stateMetricsPort), port(stack.StateMetricsSelfPort, stateMetricsSelfPort)},
		Resources: k.Scheduling.Resources,
		// Not /livez, which asks the API server: a restart would not bring that back.
		LivenessProbe:   probe("/healthz", stateMetricsPort),
		ReadinessProbe:  probe("/metrics", stateMetricsSelfPort),
		SecurityContext: restricted(),
	}
}

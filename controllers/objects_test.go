package controllers

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/internal/stack"
)

// everyKind is one object of every kind that Hearth makes, written the way builders write them, and with what the API is
// known to default, reorder or respell: protocols, probes, projected tokens, quantities, empty selectors.
func everyKind() []client.Object {
	return []client.Object{
		&corev1.ServiceAccount{ObjectMeta: named("account"), AutomountServiceAccountToken: ptr.To(false)},
		&corev1.ConfigMap{
			ObjectMeta: named("config"),
			Data:       map[string]string{"prometheus.yml": "global: {}\n", "empty": ""},
			BinaryData: map[string][]byte{"rules.gz": {0x1f, 0x8b, 0xff, 0x00}},
		},
		clusterService(), nodePortService(), headlessService(),
		&rbacv1.Role{ObjectMeta: named("role"), Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{"config"}, Verbs: []string{"get", "watch"}},
		}},
		&rbacv1.RoleBinding{
			ObjectMeta: named("binding"),
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "role"},
			Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: "account", Namespace: "default"}},
		},
		&policyv1.PodDisruptionBudget{ObjectMeta: named("budget"), Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable: ptr.To(intstr.FromInt32(1)),
			Selector:       selects("server"),
		}},
		statefulSet(), daemonSet(), deployment(),
	}
}

func named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Labels: map[string]string{"app.kubernetes.io/name": name}, Annotations: map[string]string{"example.org/why": "test"}}
}

func selects(app string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}
}

func clusterService() *corev1.Service {
	return &corev1.Service{ObjectMeta: named("web"), Spec: corev1.ServiceSpec{
		Selector: map[string]string{"app": "server"},
		Ports:    []corev1.ServicePort{{Name: "web", Port: 9090, TargetPort: intstr.FromString("web")}, {Name: "reloader", Port: 8080}},
	}}
}

func nodePortService() *corev1.Service {
	return &corev1.Service{ObjectMeta: named("outside"), Spec: corev1.ServiceSpec{
		Type:     corev1.ServiceTypeNodePort,
		Selector: map[string]string{"app": "server"},
		Ports:    []corev1.ServicePort{{Name: "web", Port: 80, TargetPort: intstr.FromString("web"), Protocol: corev1.ProtocolTCP}},
	}}
}

func headlessService() *corev1.Service {
	return &corev1.Service{ObjectMeta: named("headless"), Spec: corev1.ServiceSpec{
		ClusterIP:                corev1.ClusterIPNone,
		PublishNotReadyAddresses: true,
		Selector:                 map[string]string{"app": "server"},
		Ports:                    []corev1.ServicePort{{Name: "web", Port: 9090, TargetPort: intstr.FromString("web")}},
	}}
}

func statefulSet() *appsv1.StatefulSet {
	sts := &appsv1.StatefulSet{ObjectMeta: named("server"), Spec: appsv1.StatefulSetSpec{
		ServiceName:         "headless",
		Replicas:            ptr.To[int32](2),
		PodManagementPolicy: appsv1.ParallelPodManagement,
		Selector:            selects("server"),
		Template:            podTemplate("server"),
		VolumeClaimTemplates: []corev1.PersistentVolumeClaim{{
			ObjectMeta: metav1.ObjectMeta{Name: "data", Labels: map[string]string{stack.LabelManagedBy: stack.ManagedBy}},
			Spec: corev1.PersistentVolumeClaimSpec{
				AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
				Resources: corev1.VolumeResourceRequirements{
					Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1024Mi")},
				},
			},
		}},
	}}
	pod := &sts.Spec.Template.Spec
	pod.Containers[0].VolumeMounts = append(pod.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "data", MountPath: "/prometheus", SubPath: "db"})
	pod.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
		MaxSkew: 1, TopologyKey: "kubernetes.io/hostname", WhenUnsatisfiable: corev1.ScheduleAnyway, LabelSelector: selects("server"),
	}}
	pod.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{
			Weight: 100, PodAffinityTerm: corev1.PodAffinityTerm{LabelSelector: selects("server"), TopologyKey: "kubernetes.io/hostname"},
		}},
	}}
	return sts
}

func daemonSet() *appsv1.DaemonSet {
	ds := &appsv1.DaemonSet{ObjectMeta: named("exporter"), Spec: appsv1.DaemonSetSpec{
		Selector: selects("exporter"),
		Template: podTemplate("exporter"),
		UpdateStrategy: appsv1.DaemonSetUpdateStrategy{
			Type:          appsv1.RollingUpdateDaemonSetStrategyType,
			RollingUpdate: &appsv1.RollingUpdateDaemonSet{MaxUnavailable: ptr.To(intstr.FromString("10%"))},
		},
	}}
	pod := &ds.Spec.Template.Spec
	pod.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	pod.NodeSelector = map[string]string{"kubernetes.io/os": "linux"}
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: "root", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}})
	pod.Containers[0].VolumeMounts = append(pod.Containers[0].VolumeMounts, corev1.VolumeMount{
		Name: "root", MountPath: "/host", ReadOnly: true, MountPropagation: ptr.To(corev1.MountPropagationHostToContainer),
	})
	return ds
}

func deployment() *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: named("state"), Spec: appsv1.DeploymentSpec{
		Replicas: ptr.To[int32](1),
		Strategy: appsv1.DeploymentStrategy{
			Type:          appsv1.RollingUpdateDeploymentStrategyType,
			RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: ptr.To(intstr.FromInt32(0)), MaxUnavailable: ptr.To(intstr.FromInt32(1))},
		},
		Selector: selects("state"),
		Template: podTemplate("state"),
	}}
}

func podTemplate(app string) corev1.PodTemplateSpec {
	restricted := &corev1.SecurityContext{
		AllowPrivilegeEscalation: ptr.To(false), ReadOnlyRootFilesystem: ptr.To(true),
		Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": app, stack.LabelManagedBy: stack.ManagedBy}},
		Spec: corev1.PodSpec{
			ServiceAccountName:            "account",
			AutomountServiceAccountToken:  ptr.To(false),
			TerminationGracePeriodSeconds: ptr.To[int64](600),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](65534), FSGroup: ptr.To[int64](65534),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			ImagePullSecrets: []corev1.LocalObjectReference{{Name: "pull"}},
			InitContainers:   []corev1.Container{{Name: "init", Image: "hearth:dev", Args: []string{"reloader", "--once"}, SecurityContext: restricted}},
			Containers: []corev1.Container{{
				Name: "main", Image: "prom/prometheus:v3.15.0", SecurityContext: restricted,
				Args:  []string{"--web.listen-address=:9090"},
				Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 9090}, {Name: "dns", ContainerPort: 9090, Protocol: corev1.ProtocolUDP}},
				Env: []corev1.EnvVar{
					{Name: "EMPTY"},
					{Name: "POD", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}},
					{Name: "CPUS", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "limits.cpu"}}},
				},
				Resources: corev1.ResourceRequirements{
					Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("0.1"), corev1.ResourceMemory: resource.MustParse("1024Mi")},
					Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("2000000Ki")},
				},
				ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/-/ready", Port: intstr.FromString("web")}}},
				StartupProbe:   &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(9090)}}, FailureThreshold: 60},
				VolumeMounts:   []corev1.VolumeMount{{Name: "scratch", MountPath: "/scratch"}, {Name: "token", MountPath: "/token", ReadOnly: true}},
			}},
			Volumes: []corev1.Volume{
				{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
				{Name: "token", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
					{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token"}},
					{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"}}},
				}}}},
				{Name: "tls", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "tls", Items: []corev1.KeyToPath{{Key: "tls.crt", Path: "tls.crt"}}}}},
			},
		},
	}
}

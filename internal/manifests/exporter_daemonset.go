package manifests

import (
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

const (
	exporterName     = "node-exporter"
	exporterPortName = "metrics"
)

// hostMount is a directory of the host that the exporter reads.
type hostMount struct{ name, host, inside string }

func procMount() hostMount { return hostMount{name: "proc", host: "/proc", inside: "/host/proc"} }
func sysMount() hostMount  { return hostMount{name: "sys", host: "/sys", inside: "/host/sys"} }
func rootMount() hostMount { return hostMount{name: "root", host: "/", inside: "/host/root"} }

func daemonSet(e *stack.Exporter, pool stack.Pool) *appsv1.DaemonSet {
	selector := merged(e.Selector, map[string]string{stack.LabelPool: pool.Name})
	meta := exporterMeta(e, pool.DaemonSet)
	meta.Labels[stack.LabelPool] = pool.Name
	return &appsv1.DaemonSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "DaemonSet"},
		ObjectMeta: meta,
		Spec: appsv1.DaemonSetSpec{
			Selector:       &metav1.LabelSelector{MatchLabels: selector},
			UpdateStrategy: e.UpdateStrategy,
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: merged(e.PodLabels, meta.Labels), Annotations: e.PodAnnotations},
				Spec:       exporterPod(e, pool),
			},
		},
	}
}

// exporterPod has its own network and process namespaces: what it tells of the host it reads from the mounts.
func exporterPod(e *stack.Exporter, pool stack.Pool) corev1.PodSpec {
	pod := corev1.PodSpec{
		ServiceAccountName:           e.Base,
		AutomountServiceAccountToken: new(false),
		EnableServiceLinks:           new(false),
		ImagePullSecrets:             e.PullSecrets,
		Containers:                   []corev1.Container{exporterContainer(e, pool)},
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot:   new(true),
			RunAsUser:      new(int64(nobody)),
			RunAsGroup:     new(int64(nobody)),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		NodeSelector:      pool.NodeSelector,
		Tolerations:       pool.Tolerations,
		PriorityClassName: e.PriorityClassName,
	}
	if pool.NodeAffinity != nil {
		pod.Affinity = &corev1.Affinity{NodeAffinity: pool.NodeAffinity}
	}
	for _, m := range []hostMount{procMount(), sysMount(), rootMount()} {
		pod.Volumes = append(pod.Volumes, corev1.Volume{Name: m.name, VolumeSource: corev1.VolumeSource{
			HostPath: &corev1.HostPathVolumeSource{Path: m.host, Type: new(corev1.HostPathUnset)},
		}})
	}
	return pod
}

func exporterContainer(e *stack.Exporter, pool stack.Pool) corev1.Container {
	args := append([]string{
		fmt.Sprintf("--web.listen-address=:%d", e.Port),
		"--path.procfs=" + procMount().inside,
		"--path.sysfs=" + sysMount().inside,
		"--path.rootfs=" + rootMount().inside,
		"--path.udev.data=" + rootMount().inside + "/run/udev/data",
	}, collectorArgs(pool.Collectors)...)
	health := &corev1.Probe{ProbeHandler: httpGet("/healthz", e.Port), PeriodSeconds: 10, TimeoutSeconds: 3, FailureThreshold: 3}
	return corev1.Container{
		Name:    exporterName,
		Image:   e.Image,
		Command: []string{"/node_exporter"},
		Args:    args,
		Env: []corev1.EnvVar{{Name: "NODE_NAME", ValueFrom: &corev1.EnvVarSource{
			FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "spec.nodeName"},
		}}},
		Ports:           []corev1.ContainerPort{{Name: exporterPortName, ContainerPort: e.Port, Protocol: corev1.ProtocolTCP}},
		Resources:       pool.Resources,
		ReadinessProbe:  health,
		LivenessProbe:   health,
		SecurityContext: restricted(),
		VolumeMounts: []corev1.VolumeMount{
			{Name: procMount().name, MountPath: procMount().inside, ReadOnly: true},
			{Name: sysMount().name, MountPath: sysMount().inside, ReadOnly: true},
			// What is mounted on the host later must be seen as well.
			{Name: rootMount().name, MountPath: rootMount().inside, ReadOnly: true, MountPropagation: new(corev1.MountPropagationHostToContainer)},
		},
	}
}

func collectorArgs(c v1alpha1.Collectors) []string {
	var args []string
	for _, name := range slices.Sorted(slices.Values(c.Disable)) {
		args = append(args, "--no-collector."+string(name))
	}
	set := func(name, value string) {
		if value != "" {
			args = append(args, "--collector."+name+"="+literal(value))
		}
	}
	if c.Filesystem != nil {
		set("filesystem.mount-points-exclude", c.Filesystem.MountPointsExclude)
		set("filesystem.fs-types-exclude", c.Filesystem.FSTypesExclude)
	}
	if c.Netdev != nil {
		set("netdev.device-exclude", c.Netdev.DeviceExclude)
	}
	if c.Diskstats != nil {
		set("diskstats.device-exclude", c.Diskstats.DeviceExclude)
	}
	return args
}

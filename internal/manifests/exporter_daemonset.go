package manifests

import (
	"fmt"
	"path"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/internal/stack"
)

const (
	exporterName     = "node-exporter"
	exporterPortName = "metrics"
)

// hostMount is a directory of the host that the exporter reads.
type hostMount struct {
	name, host, inside string
	// later: what is mounted on the host later must be seen as well.
	later bool
}

func procMount() hostMount { return hostMount{name: "proc", host: "/proc", inside: "/host/proc"} }
func sysMount() hostMount  { return hostMount{name: "sys", host: "/sys", inside: "/host/sys"} }
func rootMount() hostMount {
	return hostMount{name: "root", host: "/", inside: "/host/root", later: true}
}

// hostMounts are what the pool's collectors read, and nothing else. What is below the root comes with it.
func hostMounts(pool stack.Pool) []hostMount {
	out := []hostMount{procMount()}
	if pool.Access.Sys {
		out = append(out, sysMount())
	}
	if pool.Access.Root {
		return append(out, rootMount())
	}
	below := func(name, host string) hostMount {
		return hostMount{name: name, host: host, inside: path.Join(rootMount().inside, host), later: true}
	}
	if pool.Access.Udev {
		out = append(out, below("udev", "/run/udev"))
	}
	if pool.Access.DBus {
		out = append(out, below("dbus", "/run/dbus"))
	}
	if pool.Access.Textfile != "" {
		out = append(out, below("textfile", pool.Access.Textfile))
	}
	return out
}

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

// exporterPod has its own process namespace and, unless told otherwise, its own network: what it tells of the host it
// reads from the mounts.
func exporterPod(e *stack.Exporter, pool stack.Pool) corev1.PodSpec {
	pod := corev1.PodSpec{
		ServiceAccountName:           e.Base,
		AutomountServiceAccountToken: new(false),
		EnableServiceLinks:           new(false),
		ImagePullSecrets:             e.PullSecrets,
		Containers:                   []corev1.Container{exporterContainer(e, pool)},
		HostNetwork:                  e.HostNetwork,
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
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: exporterConfigVolume, VolumeSource: corev1.VolumeSource{
		ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: pool.DaemonSet}, DefaultMode: new(int32(0o444)),
		},
	}})
	for _, m := range hostMounts(pool) {
		pod.Volumes = append(pod.Volumes, corev1.Volume{Name: m.name, VolumeSource: corev1.VolumeSource{
			HostPath: &corev1.HostPathVolumeSource{Path: m.host, Type: new(corev1.HostPathUnset)},
		}})
	}
	return pod
}

func exporterContainer(e *stack.Exporter, pool stack.Pool) corev1.Container {
	args := []string{
		"--web.listen-address=" + listenAddress(e),
		"--config.file=" + exporterConfigDir + "/" + ExporterConfigKey,
		"--path.procfs=" + procMount().inside,
	}
	if pool.Access.Sys {
		args = append(args, "--path.sysfs="+sysMount().inside)
	}
	args = append(args, "--path.rootfs="+rootMount().inside, "--path.udev.data="+rootMount().inside+"/run/udev/data")
	mounts := []corev1.VolumeMount{{Name: exporterConfigVolume, MountPath: exporterConfigDir, ReadOnly: true}}
	for _, m := range hostMounts(pool) {
		mount := corev1.VolumeMount{Name: m.name, MountPath: m.inside, ReadOnly: true}
		if m.later {
			mount.MountPropagation = new(corev1.MountPropagationHostToContainer)
		}
		mounts = append(mounts, mount)
	}
	health := &corev1.Probe{ProbeHandler: httpGet("/healthz", e.Port), PeriodSeconds: 10, TimeoutSeconds: 3, FailureThreshold: 3}
	return corev1.Container{
		Name:            exporterName,
		Image:           e.Image,
		Command:         []string{"/node_exporter"},
		Args:            args,
		Env:             exporterEnv(e),
		Ports:           []corev1.ContainerPort{exporterPort(e)},
		Resources:       pool.Resources,
		ReadinessProbe:  health,
		LivenessProbe:   health,
		SecurityContext: restricted(),
		VolumeMounts:    mounts,
	}
}

// listenAddress: off the host network every address is the pod's. On it only the node's own address is taken, by which
// servers and the kubelet know the pod; the others may face somebody else.
func listenAddress(e *stack.Exporter) string {
	if e.HostNetwork {
		return fmt.Sprintf("[$(POD_IP)]:%d", e.Port)
	}
	return fmt.Sprintf(":%d", e.Port)
}

func exporterEnv(e *stack.Exporter) []corev1.EnvVar {
	from := func(name, path string) corev1.EnvVar {
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path}}}
	}
	out := []corev1.EnvVar{from("NODE_NAME", "spec.nodeName")}
	if e.HostNetwork {
		out = append(out, from("POD_IP", "status.podIP"))
	}
	return out
}

func exporterPort(e *stack.Exporter) corev1.ContainerPort {
	port := corev1.ContainerPort{Name: exporterPortName, ContainerPort: e.Port, Protocol: corev1.ProtocolTCP}
	if e.HostNetwork {
		port.HostPort = e.Port // as the API server would say, which then keeps a second exporter off the node
	}
	return port
}

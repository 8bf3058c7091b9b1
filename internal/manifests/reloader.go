package manifests

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/hearth-monitoring/hearth/internal/replica"
)

// reloader is the sidecar of a server, whatever its kind.
func reloader(image string, args []string, mounts []corev1.VolumeMount) corev1.Container {
	return corev1.Container{
		Name:          "reloader",
		Image:         image,
		Command:       []string{"/reloader"},
		Args:          args,
		RestartPolicy: new(corev1.ContainerRestartPolicyAlways),
		Ports:         []corev1.ContainerPort{{Name: replica.PortName, ContainerPort: replica.Port, Protocol: corev1.ProtocolTCP}},
		Resources: corev1.ResourceRequirements{
			// It sleeps nearly always. When a rule was edited it is in a hurry, though, and a Prometheus that has just read many of them
			// would leave it what it asks for and no more.
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("50m"), corev1.ResourceMemory: resource.MustParse("32Mi")},
			Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")},
		},
		StartupProbe: &corev1.Probe{
			ProbeHandler:  httpGet("/startup", replica.Port),
			PeriodSeconds: 1,
			// The first configuration may take as long as the API server is away; killing the reloader would not help.
			FailureThreshold: 3600,
		},
		LivenessProbe: &corev1.Probe{
			ProbeHandler:     httpGet("/healthz", replica.Port),
			PeriodSeconds:    10,
			TimeoutSeconds:   3,
			FailureThreshold: 6,
		},
		SecurityContext: restricted(),
		VolumeMounts:    mounts,
	}
}

// grantedSecrets is where the reloader leaves the Secrets that namespaces have granted: in memory, since Secrets do not go to
// a disk.
func grantedSecrets() corev1.Volume {
	return corev1.Volume{Name: grantedVolume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{
		Medium: corev1.StorageMediumMemory, SizeLimit: new(resource.MustParse("32Mi")),
	}}}
}

// secretsVolumes are Secrets of the pod's namespace, by name with the keys that are needed, in one volume: <secret>/<key>.
// None of them is optional, see secretVolume.
func secretsVolumes(secrets map[string][]string, name string) []corev1.Volume {
	if len(secrets) == 0 {
		return nil
	}
	projected := &corev1.ProjectedVolumeSource{DefaultMode: new(int32(0o440))}
	for _, secret := range slices.Sorted(maps.Keys(secrets)) {
		source := &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: secret}}
		for _, key := range secrets[secret] {
			source.Items = append(source.Items, corev1.KeyToPath{Key: key, Path: secret + "/" + key})
		}
		projected.Sources = append(projected.Sources, corev1.VolumeProjection{Secret: source})
	}
	return []corev1.Volume{{Name: name, VolumeSource: corev1.VolumeSource{Projected: projected}}}
}

func secretsMounts(secrets map[string][]string, name, dir string) []corev1.VolumeMount {
	if len(secrets) == 0 {
		return nil
	}
	return []corev1.VolumeMount{{Name: name, MountPath: dir, ReadOnly: true}}
}

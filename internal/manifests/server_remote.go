package manifests

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/promconfig"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// Volumes of a server's pod that writes to somebody who asks for something: Secrets as the cluster mounts them, and what the
// reloader makes of them.
const (
	mountedVolume     = "mounted-secrets"
	remoteWriteVolume = "remote-write"
)

// storageArgs say where samples are kept, where they come from beside scraping, and what of them.
func storageArgs(s *stack.Stack) []string {
	var args []string
	if s.Agent {
		// Not where a server keeps its samples: a claim may be left by one.
		args = append(args, "--agent", "--storage.agent.path="+dataDir+"/agent")
	} else {
		args = append(args, "--storage.tsdb.path="+dataDir)
	}
	if s.Receiver {
		args = append(args, "--web.enable-remote-write-receiver")
	}
	if features := remoteFeatures(s); len(features) > 0 {
		args = append(args, "--enable-feature="+strings.Join(features, ","))
	}
	return args
}

// remoteFeatures are those of Prometheus without which there is nothing to send of what is declared.
func remoteFeatures(s *stack.Stack) []string {
	var exemplars, metadata bool
	for i := range s.RemoteWrites.Remotes {
		spec := s.RemoteWrites.Remotes[i].Spec
		// An agent has them in its log in any case.
		exemplars = exemplars || spec.SendExemplars && !s.Agent
		metadata = metadata || spec.Protocol == promconfig.ProtocolTwo && (spec.Metadata == nil || spec.Metadata.Send == nil || *spec.Metadata.Send)
	}
	var out []string
	if exemplars {
		out = append(out, "exemplar-storage")
	}
	if metadata {
		out = append(out, "metadata-wal-records")
	}
	return out
}

// remoteWriteMounts are the files that Prometheus reads for those to whom it sends samples. Only the reloader writes them.
func remoteWriteMounts(s *stack.Stack, readOnly bool) []corev1.VolumeMount {
	if len(s.RemoteWrites.Secrets) == 0 {
		return nil
	}
	return []corev1.VolumeMount{{Name: remoteWriteVolume, MountPath: promconfig.RemoteWriteSecretsDir, ReadOnly: readOnly}}
}

// remoteWriteReloader is what the reloader makes these files of.
func remoteWriteReloader(s *stack.Stack) (args []string, mounts []corev1.VolumeMount) {
	if len(s.RemoteWrites.Secrets) == 0 {
		return nil, nil
	}
	return []string{"--mounted-dir=" + promconfig.MountedSecretsDir, "--mounted-out=" + promconfig.RemoteWriteSecretsDir},
		append(remoteWriteMounts(s, false), corev1.VolumeMount{Name: mountedVolume, MountPath: promconfig.MountedSecretsDir, ReadOnly: true})
}

// remoteWriteVolumes has the Secrets as far as they are there: a server does not stop for want of one, since what it has to
// send can wait.
func remoteWriteVolumes(s *stack.Stack) []corev1.Volume {
	if len(s.RemoteWrites.Secrets) == 0 {
		return nil
	}
	volumes := secretsVolumes(keysOf(s.RemoteWrites.Secrets), mountedVolume)
	for _, source := range volumes[0].Projected.Sources {
		source.Secret.Optional = new(true)
	}
	return slices.Concat(volumes, []corev1.Volume{{Name: remoteWriteVolume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{
		Medium: corev1.StorageMediumMemory, SizeLimit: new(resource.MustParse("1Mi")),
	}}}})
}

func keysOf(secrets []bundle.WantedSecret) map[string][]string {
	out := map[string][]string{}
	for _, s := range secrets {
		out[s.Name] = s.Keys
	}
	return out
}

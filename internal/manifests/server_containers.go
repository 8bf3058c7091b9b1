package manifests

import (
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/monitors"
	"github.com/hearth-monitoring/hearth/internal/promconfig"
	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

const (
	prometheusName = "prometheus"
	dataDir        = "/prometheus"
	configDir      = "/etc/prometheus/config"
)

// Volumes of a server's pod beside its claim.
const (
	configVolume    = "config"
	webVolume       = "web"
	tlsVolume       = "tls"
	basicAuthVolume = "basic-auth"
	// alertmanagersVolume has what external Alertmanagers ask for.
	alertmanagersVolume = "alertmanagers"
)

func prometheusContainer(s *stack.Stack) corev1.Container {
	args := append([]string{"--config.file=" + configDir + "/current/" + promconfig.FileName}, storageArgs(s)...)
	args = append(args,
		"--web.enable-lifecycle", // the reloader reloads through it
		// How often it is looked whether something was discovered. The default of 5s is for how long what is gone would still be a
		// target. Discovery itself already sends less often, the more there is.
		"--scrape.discovery-reload-interval=1s",
	)
	if s.Global.ExternalURL != "" {
		// Links carry the external URL; the paths stay at the root, where probes and the reloader look for them.
		args = append(args, "--web.external-url="+literal(s.Global.ExternalURL), "--web.route-prefix=/")
	}
	if s.Web.Protected() {
		args = append(args, "--web.config.file="+promconfig.WebConfigFile)
	}
	return corev1.Container{
		Name:      prometheusName,
		Image:     s.Image,
		Args:      args,
		Env:       []corev1.EnvVar{podName()},
		Ports:     []corev1.ContainerPort{{Name: webPortName, ContainerPort: webPort, Protocol: corev1.ProtocolTCP}},
		Resources: s.Scheduling.Resources,
		// The kubelet has neither the password nor a name that fits the certificate, so only the reloader, which has both,
		// can ask. Being alive is another matter: it must not depend on a second container.
		//
		// Prometheus parses every rule before it listens, a minute for a hundred thousand of them, and nothing that it could do for
		// being killed meanwhile would make it quicker.
		StartupProbe: &corev1.Probe{
			ProbeHandler:     listens(),
			PeriodSeconds:    1,
			TimeoutSeconds:   1,
			FailureThreshold: 3600,
		},
		ReadinessProbe: &corev1.Probe{
			ProbeHandler:     httpGet("/ready", replica.Port),
			PeriodSeconds:    5,
			TimeoutSeconds:   3,
			FailureThreshold: 3,
		},
		LivenessProbe: &corev1.Probe{
			ProbeHandler:     listens(),
			PeriodSeconds:    10,
			TimeoutSeconds:   3,
			FailureThreshold: 6,
		},
		SecurityContext: restricted(),
		VolumeMounts: append([]corev1.VolumeMount{
			{Name: DataClaim, MountPath: dataDir},
			{Name: configVolume, MountPath: configDir, ReadOnly: true},
		}, slices.Concat(webMounts(s, true), grantedMounts(s, true), remoteWriteMounts(s, true),
			secretsMounts(s.Alertmanagers.Secrets, alertmanagersVolume, promconfig.AlertmanagerSecretsDir))...),
	}
}

// listens asks whether somebody does on the server's port.
func listens() corev1.ProbeHandler {
	return corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString(webPortName)}}
}

// reloaderContainer is a sidecar: it starts before Prometheus, which waits for its startup probe and so for the first
// configuration, and stops after it.
func reloaderContainer(s *stack.Stack, shard stack.Shard) corev1.Container {
	args := []string{
		"--namespace=" + s.Namespace,
		"--manifest=" + bundle.ManifestName(s.Names.Base),
		"--dir=" + configDir,
		"--server-url=" + localURL(s),
		"--expand-env=" + stack.VariableShard,
	}
	if s.Agent {
		args = append(args, "--server-kind=agent")
	}
	if s.Monitors.Selects {
		args = append(args, "--granted-dir="+monitors.GrantedDir)
	}
	if s.Web.Protected() {
		args = append(args, "--web-config-out="+promconfig.WebConfigFile)
	}
	if s.Web.TLSSecret != "" {
		args = append(args, "--tls-dir="+promconfig.TLSDir)
	}
	if s.Web.BasicAuthSecret != "" {
		args = append(args, "--basic-auth-dir="+promconfig.BasicAuthDir)
	}
	remoteArgs, remoteMounts := remoteWriteReloader(s)
	out := reloader(s.ReloaderImage, append(args, remoteArgs...), slices.Concat(
		[]corev1.VolumeMount{{Name: configVolume, MountPath: configDir}}, webMounts(s, false), grantedMounts(s, false), remoteMounts))
	out.Env = append(out.Env, corev1.EnvVar{Name: stack.VariableShard, Value: strconv.Itoa(int(shard.Number))})
	return out
}

// grantedMounts are the Secrets that monitors name, which only the reloader writes. They are there as soon as a server selects
// monitors at all: the first one that names a Secret restarts nothing.
func grantedMounts(s *stack.Stack, readOnly bool) []corev1.VolumeMount {
	if !s.Monitors.Selects {
		return nil
	}
	return []corev1.VolumeMount{{Name: grantedVolume, MountPath: monitors.GrantedDir, ReadOnly: readOnly}}
}

// webMounts are what protects the server's pages. Both containers read the Secrets; only the reloader writes the web
// configuration.
func webMounts(s *stack.Stack, readOnly bool) []corev1.VolumeMount {
	var out []corev1.VolumeMount
	if s.Web.Protected() {
		out = append(out, corev1.VolumeMount{Name: webVolume, MountPath: promconfig.WebConfigDir, ReadOnly: readOnly})
	}
	if s.Web.TLSSecret != "" {
		out = append(out, corev1.VolumeMount{Name: tlsVolume, MountPath: promconfig.TLSDir, ReadOnly: true})
	}
	if s.Web.BasicAuthSecret != "" {
		out = append(out, corev1.VolumeMount{Name: basicAuthVolume, MountPath: promconfig.BasicAuthDir, ReadOnly: true})
	}
	return out
}

func serverVolumes(s *stack.Stack) []corev1.Volume {
	out := []corev1.Volume{{Name: configVolume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	if s.Web.Protected() {
		// In memory: what is in it is derived from a Secret.
		out = append(out, corev1.Volume{Name: webVolume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{
			Medium: corev1.StorageMediumMemory, SizeLimit: new(resource.MustParse("1Mi")),
		}}})
	}
	if s.Monitors.Selects {
		out = append(out, grantedSecrets())
	}
	if s.Web.TLSSecret != "" {
		out = append(out, secretVolume(tlsVolume, s.Web.TLSSecret))
	}
	if s.Web.BasicAuthSecret != "" {
		out = append(out, secretVolume(basicAuthVolume, s.Web.BasicAuthSecret))
	}
	return slices.Concat(out, remoteWriteVolumes(s), secretsVolumes(s.Alertmanagers.Secrets, alertmanagersVolume))
}

// secretVolume is not optional: a pod without the Secret does not start, rather than start unprotected.
func secretVolume(name, secret string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{
		SecretName: secret, DefaultMode: new(int32(0o440)),
	}}}
}

func localURL(s *stack.Stack) string {
	if s.Web.TLSSecret != "" {
		return "https://127.0.0.1:9090"
	}
	return "http://127.0.0.1:9090"
}

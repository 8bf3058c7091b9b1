package manifests

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/hearth-monitoring/hearth/internal/grafana"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

const (
	grafanaName     = "grafana"
	grafanaPortName = "web"
	// grafanaUser is the user of Grafana's image.
	grafanaUser = 472

	grafanaDataDir         = "/var/lib/grafana"
	grafanaProvisioningDir = "/etc/grafana/provisioning"
	grafanaDashboardsDir   = "/etc/grafana/dashboards"
	grafanaAdminDir        = "/etc/grafana/admin"

	// grafanaVariables begins the names of the variables that the provisioning of datasources takes secrets from.
	grafanaVariables = "HEARTH_DATASOURCE"
	// annotationProvisioning on the pod changes with the datasources and folders.
	annotationProvisioning = "monitoring.hearth.dev/provisioning"
)

// Volumes of a Grafana's pod.
const (
	grafanaDataVolume         = "data"
	grafanaTemporaryVolume    = "tmp"
	grafanaProvisioningVolume = "provisioning"
	grafanaDashboardsVolume   = "dashboards"
	grafanaAdminVolume        = "admin"
)

// grafanaDeployment has one pod, which ends before the next one begins: two can't share its database.
func grafanaDeployment(s *stack.Stack, g *stack.GrafanaDeployment, provisioning *corev1.ConfigMap) *appsv1.Deployment {
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "Deployment"},
		ObjectMeta: grafanaMeta(s, g.Base),
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(1)),
			Strategy: appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType},
			Selector: &metav1.LabelSelector{MatchLabels: g.Selector},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{
					Labels: merged(g.Labels),
					// Grafana reads datasources and folders when it starts, or when an administrator asks it to: the operator does
					// not know the administrator's password, so a change of them is another pod. Dashboards it looks for itself.
					Annotations: map[string]string{annotationProvisioning: digest(provisioning.Data[datasourcesKey], provisioning.Data[providersKey])},
				},
				Spec: corev1.PodSpec{
					ServiceAccountName:           g.Base,
					AutomountServiceAccountToken: new(false),
					EnableServiceLinks:           new(false),
					ImagePullSecrets:             g.PullSecrets,
					Containers:                   []corev1.Container{grafanaContainer(g)},
					Volumes:                      grafanaVolumes(s, g),
					SecurityContext: &corev1.PodSecurityContext{
						RunAsNonRoot:        new(true),
						RunAsUser:           new(int64(grafanaUser)),
						RunAsGroup:          new(int64(grafanaUser)),
						FSGroup:             new(int64(grafanaUser)),
						FSGroupChangePolicy: new(corev1.FSGroupChangeOnRootMismatch),
						SeccompProfile:      &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
					},
					NodeSelector: g.Scheduling.NodeSelector,
					Tolerations:  g.Scheduling.Tolerations,
				},
			},
		},
	}
}

func digest(texts ...string) string {
	hash := sha256.New()
	for _, text := range texts {
		hash.Write([]byte(text))
		hash.Write([]byte{0})
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}

func grafanaContainer(g *stack.GrafanaDeployment) corev1.Container {
	health := httpGet("/api/health", stack.GrafanaPort)
	return corev1.Container{
		Name:      grafanaName,
		Image:     g.Image,
		Env:       grafanaEnvironment(g),
		Ports:     []corev1.ContainerPort{{Name: grafanaPortName, ContainerPort: stack.GrafanaPort, Protocol: corev1.ProtocolTCP}},
		Resources: g.Scheduling.Resources,
		// Another version brings its database up to date first, and that takes as long as it takes.
		StartupProbe:   &corev1.Probe{ProbeHandler: health, PeriodSeconds: 5, TimeoutSeconds: 5, FailureThreshold: 120},
		ReadinessProbe: &corev1.Probe{ProbeHandler: health, PeriodSeconds: 10, TimeoutSeconds: 5, FailureThreshold: 3},
		// Not /api/health, which asks the database: a restart would not bring that back.
		LivenessProbe: &corev1.Probe{
			ProbeHandler:  corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString(grafanaPortName)}},
			PeriodSeconds: 10, TimeoutSeconds: 5, FailureThreshold: 6,
		},
		SecurityContext: restricted(),
		VolumeMounts: []corev1.VolumeMount{
			{Name: grafanaDataVolume, MountPath: grafanaDataDir},
			{Name: grafanaTemporaryVolume, MountPath: "/tmp"},
			{Name: grafanaProvisioningVolume, MountPath: grafanaProvisioningDir, ReadOnly: true},
			{Name: grafanaDashboardsVolume, MountPath: grafanaDashboardsDir, ReadOnly: true},
			{Name: grafanaAdminVolume, MountPath: grafanaAdminDir, ReadOnly: true},
		},
	}
}

// grafanaSettings are the settings that Hearth decides, as Grafana's environment variables. Who signs in can look, and change
// nothing, until an administrator lets them; nobody looks without signing in, and Grafana tells nobody outside that it is there.
func grafanaSettings() []string {
	return []string{
		"GF_PATHS_DATA", grafanaDataDir,
		"GF_PATHS_PLUGINS", grafanaDataDir + "/plugins",
		"GF_PATHS_LOGS", grafanaDataDir + "/log",
		"GF_PATHS_PROVISIONING", grafanaProvisioningDir,
		"GF_LOG_MODE", "console",
		"GF_SECURITY_ADMIN_USER", "$__file{" + grafanaAdminDir + "/username}",
		"GF_SECURITY_ADMIN_PASSWORD", "$__file{" + grafanaAdminDir + "/password}",
		"GF_SECURITY_DISABLE_GRAVATAR", "true",
		"GF_AUTH_ANONYMOUS_ENABLED", "false",
		"GF_USERS_ALLOW_SIGN_UP", "false",
		"GF_USERS_ALLOW_ORG_CREATE", "false",
		"GF_USERS_AUTO_ASSIGN_ORG_ROLE", "Viewer",
		"GF_ANALYTICS_REPORTING_ENABLED", "false",
		"GF_ANALYTICS_CHECK_FOR_UPDATES", "false",
		"GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES", "false",
		"GF_ANALYTICS_FEEDBACK_LINKS_ENABLED", "false",
		"GF_NEWS_NEWS_FEED_ENABLED", "false",
		"GF_SNAPSHOTS_EXTERNAL_ENABLED", "false",
		"GF_PLUGINS_PREINSTALL_DISABLED", "true",
	}
}

func grafanaEnvironment(g *stack.GrafanaDeployment) []corev1.EnvVar {
	settings := grafanaSettings()
	var out []corev1.EnvVar
	for pair := range slices.Chunk(settings, 2) {
		out = append(out, corev1.EnvVar{Name: pair[0], Value: pair[1]})
	}
	if g.ExternalURL != "" {
		out = append(out, corev1.EnvVar{Name: "GF_SERVER_ROOT_URL", Value: literal(g.ExternalURL)})
	}
	variables := grafana.Variables(g.Contents.Datasources, grafanaVariables)
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		out = append(out, corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: variables[name].Secret}, Key: variables[name].Key,
		}}})
	}
	return out
}

func grafanaVolumes(s *stack.Stack, g *stack.GrafanaDeployment) []corev1.Volume {
	provisioning := &corev1.ConfigMapVolumeSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: g.Base},
		Items:                []corev1.KeyToPath{{Key: datasourcesKey, Path: grafana.DatasourcesFile}, {Key: providersKey, Path: grafana.ProvidersFile}},
		DefaultMode:          new(int32(0o444)),
	}
	dashboards := corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
	if len(g.Contents.Dashboards) > 0 {
		dashboards = corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{DefaultMode: new(int32(0o444)), Sources: dashboardSources(s, g)}}
	}
	return []corev1.Volume{
		{Name: grafanaDataVolume, VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: g.Base}}},
		{Name: grafanaTemporaryVolume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: new(resource.MustParse("128Mi"))}}},
		{Name: grafanaProvisioningVolume, VolumeSource: corev1.VolumeSource{ConfigMap: provisioning}},
		{Name: grafanaDashboardsVolume, VolumeSource: dashboards},
		secretVolume(grafanaAdminVolume, g.AdminSecret),
	}
}

// dashboardSources puts each dashboard into the directory of its folder's uid, where the provider of that folder looks.
func dashboardSources(s *stack.Stack, g *stack.GrafanaDeployment) []corev1.VolumeProjection {
	var out []corev1.VolumeProjection
	for _, d := range g.Contents.Dashboards {
		key := DashboardKey(d.UID)
		out = append(out, corev1.VolumeProjection{ConfigMap: &corev1.ConfigMapProjection{
			LocalObjectReference: corev1.LocalObjectReference{Name: DashboardName(s.Name, d.UID)},
			Items:                []corev1.KeyToPath{{Key: key, Path: grafana.FolderUID(d.Folder) + "/" + key}},
		}})
	}
	return out
}

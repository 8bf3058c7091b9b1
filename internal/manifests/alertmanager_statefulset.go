package manifests

import (
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/internal/amconfig"
	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

const (
	alertmanagerName      = "alertmanager"
	alertmanagerDataDir   = "/alertmanager"
	alertmanagerConfigDir = "/etc/alertmanager/config"
	alertmanagerURL       = "http://127.0.0.1:9093"

	// secretsVolume has the Secrets of the server's own namespace, grantedVolume those that other namespaces have granted.
	secretsVolume = "secrets"
	grantedVolume = "granted"
)

func alertmanagerStatefulSet(s *stack.Stack) *appsv1.StatefulSet {
	am := s.Alertmanager
	return &appsv1.StatefulSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "StatefulSet"},
		ObjectMeta: alertmanagerMeta(s, am.Names.Base),
		Spec: appsv1.StatefulSetSpec{
			Replicas:    &am.Replicas,
			ServiceName: am.Names.Pods,
			// They look for each other when they start; one that cannot start must not keep the others from being repaired.
			PodManagementPolicy: appsv1.ParallelPodManagement,
			UpdateStrategy:      appsv1.StatefulSetUpdateStrategy{Type: appsv1.RollingUpdateStatefulSetStrategyType},
			Selector:            &metav1.LabelSelector{MatchLabels: am.Selector},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{
					Labels: merged(am.Scheduling.PodLabels, am.Labels),
					Annotations: merged(map[string]string{"kubectl.kubernetes.io/default-container": alertmanagerName},
						am.Scheduling.PodAnnotations),
				},
				Spec: alertmanagerPod(s),
			},
			VolumeClaimTemplates: []corev1.PersistentVolumeClaim{claim(am.Labels, am.Storage)},
			// As for the server: whoever deletes the StatefulSet would delete the silences.
			PersistentVolumeClaimRetentionPolicy: retain(),
		},
	}
}

func alertmanagerPod(s *stack.Stack) corev1.PodSpec {
	am := s.Alertmanager
	near := &corev1.Affinity{PodAntiAffinity: apart(am.Selector)}
	if am.Scheduling.Affinity != nil {
		near.NodeAffinity = am.Scheduling.Affinity.NodeAffinity
	}
	return corev1.PodSpec{
		ServiceAccountName:            am.Names.Base,
		AutomountServiceAccountToken:  new(true),
		ImagePullSecrets:              s.PullSecrets,
		InitContainers:                []corev1.Container{alertmanagerReloader(s)},
		Containers:                    []corev1.Container{alertmanagerContainer(s)},
		Volumes:                       alertmanagerVolumes(s),
		TerminationGracePeriodSeconds: new(int64(60)), // notifications under way are sent, silences written
		SecurityContext:               asNobody(),
		NodeSelector:                  am.Scheduling.NodeSelector,
		Tolerations:                   am.Scheduling.Tolerations,
		Affinity:                      near,
		PriorityClassName:             am.Scheduling.PriorityClassName,
	}
}

func alertmanagerContainer(s *stack.Stack) corev1.Container {
	am := s.Alertmanager
	c := corev1.Container{
		Name:      alertmanagerName,
		Image:     am.Image,
		Args:      alertmanagerArgs(s),
		Ports:     []corev1.ContainerPort{{Name: webPortName, ContainerPort: stack.AlertmanagerPort, Protocol: corev1.ProtocolTCP}},
		Resources: am.Scheduling.Resources,
		// The reloader knows more than the port does: whether the configuration is loaded and the other replicas are found.
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
			{Name: DataClaim, MountPath: alertmanagerDataDir},
			{Name: configVolume, MountPath: alertmanagerConfigDir, ReadOnly: true},
			{Name: grantedVolume, MountPath: amconfig.GrantedDir, ReadOnly: true},
		}, secretsMounts(s.Routing.Mounted, secretsVolume, amconfig.SecretsDir)...),
	}
	if am.Mesh() {
		c.Env = []corev1.EnvVar{{Name: "POD_IP", ValueFrom: &corev1.EnvVarSource{
			FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "status.podIP"},
		}}}
		c.Ports = append(c.Ports,
			corev1.ContainerPort{Name: meshTCPName, ContainerPort: meshPort, Protocol: corev1.ProtocolTCP},
			corev1.ContainerPort{Name: meshUDPName, ContainerPort: meshPort, Protocol: corev1.ProtocolUDP})
	}
	return c
}

func alertmanagerArgs(s *stack.Stack) []string {
	am := s.Alertmanager
	args := []string{
		"--config.file=" + alertmanagerConfigDir + "/current/" + amconfig.FileName,
		"--storage.path=" + alertmanagerDataDir,
		"--data.retention=" + time.Duration(am.Retention).String(),
		// A silence that was made is on disk after a minute, and not after a quarter of an hour: a node can be lost.
		"--data.maintenance-interval=1m",
		// Links carry the external URL; the paths stay at the root, where probes and the reloader look for them.
		"--web.external-url=" + literal(am.ExternalURL),
		"--web.route-prefix=/",
		// So that a failing receiver can be named.
		"--enable-feature=receiver-name-in-metrics",
	}
	if am.LogLevel != "" {
		args = append(args, "--log.level="+am.LogLevel)
	}
	if !am.Mesh() {
		return append(args, "--cluster.listen-address=")
	}
	args = append(args,
		fmt.Sprintf("--cluster.listen-address=[$(POD_IP)]:%d", meshPort),
		fmt.Sprintf("--cluster.advertise-address=[$(POD_IP)]:%d", meshPort),
		// A pod's address may have been that of another Alertmanager's, whose others still ask for it.
		"--cluster.label="+s.Namespace+"/"+s.Name,
		"--cluster.settle-timeout=30s",
		// One that was replaced comes back under another address. Looking for the old one for hours helps nobody.
		"--cluster.reconnect-timeout=5m",
	)
	for _, host := range am.Hosts(s.Namespace) {
		args = append(args, fmt.Sprintf("--cluster.peer=%s:%d", host, meshPort))
	}
	return args
}

func alertmanagerReloader(s *stack.Stack) corev1.Container {
	am := s.Alertmanager
	return reloader(s.ReloaderImage, []string{
		"--server-kind=alertmanager",
		"--namespace=" + s.Namespace,
		"--manifest=" + bundle.ManifestName(am.Names.Base),
		"--dir=" + alertmanagerConfigDir,
		"--granted-dir=" + amconfig.GrantedDir,
		"--server-url=" + alertmanagerURL,
	}, []corev1.VolumeMount{
		{Name: configVolume, MountPath: alertmanagerConfigDir},
		{Name: grantedVolume, MountPath: amconfig.GrantedDir},
	})
}

func alertmanagerVolumes(s *stack.Stack) []corev1.Volume {
	return slices.Concat([]corev1.Volume{
		{Name: configVolume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		grantedSecrets(),
	}, secretsVolumes(s.Routing.Mounted, secretsVolume))
}

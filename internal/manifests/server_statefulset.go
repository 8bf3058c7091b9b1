package manifests

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// DataClaim is the name of the claim template; a replica's claim is called data-<StatefulSet>-<ordinal>.
const DataClaim = "data"

// nobody is the user that the Prometheus image runs as. The reloader runs as the same, so that both can use the volumes
// between them.
const nobody = 65534

// statefulSet is one shard. Nothing in that of shard 0 says how many there are, or its pods would be restarted with each more.
func statefulSet(s *stack.Stack, shard stack.Shard) *appsv1.StatefulSet {
	return &appsv1.StatefulSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "StatefulSet"},
		ObjectMeta: serverMeta(s, shard.Base),
		Spec: appsv1.StatefulSetSpec{
			Replicas:    &s.Replicas,
			ServiceName: s.Names.Pods,
			// Replicas don't know each other; one that cannot start must not keep the others from being repaired.
			PodManagementPolicy: appsv1.ParallelPodManagement,
			UpdateStrategy:      appsv1.StatefulSetUpdateStrategy{Type: appsv1.RollingUpdateStatefulSetStrategyType},
			Selector:            &metav1.LabelSelector{MatchLabels: shard.Selector},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{
					Labels: merged(s.Scheduling.PodLabels, s.Labels, shard.Selector),
					Annotations: merged(map[string]string{"kubectl.kubernetes.io/default-container": prometheusName},
						s.Scheduling.PodAnnotations),
				},
				Spec: serverPod(s, shard),
			},
			VolumeClaimTemplates: []corev1.PersistentVolumeClaim{claim(s.Labels, s.Storage)},
			// Never Delete: whoever deletes the StatefulSet, by hand or to have it made anew, would delete the samples. Where
			// the claims should go, they go with the PrometheusServer, which owns them then.
			PersistentVolumeClaimRetentionPolicy: retain(),
		},
	}
}

func retain() *appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy {
	return &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{
		WhenDeleted: appsv1.RetainPersistentVolumeClaimRetentionPolicyType,
		WhenScaled:  appsv1.RetainPersistentVolumeClaimRetentionPolicyType,
	}
}

func serverPod(s *stack.Stack, shard stack.Shard) corev1.PodSpec {
	return corev1.PodSpec{
		ServiceAccountName:            s.Names.Base,
		AutomountServiceAccountToken:  new(true),
		ImagePullSecrets:              s.PullSecrets,
		InitContainers:                []corev1.Container{reloaderContainer(s, shard)},
		Containers:                    []corev1.Container{prometheusContainer(s)},
		Volumes:                       serverVolumes(s),
		TerminationGracePeriodSeconds: new(int64(300)), // the last samples are written out, which takes a while on a large server
		SecurityContext:               asNobody(),
		NodeSelector:                  s.Scheduling.NodeSelector,
		Tolerations:                   s.Scheduling.Tolerations,
		Affinity:                      affinity(s, shard),
		PriorityClassName:             s.Scheduling.PriorityClassName,
	}
}

func asNobody() *corev1.PodSecurityContext {
	return &corev1.PodSecurityContext{
		RunAsNonRoot:        new(true),
		RunAsUser:           new(int64(nobody)),
		RunAsGroup:          new(int64(nobody)),
		FSGroup:             new(int64(nobody)),
		FSGroupChangePolicy: new(corev1.FSGroupChangeOnRootMismatch),
		SeccompProfile:      &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}

// affinity keeps the replicas of a shard apart where the declaration says nothing: two on one node don't survive its loss. And,
// as far as that leaves a choice, the shards, which all need much memory. A single pod has it too, because a pod template that
// depends on the number of replicas or shards would restart them whenever that changes.
func affinity(s *stack.Stack, shard stack.Shard) *corev1.Affinity {
	if s.Scheduling.Affinity != nil {
		return s.Scheduling.Affinity
	}
	out, shards := apart(shard.Selector), apart(s.Selector).PreferredDuringSchedulingIgnoredDuringExecution
	shards[0].Weight = 10
	out.PreferredDuringSchedulingIgnoredDuringExecution = append(out.PreferredDuringSchedulingIgnoredDuringExecution, shards...)
	return &corev1.Affinity{PodAntiAffinity: out}
}

// apart prefers different nodes for the pods of a selector.
func apart(selector map[string]string) *corev1.PodAntiAffinity {
	return &corev1.PodAntiAffinity{
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{
			Weight: 100,
			PodAffinityTerm: corev1.PodAffinityTerm{
				TopologyKey:   corev1.LabelHostname,
				LabelSelector: &metav1.LabelSelector{MatchLabels: selector},
			},
		}},
	}
}

func claim(labels map[string]string, storage v1alpha1.Storage) corev1.PersistentVolumeClaim {
	// Without apiVersion and kind: inside of a StatefulSet the API drops them.
	return corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: DataClaim, Labels: labels},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			StorageClassName: storage.StorageClassName,
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: storage.Size},
			},
		},
	}
}

package manifests

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// restricted is the security context that the restricted Pod Security Standard asks of a container, and a read-only root.
func restricted() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false),
		ReadOnlyRootFilesystem:   new(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}

// httpGet asks a port by its number. The kubelet looks for a port's name in the probed container alone, and the reloader
// answers for Prometheus.
func httpGet(path string, port int32) corev1.ProbeHandler {
	return corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromInt32(port), Scheme: corev1.URISchemeHTTP}}
}

// literal is an argument that reaches the program as it is written here: the kubelet replaces $(NAME), and $$ by $.
func literal(argument string) string {
	return strings.NewReplacer("$$", "$$$$", "$(", "$$(").Replace(argument)
}

// podName is the variable by which the replica label becomes a pod's own.
func podName() corev1.EnvVar {
	return corev1.EnvVar{Name: "POD_NAME", ValueFrom: &corev1.EnvVarSource{
		FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.name"},
	}}
}

package stack

import (
	"fmt"
	"maps"

	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/bundle"
)

// AlertmanagerPort is where an Alertmanager listens in its pods.
const AlertmanagerPort = 9093

// Alertmanager is the one that a server has of its own.
type Alertmanager struct {
	// Names are like the server's, and begin with alertmanager-<name>.
	Names Names
	// Selector are the labels by which its pods are found; they never change.
	Selector map[string]string
	// Labels are on every object made for it; they contain Selector.
	Labels map[string]string

	Image       string
	Replicas    int32
	Storage     v1alpha1.Storage
	Retention   model.Duration
	ExternalURL string
	LogLevel    string
	Service     v1alpha1.Service
	Scheduling  Scheduling
	// Published is what the cluster has of its files.
	Published *bundle.Manifest
}

// Mesh says whether several replicas have to find each other.
func (a *Alertmanager) Mesh() bool { return a.Replicas > 1 }

// Hosts are the names of the pods, which stay the same however often the pods are replaced.
func (a *Alertmanager) Hosts(namespace string) []string { return hosts(a.Names, namespace, a.Replicas) }

func hosts(names Names, namespace string, replicas int32) []string {
	out := make([]string, replicas)
	for i := range out {
		out[i] = fmt.Sprintf("%s-%d.%s.%s.svc", names.Base, i, names.Pods, namespace)
	}
	return out
}

// AlertmanagerNames are the names of what is made for the Alertmanager of the PrometheusServer of this name.
func AlertmanagerNames(server string) Names {
	base := AlertmanagerName(server)
	return Names{Base: base, Pods: base + "-pods"}
}

// AlertmanagerSelector are the labels by which the pods of a server's Alertmanager are found.
func AlertmanagerSelector(server string) map[string]string {
	return map[string]string{labelName: "alertmanager", labelInstance: server, LabelServer: server}
}

// alertmanager is nil where none is declared.
func alertmanager(in Inputs, path *field.Path) (*Alertmanager, field.ErrorList) {
	ps := in.Server
	if ps.Spec.Alerting == nil || ps.Spec.Alerting.Alertmanager == nil {
		return nil, nil
	}
	spec := ps.Spec.Alerting.Alertmanager
	retention, err := model.ParseDuration(string(orElse(spec.Retention, "120h")))
	if err != nil {
		return nil, field.ErrorList{field.Invalid(path.Child("retention"), spec.Retention, err.Error())}
	}
	a := &Alertmanager{
		Names:       AlertmanagerNames(ps.Name),
		Selector:    AlertmanagerSelector(ps.Name),
		Image:       alertmanagerImage(spec, in.Images),
		Replicas:    valueOr(spec.Replicas, 1),
		Storage:     v1alpha1.Storage(spec.Storage),
		Retention:   retention,
		ExternalURL: spec.ExternalURL,
		LogLevel:    spec.LogLevel,
		Service:     v1alpha1.Service(spec.Service),
		Scheduling:  alertmanagerScheduling(spec),
		Published:   in.PublishedAlertmanager,
	}
	a.Labels = maps.Clone(a.Selector)
	a.Labels[LabelManagedBy] = ManagedBy
	a.Labels[labelComponent] = "alertmanager"
	if a.ExternalURL == "" {
		// Left to itself it would take the pod's name, which leads nowhere.
		a.ExternalURL = fmt.Sprintf("http://%s.%s.svc:%d/", a.Names.Base, ps.Namespace, a.Service.Port)
	}
	return a, nil
}

func alertmanagerImage(spec *v1alpha1.Alertmanager, images Images) string {
	if spec.Image != "" {
		return spec.Image
	}
	version := spec.Version
	if version == "" {
		version = images.AlertmanagerVersion
	}
	return "prom/alertmanager:v" + version
}

func alertmanagerScheduling(spec *v1alpha1.Alertmanager) Scheduling {
	out := Scheduling{
		Resources:         valueOr(spec.Resources, defaultAlertmanagerResources()),
		NodeSelector:      spec.NodeSelector,
		Tolerations:       spec.Tolerations,
		PriorityClassName: spec.PriorityClassName,
	}
	if spec.Affinity != nil {
		out.Affinity = &corev1.Affinity{NodeAffinity: spec.Affinity}
	}
	if spec.PodMetadata != nil {
		out.PodLabels, out.PodAnnotations = spec.PodMetadata.Labels, spec.PodMetadata.Annotations
	}
	return out
}

func defaultAlertmanagerResources() corev1.ResourceRequirements {
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("48Mi")},
	}
}

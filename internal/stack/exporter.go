package stack

import (
	"cmp"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// DefaultPool is the name of the one pool of a NodeExporter that declares none.
const DefaultPool = "default"

// ExporterInputs is everything that decides what a NodeExporter becomes.
type ExporterInputs struct {
	// Exporter is the declaration.
	Exporter *v1alpha1.NodeExporter
	// Servers are all there are; those that select the exporter may discover its pods.
	Servers []v1alpha1.PrometheusServer
	// NamespaceLabels are the labels of each namespace, by its name.
	NamespaceLabels map[string]map[string]string
	// Images are the operator's defaults.
	Images Images
}

// Exporter is a NodeExporter that can be built.
type Exporter struct {
	Namespace, Name string
	// Base is node-exporter-<name>: the name of the ServiceAccount, the Service, the Role and its binding, and of the
	// DaemonSet where there are no pools.
	Base string
	// Selector are the labels by which the pods of all pools are found; they never change.
	Selector map[string]string
	// Labels are on every object made for it; they contain Selector.
	Labels map[string]string

	Image             string
	PullSecrets       []corev1.LocalObjectReference
	Port              int32
	HostNetwork       bool
	PriorityClassName string
	UpdateStrategy    appsv1.DaemonSetUpdateStrategy
	PodLabels         map[string]string
	PodAnnotations    map[string]string
	Pools             []Pool
	// Scrapers are the servers that select the exporter, sorted.
	Scrapers []Scraper
}

// Pool is a set of nodes and what runs on them.
type Pool struct {
	Name string
	// Job is the name of the scrape job of the pool's exporters.
	Job string
	// DaemonSet is the name of the pool's DaemonSet.
	DaemonSet string
	// NodeSelector and NodeAffinity together match the pool's nodes and no other pool's.
	NodeSelector map[string]string
	NodeAffinity *corev1.NodeAffinity
	Tolerations  []corev1.Toleration
	Resources    corev1.ResourceRequirements
	Collectors   v1alpha1.Collectors
	// Access is what these collectors read of the host.
	Access Access
}

// Scraper is a server that pulls from an exporter.
type Scraper struct {
	Namespace, ServiceAccount string
}

// ExporterNaming has the names of what is made for a NodeExporter.
type ExporterNaming struct {
	// Base is the name of everything that exists once.
	Base string
}

// ExporterNames are the names of what is made for the NodeExporter of this name.
func ExporterNames(name string) ExporterNaming { return ExporterNaming{Base: "node-exporter-" + name} }

// ResolveExporter applies defaults and validates. The errors name fields of the NodeExporter.
func ResolveExporter(in ExporterInputs) (*Exporter, field.ErrorList) {
	ne, spec := in.Exporter, &in.Exporter.Spec
	e := &Exporter{
		Namespace:         ne.Namespace,
		Name:              ne.Name,
		Base:              ExporterNames(ne.Name).Base,
		Selector:          map[string]string{labelName: "node-exporter", labelInstance: ne.Name, LabelNodeExporter: ne.Name},
		Image:             cmp.Or(spec.Image, in.Images.Hearth),
		PullSecrets:       spec.ImagePullSecrets,
		Port:              cmp.Or(spec.Port, 9100),
		HostNetwork:       spec.HostNetwork,
		PriorityClassName: spec.PriorityClassName,
		UpdateStrategy:    valueOr(spec.UpdateStrategy, oneInTen()),
		Scrapers:          scrapers(in),
	}
	e.Labels = maps.Clone(e.Selector)
	e.Labels[LabelManagedBy] = ManagedBy
	e.Labels[labelComponent] = "exporter"
	if spec.PodMetadata != nil {
		e.PodLabels, e.PodAnnotations = spec.PodMetadata.Labels, spec.PodMetadata.Annotations
	}
	path := field.NewPath("spec")
	errs := append(checkName(ne.Name), checkSurge(spec, path.Child("updateStrategy"))...)
	errs = append(errs, checkCollectors(spec.Collectors, spec.HostNetwork, path.Child("collectors"))...)
	pools, more := resolvePools(spec, e.Base, path)
	e.Pools = pools
	for i, name := range poolNames(ne) {
		e.Pools[i].Job = ExporterJob(ne.Namespace, ne.Name, name)
	}
	if errs = append(errs, more...); len(errs) > 0 {
		return nil, errs
	}
	return e, nil
}

func oneInTen() appsv1.DaemonSetUpdateStrategy {
	tenth := intstr.FromString("10%")
	return appsv1.DaemonSetUpdateStrategy{
		Type:          appsv1.RollingUpdateDaemonSetStrategyType,
		RollingUpdate: &appsv1.RollingUpdateDaemonSet{MaxUnavailable: &tenth},
	}
}

// checkSurge: two pods cannot have the same port of a node, so the new one would wait for the old one for ever.
func checkSurge(spec *v1alpha1.NodeExporterSpec, path *field.Path) field.ErrorList {
	if !spec.HostNetwork || spec.UpdateStrategy == nil || spec.UpdateStrategy.RollingUpdate == nil {
		return nil
	}
	surge := spec.UpdateStrategy.RollingUpdate.MaxSurge
	if surge == nil || surge.String() == "0" || surge.String() == "0%" {
		return nil
	}
	return field.ErrorList{field.Invalid(path.Child("rollingUpdate", "maxSurge"), surge.String(),
		"needs two exporters on one node, and with hostNetwork both would take the same port: use maxUnavailable")}
}

func scrapers(in ExporterInputs) []Scraper {
	var out []Scraper
	for i := range in.Servers {
		ps := &in.Servers[i]
		if ps.DeletionTimestamp == nil && SelectsExporter(ps, in.Exporter, in.NamespaceLabels) {
			out = append(out, Scraper{Namespace: ps.Namespace, ServiceAccount: NamesOf(ps.Name).Base})
		}
	}
	slices.SortFunc(out, func(a, b Scraper) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.ServiceAccount, b.ServiceAccount))
	})
	return out
}

func defaultExporterResources() corev1.ResourceRequirements {
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("32Mi")},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("128Mi")},
	}
}

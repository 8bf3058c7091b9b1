package stack

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// replicaLabel and serverLabel tell apart what several replicas and servers send to the same receiver.
const (
	replicaLabel = "replica"
	serverLabel  = "prometheus"
)

// defaultScrapeTimeout is Prometheus' own.
const defaultScrapeTimeout = model.Duration(10 * time.Second)

// retentionShare is the part of a claim that blocks may fill, in percent; the write-ahead log and compaction need the rest.
const retentionShare = 80

// Resolve applies defaults, selects and validates. The errors name fields of the PrometheusServer; an AlertRule that is
// invalid is not an error of the server but a Verdict.
func Resolve(in Inputs) (*Stack, field.ErrorList) {
	ps, spec := in.Server, &in.Server.Spec
	s := &Stack{
		Namespace:     ps.Namespace,
		Name:          ps.Name,
		Names:         NamesOf(ps.Name),
		Selector:      ServerSelector(ps.Name),
		Image:         prometheusImage(spec, in.Images),
		ReloaderImage: in.Images.Hearth,
		PullSecrets:   spec.ImagePullSecrets,
		Replicas:      valueOr(spec.Replicas, 1),
		Shards:        ShardsOf(ps),
		Spread:        spread(in, ShardsOf(ps)),
		Storage:       spec.Storage,
		Service:       spec.Service,
		Web:           web(spec.Web),
		Scheduling:    scheduling(spec),
		Published:     in.Published,
		Agent:         spec.Mode == v1alpha1.ModeAgent,
		Receiver:      spec.RemoteWriteReceiver,
	}
	s.Labels = maps.Clone(s.Selector)
	s.Labels[LabelManagedBy] = ManagedBy
	s.Labels[labelComponent] = "prometheus"

	path := field.NewPath("spec")
	var errs, more field.ErrorList
	s.Global, errs = global(ps, path)
	errs = append(errs, checkName(ps.Name)...)
	errs = append(errs, checkShards(ps, path.Child("shards"))...)
	s.Retention, more = retention(spec, path.Child("retention"))
	errs = append(errs, more...)
	s.Exporters, more = exporters(in, path.Child("targets", "nodeExporters"))
	errs = append(errs, more...)
	reach := newReach(in)
	tenancy, more := tenancy(ps, path)
	errs = append(errs, more...)
	s.Monitors, more = resolveMonitors(in, s.Global, &tenancy, reach, path.Child("targets"))
	errs = append(errs, more...)
	s.Kubernetes = kubernetes(in, reach)
	s.Annotations, more = annotations(in, &tenancy, reach, path.Child("targets", "annotations"))
	errs = append(errs, more...)
	s.Operator = operator(in, reach)
	s.Bindings, s.Withheld = reach.resolved(), reach.withheld
	s.Rules, more = resolveRules(in, &tenancy, path)
	errs = append(errs, more...)
	s.Routing, more = resolveRouting(in, s.Rules, path.Child("alerting"))
	errs = append(errs, more...)
	s.Alertmanager, more = alertmanager(in, path.Child("alerting", "alertmanager"))
	errs = append(errs, more...)
	s.Alertmanagers, more = alertmanagers(in, s.Alertmanager, path.Child("alerting"))
	errs = append(errs, more...)
	s.RemoteWrites, more = remoteWrites(in, path.Child("remoteWrite"))
	errs = append(errs, more...)
	s.Grafana, more = resolveGrafana(in, s, path.Child("grafana"))
	errs = append(errs, more...)
	if len(errs) > 0 {
		return nil, errs
	}
	return s, nil
}

// NamesOf are the names of what is made for the PrometheusServer of this name.
func NamesOf(server string) Names {
	return Names{Base: "prometheus-" + server, Pods: "prometheus-" + server + "-pods"}
}

// ServerSelector are the labels by which a server's pods are found.
func ServerSelector(server string) map[string]string {
	return map[string]string{labelName: "prometheus", labelInstance: server, LabelServer: server}
}

// checkName refuses a name that the cluster takes for the declaration and not for the Service made from it.
func checkName(name string) field.ErrorList {
	if !strings.Contains(name, ".") {
		return nil
	}
	return field.ErrorList{field.Invalid(field.NewPath("metadata", "name"), name,
		"must not contain a dot, because a Service is named after it: make an object with another name, such as "+
			strings.ReplaceAll(name, ".", "-"))}
}

func prometheusImage(spec *v1alpha1.PrometheusServerSpec, images Images) string {
	if spec.Image != "" {
		return spec.Image
	}
	version := spec.Version
	if version == "" {
		version = images.PrometheusVersion
	}
	return "prom/prometheus:v" + version
}

func global(ps *v1alpha1.PrometheusServer, path *field.Path) (Global, field.ErrorList) {
	spec := &ps.Spec
	var errs field.ErrorList
	parse := func(name string, text v1alpha1.Duration) model.Duration {
		d, err := model.ParseDuration(string(text))
		if err != nil {
			errs = append(errs, field.Invalid(path.Child(name), text, err.Error()))
		}
		return d
	}
	g := Global{
		ScrapeInterval:     parse("scrapeInterval", orElse(spec.ScrapeInterval, "30s")),
		EvaluationInterval: parse("evaluationInterval", orElse(spec.EvaluationInterval, "30s")),
		ExternalURL:        spec.ExternalURL,
	}
	g.ScrapeTimeout = min(defaultScrapeTimeout, g.ScrapeInterval)
	if spec.ScrapeTimeout != "" {
		g.ScrapeTimeout = parse("scrapeTimeout", spec.ScrapeTimeout)
	}
	if len(errs) == 0 && g.ScrapeTimeout > g.ScrapeInterval {
		errs = append(errs, field.Invalid(path.Child("scrapeTimeout"), spec.ScrapeTimeout,
			"must not be longer than scrapeInterval, which is "+g.ScrapeInterval.String()))
	}
	var more field.ErrorList
	g.ExternalLabels, more = externalLabels(ps, path.Child("externalLabels"))
	return g, append(errs, more...)
}

func externalLabels(ps *v1alpha1.PrometheusServer, path *field.Path) (map[string]string, field.ErrorList) {
	out := map[string]string{serverLabel: ps.Namespace + "/" + ps.Name, replicaLabel: "${POD_NAME}"}
	if ShardsOf(ps) > 1 {
		out[shardLabel] = ShardNumber
	}
	var errs field.ErrorList
	for _, name := range slices.Sorted(maps.Keys(ps.Spec.ExternalLabels)) {
		value := ps.Spec.ExternalLabels[name]
		switch {
		case !model.LegacyValidation.IsValidLabelName(name) || strings.HasPrefix(name, model.ReservedLabelPrefix):
			errs = append(errs, field.Invalid(path.Key(name), name,
				"a label name consists of letters, digits and _, and starts with neither a digit nor __"))
		case value == "":
			delete(out, name)
		default:
			// Prometheus expands variables in external labels; what users write is meant literally.
			out[name] = strings.ReplaceAll(value, "$", "$$")
		}
	}
	return out, errs
}

func retention(spec *v1alpha1.PrometheusServerSpec, path *field.Path) (Retention, field.ErrorList) {
	var errs field.ErrorList
	time, err := model.ParseDuration(string(orElse(spec.Retention.Time, "15d")))
	if err != nil {
		errs = append(errs, field.Invalid(path.Child("time"), spec.Retention.Time, err.Error()))
	}
	claim := spec.Storage.Size.Value()
	// In two steps, because a hundred times a large claim is more than an int64 holds.
	r := Retention{Time: time, Size: *resource.NewQuantity(claim/100*retentionShare+claim%100*retentionShare/100, resource.BinarySI)}
	if size := spec.Retention.Size; size != nil {
		if size.Cmp(spec.Storage.Size) > 0 {
			errs = append(errs, field.Invalid(path.Child("size"), size.String(),
				"must not be above storage.size, which is "+spec.Storage.Size.String()+"; about 80 % of it leaves room for the write-ahead log"))
		}
		r.Size = *size
	}
	return r, errs
}

func web(w *v1alpha1.Web) Web {
	var out Web
	if w != nil && w.TLS != nil {
		out.TLSSecret = w.TLS.SecretName
	}
	if w != nil && w.BasicAuth != nil {
		out.BasicAuthSecret = w.BasicAuth.SecretName
	}
	return out
}

func scheduling(spec *v1alpha1.PrometheusServerSpec) Scheduling {
	out := Scheduling{
		Resources:         valueOr(spec.Resources, corev1.ResourceRequirements{}),
		NodeSelector:      spec.NodeSelector,
		Tolerations:       spec.Tolerations,
		Affinity:          spec.Affinity,
		PriorityClassName: spec.PriorityClassName,
	}
	if spec.PodMetadata != nil {
		out.PodLabels, out.PodAnnotations = spec.PodMetadata.Labels, spec.PodMetadata.Annotations
	}
	return out
}

func valueOr[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

func orElse(d, otherwise v1alpha1.Duration) v1alpha1.Duration {
	if d == "" {
		return otherwise
	}
	return d
}

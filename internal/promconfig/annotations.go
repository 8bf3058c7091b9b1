package promconfig

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hearth-monitoring/hearth/internal/monitors"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// What is annotated is written by whoever may write to a namespace, and the server reaches what they do not. So the address is
// always the pod's own, as the kubelet reported it; nothing that the target could use is sent along; no redirect leads
// elsewhere; and the labels that say where a series is from are not theirs to choose.

// annotationJobs pull from what says itself that it is to be scraped.
func annotationJobs(s *stack.Stack) []scrapeConfig {
	if s.Annotations == nil {
		return nil
	}
	var out []scrapeConfig
	if s.Annotations.Pods {
		out = append(out, annotatedPods(s))
	}
	if s.Annotations.Services {
		out = append(out, annotatedServices(s))
	}
	return out
}

const (
	podAnnotation     = "__meta_kubernetes_pod_annotation_prometheus_io_"
	serviceAnnotation = "__meta_kubernetes_service_annotation_prometheus_io_"
	podIP             = "__meta_kubernetes_pod_ip"
	// tmpPort and the others are labels of the kind that Prometheus leaves to whoever configures it.
	tmpPort = "__tmp_hearth_port"
	tmpPath = "__tmp_hearth_path"
	tmpSame = "__tmp_hearth_same"
)

func annotatedPods(s *stack.Stack) scrapeConfig {
	job := annotated(s, stack.JobPods, "pod")
	job.RelabelConfigs = slices.Concat(
		chosen(podAnnotation),
		otherwiseScraped(s),
		asAnnotated(podAnnotation),
		// A pod without a port is one target for each port that it declares.
		[]relabelConfig{{SourceLabels: []string{podAnnotation + "port"}, Regex: `(\d{1,5})`, TargetLabel: tmpPort}},
		ownAddress(),
		labelled(s, "__meta_kubernetes_pod_label_(.+)"),
		from(s, stack.JobPods, map[string]string{"pod": "__meta_kubernetes_pod_name", "node": "__meta_kubernetes_pod_node_name"}),
	)
	return job
}

func annotatedServices(s *stack.Stack) scrapeConfig {
	job := annotated(s, stack.JobServiceEndpoints, "endpointslice")
	job.RelabelConfigs = slices.Concat(
		chosen(serviceAnnotation),
		// What is behind a Service is written by hand where somebody wants it to be elsewhere: only pods count.
		[]relabelConfig{{Action: "keep", SourceLabels: []string{podIP}, Regex: ".+"}},
		otherwiseScraped(s),
		asAnnotated(serviceAnnotation),
		[]relabelConfig{
			{SourceLabels: []string{"__address__"}, Regex: `.+:(\d+)`, TargetLabel: tmpPort},
			{SourceLabels: []string{serviceAnnotation + "port"}, Regex: `(\d{1,5})`, TargetLabel: tmpPort},
			{Action: "keep", SourceLabels: []string{tmpPort}, Regex: `\d+`},
		},
		ownAddress(),
		notAmongPods(s),
		labelled(s, "__meta_kubernetes_service_label_(.+)"),
		from(s, stack.JobServiceEndpoints, map[string]string{
			"service": "__meta_kubernetes_service_name",
			"pod":     "__meta_kubernetes_pod_name",
			"node":    "__meta_kubernetes_pod_node_name",
		}),
	)
	return job
}

func annotated(s *stack.Stack, name, role string) scrapeConfig {
	limits := s.Annotations.Bounds.Within(monitors.Limits{})
	// Most of what is discovered is not annotated.
	limits.KeepDroppedTargets = new(int64(100))
	return scrapeConfig{
		JobName:         name,
		FollowRedirects: new(false),
		KubernetesSD:    []kubernetesSD{{Role: role, Namespaces: namespaces{Names: s.Annotations.Namespaces}}},
		Limits:          limits,
	}
}

// chosen are those that are annotated and run.
func chosen(annotation string) []relabelConfig {
	return []relabelConfig{
		{Action: "keep", SourceLabels: []string{annotation + "scrape"}, Regex: "true"},
		{Action: "drop", SourceLabels: []string{"__meta_kubernetes_pod_phase"}, Regex: "Pending|Succeeded|Failed|Completed"},
	}
}

// otherwiseScraped are pods that this server pulls from because it was told to, annotated or not.
func otherwiseScraped(s *stack.Stack) []relabelConfig {
	out := []relabelConfig{alreadyOf(stack.LabelServer, s.Namespace+";"+s.Name)}
	var exporters []string
	for _, e := range s.Exporters {
		exporters = append(exporters, e.Namespace+";"+e.Name)
	}
	slices.Sort(exporters)
	if exporters = slices.Compact(exporters); len(exporters) > 0 {
		out = append(out, alreadyOf(stack.LabelNodeExporter, exporters...))
	}
	if s.Kubernetes.StateMetrics != nil {
		out = append(out, alreadyOf(stack.LabelStateMetrics, s.Namespace+";"+s.Name))
	}
	if s.Kubernetes.CoreDNS {
		out = append(out, alreadyOf("k8s-app", "kube-system;kube-dns"))
	}
	return out
}

// alreadyOf drops the pods with one of these namespaces and values of a label.
func alreadyOf(label string, pods ...string) relabelConfig {
	quoted := make([]string, len(pods))
	for i, pod := range pods {
		quoted[i] = regexp.QuoteMeta(pod)
	}
	meta := "__meta_kubernetes_pod_label_" + notInALabel().ReplaceAllString(label, "_")
	return relabelConfig{Action: "drop", SourceLabels: []string{"__meta_kubernetes_namespace", meta}, Regex: strings.Join(quoted, "|")}
}

func notInALabel() *regexp.Regexp { return regexp.MustCompile(`[^a-zA-Z0-9_]`) }

// asAnnotated are scheme, path and parameters.
func asAnnotated(annotation string) []relabelConfig {
	return []relabelConfig{
		{SourceLabels: []string{annotation + "scheme"}, Regex: "(https?)", TargetLabel: "__scheme__"},
		{SourceLabels: []string{annotation + "path"}, Regex: "(.+)", TargetLabel: "__metrics_path__"},
		{Action: "labelmap", Regex: annotation + "param_(.+)", Replacement: "__param_$1"},
	}
}

// ownAddress is the port at the pod's own address. An address of version 6 has a colon.
func ownAddress() []relabelConfig {
	return []relabelConfig{
		{SourceLabels: []string{tmpPort, podIP}, Regex: `(\d+);([\d.]+)`, TargetLabel: "__address__", Replacement: "$2:$1"},
		{SourceLabels: []string{tmpPort, podIP}, Regex: `(\d+);([[:xdigit:]]*:[[:xdigit:]:.]*)`, TargetLabel: "__address__", Replacement: "[$2]:$1"},
	}
}

// notAmongPods drops what is a target of the job of pods as well: the same port and path of a pod that is annotated itself,
// with this port or with none and the port declared.
func notAmongPods(s *stack.Stack) []relabelConfig {
	if !s.Annotations.Pods {
		return nil
	}
	return []relabelConfig{
		{TargetLabel: tmpPath, Replacement: "/metrics"},
		{SourceLabels: []string{podAnnotation + "path"}, Regex: "(.+)", TargetLabel: tmpPath},
		{SourceLabels: []string{tmpPort, "__metrics_path__"}, Regex: "(.+);(.+)", TargetLabel: tmpSame, Replacement: "true;$1;$2"},
		{Action: "dropequal", SourceLabels: []string{podAnnotation + "scrape", podAnnotation + "port", tmpPath}, TargetLabel: tmpSame},
		{SourceLabels: []string{tmpPort, "__metrics_path__"}, Regex: "(.+);(.+)", TargetLabel: tmpSame, Replacement: "true;;$1;$2"},
		{
			Action:       "dropequal",
			SourceLabels: []string{podAnnotation + "scrape", podAnnotation + "port", "__meta_kubernetes_pod_container_port_number", tmpPath},
			TargetLabel:  tmpSame,
		},
	}
}

// labelled gives a target the labels of its pod or Service, but for those that begin new series with each update, and those
// by which servers are told apart.
func labelled(s *stack.Stack, regex string) []relabelConfig {
	not := []string{"pod_template_hash", "controller_revision_hash", "pod_template_generation"}
	not = append(not, slices.Sorted(maps.Keys(s.Global.ExternalLabels))...)
	return []relabelConfig{
		{Action: "labelmap", Regex: regex},
		{Action: "labeldrop", Regex: strings.Join(not, "|")},
	}
}

// from says where a target is, last of all, so that no label of a pod or Service says otherwise.
func from(s *stack.Stack, job string, labels map[string]string) []relabelConfig {
	out := []relabelConfig{
		{TargetLabel: "job", Replacement: job},
		{SourceLabels: []string{"__address__"}, TargetLabel: "instance"},
		{SourceLabels: []string{"__meta_kubernetes_namespace"}, TargetLabel: "namespace"},
	}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		out = append(out, relabelConfig{SourceLabels: []string{labels[name]}, TargetLabel: name})
	}
	// What a target itself says of it becomes exported_..., as with the others.
	if label := s.Annotations.Label; label != "" && label != "namespace" {
		out = append(out, relabelConfig{SourceLabels: []string{"__meta_kubernetes_namespace"}, TargetLabel: label})
	}
	return out
}

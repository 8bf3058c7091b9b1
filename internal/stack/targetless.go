package stack

import (
	"fmt"
	"slices"
	"strings"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"
)

// Reason is why a monitor yields no target. The zero value is that none was found.
type Reason struct {
	Text string
	// Idle is true where nothing runs that could be a target: that is no fault of the monitor's.
	Idle bool
}

// Places is where a monitor looks for targets.
type Places struct {
	// Namespaces in which it looks, nil for all.
	Namespaces []string
	// Dropped is how many targets were discovered there, and dropped by the job's relabelling.
	Dropped int
	// Truncated is true if there is more than what was read.
	Truncated bool
}

func (p Places) String() string {
	switch n := len(p.Namespaces); {
	case p.Namespaces == nil:
		return "any namespace"
	case n == 1:
		return "namespace " + p.Namespaces[0]
	default:
		text := "namespaces " + strings.Join(p.Namespaces[:min(n, 5)], ", ")
		if n > 5 {
			text += fmt.Sprintf(" and %d more", n-5)
		}
		return text
	}
}

// FoundService is a Service that a ServiceMonitor selects, and what is behind it.
type FoundService struct {
	Service corev1.Service
	Slices  []discoveryv1.EndpointSlice
	// Pods are those that its selector matches.
	Pods []corev1.Pod
}

// Matches are those of the objects that a monitor's selector takes, nil if there is none.
func Matches[T metav1.Object](selector metav1.LabelSelector, all []T) []T {
	s, err := metav1.LabelSelectorAsSelector(&selector)
	if err != nil {
		return nil // it was refused when it was compiled
	}
	var out []T
	for _, o := range all {
		if s.Matches(labels.Set(o.GetLabels())) {
			out = append(out, o)
		}
	}
	return out
}

// NoMatch is why a monitor has no target where its selector takes none of the objects of a kind.
func NoMatch[T metav1.Object](kind string, selector metav1.LabelSelector, all []T, in Places) Reason {
	var nearest T
	var misses []string
	for _, o := range all {
		unmet := labelled{what: "label", whose: "this", labels: o.GetLabels()}.unmet(&selector)
		if len(unmet) > 0 && (misses == nil || len(unmet) < len(misses)) {
			nearest, misses = o, unmet
		}
	}
	switch {
	case misses == nil && !in.Truncated:
		return Reason{Text: fmt.Sprintf("there is no %s in %s", kind, in)}
	case misses == nil:
		return Reason{Text: fmt.Sprintf("spec.selector takes no %s in %s", kind, in)}
	}
	return Reason{Text: fmt.Sprintf("spec.selector takes no %s in %s; the nearest is %s/%s: it %s",
		kind, in, nearest.GetNamespace(), nearest.GetName(), strings.Join(misses, ", and "))}
}

// WhyNoService is why an endpoint of a ServiceMonitor has no target though these Services are selected.
func WhyNoService(at string, e *monitoringv1.Endpoint, found []FoundService, in Places) Reason {
	var reasons []Reason
	for i := range found {
		r := found[i].why(at, e)
		if r.Text == "" {
			return dropped(at, len(e.RelabelConfigs) > 0, in)
		}
		reasons = append(reasons, r)
	}
	if len(reasons) == 0 {
		return Reason{}
	}
	out := reasons[0]
	if more := len(reasons) - 1; more > 0 {
		out.Text += fmt.Sprintf(" (and %d more)", more)
	}
	return out
}

// why is what is the matter with one Service, empty for nothing.
func (f *FoundService) why(at string, e *monitoringv1.Endpoint) Reason {
	name := "Service " + f.Service.Namespace + "/" + f.Service.Name
	if e.Port != "" && !slices.ContainsFunc(f.Service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == e.Port }) {
		return Reason{Text: fmt.Sprintf("%s has no port named %s, which %s.port wants; it has %s", name, e.Port, at, servicePorts(&f.Service))}
	}
	if r := f.nobody(name); r.Text != "" {
		return r
	}
	if e.Port == "" && e.TargetPort != nil {
		return noContainerPort(at+".targetPort", e.TargetPort.StrVal, e.TargetPort.IntVal, f.Pods)
	}
	return Reason{}
}

// nobody says that there is nobody behind a Service, and why.
func (f *FoundService) nobody(name string) Reason {
	for _, s := range f.Slices {
		if len(s.Endpoints) > 0 {
			return Reason{}
		}
	}
	switch {
	case len(f.Service.Spec.Selector) == 0:
		return Reason{Idle: true, Text: name + " has no endpoints: it has no selector, and nobody has written an EndpointSlice for it"}
	case len(f.Pods) == 0:
		return Reason{Idle: true, Text: fmt.Sprintf("%s has no endpoints: no pod has the labels of its selector, %s", name, labels.FormatLabels(f.Service.Spec.Selector))}
	}
	pod := &f.Pods[0]
	return Reason{Idle: true, Text: fmt.Sprintf("%s has no endpoints: pod %s is %s", name, pod.Name, strings.ToLower(string(pod.Status.Phase)))}
}

// WhyNoPod is why an endpoint of a PodMonitor has no target though these pods are selected.
func WhyNoPod(at string, e *monitoringv1.PodMetricsEndpoint, pods []corev1.Pod, in Places) Reason {
	if ptr.Deref(e.FilterRunning, true) {
		running := slices.DeleteFunc(slices.Clone(pods), func(p corev1.Pod) bool { return p.Status.Phase != corev1.PodRunning })
		if len(running) == 0 && len(pods) > 0 {
			return Reason{Idle: true, Text: fmt.Sprintf("none of the selected pods runs: pod %s/%s is %s",
				pods[0].Namespace, pods[0].Name, strings.ToLower(string(pods[0].Status.Phase)))}
		}
		pods = running
	}
	var r Reason
	target := e.TargetPort //nolint:staticcheck // It is deprecated, and people have it.
	switch {
	case ptr.Deref(e.Port, "") != "":
		r = noContainerPort(at+".port", *e.Port, 0, pods)
	case ptr.Deref(e.PortNumber, 0) != 0:
		r = noContainerPort(at+".portNumber", "", *e.PortNumber, pods)
	case target != nil:
		r = noContainerPort(at+".targetPort", target.StrVal, target.IntVal, pods)
	}
	if r.Text != "" || len(pods) == 0 {
		return r
	}
	return dropped(at, len(e.RelabelConfigs) > 0, in)
}

// noContainerPort says that no container of the pods declares a port, empty if one does, or none is known.
func noContainerPort(at, name string, number int32, pods []corev1.Pod) Reason {
	if len(pods) == 0 {
		return Reason{}
	}
	for i := range pods {
		for _, p := range containerPorts(&pods[i]) {
			if name != "" && p.Name == name || name == "" && p.ContainerPort == number {
				return Reason{}
			}
		}
	}
	wanted := "named " + name
	if name == "" {
		wanted = fmt.Sprintf("with number %d", number)
	}
	var has []string
	for _, p := range containerPorts(&pods[0]) {
		has = append(has, strings.TrimPrefix(fmt.Sprintf("%s/%d", p.Name, p.ContainerPort), "/"))
	}
	return Reason{Text: fmt.Sprintf("no container of pod %s/%s declares a port %s, which %s wants; they declare %s",
		pods[0].Namespace, pods[0].Name, wanted, at, listed(has))}
}

func containerPorts(pod *corev1.Pod) []corev1.ContainerPort {
	var out []corev1.ContainerPort
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for _, c := range list {
			out = append(out, c.Ports...)
		}
	}
	return out
}

func servicePorts(s *corev1.Service) string {
	var has []string
	for _, p := range s.Spec.Ports {
		if p.Name == "" {
			has = append(has, fmt.Sprintf("%d without a name", p.Port))
			continue
		}
		has = append(has, p.Name)
	}
	return listed(has)
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	text := strings.Join(names[:min(len(names), 10)], ", ")
	if len(names) > 10 {
		text += ", ..."
	}
	return text
}

// dropped is what is left as a reason where everything is as the monitor wants it.
func dropped(at string, relabels bool, in Places) Reason {
	if in.Dropped > 0 && relabels {
		return Reason{Text: fmt.Sprintf("%d targets are discovered in %s, and %s.relabelings drops all that the selector and the port leave", in.Dropped, in, at)}
	}
	return Reason{}
}

// WhyNothing is why a job has no target of which no more is known than what its Prometheus says.
func WhyNothing(in Places) Reason {
	if in.Dropped > 0 {
		return Reason{Text: fmt.Sprintf("%d targets are discovered, and its relabelling drops all of them", in.Dropped)}
	}
	return Reason{Idle: true, Text: "nothing is discovered"}
}

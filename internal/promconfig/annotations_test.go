package promconfig

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"

	"github.com/hearth-monitoring/hearth/internal/stack"
)

// annotatedStack has both jobs, and what keeps pods from being scraped twice.
func annotatedStack() *stack.Stack {
	s := &stack.Stack{
		Namespace: "monitoring", Name: "main",
		Annotations: &stack.Annotations{Pods: true, Services: true, Namespaces: []string{"shop"}},
		Exporters:   []stack.ExporterTarget{{Namespace: "shop", Name: "node", Pool: "a"}, {Namespace: "shop", Name: "node", Pool: "b"}},
		Kubernetes:  stack.Kubernetes{CoreDNS: true},
		Global:      stack.Global{ScrapeInterval: 1e9, ScrapeTimeout: 1e9, EvaluationInterval: 1e9, ExternalLabels: map[string]string{"cluster": "prod"}},
	}
	return s
}

// relabelled is what Prometheus itself makes of a discovered target, nil if it is dropped. Labels that it keeps to itself
// are left out, but for those that say where and how a target is scraped.
func relabelled(t *testing.T, job string, discovered map[string]string) map[string]string {
	t.Helper()
	text, err := encode(annotatedStack())
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := config.Load(string(text), promslog.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range loaded.ScrapeConfigs {
		if c.JobName != job {
			continue
		}
		all := map[string]string{"job": job, "__scheme__": "http", "__metrics_path__": "/metrics"}
		maps.Copy(all, discovered)
		b := labels.NewBuilder(labels.FromMap(all))
		if !relabel.ProcessBuilder(b, c.RelabelConfigs...) {
			return nil
		}
		out := map[string]string{}
		b.Labels().Range(func(l labels.Label) {
			if _, hidden := hiddenLabels[l.Name]; len(l.Name) < 2 || l.Name[:2] != "__" || hidden || len(l.Name) > 8 && l.Name[:8] == "__param_" {
				out[l.Name] = l.Value
			}
		})
		return out
	}
	t.Fatalf("there is no job %s", job)
	return nil
}

var hiddenLabels = map[string]bool{"__address__": true, "__scheme__": true, "__metrics_path__": true}

const (
	meta    = "__meta_kubernetes_"
	podNote = meta + "pod_annotation_prometheus_io_"
	svcNote = meta + "service_annotation_prometheus_io_"
)

// discoveredPod is a pod as Prometheus discovers it, with more.
func discoveredPod(more map[string]string) map[string]string {
	out := map[string]string{
		"__address__": "10.0.0.7:8080", meta + "namespace": "shop", meta + "pod_name": "till", meta + "pod_node_name": "n1",
		meta + "pod_ip": "10.0.0.7", meta + "pod_phase": "Running", meta + "pod_container_port_number": "8080", podNote + "scrape": "true",
	}
	maps.Copy(out, more)
	return out
}

func TestAnnotatedPods(t *testing.T) {
	plain := map[string]string{
		"__address__": "10.0.0.7:8080", "__scheme__": "http", "__metrics_path__": "/metrics",
		"job": "kubernetes-pods", "instance": "10.0.0.7:8080", "namespace": "shop", "pod": "till", "node": "n1",
	}
	but := func(more map[string]string) map[string]string {
		out := maps.Clone(plain)
		maps.Copy(out, more)
		return out
	}
	at := func(address string) map[string]string {
		return but(map[string]string{"__address__": address, "instance": address})
	}
	for name, c := range map[string]struct{ more, want map[string]string }{
		"as it is":        {nil, plain},
		"not annotated":   {map[string]string{podNote + "scrape": ""}, nil},
		"not to":          {map[string]string{podNote + "scrape": "false"}, nil},
		"has ended":       {map[string]string{meta + "pod_phase": "Succeeded"}, nil},
		"a port":          {map[string]string{podNote + "port": "9102"}, at("10.0.0.7:9102")},
		"port and v6":     {map[string]string{podNote + "port": "9102", meta + "pod_ip": "fd00::7", "__address__": "[fd00::7]:8080"}, at("[fd00::7]:9102")},
		"a port's name":   {map[string]string{podNote + "port": "web"}, plain},
		"another host":    {map[string]string{podNote + "port": "evil.example.org:80"}, plain},
		"a host and more": {map[string]string{podNote + "port": "80;169.254.169.254"}, plain},
		"too many digits": {map[string]string{podNote + "port": "169254169254"}, plain},
		"path, scheme, parameter": {map[string]string{podNote + "path": "/m", podNote + "scheme": "https", podNote + "param_a": "b"},
			but(map[string]string{"__metrics_path__": "/m", "__scheme__": "https", "__param_a": "b"})},
		"another scheme": {map[string]string{podNote + "scheme": "file"}, plain},
		"labels": {map[string]string{meta + "pod_label_app": "till", meta + "pod_label_pod_template_hash": "x", meta + "pod_label_controller_revision_hash": "x"},
			but(map[string]string{"app": "till"})},
		"labels that are not theirs": {map[string]string{
			meta + "pod_label_job": "apiserver", meta + "pod_label_instance": "x", meta + "pod_label_namespace": "kube-system", meta + "pod_label_pod": "x",
			meta + "pod_label_node": "x", meta + "pod_label_cluster": "x",
		}, plain},
		"CoreDNS":             {map[string]string{meta + "namespace": "kube-system", meta + "pod_label_k8s_app": "kube-dns"}, nil},
		"called like CoreDNS": {map[string]string{meta + "pod_label_k8s_app": "kube-dns"}, but(map[string]string{"k8s_app": "kube-dns"})},
		"its own exporter":    {map[string]string{meta + "pod_label_monitoring_hearth_dev_node_exporter": "node"}, nil},
		"the server itself":   {map[string]string{meta + "namespace": "monitoring", meta + "pod_label_monitoring_hearth_dev_server": "main"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, relabelled(t, stack.JobPods, discoveredPod(c.more))); diff != "" {
				t.Errorf("target (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnnotatedServices(t *testing.T) {
	service := map[string]string{podNote + "scrape": "", svcNote + "scrape": "true", meta + "service_name": "till"}
	plain := map[string]string{
		"__address__": "10.0.0.7:8080", "__scheme__": "http", "__metrics_path__": "/metrics",
		"job": "kubernetes-service-endpoints", "instance": "10.0.0.7:8080", "namespace": "shop", "service": "till", "pod": "till", "node": "n1",
	}
	at := func(address string) map[string]string {
		out := maps.Clone(plain)
		out["__address__"], out["instance"] = address, address
		return out
	}
	for name, c := range map[string]struct{ more, want map[string]string }{
		"as it is":                          {nil, plain},
		"not annotated":                     {map[string]string{svcNote + "scrape": ""}, nil},
		"a port":                            {map[string]string{svcNote + "port": "9102"}, at("10.0.0.7:9102")},
		"another host":                      {map[string]string{svcNote + "port": "x:1"}, plain},
		"no pod":                            {map[string]string{meta + "pod_ip": "", "__address__": "169.254.169.254:80"}, nil},
		"a pod's name, and not its address": {map[string]string{"__address__": "169.254.169.254:80"}, at("10.0.0.7:80")},
		"an endpoint without a port":        {map[string]string{"__address__": "169.254.169.254"}, nil},
		"labels that are not theirs": {map[string]string{
			meta + "service_label_job": "apiserver", meta + "service_label_service": "x", meta + "service_label_cluster": "x"}, plain},
		"its pod is annotated":                       {map[string]string{podNote + "scrape": "true"}, nil},
		"its pod is annotated, with this port":       {map[string]string{podNote + "scrape": "true", podNote + "port": "8080"}, nil},
		"its pod is annotated, with another":         {map[string]string{podNote + "scrape": "true", podNote + "port": "9102"}, plain},
		"its pod is annotated, with another path":    {map[string]string{podNote + "scrape": "true", podNote + "path": "/m"}, plain},
		"its pod is annotated, and does not tell it": {map[string]string{podNote + "scrape": "true", meta + "pod_container_port_number": ""}, plain},
	} {
		t.Run(name, func(t *testing.T) {
			discovered := discoveredPod(service)
			maps.Copy(discovered, c.more)
			if diff := cmp.Diff(c.want, relabelled(t, stack.JobServiceEndpoints, discovered)); diff != "" {
				t.Errorf("target (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAnnotatedTargetsGetNothing: no credentials, and no redirect.
func TestAnnotatedTargetsGetNothing(t *testing.T) {
	for _, job := range annotationJobs(annotatedStack()) {
		if job.Authorization != nil || job.BasicAuth != nil || job.TLSConfig != nil || job.HonorLabels || job.FollowRedirects == nil || *job.FollowRedirects {
			t.Errorf("%s: %+v", job.JobName, job)
		}
	}
}

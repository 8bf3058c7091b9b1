// Package samples tests that config/samples and config/monitoring say what the API understands and what Prometheus accepts: these
// files are the first that anybody copies.
package samples

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/rules"
	"github.com/hearth-monitoring/hearth/ruletest"
)

// stack is what config/samples declares.
type stack struct {
	Namespaces map[string]corev1.Namespace
	Node       v1alpha1.NodeExporter
	Server     v1alpha1.PrometheusServer
	Rule       v1alpha1.AlertRule
	Till       appsv1.Deployment
	Service    corev1.Service
	Config     corev1.ConfigMap
	Monitor    monitoringv1.ServiceMonitor
}

// read reads the samples and fails on a field that the API doesn't have, and on an object that nobody here knows.
func read(t *testing.T) *stack {
	t.Helper()
	s := &stack{Namespaces: map[string]corev1.Namespace{}}
	files, err := filepath.Glob("../../config/samples/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if filepath.Base(file) == "kustomization.yaml" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		documents := utilyaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(text)))
		for {
			document := make([]byte, len(text))
			n, err := documents.Read(document)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			s.add(t, file, document[:n])
		}
	}
	return s
}

func (s *stack) add(t *testing.T, file string, document []byte) {
	t.Helper()
	var kind struct{ Kind string }
	if err := yaml.Unmarshal(document, &kind); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	var namespace corev1.Namespace
	into, ok := map[string]any{
		"Namespace": &namespace, "NodeExporter": &s.Node, "PrometheusServer": &s.Server, "AlertRule": &s.Rule,
		"Deployment": &s.Till, "Service": &s.Service, "ConfigMap": &s.Config, "ServiceMonitor": &s.Monitor,
	}[kind.Kind]
	if !ok {
		t.Fatalf("%s: an object of kind %q", file, kind.Kind)
	}
	if err := yaml.UnmarshalStrict(document, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if namespace.Name != "" {
		s.Namespaces[namespace.Name] = namespace
	}
}

func TestServerSelectsTheOthers(t *testing.T) {
	s := read(t)
	targets := s.Server.Spec.Targets
	if nodes := targets.NodeExporters.NamespaceSelector.MatchLabels[corev1.LabelMetadataName]; nodes != s.Node.Namespace {
		t.Errorf("the server looks for NodeExporters in %q, the sample is in %q", nodes, s.Node.Namespace)
	}
	if s.Server.Spec.Rules.NamespaceSelector != nil || s.Rule.Namespace != s.Server.Namespace {
		t.Errorf("the server looks for AlertRules in its own namespace %q, the sample is in %q", s.Server.Namespace, s.Rule.Namespace)
	}
	if annotated := targets.Annotations.NamespaceSelector.MatchLabels[corev1.LabelMetadataName]; annotated != s.Till.Namespace {
		t.Errorf("the server looks for annotations in %q, the workload is in %q", annotated, s.Till.Namespace)
	}
	for _, namespace := range []string{s.Server.Namespace, s.Node.Namespace, s.Till.Namespace} {
		if _, ok := s.Namespaces[namespace]; !ok {
			t.Errorf("nothing makes the namespace %s", namespace)
		}
	}
	if reach := s.Namespaces[s.Server.Namespace].Labels["monitoring.hearth.dev/reach"]; reach != "cluster" {
		t.Errorf("the server looks beyond its namespace, whose reach is %q", reach)
	}
	if len(s.Node.Spec.Pools) != 2 || s.Server.Spec.Service.NodePort == 0 || s.Server.Spec.Storage.Size.IsZero() || s.Server.Spec.Alerting.Alertmanager == nil {
		t.Error("the sample is a stack with two pools, a claim, a node port and an Alertmanager")
	}
}

// TestWorkload: what is annotated and selected is what the container has.
func TestWorkload(t *testing.T) {
	s := read(t)
	template := s.Till.Spec.Template
	port := template.Spec.Containers[0].Ports[0]
	if got := template.Annotations["prometheus.io/port"]; got != strconv.Itoa(int(port.ContainerPort)) || template.Annotations["prometheus.io/scrape"] != "true" {
		t.Errorf("the annotations are %v, the port is %d", template.Annotations, port.ContainerPort)
	}
	if !labels.SelectorFromSet(s.Service.Spec.Selector).Matches(labels.Set(template.Labels)) || s.Service.Spec.Ports[0].TargetPort.String() != port.Name {
		t.Errorf("the Service selects %v and %v, the pods are %v", s.Service.Spec.Selector, s.Service.Spec.Ports, template.Labels)
	}
	if !labels.SelectorFromSet(s.Monitor.Spec.Selector.MatchLabels).Matches(labels.Set(s.Service.Labels)) ||
		s.Monitor.Namespace != s.Service.Namespace || s.Monitor.Spec.Endpoints[0].Port != s.Service.Spec.Ports[0].Name {
		t.Errorf("the ServiceMonitor selects %v, the Service is %v", s.Monitor.Spec, s.Service.Labels)
	}
	if volume := template.Spec.Volumes[0].ConfigMap.Name; volume != s.Config.Name || s.Config.Namespace != s.Till.Namespace {
		t.Errorf("the pods mount the ConfigMap %s, the sample is %s", volume, s.Config.Name)
	}
}

// TestReceivers: each route and the AlertRule name receivers that the server has.
func TestReceivers(t *testing.T) {
	s := read(t)
	var known []string
	for _, r := range s.Server.Spec.Alerting.Receivers {
		known = append(known, r.Name)
	}
	named := []string{s.Server.Spec.Alerting.Route.Receiver}
	for _, r := range s.Server.Spec.Alerting.Route.Routes {
		named = append(named, r.Receiver)
	}
	for _, n := range s.Rule.Spec.Notify {
		named = append(named, n.Receiver)
	}
	for _, name := range named {
		if !slices.Contains(known, name) {
			t.Errorf("there is no receiver %q among %v", name, known)
		}
	}
}

// TestRule: the sample is valid without a warning, and passes its own unit tests.
func TestRule(t *testing.T) {
	s := read(t)
	if v := rules.Judge(&s.Rule); v.Problem() != "" || len(v.Warnings) > 0 {
		t.Errorf("problems %q, warnings %q", v.Problems, v.Warnings)
	}
	if got := ruletest.Run(t.Context(), &s.Rule, ruletest.Limits{}); !got.Passed || got.Tests == 0 {
		t.Errorf("%+v", got)
	}
}

// Prometheus-operator prints the configuration that prometheus-operator itself generates for the monitors, Probes, ScrapeConfigs and Secrets on
// its standard input: what test/monitors holds ours to.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	"github.com/prometheus-operator/prometheus-operator/pkg/assets"
	"github.com/prometheus-operator/prometheus-operator/pkg/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

func main() {
	text, err := generate(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Stdout.Write(text)
}

func generate(in io.Reader) ([]byte, error) {
	services, pods := map[string]*monitoringv1.ServiceMonitor{}, map[string]*monitoringv1.PodMonitor{}
	probes, scrapes := map[string]*monitoringv1.Probe{}, map[string]*monitoringv1alpha1.ScrapeConfig{}
	var secrets []any
	for reader := utilyaml.NewYAMLReader(bufio.NewReader(in)); ; {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		var meta metav1.TypeMeta
		if err := yaml.Unmarshal(document, &meta); err != nil {
			return nil, err
		}
		var object metav1.Object
		switch meta.Kind {
		case "":
			continue
		case monitoringv1.ServiceMonitorsKind:
			object = &monitoringv1.ServiceMonitor{}
		case monitoringv1.PodMonitorsKind:
			object = &monitoringv1.PodMonitor{}
		case monitoringv1.ProbesKind:
			object = &monitoringv1.Probe{}
		case monitoringv1alpha1.ScrapeConfigsKind:
			object = &monitoringv1alpha1.ScrapeConfig{}
		case "Secret":
			object = &corev1.Secret{}
		default:
			return nil, fmt.Errorf("kind %s", meta.Kind)
		}
		if err := yaml.Unmarshal(document, object); err != nil {
			return nil, err
		}
		key := object.GetNamespace() + "/" + object.GetName()
		switch o := object.(type) {
		case *monitoringv1.ServiceMonitor:
			services[key] = o
		case *monitoringv1.PodMonitor:
			pods[key] = o
		case *monitoringv1.Probe:
			probes[key] = o
		case *monitoringv1alpha1.ScrapeConfig:
			scrapes[key] = o
		case *corev1.Secret:
			o.Data = map[string][]byte{}
			for k, v := range o.StringData {
				o.Data[k] = []byte(v)
			}
			secrets = append(secrets, o)
		}
	}
	role := monitoringv1.EndpointSliceRole
	p := &monitoringv1.Prometheus{ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "main"}}
	p.Spec.Version, p.Spec.ScrapeInterval, p.Spec.EvaluationInterval, p.Spec.ServiceDiscoveryRole = "v3.5.0", "30s", "30s", &role
	generator, err := prometheus.NewConfigGenerator(slog.New(slog.DiscardHandler), p, prometheus.WithEndpointSliceSupport())
	if err != nil {
		return nil, err
	}
	text, err := generator.GenerateServerConfiguration(p, services, pods, probes, scrapes, assets.NewTestStoreBuilder(secrets...), nil, nil, nil, nil)
	// It is a placeholder for the number of the shard, which the sidecar fills in.
	return bytes.ReplaceAll(text, []byte("$(SHARD)"), []byte("0")), err
}

// Prometheus-operator prints the configuration that prometheus-operator itself generates for the monitors, Probes, ScrapeConfigs, Secrets and ConfigMaps on
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

// declared is what was on the input, monitors by namespace and name.
type declared struct {
	services map[string]*monitoringv1.ServiceMonitor
	pods     map[string]*monitoringv1.PodMonitor
	probes   map[string]*monitoringv1.Probe
	scrapes  map[string]*monitoringv1alpha1.ScrapeConfig
	secrets  []any
}

func read(in io.Reader) (*declared, error) {
	d := &declared{
		services: map[string]*monitoringv1.ServiceMonitor{}, pods: map[string]*monitoringv1.PodMonitor{},
		probes: map[string]*monitoringv1.Probe{}, scrapes: map[string]*monitoringv1alpha1.ScrapeConfig{},
	}
	for reader := utilyaml.NewYAMLReader(bufio.NewReader(in)); ; {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return d, nil
		}
		if err == nil {
			err = d.add(document)
		}
		if err != nil {
			return nil, err
		}
	}
}

func (d *declared) add(document []byte) error {
	var meta metav1.PartialObjectMetadata
	if err := yaml.Unmarshal(document, &meta); err != nil {
		return err
	}
	key := meta.Namespace + "/" + meta.Name
	var object any
	switch meta.Kind {
	case "":
		return nil
	case monitoringv1.ServiceMonitorsKind:
		d.services[key] = &monitoringv1.ServiceMonitor{}
		object = d.services[key]
	case monitoringv1.PodMonitorsKind:
		d.pods[key] = &monitoringv1.PodMonitor{}
		object = d.pods[key]
	case monitoringv1.ProbesKind:
		d.probes[key] = &monitoringv1.Probe{}
		object = d.probes[key]
	case monitoringv1alpha1.ScrapeConfigsKind:
		d.scrapes[key] = &monitoringv1alpha1.ScrapeConfig{}
		object = d.scrapes[key]
	case "Secret":
		return d.addSecret(document)
	case "ConfigMap":
		object = &corev1.ConfigMap{}
		d.secrets = append(d.secrets, object)
	default:
		return fmt.Errorf("kind %s", meta.Kind)
	}
	return yaml.Unmarshal(document, object)
}

// addSecret adds one as an API server has it.
func (d *declared) addSecret(document []byte) error {
	secret := &corev1.Secret{}
	if err := yaml.Unmarshal(document, secret); err != nil {
		return err
	}
	secret.Data = map[string][]byte{}
	for k, v := range secret.StringData {
		secret.Data[k] = []byte(v)
	}
	d.secrets = append(d.secrets, secret)
	return nil
}

func generate(in io.Reader) ([]byte, error) {
	d, err := read(in)
	if err != nil {
		return nil, err
	}
	role := monitoringv1.EndpointSliceRole
	p := &monitoringv1.Prometheus{ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "main"}}
	p.Spec.Version, p.Spec.ScrapeInterval, p.Spec.EvaluationInterval, p.Spec.ServiceDiscoveryRole = "v3.5.0", "30s", "30s", &role
	generator, err := prometheus.NewConfigGenerator(slog.New(slog.DiscardHandler), p, prometheus.WithEndpointSliceSupport())
	if err != nil {
		return nil, err
	}
	text, err := generator.GenerateServerConfiguration(p, d.services, d.pods, d.probes, d.scrapes, assets.NewTestStoreBuilder(d.secrets...), nil, nil, nil, nil)
	// It is a placeholder for the number of the shard, which the sidecar fills in.
	return bytes.ReplaceAll(text, []byte("$(SHARD)"), []byte("0")), err
}

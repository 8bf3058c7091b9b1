// Package stacktest reads declarations for tests: YAML as users write it, with what the API server adds.
package stacktest

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/amconfig"
	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/grafana"
	"github.com/hearth-monitoring/hearth/internal/monitors"
	"github.com/hearth-monitoring/hearth/internal/rules"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// Images are the operator's defaults in tests.
func Images() stack.Images {
	return stack.Images{Hearth: "hearth:test", PrometheusVersion: "3.15.0", AlertmanagerVersion: "0.31.1", StateMetricsVersion: "2.20.0",
		GrafanaVersion: "13.2.0"}
}

// Declared is what a file declares.
type Declared struct {
	Servers       []v1alpha1.PrometheusServer
	NodeExporters []v1alpha1.NodeExporter
	AlertRules    []v1alpha1.AlertRule
	// Monitors are compiled already.
	Monitors []*stack.Monitor
	// NamespaceLabels are the labels of each declared namespace, by its name.
	NamespaceLabels map[string]map[string]string
}

// Inputs are what the operator would gather for one of the servers.
func (d Declared) Inputs(server *v1alpha1.PrometheusServer) stack.Inputs {
	return stack.Inputs{
		Server: server, NodeExporters: d.NodeExporters, AlertRules: Judged(d.AlertRules), Others: d.Servers, Monitors: d.Monitors,
		NamespaceLabels: d.NamespaceLabels, Images: Images(), Operator: Operator(), Dashboards: Dashboards(),
	}
}

// Dashboards are what the operator has of them in tests: what is in them is no matter of what becomes of them.
func Dashboards() []grafana.Dashboard {
	return []grafana.Dashboard{
		{UID: "hearth-nodes", Title: "Nodes", Folder: "Hearth", JSON: []byte(`{"uid":"hearth-nodes","title":"Nodes"}`)},
		{UID: "hearth-more", Title: "More", Folder: "Hearth: more", JSON: []byte(`{"uid":"hearth-more","title":"More"}`)},
	}
}

// Operator is the operator in tests.
func Operator() stack.Operator {
	return stack.Operator{Namespace: "hearth-system", ServerName: "hearth-webhook.hearth-system.svc", Authorities: []byte("-----BEGIN CERTIFICATE-----\n")}
}

// Judged are AlertRules as the operator knows them once it has judged each, by namespace and name. One that is being
// deleted is gone.
func Judged(all []v1alpha1.AlertRule) []*stack.AlertRule {
	var out []*stack.AlertRule
	for i := range all {
		ar := &all[i]
		if ar.DeletionTimestamp != nil {
			continue
		}
		judged := &stack.AlertRule{Namespace: ar.Namespace, Name: ar.Name, UID: string(ar.UID), Generation: ar.Generation, Labels: ar.Labels, Judged: true,
			Created: ar.CreationTimestamp, Routing: amconfig.Contribute(ar)}
		v := rules.Judge(ar)
		if judged.Problem = v.Problem(); judged.Problem == "" {
			judged.File = bundle.File{Path: v.File.Path, Content: bundle.NewContent(v.File.Text), Rules: v.File.Rules}
		}
		out = append(out, judged)
	}
	slices.SortFunc(out, func(a, b *stack.AlertRule) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// ExporterInputs are what the operator would gather for one of the exporters.
func (d Declared) ExporterInputs(exporter *v1alpha1.NodeExporter) stack.ExporterInputs {
	return stack.ExporterInputs{Exporter: exporter, Servers: d.Servers, NamespaceLabels: d.NamespaceLabels, Images: Images()}
}

// Read reads a file of many documents and applies the defaults of the CRDs, which are in config/crd. A field that the
// types don't have is an error.
func Read(crds fs.FS, text []byte) (Declared, error) {
	out := Declared{NamespaceLabels: map[string]map[string]string{}}
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for i := 1; ; i++ {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err == nil {
			err = out.add(crds, document)
		}
		if err != nil {
			return Declared{}, fmt.Errorf("document %d: %w", i, err)
		}
	}
}

func (d *Declared) add(crds fs.FS, document []byte) error {
	var object map[string]any
	if err := yaml.Unmarshal(document, &object); err != nil || object == nil {
		return err
	}
	switch kind := object["kind"]; kind {
	case "Namespace":
		var ns corev1.Namespace
		if err := yaml.UnmarshalStrict(document, &ns); err != nil {
			return err
		}
		labels := map[string]string{corev1.LabelMetadataName: ns.Name}
		for k, v := range ns.Labels {
			labels[k] = v
		}
		d.NamespaceLabels[ns.Name] = labels
		return nil
	case "PrometheusServer":
		return add(crds, "prometheusservers", object, &d.Servers)
	case "NodeExporter":
		return add(crds, "nodeexporters", object, &d.NodeExporters)
	case "AlertRule":
		return add(crds, "alertrules", object, &d.AlertRules)
	case string(monitors.ServiceMonitorKind), string(monitors.PodMonitorKind), string(monitors.ProbeKind), string(monitors.ScrapeConfigKind):
		return d.monitor(monitors.Kind(fmt.Sprint(kind)), document)
	default:
		return fmt.Errorf("kind %v is none that Hearth reads", kind)
	}
}

func (d *Declared) monitor(kind monitors.Kind, document []byte) error {
	switch kind {
	case monitors.PodMonitorKind:
		return compiled(d, kind, document, new(monitoringv1.PodMonitor), monitors.OfPodMonitor)
	case monitors.ProbeKind:
		return compiled(d, kind, document, new(monitoringv1.Probe), monitors.OfProbe)
	case monitors.ScrapeConfigKind:
		return compiled(d, kind, document, new(monitoringv1alpha1.ScrapeConfig), monitors.OfScrapeConfig)
	}
	return compiled(d, kind, document, new(monitoringv1.ServiceMonitor), monitors.OfServiceMonitor)
}

func compiled[T metav1.Object](d *Declared, kind monitors.Kind, document []byte, o T, compile func(T) (*monitors.Compiled, field.ErrorList)) error {
	if err := yaml.UnmarshalStrict(document, o); err != nil {
		return err
	}
	made, errs := compile(o)
	m := &stack.Monitor{Kind: kind, Namespace: o.GetNamespace(), Name: o.GetName(), Labels: o.GetLabels(), Created: o.GetCreationTimestamp(), Compiled: made}
	if len(errs) > 0 {
		m.Problem = errs.ToAggregate().Error()
	}
	d.Monitors = append(d.Monitors, m)
	return nil
}

func add[T any](crds fs.FS, plural string, object map[string]any, to *[]T) error {
	structural, err := schemaOf(crds, plural)
	if err != nil {
		return err
	}
	defaulting.Default(object, structural)
	text, err := yaml.Marshal(object)
	if err != nil {
		return err
	}
	var typed T
	if err := yaml.UnmarshalStrict(text, &typed); err != nil {
		return err
	}
	*to = append(*to, typed)
	return nil
}

func schemaOf(crds fs.FS, plural string) (*schema.Structural, error) {
	text, err := fs.ReadFile(crds, "monitoring.hearth.dev_"+plural+".yaml")
	if err != nil {
		return nil, err
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(text, &crd); err != nil {
		return nil, err
	}
	var props apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(
		crd.Spec.Versions[0].Schema.OpenAPIV3Schema, &props, nil); err != nil {
		return nil, err
	}
	return schema.NewStructural(&props)
}

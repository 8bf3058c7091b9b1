package manifests

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/hearth-monitoring/hearth/internal/grafana"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// GrafanaOperatorVersion is the version of grafana-operator's kinds that Hearth writes.
func GrafanaOperatorVersion() schema.GroupVersion {
	return schema.GroupVersion{Group: "grafana.integreatly.org", Version: "v1beta1"}
}

// The kinds of grafana-operator that Hearth writes.
const (
	KindGrafanaDatasource = "GrafanaDatasource"
	KindGrafanaDashboard  = "GrafanaDashboard"
)

// The structs below are the parts of grafana-operator's objects that Hearth writes
// (https://grafana.github.io/grafana-operator/docs/api/). Its own types would bring a good part of it along.

type operatorInstances struct {
	InstanceSelector          metav1.LabelSelector `json:"instanceSelector"`
	AllowCrossNamespaceImport bool                 `json:"allowCrossNamespaceImport,omitempty"`
}

type operatorDatasourceSpec struct {
	operatorInstances `json:",inline"`

	Datasource operatorDatasource  `json:"datasource"`
	ValuesFrom []operatorValueFrom `json:"valuesFrom,omitempty"`
}

type operatorDatasource struct {
	UID            string            `json:"uid"`
	Name           string            `json:"name"`
	Type           string            `json:"type"`
	Access         string            `json:"access"`
	URL            string            `json:"url"`
	IsDefault      bool              `json:"isDefault"`
	BasicAuth      bool              `json:"basicAuth,omitempty"`
	BasicAuthUser  string            `json:"basicAuthUser,omitempty"`
	JSONData       grafana.JSONData  `json:"jsonData"`
	SecureJSONData map[string]string `json:"secureJsonData,omitempty"`
}

// operatorValueFrom puts a key of a Secret where the field has its name in ${}.
type operatorValueFrom struct {
	TargetPath string              `json:"targetPath"`
	ValueFrom  operatorValueSource `json:"valueFrom"`
}

type operatorValueSource struct {
	SecretKeyRef *corev1.SecretKeySelector `json:"secretKeyRef"`
}

type operatorDashboardSpec struct {
	operatorInstances `json:",inline"`

	ConfigMapRef corev1.ConfigMapKeySelector `json:"configMapRef"`
	Folder       string                      `json:"folder"`
}

// GrafanaOperator lists the objects for grafana-operator. Its kinds may not be there, so they are no children like the others.
func GrafanaOperator(s *stack.Stack) ([]*unstructured.Unstructured, error) {
	if s.Grafana == nil || s.Grafana.Operator == nil {
		return nil, nil
	}
	g := s.Grafana.Operator
	which := operatorInstances{InstanceSelector: metav1.LabelSelector{MatchLabels: g.Labels}, AllowCrossNamespaceImport: g.EveryNamespace}
	var out []*unstructured.Unstructured
	add := func(kind, name string, spec any) error {
		object, err := operatorObject(s, kind, stack.GrafanaBase(s.Name)+"-"+name, spec)
		out = append(out, object)
		return err
	}
	for _, d := range g.Contents.Datasources {
		name := d.Type
		if d.Shard > 0 {
			name = fmt.Sprintf("%s-shard-%d", name, d.Shard)
		}
		if err := add(KindGrafanaDatasource, name, operatorDatasourceOf(which, d)); err != nil {
			return nil, err
		}
	}
	for _, d := range g.Contents.Dashboards {
		spec := &operatorDashboardSpec{operatorInstances: which, Folder: d.Folder, ConfigMapRef: corev1.ConfigMapKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: DashboardName(s.Name, d.UID)}, Key: DashboardKey(d.UID),
		}}
		if err := add(KindGrafanaDashboard, d.UID, spec); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func operatorDatasourceOf(which operatorInstances, d grafana.Datasource) *operatorDatasourceSpec {
	out := &operatorDatasourceSpec{operatorInstances: which, Datasource: operatorDatasource{
		UID: d.UID, Name: d.Name, Type: d.Type, Access: "proxy", URL: d.URL, IsDefault: d.Default, JSONData: d.JSON,
	}}
	from := func(path string, key grafana.SecretKey) string {
		out.ValuesFrom = append(out.ValuesFrom, operatorValueFrom{TargetPath: path, ValueFrom: operatorValueSource{
			SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: key.Secret}, Key: key.Key},
		}})
		return "${" + key.Key + "}"
	}
	if d.BasicAuthUser != nil {
		out.Datasource.BasicAuth, out.Datasource.BasicAuthUser = true, from("basicAuthUser", *d.BasicAuthUser)
	}
	for _, name := range slices.Sorted(maps.Keys(d.Secure)) {
		if out.Datasource.SecureJSONData == nil {
			out.Datasource.SecureJSONData = map[string]string{}
		}
		out.Datasource.SecureJSONData[name] = from("secureJsonData."+name, d.Secure[name])
	}
	return out
}

func operatorObject(s *stack.Stack, kind, name string, spec any) (*unstructured.Unstructured, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(spec)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", kind, name, err)
	}
	out := &unstructured.Unstructured{Object: map[string]any{"spec": fields}}
	out.SetGroupVersionKind(GrafanaOperatorVersion().WithKind(kind))
	meta := grafanaMeta(s, name)
	out.SetNamespace(meta.Namespace)
	out.SetName(meta.Name)
	out.SetLabels(meta.Labels)
	return out, nil
}

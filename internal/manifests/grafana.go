package manifests

import (
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/hearth-monitoring/hearth/internal/grafana"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// What the sidecar of the widespread chart looks for: ConfigMaps with these labels, and the folder of a dashboard.
const (
	sidecarDatasource = "grafana_datasource"
	sidecarDashboard  = "grafana_dashboard"
	sidecarFolder     = "grafana_folder"
	sidecarYes        = "1"
)

// Keys of the ConfigMap from which the server's own Grafana is provisioned.
const (
	datasourcesKey = "datasources.yaml"
	providersKey   = "dashboards.yaml"
)

// Grafana lists the objects by which people get to look at a server, in the order in which they are applied. They are not
// among those of Server, because nothing that is wrong with them should keep a server from being made.
func Grafana(s *stack.Stack) ([]Object, error) {
	g := s.Grafana
	if g == nil {
		return nil, nil
	}
	var out []Object
	if g.Deployment != nil || g.Sidecar != nil || g.Operator != nil {
		for i := range g.Dashboards {
			out = append(out, dashboardConfigMap(s, &g.Dashboards[i]))
		}
	}
	if g.Sidecar != nil && g.Sidecar.Problem == "" {
		datasources, err := sidecarDatasources(s, g.Sidecar)
		if err != nil {
			return nil, err
		}
		out = append(out, datasources)
	}
	if g.Deployment == nil {
		return out, nil
	}
	provisioning, err := grafanaProvisioning(s, g.Deployment)
	if err != nil {
		return nil, err
	}
	return append(out,
		account(grafanaMeta(s, g.Deployment.Base)), provisioning, grafanaService(s, g.Deployment), grafanaDeployment(s, g.Deployment, provisioning)), nil
}

// grafanaMeta is that of everything that is about Grafana, whosever Grafana it is.
func grafanaMeta(s *stack.Stack, name string) metav1.ObjectMeta {
	labels := merged(s.Labels, stack.GrafanaSelector(s.Name), map[string]string{"app.kubernetes.io/component": "grafana"})
	return metav1.ObjectMeta{Namespace: s.Namespace, Name: name, Labels: labels}
}

// DashboardName is the name of the ConfigMap of a dashboard, DashboardKey its key in it.
func DashboardName(server, uid string) string { return stack.GrafanaBase(server) + "-dashboard-" + uid }

// DashboardKey is the same for every server: where two of them share a sidecar, it writes one file and not two.
func DashboardKey(uid string) string { return uid + ".json" }

// dashboardConfigMap is read by the server's own Grafana, by a sidecar and by grafana-operator alike.
func dashboardConfigMap(s *stack.Stack, d *grafana.Dashboard) *corev1.ConfigMap {
	meta := grafanaMeta(s, DashboardName(s.Name, d.UID))
	if s.Grafana.Sidecar != nil {
		meta.Labels[sidecarDashboard] = sidecarYes
		meta.Annotations = map[string]string{sidecarFolder: d.Folder}
	}
	return configMap(meta, map[string]string{DashboardKey(d.UID): string(d.JSON)})
}

func sidecarDatasources(s *stack.Stack, g *stack.GrafanaSidecar) (*corev1.ConfigMap, error) {
	text, err := grafana.Datasources(g.Contents.Datasources, g.Variables, false)
	if err != nil {
		return nil, err
	}
	meta := grafanaMeta(s, stack.GrafanaBase(s.Name)+"-datasources")
	meta.Labels[sidecarDatasource] = sidecarYes
	// The sidecar writes all it finds into one directory, so the name says whose it is.
	return configMap(meta, map[string]string{fmt.Sprintf("hearth_%s_%s.yaml", s.Namespace, s.Name): text}), nil
}

func grafanaProvisioning(s *stack.Stack, g *stack.GrafanaDeployment) (*corev1.ConfigMap, error) {
	datasources, err := grafana.Datasources(g.Contents.Datasources, grafanaVariables, true)
	if err != nil {
		return nil, err
	}
	providers, err := grafana.Providers(g.Contents.Folders, grafanaDashboardsDir)
	if err != nil {
		return nil, err
	}
	return configMap(grafanaMeta(s, g.Base), map[string]string{datasourcesKey: datasources, providersKey: providers}), nil
}

func configMap(meta metav1.ObjectMeta, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}, ObjectMeta: meta, Data: data}
}

func grafanaService(s *stack.Stack, g *stack.GrafanaDeployment) *corev1.Service {
	meta := grafanaMeta(s, g.Base)
	meta.Annotations = maps.Clone(g.Service.Annotations)
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: meta,
		Spec: corev1.ServiceSpec{
			Type:     g.Service.Type,
			Selector: g.Selector,
			Ports: []corev1.ServicePort{{
				Name: grafanaPortName, Protocol: corev1.ProtocolTCP, Port: g.Service.Port, TargetPort: intstr.FromString(grafanaPortName), NodePort: g.Service.NodePort,
			}},
			SessionAffinity: corev1.ServiceAffinityNone,
		},
	}
}

// GrafanaClaim is where a Grafana keeps its database. It is none of the children that are pruned: what people made in it
// outlives every spec.
func GrafanaClaim(s *stack.Stack) *corev1.PersistentVolumeClaim {
	g := s.Grafana.Deployment
	return &corev1.PersistentVolumeClaim{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"},
		ObjectMeta: grafanaMeta(s, g.Base),
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			StorageClassName: g.Storage.StorageClassName,
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: g.Storage.Size},
			},
		},
	}
}

package stack

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/grafana"
)

// GrafanaPort is where a Grafana listens in its pod.
const GrafanaPort = 3000

// Grafana is where people look at what a server has, by each way that is declared.
type Grafana struct {
	// Deployment is the server's own, nil for none.
	Deployment *GrafanaDeployment
	// Existing is told by its HTTP API, nil for none.
	Existing *GrafanaExisting
	// Sidecar is that of ConfigMaps, nil for none.
	Sidecar *GrafanaSidecar
	// Operator is that of grafana-operator, nil for none.
	Operator *GrafanaOperator
	// Dashboards are in each of them that has any.
	Dashboards []grafana.Dashboard
}

// GrafanaDeployment is a Grafana that can be built.
type GrafanaDeployment struct {
	// Base is grafana-<server>: the ServiceAccount, the Service, the Deployment, the claim, the ConfigMap.
	Base string
	// Selector are the labels by which its pod is found; they never change.
	Selector map[string]string
	// Labels are on every object made for it; they contain Selector.
	Labels map[string]string

	Image       string
	PullSecrets []corev1.LocalObjectReference
	// AdminSecret has the administrator's name and password. Generated is true where Hearth makes it.
	AdminSecret string
	Generated   bool
	Storage     v1alpha1.GrafanaStorage
	ExternalURL string
	Service     v1alpha1.GrafanaService
	Scheduling  Scheduling
	Contents    grafana.Contents
}

// GrafanaExisting is a Grafana with an HTTP API.
type GrafanaExisting struct {
	URL      string
	Token    grafana.SecretKey
	TLS      *v1alpha1.ClientTLS
	Contents grafana.Contents
}

// GrafanaSidecar is a Grafana beside which a sidecar reads ConfigMaps.
type GrafanaSidecar struct {
	// Variables begins the names of the environment variables with what is secret.
	Variables string
	// Problem is why its datasources can't be written, empty if they can.
	Problem  string
	Contents grafana.Contents
}

// GrafanaOperator are the Grafanas of grafana-operator that have these labels.
type GrafanaOperator struct {
	Labels         map[string]string
	EveryNamespace bool
	Contents       grafana.Contents
}

// GrafanaBase is the name of what is made for the Grafana of the PrometheusServer of this name.
func GrafanaBase(server string) string { return "grafana-" + server }

// GrafanaSelector are the labels by which the pod of a server's Grafana is found.
func GrafanaSelector(server string) map[string]string {
	return map[string]string{labelName: "grafana", labelInstance: server, LabelServer: server}
}

// resolveGrafana is nil where none is declared. It goes by what s is so far.
func resolveGrafana(in Inputs, s *Stack, path *field.Path) (*Grafana, field.ErrorList) {
	declared := in.Server.Spec.Grafana
	if declared == nil {
		return nil, nil
	}
	if errs := checkGrafana(in.Server, path); len(errs) > 0 {
		return nil, errs
	}
	out := &Grafana{}
	if valueOr(declared.Dashboards, true) {
		out.Dashboards = in.Dashboards
	}
	contents := func(byDefault bool) grafana.Contents {
		byDefault = valueOr(declared.Default, byDefault)
		return grafana.Contents{
			Datasources: datasources(in, s, byDefault), Dashboards: out.Dashboards, Folders: grafana.FoldersOf(out.Dashboards),
		}
	}
	if declared.Deploy != nil {
		out.Deployment = grafanaDeployment(in, declared.Deploy)
		out.Deployment.Contents = contents(true)
	}
	if e := declared.Existing; e != nil {
		out.Existing = &GrafanaExisting{URL: strings.TrimSuffix(string(e.URL), "/"), Token: secretKey(e.TokenSecret), TLS: e.TLS, Contents: contents(false)}
	}
	if declared.Sidecar != nil {
		out.Sidecar = &GrafanaSidecar{Variables: declared.Sidecar.CredentialsFrom, Contents: contents(false)}
		out.Sidecar.Problem = credentialsProblem(out.Sidecar, path)
	}
	if o := declared.Operator; o != nil {
		out.Operator = &GrafanaOperator{Labels: o.InstanceLabels, EveryNamespace: o.EveryNamespace, Contents: contents(false)}
	}
	return out, nil
}

func secretKey(k v1alpha1.SecretKey) grafana.SecretKey {
	return grafana.SecretKey{Secret: k.Name, Key: k.Key}
}

// credentialsProblem says what is to be done where a Grafana that is not Hearth's would need to know something secret.
func credentialsProblem(g *GrafanaSidecar, path *field.Path) string {
	needed := grafana.Variables(g.Contents.Datasources, "MAIN")
	if g.Variables != "" || len(needed) == 0 {
		return ""
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(needed)) {
		parts = append(parts, fmt.Sprintf("%s from key %s of Secret %s", name, needed[name].Key, needed[name].Secret))
	}
	return fmt.Sprintf("no datasource is written, because spec.web protects the server and a ConfigMap is no place for what it takes to ask it: "+
		"give that Grafana's container the environment variables %s, and set %s: MAIN",
		strings.Join(parts, ", "), path.Child("sidecar", "credentialsFrom"))
}

func grafanaDeployment(in Inputs, declared *v1alpha1.GrafanaDeployment) *GrafanaDeployment {
	server := in.Server.Name
	out := &GrafanaDeployment{
		Base:        GrafanaBase(server),
		Selector:    GrafanaSelector(server),
		Image:       declared.Image,
		PullSecrets: in.Server.Spec.ImagePullSecrets,
		AdminSecret: GrafanaBase(server) + "-admin",
		Generated:   declared.AdminSecret == nil,
		Storage:     declared.Storage,
		ExternalURL: declared.ExternalURL,
		Service:     declared.Service,
		Scheduling: Scheduling{
			Resources:    valueOr(declared.Resources, grafanaResources()),
			NodeSelector: declared.NodeSelector,
			Tolerations:  declared.Tolerations,
		},
	}
	if out.Image == "" {
		out.Image = "grafana/grafana:" + cmp.Or(declared.Version, in.Images.GrafanaVersion)
	}
	if !out.Generated {
		out.AdminSecret = declared.AdminSecret.SecretName
	}
	out.Labels = maps.Clone(out.Selector)
	out.Labels[LabelManagedBy] = ManagedBy
	out.Labels[labelComponent] = "grafana"
	return out
}

func grafanaResources() corev1.ResourceRequirements {
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("50m"), corev1.ResourceMemory: resource.MustParse("256Mi")},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")},
	}
}

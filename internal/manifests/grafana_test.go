package manifests_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hearth-monitoring/hearth/internal/dashboards"
	"github.com/hearth-monitoring/hearth/internal/manifests"
)

// The structs below are Grafana's provisioning files as its documentation of version 13 has them, whole: a field that is not
// in them is one that Grafana does not know.

type documentedDatasources struct {
	APIVersion        int `yaml:"apiVersion"`
	Prune             bool
	DeleteDatasources []struct {
		Name  string
		OrgID int `yaml:"orgId"`
	} `yaml:"deleteDatasources"`
	Datasources []documentedDatasource
}

type documentedDatasource struct {
	Name, Type, Access, UID, URL, User, Database string
	OrgID                                        int    `yaml:"orgId"`
	BasicAuth                                    bool   `yaml:"basicAuth"`
	BasicAuthUser                                string `yaml:"basicAuthUser"`
	WithCredentials                              bool   `yaml:"withCredentials"`
	IsDefault                                    bool   `yaml:"isDefault"`
	JSONData                                     struct {
		HTTPMethod                 string `yaml:"httpMethod"`
		ManageAlerts               bool   `yaml:"manageAlerts"`
		AllowAsRecordingRules      bool   `yaml:"allowAsRecordingRulesTarget"`
		AlertmanagerUID            string `yaml:"alertmanagerUid"`
		PrometheusType             string `yaml:"prometheusType"`
		PrometheusVersion          string `yaml:"prometheusVersion"`
		CacheLevel                 string `yaml:"cacheLevel"`
		TimeInterval               string `yaml:"timeInterval"`
		QueryTimeout               string `yaml:"queryTimeout"`
		DefaultEditor              string `yaml:"defaultEditor"`
		DisableMetricsLookup       bool   `yaml:"disableMetricsLookup"`
		CustomQueryParameters      string `yaml:"customQueryParameters"`
		Implementation             string
		HandleGrafanaManagedAlerts bool   `yaml:"handleGrafanaManagedAlerts"`
		TLSAuth                    bool   `yaml:"tlsAuth"`
		TLSAuthWithCACert          bool   `yaml:"tlsAuthWithCACert"`
		TLSSkipVerify              bool   `yaml:"tlsSkipVerify"`
		ServerName                 string `yaml:"serverName"`
	} `yaml:"jsonData"`
	SecureJSONData struct {
		TLSCACert         string `yaml:"tlsCACert"`
		TLSClientCert     string `yaml:"tlsClientCert"`
		TLSClientKey      string `yaml:"tlsClientKey"`
		BasicAuthPassword string `yaml:"basicAuthPassword"`
	} `yaml:"secureJsonData"`
	Version  int
	Editable bool
}

type documentedProviders struct {
	APIVersion int `yaml:"apiVersion"`
	Providers  []struct {
		Name                  string
		OrgID                 int `yaml:"orgId"`
		Folder                string
		FolderUID             string `yaml:"folderUid"`
		Type                  string
		DisableDeletion       bool `yaml:"disableDeletion"`
		UpdateIntervalSeconds int  `yaml:"updateIntervalSeconds"`
		AllowUIUpdates        bool `yaml:"allowUiUpdates"`
		Options               struct {
			Path                      string
			FoldersFromFilesStructure bool `yaml:"foldersFromFilesStructure"`
		}
	}
}

func strictly(t *testing.T, text string, into any) {
	t.Helper()
	decoder := yaml.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil {
		t.Fatalf("not as Grafana documents it: %v\n%s", err, text)
	}
}

// TestProvisioningFiles reads every provisioning file there is as strictly as Grafana's documentation allows, with what it
// takes from the environment expanded as Grafana does.
func TestProvisioningFiles(t *testing.T) {
	files := 0
	forEachCase(t, func(t *testing.T, c testCase) {
		for _, owner := range render(t, c.declared) {
			uids, names, defaults := map[string]bool{}, map[string]bool{}, 0
			for _, o := range owner.objects {
				object, ok := o.(*corev1.ConfigMap)
				if !ok || !strings.HasPrefix(object.Name, "grafana-") {
					continue
				}
				for key, text := range object.Data {
					switch {
					case key == "dashboards.yaml":
						files++
						checkProviders(t, owner, text)
					case strings.HasSuffix(key, ".yaml"):
						files++
						var file documentedDatasources
						strictly(t, expanded(text), &file)
						for i := range file.Datasources {
							d := &file.Datasources[i]
							checkDatasource(t, d)
							if uids[d.UID] || names[d.Name] {
								t.Errorf("two datasources are %s or %q", d.UID, d.Name)
							}
							uids[d.UID], names[d.Name] = true, true
							if d.IsDefault {
								defaults++
							}
						}
					}
				}
			}
			if defaults > 1 {
				t.Errorf("%s: Grafana does not start with %d defaults", owner, defaults)
			}
		}
	})
	if files < 5 {
		t.Errorf("only %d files were read", files)
	}
}

// password has what would not survive being expanded twice.
const password = `pa$$w0rd${HOME}$HOME`

// expanded is a value as Grafana makes it: $$ is $, and $NAME is the variable, once.
func expanded(text string) string {
	parts := strings.Split(text, "$$")
	for i := range parts {
		parts[i] = os.Expand(parts[i], func(name string) string {
			switch {
			case strings.HasSuffix(name, "_PASSWORD"):
				return password
			case strings.HasSuffix(name, "_USERNAME"):
				return "grafana"
			case strings.HasSuffix(name, "_CA"):
				return "a certificate"
			}
			return "NOT SET: " + name
		})
	}
	return strings.Join(parts, "$")
}

func checkDatasource(t *testing.T, d *documentedDatasource) {
	t.Helper()
	if d.UID == "" || len(d.UID) > 40 || d.Access != "proxy" || d.OrgID != 1 || d.Editable {
		t.Errorf("%+v", d)
	}
	if strings.HasPrefix(d.URL, "https:") != (d.JSONData.TLSAuthWithCACert || d.JSONData.TLSSkipVerify) {
		t.Errorf("%s: whom Grafana trusts at %s is left to chance", d.UID, d.URL)
	}
	if d.JSONData.TLSAuthWithCACert != (d.SecureJSONData.TLSCACert == "a certificate") {
		t.Errorf("%s: the authority is %q", d.UID, d.SecureJSONData.TLSCACert)
	}
	if want := map[bool]string{true: password}[d.BasicAuth]; d.SecureJSONData.BasicAuthPassword != want {
		t.Errorf("%s: the password arrives as %q, want %q", d.UID, d.SecureJSONData.BasicAuthPassword, want)
	}
	if d.BasicAuth != (d.BasicAuthUser == "grafana") {
		t.Errorf("%s: the user arrives as %q", d.UID, d.BasicAuthUser)
	}
	switch d.Type {
	case "prometheus":
		if d.JSONData.TimeInterval == "" || d.JSONData.HTTPMethod != "POST" || d.JSONData.PrometheusType != "Prometheus" || !d.JSONData.ManageAlerts {
			t.Errorf("%s: %+v", d.UID, d.JSONData)
		}
	case "alertmanager":
		if d.JSONData.Implementation != "prometheus" || d.JSONData.HandleGrafanaManagedAlerts {
			t.Errorf("%s: %+v", d.UID, d.JSONData)
		}
	default:
		t.Errorf("%s is of type %s", d.UID, d.Type)
	}
}

// checkProviders: each provider reads a directory of its own, in which there is something.
func checkProviders(t *testing.T, owner owned, text string) {
	t.Helper()
	var file documentedProviders
	strictly(t, text, &file)
	var want, got []string
	for _, p := range file.Providers {
		if p.Type != "file" || p.AllowUIUpdates || p.Name == "" || p.FolderUID == "" || len(p.FolderUID) > 40 || p.UpdateIntervalSeconds == 0 {
			t.Errorf("%+v", p)
		}
		want = append(want, p.Options.Path)
	}
	for _, o := range owner.objects {
		pod := podOf(o)
		if pod == nil || pod.Containers[0].Name != "grafana" {
			continue
		}
		for _, v := range pod.Volumes {
			if v.Name == "dashboards" && v.Projected != nil {
				for _, source := range v.Projected.Sources {
					got = append(got, filepath.Join("/etc/grafana/dashboards", filepath.Dir(source.ConfigMap.Items[0].Path)))
				}
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("where providers look, and where dashboards are mounted:\n%s", diff)
	}
}

// TestDashboardsHaveNames: the objects that hold them are named after their uids.
func TestDashboardsHaveNames(t *testing.T) {
	for _, d := range dashboards.All() {
		name := manifests.DashboardName(strings.Repeat("s", 36), d.UID)
		if problems := validation.NameIsDNSSubdomain(name, false); len(problems) > 0 {
			t.Errorf("%s: %v", d.UID, problems)
		}
		if problems := validation.ValidateAnnotations(map[string]string{"grafana_folder": d.Folder}, field.NewPath("annotations")); len(problems) > 0 || strings.Contains(d.Folder, "/") {
			t.Errorf("%s is in folder %q: %v", d.UID, d.Folder, problems)
		}
		if len(d.JSON) > 512<<10 {
			t.Errorf("%s has %d bytes, too many for a ConfigMap and its copy in an annotation", d.UID, len(d.JSON))
		}
	}
}

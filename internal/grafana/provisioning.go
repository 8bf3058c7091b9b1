package grafana

import (
	"bytes"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Where the files below belong, under the directory that Grafana is given as paths.provisioning.
const (
	DatasourcesFile = "datasources/hearth.yaml"
	ProvidersFile   = "dashboards/hearth.yaml"
)

// The structs below are Grafana's provisioning files, as far as Hearth writes them
// (https://grafana.com/docs/grafana/latest/administration/provisioning/).

type datasourcesFile struct {
	APIVersion int `yaml:"apiVersion"`
	// Prune takes away what an earlier version of the file brought.
	Prune       bool         `yaml:"prune,omitempty"`
	Datasources []datasource `yaml:"datasources"`
}

type datasource struct {
	Name           string            `yaml:"name"`
	UID            string            `yaml:"uid"`
	Type           string            `yaml:"type"`
	Access         string            `yaml:"access"`
	OrgID          int               `yaml:"orgId"`
	URL            string            `yaml:"url"`
	IsDefault      bool              `yaml:"isDefault"`
	BasicAuth      bool              `yaml:"basicAuth,omitempty"`
	BasicAuthUser  string            `yaml:"basicAuthUser,omitempty"`
	JSONData       JSONData          `yaml:"jsonData"`
	SecureJSONData map[string]string `yaml:"secureJsonData,omitempty"`
	Editable       bool              `yaml:"editable"`
}

type providersFile struct {
	APIVersion int        `yaml:"apiVersion"`
	Providers  []provider `yaml:"providers"`
}

type provider struct {
	Name                  string          `yaml:"name"`
	OrgID                 int             `yaml:"orgId"`
	Folder                string          `yaml:"folder"`
	FolderUID             string          `yaml:"folderUid"`
	Type                  string          `yaml:"type"`
	DisableDeletion       bool            `yaml:"disableDeletion"`
	AllowUIUpdates        bool            `yaml:"allowUiUpdates"`
	UpdateIntervalSeconds int             `yaml:"updateIntervalSeconds"`
	Options               providerOptions `yaml:"options"`
}

type providerOptions struct {
	Path string `yaml:"path"`
}

// org is the one organisation that a Grafana has until somebody makes another.
const org = 1

// The ends of the names of the environment variables in which a Grafana finds what is secret in its datasources.
const (
	variableUser     = "_USERNAME"
	variablePassword = "_PASSWORD"
	variableCA       = "_CA"
)

// Variables are the environment variables, by name, that Datasources names with this prefix, and where their values are.
func Variables(all []Datasource, prefix string) map[string]SecretKey {
	out := map[string]SecretKey{}
	for _, d := range all {
		if d.BasicAuthUser != nil {
			out[prefix+variableUser] = *d.BasicAuthUser
		}
		for field, key := range d.Secure {
			out[prefix+variableOf(field)] = key
		}
	}
	return out
}

func variableOf(field string) string {
	if field == SecureCA {
		return variableCA
	}
	return variablePassword
}

// Datasources is the file of datasources. What is secret in them it takes from environment variables that begin with prefix,
// so nothing secret is in it.
//
// From files, which Grafana could read as well, it would expand what it read once more: a $ in a password would be lost.
// prune is for a Grafana that has this file alone.
func Datasources(all []Datasource, prefix string, prune bool) (string, error) {
	file := datasourcesFile{APIVersion: 1, Prune: prune, Datasources: []datasource{}}
	for _, d := range all {
		written := datasource{
			Name: literal(d.Name), UID: d.UID, Type: d.Type, Access: "proxy", OrgID: org, URL: literal(d.URL), IsDefault: d.Default, JSONData: d.JSON,
		}
		written.JSONData.ServerName = literal(d.JSON.ServerName)
		if d.BasicAuthUser != nil {
			written.BasicAuth, written.BasicAuthUser = true, "$"+prefix+variableUser
		}
		for field := range d.Secure {
			if written.SecureJSONData == nil {
				written.SecureJSONData = map[string]string{}
			}
			written.SecureJSONData[field] = "$" + prefix + variableOf(field)
		}
		file.Datasources = append(file.Datasources, written)
	}
	return encode(file)
}

// literal is a value that reaches Grafana as it is written here: it expands $NAME, and $$ to $.
func literal(value string) string { return strings.ReplaceAll(value, "$", "$$") }

// Providers is the file that says where dashboards are: each folder's in the directory of its uid below dir. Grafana looks
// there for changes by itself, and lets nobody change in its pages what it would then put back.
func Providers(folders []Folder, dir string) (string, error) {
	file := providersFile{APIVersion: 1, Providers: []provider{}}
	for _, f := range folders {
		file.Providers = append(file.Providers, provider{
			Name: f.UID, OrgID: org, Folder: literal(f.Title), FolderUID: f.UID, Type: "file", UpdateIntervalSeconds: 30,
			Options: providerOptions{Path: dir + "/" + f.UID},
		})
	}
	return encode(file)
}

func encode(file any) (string, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(file); err != nil {
		return "", fmt.Errorf("write a provisioning file: %w", err)
	}
	return out.String(), nil
}

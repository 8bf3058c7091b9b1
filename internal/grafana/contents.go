// Package grafana is what should be in a Grafana, and the text by which a Grafana is told at its start. How it gets there
// besides, by its HTTP API, through a sidecar or by grafana-operator, is others' business: all of them take what is here.
package grafana

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Contents is what Hearth wants to be in one Grafana.
type Contents struct {
	Datasources []Datasource
	// Folders are those that the dashboards name, by title.
	Folders    []Folder
	Dashboards []Dashboard
}

// SecretKey is where a secret is: a key of a Secret in the namespace of the server. The secret itself is never here.
type SecretKey struct {
	Secret, Key string
}

// The types of datasources.
const (
	TypePrometheus   = "prometheus"
	TypeAlertmanager = "alertmanager"
)

// The fields of secureJsonData that Hearth sets.
const (
	SecureCA       = "tlsCACert"
	SecurePassword = "basicAuthPassword"
)

// Datasource is one datasource. Grafana itself asks it (access: proxy), not the browser.
type Datasource struct {
	UID, Name, Type, URL string
	// Shard is the number of the server's shard that is asked.
	Shard int32
	// Default is the one that Grafana takes where none is named.
	Default bool
	JSON    JSONData
	// BasicAuthUser is where the user name is, nil where none is asked for.
	BasicAuthUser *SecretKey
	// Secure says where the values of secureJsonData are, by its fields.
	Secure map[string]SecretKey
}

// JSONData is what Hearth sets of a datasource's jsonData, with Grafana's own names.
type JSONData struct {
	TimeInterval               string `json:"timeInterval,omitempty" yaml:"timeInterval,omitempty"`
	HTTPMethod                 string `json:"httpMethod,omitempty" yaml:"httpMethod,omitempty"`
	PrometheusType             string `json:"prometheusType,omitempty" yaml:"prometheusType,omitempty"`
	PrometheusVersion          string `json:"prometheusVersion,omitempty" yaml:"prometheusVersion,omitempty"`
	ManageAlerts               *bool  `json:"manageAlerts,omitempty" yaml:"manageAlerts,omitempty"`
	AlertmanagerUID            string `json:"alertmanagerUid,omitempty" yaml:"alertmanagerUid,omitempty"`
	Implementation             string `json:"implementation,omitempty" yaml:"implementation,omitempty"`
	HandleGrafanaManagedAlerts *bool  `json:"handleGrafanaManagedAlerts,omitempty" yaml:"handleGrafanaManagedAlerts,omitempty"`
	TLSAuthWithCACert          bool   `json:"tlsAuthWithCACert,omitempty" yaml:"tlsAuthWithCACert,omitempty"`
	TLSSkipVerify              bool   `json:"tlsSkipVerify,omitempty" yaml:"tlsSkipVerify,omitempty"`
	ServerName                 string `json:"serverName,omitempty" yaml:"serverName,omitempty"`
}

// Folder is a folder of dashboards.
type Folder struct {
	UID, Title string
}

// Dashboard is one dashboard. Its JSON has the same uid.
type Dashboard struct {
	UID, Title string
	// Folder is the title of the folder that it is in.
	Folder string
	JSON   []byte
}

// FolderUID is the uid of the folder of this title, which stays the same wherever the folder is made.
func FolderUID(title string) string {
	words := strings.FieldsFunc(strings.ToLower(title), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	slug := strings.Join(words, "-")
	if slug != "hearth" && !strings.HasPrefix(slug, "hearth-") {
		slug = "hearth-" + slug
	}
	return short(slug)
}

// maxUID is how long Grafana lets a uid be.
const maxUID = 40

// short is a uid, cut and made unique again where it is too long.
func short(uid string) string {
	if len(uid) <= maxUID {
		return uid
	}
	sum := sha256.Sum256([]byte(uid))
	hash := hex.EncodeToString(sum[:5])
	return uid[:maxUID-len(hash)-1] + "_" + hash
}

// DatasourceUID is the uid of a server's datasource of this type: the type itself where it is the default one of its Grafana.
// The underscores, which no name of Kubernetes has, keep a/b-c and a-b/c apart.
func DatasourceUID(kind, namespace, server string, byDefault bool) string {
	if byDefault {
		return kind
	}
	return short(kind + "_" + namespace + "_" + server)
}

// ShardUID is the uid of the datasource of a shard, where that of shard 0 has this one.
func ShardUID(uid string, shard int32) string { return short(fmt.Sprintf("%s_shard_%d", uid, shard)) }

// DatasourceName is the name that people see, which has to be unique in a Grafana too.
func DatasourceName(kind, namespace, server string, byDefault bool) string {
	name := strings.ToUpper(kind[:1]) + kind[1:]
	if byDefault {
		return name
	}
	return name + " " + namespace + "/" + server
}

// FoldersOf are the folders that the dashboards name, by title.
func FoldersOf(dashboards []Dashboard) []Folder {
	var out []Folder
	seen := map[string]bool{}
	for _, d := range dashboards {
		if !seen[d.Folder] {
			seen[d.Folder] = true
			out = append(out, Folder{UID: FolderUID(d.Folder), Title: d.Folder})
		}
	}
	slices.SortFunc(out, func(a, b Folder) int { return cmp.Compare(a.Title, b.Title) })
	return out
}

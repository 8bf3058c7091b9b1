package amconfig

import (
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/bundle"
)

// Where the files of Secrets are in the Alertmanager's pods.
const (
	// SecretsDir has <secret>/<key> of the server's own namespace, mounted by the kubelet.
	SecretsDir = "/etc/alertmanager/secrets"
	// GrantedDir has <namespace>/<secret>/<key> of what namespaces have granted, written by the reloader.
	GrantedDir = "/etc/alertmanager/granted"
)

// writer turns the fields of one receiver into what Alertmanager reads, and keeps what it meets on the way: the Secrets
// that are named, and what is wrong.
type writer struct {
	// dir is where the files of the receiver's Secrets are.
	dir string
	// tenant is true for a receiver of an AlertRule, which may do less.
	tenant bool
	// secrets are the keys used, by Secret.
	secrets map[string]map[string]bool
	// tlsKeys are those of them that are used for TLS.
	tlsKeys map[string][]bundle.TLSKeys
	errs    []error
}

func (w *writer) fail(format string, args ...any) {
	w.errs = append(w.errs, fmt.Errorf(format, args...))
}

// file is the path of a key's file, "" for no key.
func (w *writer) file(key *v1alpha1.SecretKey) string {
	if key == nil {
		return ""
	}
	if !bundle.ValidName(key.Name) {
		w.fail("%q is not the name of a Secret", key.Name)
		return ""
	}
	if !bundle.ValidKey(key.Key) {
		w.fail("%q is not a key of a Secret", key.Key)
		return ""
	}
	if w.secrets[key.Name] == nil {
		w.secrets[key.Name] = map[string]bool{}
	}
	w.secrets[key.Name][key.Key] = true
	return w.dir + "/" + key.Name + "/" + key.Key
}

// duration is a length of time as Go writes it, which is how Alertmanager reads some of its own.
func (w *writer) duration(name string, d v1alpha1.RuleDuration) string {
	if d == "" {
		return ""
	}
	parsed, err := model.ParseDuration(string(d))
	if err != nil {
		w.fail("%s: %q: %w", name, d, err)
		return ""
	}
	return time.Duration(parsed).String()
}

type httpConfig struct {
	Authorization   *authorization `yaml:"authorization,omitempty"`
	BasicAuth       *basicAuth     `yaml:"basic_auth,omitempty"`
	TLSConfig       *tlsConfig     `yaml:"tls_config,omitempty"`
	ProxyURL        v1alpha1.URL   `yaml:"proxy_url,omitempty"`
	FollowRedirects *bool          `yaml:"follow_redirects,omitempty"`
}

type authorization struct {
	Type            string `yaml:"type,omitempty"`
	CredentialsFile string `yaml:"credentials_file"`
}

type basicAuth struct {
	Username     string `yaml:"username"`
	PasswordFile string `yaml:"password_file"`
}

type tlsConfig struct {
	CAFile             string `yaml:"ca_file,omitempty"`
	CertFile           string `yaml:"cert_file,omitempty"`
	KeyFile            string `yaml:"key_file,omitempty"`
	ServerName         string `yaml:"server_name,omitempty"`
	InsecureSkipVerify bool   `yaml:"insecure_skip_verify,omitempty"`
}

func (w *writer) http(c *v1alpha1.HTTPConfig) *httpConfig {
	if c == nil {
		return nil
	}
	out := &httpConfig{TLSConfig: w.tls(c.TLS), ProxyURL: c.ProxyURL, FollowRedirects: c.FollowRedirects}
	if c.ProxyURL != "" && w.tenant {
		w.fail("httpConfig.proxyURL: a receiver of an AlertRule cannot name a proxy: remove it, or ask who runs the PrometheusServer for a receiver with one")
	}
	if c.BasicAuth != nil {
		out.BasicAuth = &basicAuth{Username: c.BasicAuth.Username, PasswordFile: w.file(&c.BasicAuth.Password)}
	}
	if c.Authorization != nil {
		out.Authorization = &authorization{Type: c.Authorization.Type, CredentialsFile: w.file(&c.Authorization.Credentials)}
	}
	if out.BasicAuth != nil && out.Authorization != nil {
		w.fail("httpConfig: has both basicAuth and authorization: remove one of them")
	}
	return out
}

func (w *writer) tls(c *v1alpha1.ClientTLS) *tlsConfig {
	if c == nil {
		return nil
	}
	if (c.Cert == nil) != (c.Key == nil) {
		w.fail("tls: cert and key go together: set both or neither")
	}
	if c.CA != nil {
		w.tlsKeys[c.CA.Name] = append(w.tlsKeys[c.CA.Name], bundle.TLSKeys{CA: c.CA.Key})
	}
	if c.Cert != nil && c.Key != nil {
		// Only together can the reloader tell whether they are of use.
		if w.tenant && c.Cert.Name != c.Key.Name {
			w.fail("tls: cert and key are in different Secrets: put them into one")
		}
		w.tlsKeys[c.Cert.Name] = append(w.tlsKeys[c.Cert.Name], bundle.TLSKeys{Cert: c.Cert.Key, Key: c.Key.Key})
	}
	return &tlsConfig{
		CAFile:             w.file(c.CA),
		CertFile:           w.file(c.Cert),
		KeyFile:            w.file(c.Key),
		ServerName:         c.ServerName,
		InsecureSkipVerify: c.InsecureSkipVerify,
	}
}

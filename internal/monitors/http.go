package monitors

import (
	"path"
	"strings"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hearth-monitoring/hearth/internal/bundle"
)

// connection is how an endpoint is reached, whatever the kind of its monitor.
type connection struct {
	monitoringv1.HTTPConfigWithoutTLS
	proxy monitoringv1.ProxyConfig
	tls   *monitoringv1.SafeTLSConfig
}

// credentialed says whether a target is sent something that nobody else should get.
func (c connection) credentialed() bool {
	return c.Authorization != nil || c.BasicAuth != nil || c.OAuth2 != nil || c.token() != nil ||
		c.tls != nil && c.tls.KeySecret != nil
}

func (c *compiler) client(how connection, at *field.Path) HTTPClient {
	job := HTTPClient{FollowRedirects: how.FollowRedirects, EnableHTTP2: how.EnableHTTP2}
	c.noProxy(how.proxy, at)
	how.BearerTokenSecret = how.token()                         //nolint:staticcheck // It is deprecated, and people have it.
	if err := how.HTTPConfigWithoutTLS.Validate(); err != nil { //nolint:staticcheck // The embedded field's method and no other.
		c.errs = append(c.errs, field.Invalid(at, "", err.Error()))
		return job
	}
	c.authenticate(&job, how, at)
	if how.tls != nil {
		job.TLSConfig = c.tls(how.tls, at.Child("tlsConfig"))
	}
	return job
}

// authenticate is the one way of several in which Prometheus says who it is.
func (c *compiler) authenticate(job *HTTPClient, how connection, at *field.Path) {
	token := how.token()
	switch {
	case how.BasicAuth != nil:
		below := at.Child("basicAuth")
		job.BasicAuth = &BasicAuth{UsernameFile: c.secret(&how.BasicAuth.Username, below.Child("username"))}
		job.BasicAuth.PasswordFile = c.secret(&how.BasicAuth.Password, below.Child("password"))
	case how.Authorization != nil:
		kind := strings.TrimSpace(how.Authorization.Type)
		if kind == "" {
			kind = "Bearer"
		}
		job.Authorization = &Authorization{Type: kind, CredentialsFile: c.secret(how.Authorization.Credentials, at.Child("authorization", "credentials"))}
	case token != nil:
		job.Authorization = &Authorization{Type: "Bearer", CredentialsFile: c.secret(token, at.Child("bearerTokenSecret"))}
	case how.OAuth2 != nil:
		job.OAuth2 = c.oauth2(how.OAuth2, at.Child("oauth2"))
	}
}

// token is the Secret with the bearer token, nil for none: an empty selector is what older versions of the kinds write where
// there is none.
func (c connection) token() *corev1.SecretKeySelector {
	s := c.BearerTokenSecret //nolint:staticcheck // It is deprecated, and people have it.
	if s == nil || s.Name == "" {
		return nil
	}
	return s
}

func (c *compiler) noProxy(p monitoringv1.ProxyConfig, at *field.Path) {
	const why = "a proxy would see what is sent to the target, and everybody's targets would be reached from where the proxy is: remove it"
	if p.ProxyURL != nil {
		c.refuse(at.Child("proxyUrl"), why)
	}
	if p.ProxyFromEnvironment != nil && *p.ProxyFromEnvironment {
		c.refuse(at.Child("proxyFromEnvironment"), why)
	}
	if len(p.ProxyConnectHeader) > 0 {
		c.refuse(at.Child("proxyConnectHeader"), why)
	}
}

func (c *compiler) tls(t *monitoringv1.SafeTLSConfig, at *field.Path) *TLS {
	if err := t.Validate(); err != nil {
		c.errs = append(c.errs, field.Invalid(at, "", err.Error()))
		return nil
	}
	out := &TLS{
		CAFile:             c.secretOrConfigMap(t.CA, at.Child("ca")),
		CertFile:           c.secretOrConfigMap(t.Cert, at.Child("cert")),
		InsecureSkipVerify: t.InsecureSkipVerify,
	}
	if t.KeySecret != nil {
		out.KeyFile = c.secret(t.KeySecret, at.Child("keySecret"))
	}
	c.usedForTLS(t, at)
	if t.ServerName != nil {
		out.ServerName = *t.ServerName
	}
	if t.MinVersion != nil {
		out.MinVersion = string(*t.MinVersion)
	}
	if t.MaxVersion != nil {
		out.MaxVersion = string(*t.MaxVersion)
	}
	return out
}

// usedForTLS notes which keys the reloader has to look at before Prometheus does, which refuses all of its configuration for
// one that it can't use.
func (c *compiler) usedForTLS(t *monitoringv1.SafeTLSConfig, at *field.Path) {
	if ca, key := named(t.CA); key != "" {
		c.tlsKeys[ca] = append(c.tlsKeys[ca], bundle.TLSKeys{CA: key})
	}
	cert, certKey := named(t.Cert)
	if certKey == "" || t.KeySecret == nil {
		return
	}
	if cert != (ref{name: t.KeySecret.Name}) {
		// Only together can the reloader tell whether they are of use.
		c.refuse(at.Child("keySecret"), "it is not in the Secret that has cert, and Hearth can't tell whether the two belong together: put them into one")
		return
	}
	c.tlsKeys[cert] = append(c.tlsKeys[cert], bundle.TLSKeys{Cert: certKey, Key: t.KeySecret.Key})
}

// named is what has a value, and the key there; without a key there is none.
func named(s monitoringv1.SecretOrConfigMap) (of ref, key string) {
	switch {
	case s.ConfigMap != nil:
		return ref{s.ConfigMap.Name, true}, s.ConfigMap.Key
	case s.Secret != nil:
		return ref{name: s.Secret.Name}, s.Secret.Key
	}
	return ref{}, ""
}

func (c *compiler) secretOrConfigMap(s monitoringv1.SecretOrConfigMap, at *field.Path) string {
	switch of, key := named(s); {
	case s.ConfigMap != nil:
		return c.file(of, key, at.Child("configMap"))
	case s.Secret != nil:
		return c.file(of, key, at.Child("secret"))
	}
	return ""
}

// secret is the path of the file that will have the key of a Secret in the monitor's namespace.
func (c *compiler) secret(s *corev1.SecretKeySelector, at *field.Path) string {
	if s == nil {
		c.errs = append(c.errs, field.Required(at, "name a Secret of this namespace and its key"))
		return ""
	}
	return c.file(ref{name: s.Name}, s.Key, at)
}

func (c *compiler) file(of ref, key string, at *field.Path) string {
	kind := "Secret"
	if of.configMap {
		kind = "ConfigMap"
	}
	if !bundle.ValidName(of.name) {
		c.errs = append(c.errs, field.Invalid(at.Child("name"), of.name, "this is not the name of a "+kind))
		return ""
	}
	if !bundle.ValidKey(key) {
		c.errs = append(c.errs, field.Invalid(at.Child("key"), key, "this is not a key of a "+kind))
		return ""
	}
	if c.secrets[of] == nil {
		c.secrets[of] = map[string]bool{}
	}
	c.secrets[of][key] = true
	return path.Join(GrantedDir, c.namespace, bundle.WantedSecret{Name: of.name, ConfigMap: of.configMap}.Dir(), key)
}

package stack

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/grafana"
)

// certificateKey is where a Secret of type kubernetes.io/tls has the certificate.
const certificateKey = "tls.crt"

// datasources are the server, shard by shard, and, where it has one, its Alertmanager. A shard knows its own targets alone, so
// there is no datasource that stands for all of them.
func datasources(in Inputs, s *Stack, byDefault bool) []grafana.Datasource {
	uid := func(kind string) string { return grafana.DatasourceUID(kind, s.Namespace, s.Name, byDefault) }
	name := func(kind string) string { return grafana.DatasourceName(kind, s.Namespace, s.Name, byDefault) }
	server := grafana.Datasource{
		UID: uid(grafana.TypePrometheus), Name: name(grafana.TypePrometheus), Type: grafana.TypePrometheus, Default: byDefault,
		URL: address("http", s.Names.Base, s.Namespace, s.Service.Port),
		JSON: grafana.JSONData{
			// POST, because a query can be longer than a URL may be. The interval is what $__rate_interval is made of.
			TimeInterval: s.Global.ScrapeInterval.String(), HTTPMethod: "POST", PrometheusType: "Prometheus", ManageAlerts: new(true),
		},
		Secure: map[string]grafana.SecretKey{},
	}
	if in.Server.Spec.Image == "" {
		server.JSON.PrometheusVersion = cmp.Or(in.Server.Spec.Version, in.Images.PrometheusVersion)
	}
	if s.Web.TLSSecret != "" {
		server.URL = address("https", s.Names.Base, s.Namespace, s.Service.Port)
		trust(&server, s.Web.TLSSecret, valueOr(in.Server.Spec.Grafana.DatasourceTLS, v1alpha1.DatasourceTLS{}))
	}
	if s.Web.BasicAuthSecret != "" {
		server.BasicAuthUser = &grafana.SecretKey{Secret: s.Web.BasicAuthSecret, Key: "username"}
		server.Secure[grafana.SecurePassword] = grafana.SecretKey{Secret: s.Web.BasicAuthSecret, Key: "password"}
	}
	if s.Alertmanager == nil {
		return ofShards(s, server)
	}
	server.JSON.AlertmanagerUID = uid(grafana.TypeAlertmanager)
	return append(ofShards(s, server), grafana.Datasource{
		UID: uid(grafana.TypeAlertmanager), Name: name(grafana.TypeAlertmanager), Type: grafana.TypeAlertmanager,
		URL: address("http", s.Alertmanager.Names.Base, s.Namespace, s.Alertmanager.Service.Port),
		// Grafana's own alerts are none of this Alertmanager's, unless somebody says so there.
		JSON: grafana.JSONData{Implementation: "prometheus", HandleGrafanaManagedAlerts: new(false)},
	})
}

// ofShards are the datasource of shard 0, which keeps its names when others come and go, and the like for the others.
func ofShards(s *Stack, server grafana.Datasource) []grafana.Datasource {
	out := []grafana.Datasource{server}
	for _, shard := range s.AllShards()[1:] {
		next := server
		next.UID, next.Name, next.Default = grafana.ShardUID(server.UID, shard.Number), fmt.Sprintf("%s shard %d", server.Name, shard.Number), false
		next.URL = strings.Replace(server.URL, "//"+s.Names.Base+".", "//"+shard.Base+".", 1)
		next.Shard = shard.Number
		out = append(out, next)
	}
	return out
}

// trust says whom Grafana takes for the server. Without an authority that is who has this very certificate: whether it comes
// with its authority, the operator, which reads no Secrets, can't know.
func trust(d *grafana.Datasource, certificate string, tls v1alpha1.DatasourceTLS) {
	d.JSON.ServerName = tls.ServerName
	if d.JSON.TLSSkipVerify = tls.InsecureSkipVerify; d.JSON.TLSSkipVerify {
		return
	}
	d.JSON.TLSAuthWithCACert = true
	d.Secure[grafana.SecureCA] = grafana.SecretKey{Secret: certificate, Key: certificateKey}
	if tls.CA != nil {
		d.Secure[grafana.SecureCA] = secretKey(*tls.CA)
	}
}

func address(scheme, service, namespace string, port int32) string {
	return fmt.Sprintf("%s://%s.%s.svc:%d", scheme, service, namespace, port)
}

// checkGrafana refuses what can't work.
func checkGrafana(ps *v1alpha1.PrometheusServer, path *field.Path) field.ErrorList {
	g := ps.Spec.Grafana
	errs := checkDatasourceTLS(ps, path.Child("datasourceTLS"))
	if g.Deploy != nil && g.Deploy.AdminSecret != nil {
		errs = append(errs, checkSecret(g.Deploy.AdminSecret.SecretName, "password", path.Child("deploy", "adminSecret", "secretName"))...)
	}
	if e := g.Existing; e != nil {
		at := path.Child("existing")
		errs = append(errs, checkSecret(e.TokenSecret.Name, e.TokenSecret.Key, at.Child("tokenSecret"))...)
		errs = append(errs, checkExisting(e, at)...)
	}
	return errs
}

func checkDatasourceTLS(ps *v1alpha1.PrometheusServer, path *field.Path) field.ErrorList {
	tls := ps.Spec.Grafana.DatasourceTLS
	if tls == nil {
		return nil
	}
	var errs field.ErrorList
	if ps.Spec.Web == nil || ps.Spec.Web.TLS == nil {
		errs = append(errs, field.Forbidden(path, "is about the certificate of web.tls, which is not set"))
	}
	if tls.CA != nil {
		errs = append(errs, checkSecret(tls.CA.Name, tls.CA.Key, path.Child("ca"))...)
	}
	if tls.CA != nil && tls.InsecureSkipVerify {
		errs = append(errs, field.Forbidden(path.Child("insecureSkipVerify"), "would make ca of no use: set one of them"))
	}
	return errs
}

func checkSecret(name, key string, path *field.Path) field.ErrorList {
	if !bundle.ValidName(name) {
		return field.ErrorList{field.Invalid(path, name, "is not the name of a Secret")}
	}
	if !bundle.ValidKey(key) {
		return field.ErrorList{field.Invalid(path, key, "is not a key of a Secret")}
	}
	return nil
}

func checkExisting(e *v1alpha1.GrafanaExisting, path *field.Path) field.ErrorList {
	u, err := url.Parse(string(e.URL))
	if err != nil || u.Hostname() == "" {
		return field.ErrorList{field.Invalid(path.Child("url"), e.URL, "is not an address, such as https://grafana.example.org/")}
	}
	if u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return field.ErrorList{field.Invalid(path.Child("url"), e.URL, "must have no user, ? or #: only where Grafana is")}
	}
	return (&Alertmanagers{Secrets: map[string][]string{}}).tls(e.TLS, u.Scheme, path.Child("tls"))
}

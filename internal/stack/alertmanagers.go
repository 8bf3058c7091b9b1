package stack

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/bundle"
)

// AlertmanagerTarget is an Alertmanager that a server sends its alerts to, with all its replicas: each of them has to have
// every alert.
type AlertmanagerTarget struct {
	// Hosts are names or addresses with a port.
	Hosts []string
	// Scheme is empty for http, Path for the root.
	Scheme, Path string
	TLS          *v1alpha1.ClientTLS
	// BasicAuthSecret is empty where none is asked for.
	BasicAuthSecret string
}

// Alertmanagers are all that a server sends its alerts to.
type Alertmanagers struct {
	Targets []AlertmanagerTarget
	// Secrets of the server's namespace that are needed for that, with their keys.
	Secrets map[string][]string
	// Missing says of each that can't be had why.
	Missing []string
}

// alertmanagers resolves the server's own and the external ones.
func alertmanagers(in Inputs, own *Alertmanager, path *field.Path) (Alertmanagers, field.ErrorList) {
	out := Alertmanagers{Secrets: map[string][]string{}}
	if own != nil {
		out.Targets = append(out.Targets, AlertmanagerTarget{Hosts: withPort(own.Hosts(in.Server.Namespace))})
	}
	if in.Server.Spec.Alerting == nil {
		return out, nil
	}
	var errs field.ErrorList
	for i := range in.Server.Spec.Alerting.External {
		external, at := &in.Server.Spec.Alerting.External[i], path.Child("external").Index(i)
		if external.PrometheusServer != nil {
			errs = append(errs, out.another(in, *external.PrometheusServer, at.Child("prometheusServer"))...)
		} else {
			errs = append(errs, out.address(external, at)...)
		}
	}
	for secret, keys := range out.Secrets {
		slices.Sort(keys)
		out.Secrets[secret] = slices.Compact(keys)
	}
	return out, errs
}

// another is the Alertmanager of another PrometheusServer.
func (a *Alertmanagers) another(in Inputs, ref v1alpha1.ServerReference, path *field.Path) field.ErrorList {
	if ref.Namespace == "" {
		ref.Namespace = in.Server.Namespace
	}
	if ref.Namespace == in.Server.Namespace && ref.Name == in.Server.Name {
		return field.ErrorList{field.Invalid(path, ref.Name, "is this server itself: its own Alertmanager is the one of alerting.alertmanager")}
	}
	i := slices.IndexFunc(in.Others, func(o v1alpha1.PrometheusServer) bool {
		return o.Namespace == ref.Namespace && o.Name == ref.Name
	})
	switch {
	case i < 0:
		a.Missing = append(a.Missing, fmt.Sprintf("%s: there is no PrometheusServer %s in namespace %s", path, ref.Name, ref.Namespace))
	case in.Others[i].Spec.Alerting == nil || in.Others[i].Spec.Alerting.Alertmanager == nil:
		a.Missing = append(a.Missing, fmt.Sprintf("%s: PrometheusServer %s of namespace %s has no alerting.alertmanager", path, ref.Name, ref.Namespace))
	default:
		replicas := valueOr(in.Others[i].Spec.Alerting.Alertmanager.Replicas, 1)
		a.Targets = append(a.Targets, AlertmanagerTarget{Hosts: withPort(hosts(AlertmanagerNames(ref.Name), ref.Namespace, replicas))})
	}
	return nil
}

// address is one at a URL.
func (a *Alertmanagers) address(external *v1alpha1.ExternalAlertmanager, path *field.Path) field.ErrorList {
	u, err := url.Parse(string(external.URL))
	if err != nil || u.Hostname() == "" {
		return field.ErrorList{field.Invalid(path.Child("url"), external.URL, "is not an address, such as https://alertmanager.example.org/")}
	}
	if u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return field.ErrorList{field.Invalid(path.Child("url"), external.URL, "must have no user, ? or #: only where the Alertmanager is")}
	}
	target := AlertmanagerTarget{Hosts: []string{u.Host}, Path: u.Path, TLS: external.TLS}
	if u.Port() == "" && u.Scheme == "https" {
		target.Hosts = []string{u.Host + ":443"}
	} else if u.Port() == "" {
		target.Hosts = []string{u.Host + ":80"}
	}
	if u.Scheme == "https" {
		target.Scheme = u.Scheme
	}
	errs := a.tls(external.TLS, u.Scheme, path.Child("tls"))
	if external.BasicAuth != nil {
		target.BasicAuthSecret = external.BasicAuth.SecretName
		errs = append(errs, a.secret(target.BasicAuthSecret, path.Child("basicAuth", "secretName"), "username", "password")...)
	}
	a.Targets = append(a.Targets, target)
	return errs
}

func (a *Alertmanagers) tls(tls *v1alpha1.ClientTLS, scheme string, path *field.Path) field.ErrorList {
	if tls == nil {
		return nil
	}
	var errs field.ErrorList
	if scheme != "https" {
		errs = append(errs, field.Forbidden(path, "needs an url that begins with https"))
	}
	if (tls.Cert == nil) != (tls.Key == nil) {
		errs = append(errs, field.Required(path, "cert and key go together"))
	}
	for name, key := range map[string]*v1alpha1.SecretKey{"ca": tls.CA, "cert": tls.Cert, "key": tls.Key} {
		if key == nil {
			continue
		}
		errs = append(errs, a.secret(key.Name, path.Child(name), key.Key)...)
	}
	slices.SortFunc(errs, func(a, b *field.Error) int { return strings.Compare(a.Field, b.Field) })
	return errs
}

func (a *Alertmanagers) secret(name string, path *field.Path, keys ...string) field.ErrorList {
	if !bundle.ValidName(name) {
		return field.ErrorList{field.Invalid(path, name, "is not the name of a Secret")}
	}
	for _, key := range keys {
		if !bundle.ValidKey(key) {
			return field.ErrorList{field.Invalid(path, key, "is not a key of a Secret")}
		}
	}
	a.Secrets[name] = append(a.Secrets[name], keys...)
	return nil
}

func withPort(hosts []string) []string {
	out := make([]string, len(hosts))
	for i, host := range hosts {
		out[i] = fmt.Sprintf("%s:%d", host, AlertmanagerPort)
	}
	return out
}

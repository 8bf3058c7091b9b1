package adopt

import (
	"fmt"
	"strings"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// remoteIdentity are the fields that say who sends, and to whom.
func remoteIdentity() map[string]takeRemote {
	return map[string]takeRemote{
		"basicAuth":       remoteBasicAuth,
		"authorization":   remoteAuthorization,
		"oauth2":          remoteOAuth2,
		"tlsConfig":       remoteTLS,
		"bearerToken":     remoteLost("it is in plain text: put it into a Secret, and use authorization"),
		"bearerTokenFile": remoteLost("a file of the pod can't be named: put it into a Secret, and use authorization"),
		"sigv4":           remoteLost("requests can't be signed so: send through a proxy that does that"),
		"azureAd":         remoteLost("requests can't be signed so: send through a proxy that does that"),
	}
}

// filled notes that something has to be written down that a Secret or ConfigMap says.
func (r *remote) filled(kind, name, key string) {
	escaped := strings.ReplaceAll(key, ".", `\.`)
	command := fmt.Sprintf("kubectl get %s %s -n %s -o jsonpath='{.data.%s}'", kind, name, r.namespace, escaped)
	if kind == "secret" {
		command += " | base64 -d"
	}
	r.commands = append(r.commands, command)
}

func remoteBasicAuth(r *remote) (verdict, becomes, note string) {
	b := r.theirs.BasicAuth
	password := secretKey(&b.Password)
	if password == nil || b.Username.Name == "" {
		r.lost = true
		return None, "", "basicAuth has a user and a password"
	}
	r.ours.BasicAuth = &v1alpha1.ClientBasicAuth{Username: fillIn, Password: *password}
	r.filled("secret", b.Username.Name, b.Username.Key)
	return Changed, "basicAuth", fmt.Sprintf("username is text, and no Secret is read: write what Secret %s has as %s", b.Username.Name, b.Username.Key)
}

func remoteAuthorization(r *remote) (verdict, becomes, note string) {
	a := r.theirs.Authorization
	credentials := secretKey(a.Credentials)
	if credentials == nil {
		r.lost = true
		return None, "", "its credentials are no Secret: put them into one"
	}
	r.ours.Authorization = &v1alpha1.Authorization{Type: a.Type, Credentials: *credentials}
	return Same, "authorization", ""
}

func remoteOAuth2(r *remote) (verdict, becomes, note string) {
	o := r.theirs.OAuth2
	secret := secretKey(&o.ClientSecret)
	if secret == nil || !plain(string(o.TokenURL)) {
		r.lost = true
		return None, "", "clientSecret is a Secret, and tokenUrl has no user and password in it"
	}
	r.ours.OAuth2 = &v1alpha1.OAuth2{
		ClientID: fillIn, ClientSecret: *secret, TokenURL: v1alpha1.URL(o.TokenURL), Scopes: o.Scopes, EndpointParams: o.EndpointParams,
	}
	notes := []string{"clientID is text: write what is there as clientId"}
	if s := o.ClientID.Secret; s != nil {
		r.filled("secret", s.Name, s.Key)
	} else if m := o.ClientID.ConfigMap; m != nil {
		r.filled("configmap", m.Name, m.Key)
	}
	if tls := o.TLSConfig; tls != nil {
		r.ours.OAuth2.CA = secretKey(tls.CA.Secret)
		if *tls != (monitoringv1.SafeTLSConfig{CA: monitoringv1.SecretOrConfigMap{Secret: tls.CA.Secret}}) {
			notes = append(notes, "of its tlsConfig there is only a ca from a Secret")
		}
	}
	if ptr.Deref(o.ProxyURL, "") != "" || ptr.Deref(o.ProxyFromEnvironment, false) {
		notes = append(notes, "its proxy is left out")
	}
	return Changed, "oauth2", strings.Join(notes, "; ")
}

// remoteTLS: what can't be converted of it makes connections fail, and none is trusted that is not today.
func remoteTLS(r *remote) (verdict, becomes, note string) {
	t := r.theirs.TLSConfig
	if strings.HasPrefix(string(r.theirs.URL), "http://") {
		return Same, "", "not used, as the url is not https"
	}
	var notes []string
	ours := &v1alpha1.ClientTLS{ServerName: ptr.Deref(t.ServerName, ""), InsecureSkipVerify: ptr.Deref(t.InsecureSkipVerify, false)}
	ours.CA, notes = fromSecret("ca", t.CA, t.CAFile, notes)
	ours.Cert, notes = fromSecret("cert", t.Cert, t.CertFile, notes)
	ours.Key, notes = fromSecret("keySecret", monitoringv1.SecretOrConfigMap{Secret: t.KeySecret}, t.KeyFile, notes)
	if (ours.Cert == nil) != (ours.Key == nil) || ours.Cert != nil && ours.Cert.Name != ours.Key.Name {
		ours.Cert, ours.Key = nil, nil
		notes = append(notes, "cert and keySecret have to be in one Secret: put them there")
	}
	if t.MinVersion != nil || t.MaxVersion != nil {
		notes = append(notes, "minVersion and maxVersion are left out: TLS 1.2 is the least")
	}
	if *ours != (v1alpha1.ClientTLS{}) {
		r.ours.TLS = ours
	}
	if len(notes) > 0 {
		return Changed, "tls", strings.Join(notes, "; ")
	}
	return Same, "tls", ""
}

// fromSecret is what is in a Secret; what is not has to be put into one.
func fromSecret(name string, in monitoringv1.SecretOrConfigMap, file string, notes []string) (*v1alpha1.SecretKey, []string) {
	if in.Secret != nil && *in.Secret != (corev1.SecretKeySelector{}) {
		return secretKey(in.Secret), notes
	}
	if in.ConfigMap != nil || file != "" {
		notes = append(notes, name+" is left out, as it is no Secret: put it into one")
	}
	return nil, notes
}

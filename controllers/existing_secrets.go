package controllers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/controllers/grafana"
	model "github.com/hearth-monitoring/hearth/internal/grafana"
)

// The operator has no right to read Secrets. It asks for those that an existing Grafana takes, each by its name and past the
// caches, and can have them once somebody who may has granted just these, in the server's namespace.

// secretData is what was read, by the Secret's name and key.
type secretData map[string]map[string][]byte

// text is a value without the line end that nearly every file has.
func (s secretData) text(k model.SecretKey) string {
	return strings.TrimRight(string(s[k.Secret][k.Key]), "\r\n")
}

// secretsOf are the keys that it takes to tell a Grafana.
func secretsOf(token model.SecretKey, tls *v1alpha1.ClientTLS, datasources []model.Datasource) []model.SecretKey {
	keys := []model.SecretKey{token}
	if tls != nil {
		for _, k := range []*v1alpha1.SecretKey{tls.CA, tls.Cert, tls.Key} {
			if k != nil {
				keys = append(keys, model.SecretKey{Secret: k.Name, Key: k.Key})
			}
		}
	}
	for i := range datasources {
		if user := datasources[i].BasicAuthUser; user != nil {
			keys = append(keys, *user)
		}
		for _, field := range slices.Sorted(maps.Keys(datasources[i].Secure)) {
			keys = append(keys, datasources[i].Secure[field])
		}
	}
	return keys
}

// unreadError is why the Secrets can't be had.
type unreadError struct {
	reason    string
	namespace string
	// forbidden are those that may not be read, all the Secrets that are needed, and missing what the others lack.
	forbidden, all, missing []string
	err                     error
}

func (e *unreadError) Error() string {
	switch {
	case len(e.forbidden) > 0:
		return fmt.Sprintf("Hearth may not read Secret %s of namespace %s", strings.Join(e.forbidden, ", "), e.namespace)
	case len(e.missing) > 0:
		return strings.Join(e.missing, "; ")
	}
	return e.err.Error()
}

// text is the error with what helps.
func (e *unreadError) text(ctx context.Context, g *ExistingGrafanas, server types.NamespacedName) string {
	if len(e.forbidden) == 0 {
		return e.Error()
	}
	role := "hearth-grafana-" + server.Name
	names := ""
	for _, name := range e.all {
		names += " --resource-name=" + name
	}
	return fmt.Sprintf("%s, which spec.grafana.existing takes. Grant it with\n"+
		"kubectl create role %s -n %s --verb=get --resource=secrets%s\n"+
		"kubectl create rolebinding %s -n %s --role=%s %s", e.Error(), role, e.namespace, names, role, e.namespace, role, g.identity(ctx))
}

// secrets reads Secrets of a namespace. All keys have to be there: no datasource is told with half of what protects it.
func (g *ExistingGrafanas) secrets(ctx context.Context, namespace string, keys []model.SecretKey) (secretData, *unreadError) {
	out := secretData{}
	e := &unreadError{namespace: namespace}
	for _, k := range keys {
		if !slices.Contains(e.all, k.Secret) {
			e.all = append(e.all, k.Secret)
			g.read(ctx, k.Secret, out, e)
		}
	}
	for _, k := range keys {
		if data, ok := out[k.Secret]; ok && out.text(k) == "" {
			e.missing = append(e.missing, fmt.Sprintf("Secret %s of namespace %s has no key %s, only %v", k.Secret, namespace, k.Key, slices.Sorted(maps.Keys(data))))
		}
	}
	switch {
	case len(e.forbidden) > 0:
		e.reason = v1alpha1.ReasonNotGranted
	case len(e.missing) > 0:
		e.reason = v1alpha1.ReasonSecretsMissing
	case e.err != nil:
		e.reason = v1alpha1.ReasonRetrying
	default:
		return out, nil
	}
	return nil, e
}

// read reads one Secret, or notes why it can't be read.
func (g *ExistingGrafanas) read(ctx context.Context, name string, into secretData, e *unreadError) {
	var secret corev1.Secret
	err := g.reader.Get(ctx, client.ObjectKey{Namespace: e.namespace, Name: name}, &secret)
	switch {
	case err == nil:
		into[name] = secret.Data
	case apierrors.IsForbidden(err):
		e.forbidden = append(e.forbidden, name)
	case apierrors.IsNotFound(err):
		e.missing = append(e.missing, fmt.Sprintf("Secret %s of namespace %s does not exist", name, e.namespace))
	default:
		e.err = fmt.Errorf("read Secret %s: %w", name, err)
	}
}

func tokenCommand(namespace string, token model.SecretKey) string {
	return fmt.Sprintf("kubectl -n %s create secret generic %s --from-literal=%s=TOKEN --dry-run=client -o yaml | kubectl apply -f -", namespace, token.Secret, token.Key)
}

// connection is how a Grafana is reached. Its error names the Secret that is wrong, and has nothing of what is in it.
func connection(url string, token model.SecretKey, with *v1alpha1.ClientTLS, secrets secretData) (grafana.Options, error) {
	out := grafana.Options{URL: url, Token: secrets.text(token)}
	if with == nil {
		return out, nil
	}
	//nolint:gosec // G402: whoever declares it says so
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: with.ServerName, InsecureSkipVerify: with.InsecureSkipVerify}
	if with.CA != nil {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(secrets[with.CA.Name][with.CA.Key]) {
			return out, fmt.Errorf("key %s of Secret %s is no certificate in PEM", with.CA.Key, with.CA.Name)
		}
	}
	if with.Cert != nil && with.Key != nil {
		pair, err := tls.X509KeyPair(secrets[with.Cert.Name][with.Cert.Key], secrets[with.Key.Name][with.Key.Key])
		if err != nil {
			return out, errors.New("tls.cert and tls.key are not a certificate and the key to it, in PEM: look at Secret " + with.Cert.Name)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	out.TLS = config
	return out, nil
}

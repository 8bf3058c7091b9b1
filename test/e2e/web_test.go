package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

const webPort = 30022

// A server with TLS and a password works in all its parts, does not start without them, and gives them away nowhere.
func TestWeb(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	ps, ne := g.server(), g.exporter()
	ps.Spec.Service = v1alpha1.Service{Type: corev1.ServiceTypeNodePort, Port: 443, NodePort: webPort}
	ps.Spec.Web = &v1alpha1.Web{
		TLS:       &v1alpha1.WebTLS{SecretName: "certificate"},
		BasicAuth: &v1alpha1.SecretName{SecretName: "credentials"},
	}
	ar := g.rule("watchdog", alert("Watchdog", "vector(1)"))
	g.create(ne, ps, ar)
	certificate, roots := g.certificate()
	credentials := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: g.servers, Name: "credentials"},
		Type:       corev1.SecretTypeBasicAuth,
		StringData: map[string]string{"username": "ember", "password": "open-" + random(t)},
	}
	password := credentials.StringData["password"]

	t.Run("without its Secrets", func(t *testing.T) { g.in(t).withoutSecrets(ps) })
	g.create(certificate, credentials)
	// The kubelet tries to mount what was missing again after a while, twice as long each time.
	g.works(ps, ne, ar)
	g.show(g.servers, "prometheusservers")
	url := fmt.Sprintf("https://%s:%d", kube.address, webPort)
	ask := web{roots: roots, password: password}
	t.Run("asks for the password", func(t *testing.T) {
		// kube-proxy follows the pod's readiness.
		eventually(t, time.Minute, func() error {
			_, err := at(url, ask.do).get(t.Context(), "/api/v1/status/buildinfo", nil)
			return err
		})
		for _, c := range []struct {
			url, user, password string
			want                int
		}{
			{url, "", "", http.StatusUnauthorized},
			{url, "ember", "wrong", http.StatusUnauthorized},
			{url, "ember", password, http.StatusOK},
			{strings.Replace(url, "https", "http", 1), "ember", password, http.StatusBadRequest},
		} {
			status := ask.status(t, c.url+"/api/v1/status/buildinfo", c.user, c.password)
			t.Logf("%s as %q: %d", c.url, c.user, status)
			if status != c.want {
				t.Errorf("want %d", c.want)
			}
		}
	})
	server := at(url, ask.do)
	t.Run("scrapes and reloads", func(t *testing.T) { g.in(t).protected(server, ps) })
	t.Run("keeps the secret", func(t *testing.T) { g.in(t).secret(password, credentials) })
}

// withoutSecrets waits until the server says what is missing, and makes sure that nothing runs unprotected meanwhile.
func (g *ground) withoutSecrets(ps *v1alpha1.PrometheusServer) {
	g.t.Helper()
	message, took := g.awaitMessage(2*time.Minute, ps, v1alpha1.ConditionReady, "certificate", "credentials")
	g.t.Logf("after %s: %s", took, message)
	for name, pod := range g.pods(ps) {
		for _, c := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
			if c.State.Running != nil {
				g.t.Errorf("%s of %s runs without its Secrets", c.Name, name)
			}
		}
	}
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(kube.address, fmt.Sprint(webPort)), 2*time.Second)
	g.t.Logf("a connection to the node port: %v", err)
	if err == nil {
		g.t.Error("somebody answers on the server's port")
		conn.Close() //nolint:errcheck // nothing was sent
	}
}

// protected tries what Prometheus and the reloader do with each other through TLS and the password.
func (g *ground) protected(server prometheus, ps *v1alpha1.PrometheusServer) {
	g.t.Helper()
	for _, job := range []string{"prometheus", "hearth-reloader", "node-exporter"} {
		up := server.value(g.t, fmt.Sprintf(`up{job=%q} == 1`, job))
		g.t.Logf("up%v = %v", up.Metric, up.Value.float())
	}
	ar := g.rule("late", record("e2e:late", "vector(5)"))
	g.create(ar)
	_, took := g.await(30*time.Second, ar, v1alpha1.ConditionLoaded, metav1.ConditionTrue, "")
	g.t.Logf("a rule from apply to Loaded: %s", took)
	eventually(g.t, 30*time.Second, func() error { return wantValue(g.t, server, "e2e:late", 5) })
	g.await(30*time.Second, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
}

// secret looks for the password where it must not be.
func (g *ground) secret(password string, source *corev1.Secret) {
	g.t.Helper()
	places := map[string]string{}
	all, err := g.list(append(append(append([]kind{{Version: "v1", Kind: "Event"}}, childKinds...), otherKinds...), ownKinds...))
	must(g.t, err)
	for name, o := range all {
		places[name] = text(o.Object)
	}
	var maps corev1.ConfigMapList
	must(g.t, kube.api.List(g.t.Context(), &maps, client.InNamespace(g.servers)))
	for i := range maps.Items {
		for key, content := range maps.Items[i].BinaryData {
			places["ConfigMap/"+maps.Items[i].Name+" "+key+" unpacked"] = unpacked(g.t, content)
		}
	}
	log := func(namespace, pod, container string) {
		raw, err := kube.typed.CoreV1().Pods(namespace).GetLogs(pod, &corev1.PodLogOptions{Container: container}).DoRaw(g.t.Context())
		must(g.t, err)
		places["log of "+pod+"/"+container] = string(raw)
	}
	for _, container := range []string{"reloader", "prometheus"} {
		log(g.servers, "prometheus-main-0", container)
	}
	log(operatorNamespace, operatorPod(g.t.Context()).Name, operatorName)
	encoded := base64.StdEncoding.EncodeToString([]byte(password))
	if !strings.Contains(text(source.StringData)+text(source.Data), password) && !strings.Contains(text(source.Data), encoded) {
		g.t.Error("what is looked for is not even in the Secret")
	}
	size := 0
	for name, content := range places {
		size += len(content)
		if strings.Contains(content, password) || strings.Contains(content, encoded) {
			g.t.Errorf("the password is in %s", name)
		}
	}
	g.t.Logf("the password is in none of %d objects and logs, %d bytes", len(places), size)
}

func unpacked(t *testing.T, content []byte) string {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(content))
	must(t, err)
	out, err := io.ReadAll(r)
	must(t, err)
	return string(out)
}

// web is a user with a browser.
type web struct {
	roots    *x509.CertPool
	password string
}

func (w web) do(req *http.Request) (*http.Response, error) {
	if _, _, ok := req.BasicAuth(); !ok {
		req.SetBasicAuth("ember", w.password)
	}
	return w.client().Do(req)
}

func (w web) client() *http.Client {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

// status is the answer's code.
func (w web) status(t *testing.T, url, user, password string) int {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	must(t, err)
	if user != "" {
		req.SetBasicAuth(user, password)
	}
	resp, err := w.client().Do(req)
	must(t, err)
	must(t, resp.Body.Close())
	return resp.StatusCode
}

func random(t *testing.T) string {
	t.Helper()
	b := make([]byte, 12)
	_, err := rand.Read(b)
	must(t, err)
	return base64.RawURLEncoding.EncodeToString(b)
}

// certificate is a Secret with one made for the node's address, and the pool that trusts it.
func (g *ground) certificate() (*corev1.Secret, *x509.CertPool) {
	g.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(g.t, err)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "prometheus"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IPAddresses:           []net.IP{net.ParseIP(kube.address)},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(g.t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	must(g.t, err)
	crt := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(crt)
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: g.servers, Name: "certificate"},
		Type:       corev1.SecretTypeTLS,
		Data: map[string][]byte{
			corev1.TLSCertKey:       crt,
			corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
		},
	}, roots
}

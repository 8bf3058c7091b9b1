package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/reloader/web"
)

func writeSecret(t *testing.T, dir string, data map[string][]byte) {
	t.Helper()
	for name, text := range data {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func pair(t *testing.T) (map[string][]byte, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	crt := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(crt)
	return map[string][]byte{"tls.crt": crt, "tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})}, pool
}

func TestRealPrometheusBehindTLSAndPassword(t *testing.T) {
	p := newPod(t)
	p.o.web = web.Options{Out: filepath.Join(t.TempDir(), "web.yml"), TLSDir: t.TempDir(), AuthDir: t.TempDir()}
	secret, pool := pair(t)
	writeSecret(t, p.o.web.TLSDir, map[string][]byte{"tls.crt": secret["tls.crt"]})
	writeSecret(t, p.o.web.AuthDir, map[string][]byte{"username": []byte("ada"), "password": []byte("s3cret-one")})
	one := p.publish("global: {}\n", nil)
	p.startReloaderThatWaits("tls.key is missing")
	writeSecret(t, p.o.web.TLSDir, secret)
	p.startup("")
	p.startPrometheus()
	p.loaded(one)
	p.loaded(p.publish("global: {external_labels: {a: b}}\n", nil))

	p.asUser(pool)
	check := func(user, password string, want int) {
		t.Helper()
		if got := p.status(user, password); got != want {
			t.Errorf("%s: %d, want %d", user, got, want)
		}
	}
	check("ada", "s3cret-one", http.StatusOK)
	check("ada", "wrong", http.StatusUnauthorized)
	check("", "", http.StatusUnauthorized)
	check("hearth-reloader", "s3cret-one", http.StatusUnauthorized)

	// Both are rotated; the server goes on, and so does the reloader.
	secret, pool = pair(t)
	writeSecret(t, p.o.web.TLSDir, secret)
	writeSecret(t, p.o.web.AuthDir, map[string][]byte{"password": []byte("s3cret-two")})
	p.asUser(pool)
	for deadline := time.Now().Add(time.Minute); p.status("ada", "s3cret-two") != http.StatusOK; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the new password does not work")
		}
	}
	check("ada", "s3cret-one", http.StatusUnauthorized)
	p.loaded(p.publish("global: {external_labels: {a: c}}\n", nil))
	r := p.until("ready", func(r replica.Report) bool { return r.Ready })
	text, _ := r.Encode()
	log, err := os.ReadFile(p.log)
	if err != nil || len(log) == 0 {
		t.Fatalf("no log: %v", err)
	}
	if all := string(log) + string(text); strings.Contains(all, "s3cret") || strings.Contains(all, "PRIVATE") {
		t.Errorf("a secret is in the log or the report:\n%s", all)
	}
}

func TestRealPrometheusForKnownClientsOnly(t *testing.T) {
	p := newPod(t)
	secret, pool := pair(t)
	dir := t.TempDir()
	p.o.web = web.Options{Out: filepath.Join(t.TempDir(), "web.yml"), TLSDir: dir, ClientCA: filepath.Join(dir, "ca.crt")}
	writeSecret(t, dir, secret)
	writeSecret(t, dir, map[string][]byte{"ca.crt": secret["tls.crt"]})
	one := p.publish("global: {}\n", nil)
	p.startReloader()
	p.startPrometheus()
	p.loaded(one)
	p.loaded(p.publish("global: {external_labels: {a: b}}\n", nil))
	p.asUser(pool)
	if got := p.status("", ""); got != 0 {
		t.Errorf("a client without a certificate got %d", got)
	}
}

// asUser makes the test one who trusts the server's certificate and holds on to no connection.
func (p *pod) asUser(pool *x509.CertPool) {
	p.http.Transport = &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
}

func (p *pod) status(user, password string) int {
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, "https://"+p.server+"/-/ready", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	if user != "" {
		req.SetBasicAuth(user, password)
	}
	resp, err := p.http.Do(req)
	if err != nil {
		p.t.Log(err)
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

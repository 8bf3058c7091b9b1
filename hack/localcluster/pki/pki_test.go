package pki

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestIssueAndKubeconfig(t *testing.T) {
	d := Dir(filepath.Join(t.TempDir(), "pki"))
	if err := d.Authority("ca"); err != nil {
		t.Fatal(err)
	}
	server := Subject{Name: "server", CA: "ca", User: "server", DNSNames: []string{"kubernetes"}, Addresses: []net.IP{net.IPv4(10, 0, 0, 1)}}
	client := Subject{Name: "admin", CA: "ca", User: "admin", Groups: []string{"system:masters"}}
	for _, s := range []Subject{server, client} {
		if err := d.Issue(s); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	ca, err := os.ReadFile(d.Cert("ca"))
	if err != nil || !pool.AppendCertsFromPEM(ca) {
		t.Fatal("no authority:", err)
	}
	for _, name := range []string{"kubernetes", "10.0.0.1"} {
		if _, err := leaf(t, d, "server").Verify(x509.VerifyOptions{DNSName: name, Roots: pool}); err != nil {
			t.Errorf("server as %s: %v", name, err)
		}
	}
	admin := leaf(t, d, "admin")
	if _, err := admin.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error("admin:", err)
	}
	if _, err := admin.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}); err == nil {
		t.Error("the admin's certificate does for a server")
	}
	if !slices.Equal(admin.Subject.Organization, []string{"system:masters"}) {
		t.Errorf("groups %q", admin.Subject.Organization)
	}
	if err := d.Issue(client); err != nil || !leaf(t, d, "admin").Equal(admin) {
		t.Errorf("issued again: it is another certificate (%v)", err)
	}
	out := filepath.Join(t.TempDir(), "kubeconfig")
	if err := d.Kubeconfig("admin", "ca", "test", "https://10.0.0.1:6443", out); err != nil {
		t.Fatal(err)
	}
	var k kubeconfig
	text, err := os.ReadFile(out)
	if err != nil || json.Unmarshal(text, &k) != nil {
		t.Fatalf("kubeconfig: %v\n%s", err, text)
	}
	if _, err := tls.X509KeyPair(k.Users[0].User.Cert, k.Users[0].User.Key); err != nil {
		t.Error("kubeconfig:", err)
	}
	if k.CurrentContext != "test" || k.Clusters[0].Cluster.Server != "https://10.0.0.1:6443" {
		t.Errorf("kubeconfig: %s", text)
	}
}

func leaf(t *testing.T, d Dir, name string) *x509.Certificate {
	t.Helper()
	der, err := decode(d.Cert(name))
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

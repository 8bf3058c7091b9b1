package web

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v2"
	"golang.org/x/crypto/bcrypt"
)

func put(t *testing.T, dir, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func putPair(t *testing.T, dir string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"prometheus"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, crtKey, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	put(t, dir, keyKey, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}

func TestKeeper(t *testing.T) {
	tlsDir, authDir, out := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "web.yml")
	k, err := New(Options{Out: out, TLSDir: tlsDir, AuthDir: authDir})
	if err != nil {
		t.Fatal(err)
	}
	refused := func(want string) {
		t.Helper()
		before, _ := os.ReadFile(out)
		wrote, err := k.Sync()
		if wrote || err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("want %q, got %v, %v", want, wrote, err)
		}
		if after, _ := os.ReadFile(out); string(after) != string(before) {
			t.Error("the file changed")
		}
	}
	written := func(want bool) {
		t.Helper()
		if wrote, err := k.Sync(); err != nil || wrote != want {
			t.Fatalf("wrote %v, %v", wrote, err)
		}
	}
	refused("tls.crt is missing")
	putPair(t, tlsDir, 1)
	refused("username is missing")
	put(t, authDir, userKey, []byte("ada\n"))
	refused("password is missing")
	put(t, authDir, passwordKey, []byte("s3cret\n"))
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Fatal("a file was written before everything was there")
	}
	written(true)
	written(false)
	first := checkFile(t, k, out, "ada", "s3cret")

	put(t, authDir, passwordKey, []byte("0ther"))
	written(true)
	if checkFile(t, k, out, "ada", "0ther") == first {
		t.Error("a new password made the same file")
	}
	good, _ := os.ReadFile(filepath.Join(tlsDir, crtKey))
	putPair(t, tlsDir, 2)
	written(true)
	put(t, tlsDir, crtKey, good)
	refused("not a pair")
	putPair(t, tlsDir, 3)
	put(t, authDir, passwordKey, []byte(strings.Repeat("s3cret", 20)))
	refused("72 bytes")
	put(t, authDir, passwordKey, []byte("\n"))
	refused("password is empty")
	put(t, authDir, passwordKey, []byte("s3cret"))
	put(t, authDir, userKey, []byte(user))
	refused("choose another")
	if leaf, err := k.Leaf(); err != nil || leaf.SerialNumber.Int64() != 3 {
		t.Errorf("leaf: %v, %v", leaf, err)
	}
}

func checkFile(t *testing.T, k *Keeper, out, name, password string) string {
	t.Helper()
	if err := web.Validate(out); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var f file
	if err := yaml.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	own, ownPassword := k.Credentials()
	for n, p := range map[string]string{name: password, own: ownPassword} {
		if err := bcrypt.CompareHashAndPassword([]byte(f.Users[n]), []byte(p)); err != nil {
			t.Errorf("%s: %v", n, err)
		}
		if strings.Contains(string(text), p) {
			t.Errorf("the password of %s is in the file", n)
		}
	}
	if len(f.Users) != 2 {
		t.Errorf("%d users", len(f.Users))
	}
	return string(text)
}

func TestClientCA(t *testing.T) {
	tlsDir, out := t.TempDir(), filepath.Join(t.TempDir(), "web.yml")
	putPair(t, tlsDir, 1)
	ca := filepath.Join(tlsDir, "ca.crt")
	k, err := New(Options{Out: out, TLSDir: tlsDir, ClientCA: ca})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Sync(); err == nil || !strings.Contains(err.Error(), "ca.crt is missing") {
		t.Errorf("got %v", err)
	}
	put(t, tlsDir, "ca.crt", []byte("nothing"))
	if _, err := k.Sync(); err == nil {
		t.Error("took a file without certificates")
	}
	text, _ := os.ReadFile(filepath.Join(tlsDir, crtKey))
	put(t, tlsDir, "ca.crt", text)
	if _, err := k.Sync(); err != nil {
		t.Fatal(err)
	}
	written, _ := os.ReadFile(out)
	if n := strings.Count(string(written), "BEGIN CERTIFICATE"); n != 2 || strings.Contains(string(written), "PRIVATE") {
		t.Errorf("%d certificates in\n%s", n, written)
	}
}

func TestCheck(t *testing.T) {
	for _, o := range []Options{{TLSDir: "x"}, {AuthDir: "x"}, {Out: "x", ClientCA: "y"}} {
		if o.Check() == nil {
			t.Errorf("%+v passed", o)
		}
	}
	if err := (Options{Out: "x", TLSDir: "y", ClientCA: "z"}).Check(); err != nil {
		t.Error(err)
	}
}

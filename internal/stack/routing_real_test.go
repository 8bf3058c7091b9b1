package stack_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// built is one of Alertmanager's own programs as the local cluster runs them, or the test is skipped aloud.
func built(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "bin", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIPPED, no file was shown to a real Alertmanager: %v (bin/localcluster build makes it)", err)
	}
	return path
}

// TestAlertmanagerTakesEveryFile has the oldest Alertmanager that Hearth supports check every rendered file.
func TestAlertmanagerTakesEveryFile(t *testing.T) {
	amtool := built(t, "amtool")
	files, err := filepath.Glob("testdata/routing/*/alertmanager.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		if out, err := exec.CommandContext(t.Context(), amtool, "check-config", file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
}

// TestAlertmanagerRunsEveryReceiver starts one with every receiver and every field, which opens the files that amtool
// does not.
func TestAlertmanagerRunsEveryReceiver(t *testing.T) {
	alertmanager := built(t, "alertmanager")
	dir := t.TempDir()
	secret := certificate(t)
	file := regexp.MustCompile(`/etc/alertmanager/\S+`)
	for _, entry := range []string{"testdata/routing/every-receiver/alertmanager.yml", "testdata/routing/every-receiver/template-titles.tmpl"} {
		text, err := os.ReadFile(entry)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range file.FindAllString(string(text), -1) {
			write(t, filepath.Join(dir, path), secret)
		}
		write(t, filepath.Join(dir, filepath.Base(entry)), bytes.ReplaceAll(text, []byte("/etc/alertmanager/"), []byte(dir+"/etc/alertmanager/")))
	}
	out, in := io.Pipe()
	cmd := exec.CommandContext(t.Context(), alertmanager, "--config.file="+filepath.Join(dir, "alertmanager.yml"),
		"--web.listen-address=127.0.0.1:0", "--cluster.listen-address=", "--storage.path="+filepath.Join(dir, "data"))
	cmd.Stderr = in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = in.CloseWithError(cmd.Wait()) }()
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said = append(said, lines.Text())
		if strings.Contains(lines.Text(), "Listening on") {
			// It listens once it has its configuration.
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
			_, _ = io.Copy(io.Discard, out)
			return
		}
	}
	t.Errorf("it ended:\n%s", strings.Join(said, "\n"))
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// certificate is one with its key, which will do as any Secret.
func certificate(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// Nobody is shown it, so all that its time has to do is not to run out.
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
}

package secrets

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/replica"
)

// mount is what the cluster mounts, and what becomes of it.
type mount struct {
	t               *testing.T
	tree, from, dir string
	log             bytes.Buffer
	told            [][]replica.Secret
	keeper          *Mounted
}

func newMount(t *testing.T, wanted ...bundle.WantedSecret) *mount {
	m := &mount{t: t, tree: filepath.Join(t.TempDir(), "current"), from: t.TempDir(), dir: t.TempDir()}
	log := slog.New(slog.NewTextHandler(&m.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	told := func(all []replica.Secret) { m.told = append(m.told, all) }
	var err error
	m.keeper, err = NewMounted(filepath.Join(m.tree, bundle.MountedName), m.from, m.dir, told, log)
	if err != nil {
		t.Fatal(err)
	}
	m.keeper.Sync(t.Context())
	if len(m.told) > 0 {
		t.Fatal("something is told before there is a revision")
	}
	text, err := bundle.MarshalSecrets(wanted)
	if err != nil {
		t.Fatal(err)
	}
	m.put(m.tree, bundle.MountedName, string(text))
	return m
}

func (m *mount) put(dir, name, content string) {
	m.t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// sync looks again, and holds what is wrong by now: what is said of the only Secret, empty if nothing is.
func (m *mount) sync(times int, problem string) {
	m.t.Helper()
	m.keeper.Sync(m.t.Context())
	m.keeper.Sync(m.t.Context())
	if len(m.told) != times {
		m.t.Fatalf("told %d times, want %d: %+v", len(m.told), times, m.told)
	}
	if got := m.told[times-1]; len(got) != 1 || got[0].Problem != problem {
		m.t.Errorf("told %+v, want the problem %q", got, problem)
	}
	if strings.Contains(m.log.String(), precious) {
		m.t.Errorf("the log has the content:\n%s", &m.log)
	}
}

// has is what the server finds, empty for no file.
func (m *mount) has(name string) string {
	m.t.Helper()
	text, err := os.ReadFile(filepath.Join(m.dir, name))
	if err != nil && !os.IsNotExist(err) {
		m.t.Fatal(err)
	}
	return string(text)
}

func TestMounted(t *testing.T) {
	m := newMount(t, bundle.WantedSecret{
		Namespace: "monitoring", Name: "central", Keys: []string{"ca.crt", "tls.crt", "tls.key", "token"},
		TLS: []bundle.TLSKeys{{CA: "ca.crt"}, {Cert: "tls.crt", Key: "tls.key"}},
	})
	m.sync(1, "it does not exist, or has none of the keys ca.crt, tls.crt, tls.key, token")
	// The server loads its configuration, trusts nobody, and has no password that somebody would refuse for good.
	if _, err := tls.X509KeyPair([]byte(m.has("central/tls.crt")), []byte(m.has("central/tls.key"))); err != nil || m.has("central/ca.crt") == "" {
		t.Errorf("the server would not load this: %v", err)
	}
	if m.has("central/token") != "" {
		t.Error("there is a token that nobody gave")
	}

	own, err := newStopgap()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"ca.crt", "tls.crt", "tls.key"} {
		m.put(m.from, "central/"+key, string(own))
	}
	m.sync(2, "it has no key token")
	m.put(m.from, "central/token", precious)
	m.sync(3, "")
	if m.has("central/token") != precious || m.has("central/tls.key") != string(own) {
		t.Error("the server does not have what is mounted")
	}

	// What is no certificate is not taken, and what goes away stays.
	m.put(m.from, "central/ca.crt", precious)
	m.sync(4, "its key ca.crt is no certificate in PEM")
	if err := os.RemoveAll(filepath.Join(m.from, "central")); err != nil {
		t.Fatal(err)
	}
	m.sync(5, "it does not exist, or has none of the keys ca.crt, tls.crt, tls.key, token")
	if diff := cmp.Diff([]string{string(own), precious}, []string{m.has("central/ca.crt"), m.has("central/token")}); diff != "" {
		t.Errorf("the last good one does not stay:\n%s", diff)
	}
}

func TestMountedNothing(t *testing.T) {
	m := newMount(t)
	m.keeper.Sync(t.Context())
	m.keeper.Sync(t.Context())
	if len(m.told) != 1 || len(m.told[0]) != 0 {
		t.Errorf("told %+v, want once that there is nothing", m.told)
	}
}

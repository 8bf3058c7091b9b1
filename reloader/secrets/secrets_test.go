package secrets

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/reloader/fetch"
	"github.com/hearth-monitoring/hearth/reloader/fetchtest"
)

// precious is in every Secret of these tests and must not be anywhere but in the files.
const precious = "s3cret-word"

type world struct {
	t      *testing.T
	api    *fetchtest.API
	tree   string
	dir    string
	log    bytes.Buffer
	told   []replica.Secret
	times  int
	keeper *Keeper
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, api: fetchtest.New(t), tree: filepath.Join(t.TempDir(), "current"), dir: t.TempDir()}
	w.restart()
	return w
}

// restart is what a container that ended and was started again has: the files.
func (w *world) restart() {
	w.t.Helper()
	client, err := fetch.Client(w.api.Config())
	if err != nil {
		w.t.Fatal(err)
	}
	told := func(all []replica.Secret) {
		r := replica.Report{Secrets: all}
		r.Normalize()
		w.told = r.Secrets
		w.times++
	}
	log := slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if w.keeper, err = New(client, filepath.Join(w.tree, bundle.SecretsName), w.dir, told, log); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) want(wanted ...bundle.WantedSecret) {
	w.t.Helper()
	text, err := bundle.MarshalSecrets(wanted)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.MkdirAll(w.tree, 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.tree, bundle.SecretsName), text, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// later is a look after everything is due again.
func (w *world) later() {
	w.t.Helper()
	for _, h := range w.keeper.held {
		h.next = time.Time{}
	}
	w.keeper.Sync(w.t.Context())
}

func (w *world) files() []string {
	w.t.Helper()
	var out []string
	err := filepath.WalkDir(w.dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			name, _ := filepath.Rel(w.dir, path)
			out = append(out, name)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) content(name string) string {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

func (w *world) check(want ...replica.Secret) {
	w.t.Helper()
	for i := range w.told {
		// The API's own words may change.
		if w.told[i].Forbidden {
			if !strings.Contains(w.told[i].Problem, "has not granted it") || !strings.Contains(w.told[i].Problem, "reloader") {
				w.t.Errorf("forbidden: %s", w.told[i].Problem)
			}
			w.told[i].Problem = ""
		}
	}
	if diff := cmp.Diff(want, w.told); diff != "" {
		w.t.Errorf("reported (-want +got):\n%s", diff)
	}
	if strings.Contains(w.log.String(), precious) {
		w.t.Errorf("the log has a Secret's content:\n%s", w.log.String())
	}
}

func data(keys ...string) map[string][]byte {
	out := map[string][]byte{}
	for _, key := range keys {
		out[key] = []byte(precious + " " + key)
	}
	return out
}

func TestFilesOfGrantedSecrets(t *testing.T) {
	w := newWorld(t)
	w.keeper.Sync(t.Context())
	if w.times != 0 {
		t.Fatal("told before there was a revision")
	}
	w.api.PutSecret("team-a", "pager", data("key", "other"), true)
	w.api.PutSecret("team-b", "slack", data("url"), false)
	w.api.PutSecret("team-b", "gone", nil, true)
	w.want(
		bundle.WantedSecret{Namespace: "team-a", Name: "pager", Keys: []string{"key", "missing"}},
		bundle.WantedSecret{Namespace: "team-b", Name: "slack", Keys: []string{"url"}},
		bundle.WantedSecret{Namespace: "team-b", Name: "gone", Keys: []string{"url"}},
	)
	w.keeper.Sync(t.Context())
	w.check(
		replica.Secret{Namespace: "team-a", Name: "pager", Problem: "it has no key missing", MissingKeys: []string{"missing"}},
		replica.Secret{Namespace: "team-b", Name: "gone", Problem: "it does not exist"},
		replica.Secret{Namespace: "team-b", Name: "slack", Forbidden: true},
	)
	if got := w.content("team-a/pager/key"); got != precious+" key" {
		t.Errorf("the key's file has %q", got)
	}
	want := []string{"team-a/pager/key", "team-a/pager/missing", "team-b/gone/url", "team-b/slack/url"}
	if diff := cmp.Diff(want, w.files()); diff != "" {
		t.Error(diff)
	}

	// Nothing is due, so nobody is asked and nobody is told.
	gets, times := w.api.Gets("team-a/pager"), w.times
	w.keeper.Sync(t.Context())
	if w.api.Gets("team-a/pager") != gets || w.times != times {
		t.Error("asked again without need")
	}

	// Granted, written anew, and a grant taken back.
	w.api.PutSecret("team-b", "slack", data("url"), true)
	w.api.PutSecret("team-a", "pager", map[string][]byte{"key": []byte("new"), "missing": []byte("there")}, true)
	w.later()
	w.check(
		replica.Secret{Namespace: "team-a", Name: "pager"},
		replica.Secret{Namespace: "team-b", Name: "gone", Problem: "it does not exist"},
		replica.Secret{Namespace: "team-b", Name: "slack"},
	)
	if w.content("team-b/slack/url") != precious+" url" || w.content("team-a/pager/key") != "new" {
		t.Error("what was granted and changed did not arrive")
	}
	w.api.PutSecret("team-b", "slack", data("url"), false)
	w.later()
	if strings.Contains(w.content("team-b/slack/url"), precious) {
		t.Error("a Secret stays in a file after its namespace took the grant back")
	}

	w.want(bundle.WantedSecret{Namespace: "team-a", Name: "pager", Keys: []string{"key"}})
	w.keeper.Sync(t.Context())
	if diff := cmp.Diff([]string{"team-a/pager/key"}, w.files()); diff != "" {
		t.Errorf("files that nobody wants any more:\n%s", diff)
	}
	w.check(replica.Secret{Namespace: "team-a", Name: "pager"})
}

func TestFilesStayWhileTheAPIIsAway(t *testing.T) {
	w := newWorld(t)
	w.api.PutSecret("team-a", "pager", data("key"), true)
	pager := bundle.WantedSecret{Namespace: "team-a", Name: "pager", Keys: []string{"key"}}
	w.want(pager)
	w.keeper.Sync(t.Context())
	w.api.SetAway(true)
	w.later()
	w.check(replica.Secret{Namespace: "team-a", Name: "pager"})
	w.restart()
	w.keeper.Sync(t.Context())
	if got := w.content("team-a/pager/key"); got != precious+" key" {
		t.Errorf("the file has %q", got)
	}
	if len(w.told) != 1 || !strings.Contains(w.told[0].Problem, "no answer") || w.told[0].Forbidden {
		t.Errorf("told %+v", w.told)
	}
	w.api.SetAway(false)
	w.later()
	w.check(replica.Secret{Namespace: "team-a", Name: "pager"})
}

// TestUnfitForTLS: what the server would refuse, and everybody's configuration with it, never gets to it.
func TestUnfitForTLS(t *testing.T) {
	one, err := newStopgap()
	if err != nil {
		t.Fatal(err)
	}
	two, err := newStopgap()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data    map[string][]byte
		problem string
		kept    []string
	}{
		"all of use": {map[string][]byte{"ca": one, "cert": two, "key": two}, "", []string{"ca", "cert", "key"}},
		"a CA that is none": {map[string][]byte{"ca": []byte(precious), "cert": two, "key": two},
			"its key ca is no certificate in PEM", []string{"cert", "key"}},
		"the key of another": {map[string][]byte{"ca": one, "cert": one, "key": two},
			"its keys cert and key are not a certificate and the key to it, in PEM", []string{"ca"}},
		"no key": {map[string][]byte{"ca": one, "cert": one}, "it has no key key", []string{"ca"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.api.PutSecret("team-a", "tls", c.data, true)
			w.want(bundle.WantedSecret{Namespace: "team-a", Name: "tls", Keys: []string{"ca", "cert", "key"},
				TLS: []bundle.TLSKeys{{CA: "ca"}, {Cert: "cert", Key: "key"}}})
			w.keeper.Sync(t.Context())
			if len(w.told) != 1 || w.told[0].Problem != c.problem {
				t.Errorf("told %+v, want %q", w.told, c.problem)
			}
			for _, key := range []string{"ca", "cert", "key"} {
				kept := w.content("team-a/tls/"+key) == string(c.data[key])
				if want := slices.Contains(c.kept, key); kept != want {
					t.Errorf("%s has the Secret's content: %v, want %v", key, kept, want)
				}
			}
			if _, err := tls.X509KeyPair([]byte(w.content("team-a/tls/cert")), []byte(w.content("team-a/tls/key"))); err != nil {
				t.Errorf("the server would refuse the pair: %v", err)
			}
			if strings.Contains(w.log.String(), precious) {
				t.Errorf("the log has a Secret's content:\n%s", w.log.String())
			}
		})
	}
}

// TestStopgap: a server that finds it loads it, wherever it is named, and trusts nobody by it.
func TestStopgap(t *testing.T) {
	text, err := newStopgap()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Error("not taken for an authority's certificate")
	}
	if pair.Leaf.IsCA || pair.Leaf.KeyUsage&x509.KeyUsageCertSign != 0 {
		t.Error("may sign others")
	}
	if other, _ := newStopgap(); slices.Equal(text, other) {
		t.Error("the same for everybody")
	}
}

// TestConfigMaps: they are files like those of Secrets, apart from those of a Secret of the same name.
func TestConfigMaps(t *testing.T) {
	w := newWorld(t)
	own, err := newStopgap()
	if err != nil {
		t.Fatal(err)
	}
	w.api.PutSecret("team-a", "ca", map[string][]byte{"key": []byte("of the Secret")}, true)
	w.api.PutConfigMap("team-a", "ca", map[string]string{"key": "of the ConfigMap", "ca.crt": precious}, map[string][]byte{"ca.der": own})
	w.want(
		bundle.WantedSecret{Namespace: "team-a", Name: "ca", Keys: []string{"key"}},
		bundle.WantedSecret{Namespace: "team-a", Name: "ca", ConfigMap: true, Keys: []string{"ca.crt", "ca.der", "key"}, TLS: []bundle.TLSKeys{{CA: "ca.crt"}, {CA: "ca.der"}}},
		bundle.WantedSecret{Namespace: "team-a", Name: "other", ConfigMap: true, Keys: []string{"key"}},
	)
	w.keeper.Sync(t.Context())
	w.check(
		replica.Secret{Namespace: "team-a", Name: "ca"},
		replica.Secret{Namespace: "team-a", Name: "ca", ConfigMap: true, Problem: "its key ca.crt is no certificate in PEM"},
		replica.Secret{Namespace: "team-a", Name: "other", ConfigMap: true, Forbidden: true},
	)
	for file, want := range map[string]string{"ca/key": "of the Secret", "configmap:ca/key": "of the ConfigMap", "configmap:ca/ca.der": string(own)} {
		if got := w.content("team-a/" + file); got != want {
			t.Errorf("%s has %q", file, got)
		}
	}
	if w.content("team-a/configmap:ca/ca.crt") == precious {
		t.Error("the server gets a CA that is none")
	}
	w.want()
	w.keeper.Sync(t.Context())
	if left := w.files(); len(left) > 0 {
		t.Errorf("files that nobody wants any more: %v", left)
	}
}

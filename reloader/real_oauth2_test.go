package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/replica"
)

// authority gives out tokens, and is itself what is scraped: who has no token of its gets nothing.
type authority struct {
	mu         sync.Mutex
	id, secret string
	asked      []string // what was asked for, as far as the client was known
	refused    int
}

func (a *authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch r.URL.Path {
	case "/token":
		if id, secret, _ := r.BasicAuth(); id != a.id || secret != a.secret {
			a.refused++
			http.Error(w, `{"error":"invalid_client"}`, http.StatusUnauthorized)
			return
		}
		a.asked = append(a.asked, fmt.Sprint(r.PostFormValue("grant_type"), " ", r.PostFormValue("scope"), " ", r.PostFormValue("audience")))
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "token-of-" + a.id, "token_type": "Bearer", "expires_in": 3600})
	default:
		if r.Header.Get("Authorization") != "Bearer token-of-"+a.id {
			http.Error(w, "no token", http.StatusUnauthorized)
			return
		}
		fmt.Fprintln(w, "scraped 1")
	}
}

func (a *authority) seen() (asked []string, refused int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append(asked, a.asked...), a.refused
}

// TestRealOAuth2: a real Prometheus is a client of OAuth2 whose id is in a Secret. Until that is granted it has no token, and everything
// else is scraped; from then on the scrapes carry one; and neither the id nor the secret is anywhere but in memory.
func TestRealOAuth2(t *testing.T) {
	p := newPod(t)
	p.o.grantedDir = t.TempDir()
	a := &authority{id: "ember", secret: "s3cret-word"}
	server := httptest.NewServer(a)
	defer server.Close()
	wanted, err := bundle.MarshalSecrets([]bundle.WantedSecret{{Namespace: "shop", Name: "client", Keys: []string{"id", "secret"}}})
	if err != nil {
		t.Fatal(err)
	}
	dir, target := filepath.Join(p.o.grantedDir, "shop/client"), strings.TrimPrefix(server.URL, "http://")
	files := func(plain string) map[string][]byte {
		return map[string][]byte{
			"prometheus.yml": []byte("global: {scrape_interval: 1s}\nscrape_config_files: [monitors.yml, " + filepath.Join(p.o.grantedDir, bundle.ClientsName) + "]\n"),
			"monitors.yml":   fmt.Appendf(nil, "scrape_configs: [{job_name: %s, static_configs: [{targets: ['%s']}]}]\n", plain, p.server),
			bundle.ClientsName: fmt.Appendf(nil, "scrape_configs:\n- job_name: client\n  oauth2:\n    client_id: %s/id\n    client_secret_file: %s/secret\n"+
				"    token_url: %s/token\n    scopes: [read, all]\n    endpoint_params: {audience: shop}\n  static_configs: [{targets: ['%s']}]\n", dir, dir, server.URL, target),
			bundle.SecretsName: wanted,
		}
	}
	p.api.PutSecret("shop", "client", map[string][]byte{"id": []byte("ember\n"), "secret": []byte("s3cret-word")}, false)
	one := p.api.Publish(files("self"), nil)
	p.startReloader()
	p.startPrometheus()
	p.loaded(one)
	r := p.until("without a token", func(r replica.Report) bool {
		return len(r.Jobs) == 2 && r.Jobs[0].Down == 1 && r.Jobs[1].Up == 1 && len(r.Secrets) == 1 && r.Secrets[0].Forbidden
	})
	t.Logf("before it is granted: %s", r.Jobs[0].LastError)
	if asked, _ := a.seen(); len(asked) > 0 {
		t.Fatalf("it has a token already: %v", asked)
	}

	p.api.PutSecret("shop", "client", map[string][]byte{"id": []byte("ember\n"), "secret": []byte("s3cret-word")}, true)
	p.until("scraped with a token", func(r replica.Report) bool {
		return len(r.Jobs) == 2 && r.Jobs[0].Up == 1 && r.Jobs[1].Up == 1 && r.Ready && r.Loaded == one.Revision
	})
	asked, refused := a.seen()
	t.Logf("granted: %d tokens after %d refusals, for %q", len(asked), refused, asked[0])
	if asked[0] != "client_credentials read all shop" {
		t.Errorf("a token was asked for as %q", asked[0])
	}

	// Of another revision it begins with the id, and one without clients leaves nothing of them.
	two := p.api.Publish(files("other"), nil)
	p.loaded(two)
	p.until("scraped as before", func(r replica.Report) bool {
		return len(r.Jobs) == 2 && r.Jobs[0].Name == "client" && r.Jobs[0].Up == 1 && r.Jobs[1].Name == "other" && r.Jobs[1].Up == 1
	})
	p.hasNot("ember", "s3cret-word")
	three := p.publish("global: {scrape_interval: 1s}\nscrape_configs: [{job_name: self, static_configs: [{targets: ['"+p.server+"']}]}]\n", nil)
	p.loaded(three)
	p.until("without clients", func(r replica.Report) bool { return len(r.Jobs) == 1 && r.Jobs[0].Up == 1 && len(r.Secrets) == 0 })
	if left, err := filepath.Glob(filepath.Join(p.o.grantedDir, "*")); err != nil || len(left) > 0 {
		t.Errorf("%v is left: %v", left, err)
	}
}

// hasNot looks for words that must not be in the files of the tree, in the log or in what Prometheus shows of its configuration.
func (p *pod) hasNot(words ...string) {
	p.t.Helper()
	_, shown := p.get(p.o.serverURL + "/api/v1/status/config")
	_, report := p.get("http://" + p.o.listen + replica.Path)
	texts := map[string]string{"what Prometheus shows": shown, "the report": report}
	dir := os.DirFS(p.o.dir)
	err := fs.WalkDir(dir, ".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			text, err := fs.ReadFile(dir, path)
			texts[path] = string(text)
			return err
		}
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	log, err := os.ReadFile(p.log)
	if err != nil {
		p.t.Fatal(err)
	}
	texts["the log"] = string(log)
	if len(shown) < 20 || len(texts) < 6 || len(log) == 0 {
		p.t.Fatalf("there was little to look at: %d texts, %q", len(texts), shown)
	}
	for where, text := range texts {
		for _, word := range words {
			if strings.Contains(text, word) {
				p.t.Errorf("%s is in %s:\n%s", word, where, text)
			}
		}
	}
}

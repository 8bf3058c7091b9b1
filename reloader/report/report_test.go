package report

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hearth-monitoring/hearth/internal/replica"
)

func ask(t *testing.T, method, url string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

func TestLongPoll(t *testing.T) {
	b := NewBoard()
	s := httptest.NewServer(b.Handler(http.NotFoundHandler()))
	defer s.Close()
	_, _, header := ask(t, http.MethodGet, s.URL+"/v1/report")
	etag := header.Get("ETag")

	b.Update(func(r *replica.Report) { r.Loaded = 0 })
	started := time.Now()
	_, _, header = ask(t, http.MethodGet, s.URL+"/v1/report?wait=200ms&after="+strings.Trim(etag, `"`))
	if header.Get("ETag") != etag || time.Since(started) < 200*time.Millisecond {
		t.Errorf("unchanged: %s after %s", header.Get("ETag"), time.Since(started))
	}

	time.AfterFunc(100*time.Millisecond, func() { b.Update(func(r *replica.Report) { r.Loaded, r.Published = 7, 7 }) })
	started = time.Now()
	_, text, header := ask(t, http.MethodGet, s.URL+"/v1/report?wait=30s&after=%22"+strings.Trim(etag, `"`)+"%22")
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("answered after %s", took)
	}
	got, err := replica.Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(replica.Report{Loaded: 7, Published: 7}, got); diff != "" {
		t.Error(diff)
	}
	if header.Get("ETag") != `"`+got.Fingerprint()+`"` {
		t.Errorf("ETag %s is not the fingerprint", header.Get("ETag"))
	}
	started = time.Now()
	ask(t, http.MethodGet, s.URL+"/v1/report?wait=30s&after="+strings.Trim(etag, `"`))
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("another ETag waited %s", took)
	}
	if code, _, _ := ask(t, http.MethodGet, s.URL+"/v1/report?wait=soon"); code != http.StatusBadRequest {
		t.Errorf("bad wait: %d", code)
	}
}

func TestProbes(t *testing.T) {
	b := NewBoard("tree", "web")
	s := httptest.NewServer(b.Handler(http.NotFoundHandler()))
	defer s.Close()
	check := func(path string, code int, want string) {
		t.Helper()
		if got, text, _ := ask(t, http.MethodGet, s.URL+path); got != code || !strings.Contains(text, want) {
			t.Errorf("%s: %d %q, want %d %q", path, got, text, code, want)
		}
	}
	check("/healthz", 200, "alive")
	check("/startup", 503, "tree is not there yet\nweb is not there yet")
	b.Unblock("tree")
	b.Block("web", "tls.key is missing")
	check("/startup", 503, "tls.key is missing")
	b.Unblock("web")
	b.Block("web", "later trouble")
	check("/startup", 200, "")
	b.Update(func(r *replica.Report) { r.ReadyReason = "starting" })
	check("/ready", 503, "starting")
	b.Update(func(r *replica.Report) { r.Ready, r.Loaded = true, 3 })
	check("/ready", 200, "revision 3")
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		for _, path := range []string{"/v1/report", "/startup", "/ready", "/healthz", "/metrics"} {
			if code, _, _ := ask(t, method, s.URL+path); code != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d", method, path, code)
			}
		}
	}
	if code, text, _ := ask(t, http.MethodHead, s.URL+"/v1/report"); code != 200 || text != "" {
		t.Errorf("HEAD: %d %q", code, text)
	}
}

package grafana_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hearth-monitoring/hearth/controllers/grafana"
	"github.com/hearth-monitoring/hearth/controllers/grafana/grafanatest"
)

func TestURLs(t *testing.T) {
	for text, want := range map[string]string{
		"https://grafana.example.org":               "",
		"http://10.0.0.1:3000/grafana/":             "",
		"https://admin:hunter2@grafana.example.org": "has a user or a password in it",
		"grafana.example.org":                       "has to begin with http:// or https://",
		"ftp://grafana.example.org":                 "has to begin with http:// or https://",
		"https://":                                  "has to begin with http:// or https:// and a host",
		"https://grafana.example.org/?orgId=2":      "has a query",
		"https://u:hunter2@x:port":                  "is no URL",
	} {
		_, err := grafana.ParseURL(text)
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, wanted %q", text, err, want)
		case err != nil && strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%s: the error has the password: %v", text, err)
		}
	}
}

// failing is the error of a Sync with what answers at a URL.
func failing(t *testing.T, o grafana.Options) error {
	t.Helper()
	c, err := grafana.New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = grafana.Sync(t.Context(), c, grafana.Owner{Namespace: "n", Name: "x", ID: "1"}, everything(), nil, grafana.NewMemory())
	if err == nil {
		t.Fatal("no error")
	}
	if strings.Contains(err.Error(), token) {
		t.Errorf("the error has the token: %v", err)
	}
	t.Log(err)
	return err
}

func TestWhatAnswersIsNoGrafana(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + listener.Addr().String()
	listener.Close()
	seen := make(chan string, 8)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header.Get("Authorization") }))
	t.Cleanup(elsewhere.Close)
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		url     string
		want    string
	}{
		"nobody":     {url: closed, want: "connection refused"},
		"a redirect": {handler: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) }, want: "redirect"},
		"a page":     {handler: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>internal text</html>")) }, want: "no JSON"},
		"other JSON": {handler: func(w http.ResponseWriter, _ *http.Request) { jsonText(w, 200, `["internal text"]`) }, want: "can't be read"},
		"a refusal":  {handler: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "internal text", http.StatusForbidden) }, want: "403: Forbidden, and nothing that a Grafana says"},
		"an echo": {handler: func(w http.ResponseWriter, r *http.Request) {
			jsonText(w, 400, `{"message": "bad `+r.Header.Get("Authorization")+`"}`)
		}, want: "400: bad Bearer (token)"},
		"a long text": {handler: func(w http.ResponseWriter, _ *http.Request) {
			jsonText(w, 503, `{"message": "`+strings.Repeat("x", 10_000)+`"}`)
		}, want: "xxx…"},
		"too much": {handler: func(w http.ResponseWriter, _ *http.Request) { jsonText(w, 200, strings.Repeat(" ", 33<<20)) }, want: "more than 32 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.handler != nil {
				s := httptest.NewServer(test.handler)
				defer s.Close()
				test.url = s.URL
			}
			err := failing(t, grafana.Options{URL: test.url, Token: token, Local: true})
			if !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "internal text") || len(err.Error()) > 500 {
				t.Errorf("wanted %q: %v", test.want, err)
			}
		})
	}
	if len(seen) > 0 {
		t.Errorf("a redirect was followed, with %q", <-seen)
	}
}

func jsonText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.Copy(w, strings.NewReader(text))
}

func TestASlowGrafanaIsGivenUp(t *testing.T) {
	s := grafanatest.New()
	defer s.Close()
	s.AddToken(token, 1)
	s.SetMode(grafanatest.Mode{Delay: time.Minute})
	err := failing(t, grafana.Options{URL: s.URL, Token: token, Local: true, Timeout: 50 * time.Millisecond})
	if !strings.Contains(err.Error(), "does not answer in time") {
		t.Error(err)
	}
	s.SetMode(grafanatest.Mode{Proxied: true})
	if err := failing(t, grafana.Options{URL: s.URL, Token: token, Local: true}); !strings.Contains(err.Error(), "502") || strings.Contains(err.Error(), "upstream") {
		t.Error(err)
	}
}

// Who may declare a server is not to reach the operator's own host, nor a cloud's metadata, by it.
func TestOwnAddressesAreRefused(t *testing.T) {
	s := grafanatest.New()
	defer s.Close()
	for _, url := range []string{s.URL, strings.Replace(s.URL, "127.0.0.1", "localhost", 1), "http://169.254.169.254/latest", "http://[fe80::1]:80", "http://0.0.0.0:3000"} {
		if err := failing(t, grafana.Options{URL: url, Token: token}); !strings.Contains(err.Error(), "operator's own host or link") {
			t.Errorf("%s: %v", url, err)
		}
	}
	if got := s.TakeRequests(); len(got) > 0 {
		t.Errorf("it was asked %v", got)
	}
}

// A token is good in the organisation of its service account, and sees nothing of others.
func TestTheOrganisationIsTheTokens(t *testing.T) {
	b := newBench(t)
	b.server.AddToken("second", 2)
	b.sync()
	b.client, b.memory = newClient(t, b.server, "second"), grafana.NewMemory()
	b.sync()
	b.desired = grafana.Desired{}
	b.sync("hearth")
	if left := b.names(); len(left) != 5 {
		t.Errorf("in the first organisation there is %v", left)
	}
}

package server_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/reloader/server"
)

// answers is a server that says the same each time.
func answers(texts map[string]string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		uri := r.URL.RequestURI()
		if r.URL.Path == "/metrics" {
			uri = r.URL.Path // the names that are asked for don't matter to a server that doesn't know the parameter
		}
		text, ok := texts[r.Method+" "+uri]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write([]byte(text))
	})
}

func client(t *testing.T, address string, identity server.Identity) server.Prometheus {
	t.Helper()
	base, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return server.NewPrometheus(server.NewClient(base, identity), "")
}

// TestInstance: since when a process runs is asked once for each connection, as it has to gather all its metrics for that, and a
// process that was replaced does not answer on the connection of the one before.
func TestInstance(t *testing.T) {
	var asked, started atomic.Int64
	var busy atomic.Bool
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case busy.Load():
			<-r.Context().Done()
		case r.URL.Path == "/api/v1/status/runtimeinfo":
			asked.Add(1)
			fmt.Fprintf(w, `{"status":"success","data":{"startTime":"%d"}}`, started.Load())
		}
	}))
	t.Cleanup(s.Close)
	p := client(t, s.URL, server.Identity{})
	look := func(times int64, instance string) {
		t.Helper()
		if err := p.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, err := p.Instance(t.Context()); err != nil || got != instance || asked.Load() != times {
			t.Errorf("process %q, %v, want %q; asked %d times, want %d", got, err, instance, asked.Load(), times)
		}
	}
	look(1, "0")
	look(1, "0")

	started.Store(1)
	s.CloseClientConnections()
	look(2, "1")
	look(2, "1")

	// A question that is given up takes the connection with it.
	busy.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := p.Ready(ctx); err == nil {
		t.Error("a server that does not answer is ready")
	}
	busy.Store(false)
	look(3, "1")
}

func TestFacts(t *testing.T) {
	s := httptest.NewServer(answers(map[string]string{
		"GET /-/ready":                   "ready",
		"GET /api/v1/status/runtimeinfo": `{"status":"success","data":{"startTime":"2026-01-02T03:04:05Z","reloadConfigSuccess":true}}`,
		"GET /api/v1/status/buildinfo":   `{"status":"success","data":{"version":"3.15.0"}}`,
		"GET /api/v1/targets?state=active": `{"status":"success","data":{"activeTargets":[
			{"discoveredLabels":{"a":"b"},"scrapePool":"node","scrapeUrl":"http://10.0.0.2:9100/metrics","health":"down","lastError":"later"},
			{"scrapePool":"node","scrapeUrl":"http://ada:pw@10.0.0.1:9100/metrics?token=s3cret","health":"down",
			 "lastError":"Get \"http://ada:pw@10.0.0.1:9100/metrics?token=s3cret\": read tcp 10.1.1.1:51234->10.0.0.1:9100: connection reset"},
			{"scrapePool":"node","scrapeUrl":"http://10.0.0.3:9100/metrics","health":"up","lastError":""},
			{"scrapePool":"a","scrapeUrl":"http://x/","health":"unknown"}],"droppedTargets":[]}}`,
		"GET /api/v1/alerts": `{"status":"success","data":{"alerts":[{"state":"firing","labels":{"alerts":"x"}},
			{"state":"pending","labels":{"hearth_alertrule":"team/b"}},{"state":"firing","labels":{"hearth_alertrule":"team/b"}},
			{"state":"firing","labels":{"alertname":"Watchdog"}},
			{"state":"firing","labels":{"alertname":"Watchdog","hearth_alertrule":"team/a"}}]}}`,
		"GET /metrics": "# HELP x y\nprometheus_rule_group_rules{rule_group=\"a b;c\"} 3\nprometheus_rule_group_rules{rule_group=\"d\"} 4\n" +
			"prometheus_rule_group_rules{rule_group=\"/etc/prometheus/config/current/watchdog.yaml;hearth\"} 1\n" +
			"prometheus_notifications_alertmanagers_discovered 2\n" +
			"prometheus_sd_discovered_targets{config=\"node\",name=\"scrape\"} 3\n" +
			"prometheus_sd_discovered_targets{config=\"all/dropped\",name=\"scrape\"} 12\n" +
			"prometheus_sd_discovered_targets{config=\"none\",name=\"scrape\"} 0\n" +
			"prometheus_sd_discovered_targets{config=\"config-0\",name=\"notify\"} 1\n" +
			"prometheus_notifications_sent_total{alertmanager=\"http://am-0:9093/api/v2/alerts\"} 7\n" +
			"prometheus_notifications_errors_total{alertmanager=\"http://am-0:9093/api/v2/alerts\"} 1\n" +
			"prometheus_notifications_sent_total{alertmanager=\"http://ada:pw@am-1:9093/api/v2/alerts\"} 0\n" +
			"prometheus_notifications_errors_total{alertmanager=\"http://ada:pw@am-1:9093/api/v2/alerts\"} 1\n" +
			"x{y=\"" + strings.Repeat("z", 200_000) + "\"} 1\nprometheus_tsdb_head_series 1.2345e+06\n",
	}))
	defer s.Close()
	c := client(t, s.URL, server.Identity{})
	if err := c.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	if got, err := c.Instance(t.Context()); got != "2026-01-02T03:04:05Z" || err != nil {
		t.Errorf("instance %q, %v", got, err)
	}
	got, err := c.Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := server.Facts{
		Version: "3.15.0", Rules: 7, Firing: 3, Pending: 1, HeadSeries: 1234500,
		Alerting:   &replica.Alerting{Watchdog: true, Alertmanagers: 2, Unreachable: []string{"am-1:9093"}},
		AlertRules: []replica.AlertRule{{Name: "team/a", Firing: 1}, {Name: "team/b", Firing: 1, Pending: 1}},
		Jobs:       []replica.Job{{Name: "a", Unknown: 1}, {Name: "all/dropped", Dropped: 12}, {Name: "node", Up: 1, Down: 2, LastError: `http://10.0.0.2:9100/metrics: later`}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
}

func TestTargetErrorsCarryNoSecrets(t *testing.T) {
	s := httptest.NewServer(answers(map[string]string{
		"GET /api/v1/status/buildinfo": `{"data":{}}`,
		"GET /api/v1/alerts":           `{"data":{"alerts":[]}}`,
		"GET /metrics":                 "",
		"GET /api/v1/targets?state=active": `{"data":{"activeTargets":[{"scrapePool":"node","scrapeUrl":"http://ada:pw@10.0.0.1:9100/metrics?token=s3cret","health":"down",
			"lastError":"Get \"http://ada:***@10.0.0.1:9100/metrics?token=s3cret\": read tcp 10.1.1.1:51234->10.0.0.1:9100: connection reset"}]}}`,
	}))
	defer s.Close()
	got, err := client(t, s.URL, server.Identity{}).Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := `http://10.0.0.1:9100/metrics: Get "http://ada:***@10.0.0.1:9100/metrics": read tcp 10.1.1.1->10.0.0.1:9100: connection reset`
	if got.Jobs[0].LastError != want {
		t.Errorf("got %s", got.Jobs[0].LastError)
	}
}

func TestReload(t *testing.T) {
	for _, c := range []struct {
		code int
		body string
		want *server.Failure
	}{
		{200, "", nil},
		{500, "failed to reload config: bad\n", &server.Failure{Text: "failed to reload config: bad", Sent: true}},
		{401, "Unauthorized", &server.Failure{Text: "the server refuses the reloader's own password (401)"}},
		{302, "", &server.Failure{Text: "302 Found", Sent: true}},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPost || r.URL.Path != "/prefix/-/reload" {
				t.Errorf("%s %s", r.Method, r.URL)
			}
			w.WriteHeader(c.code)
			_, _ = w.Write([]byte(c.body))
		}))
		err := client(t, s.URL+"/prefix", server.Identity{}).Reload(t.Context())
		s.Close()
		var got *server.Failure
		errors.As(err, &got)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%d: %s", c.code, diff)
		}
		var failure *server.Failure
		if err := client(t, s.URL, server.Identity{}).Reload(t.Context()); !errors.As(err, &failure) || failure.Sent {
			t.Errorf("a server that is gone: %v", err)
		}
	}
}

func TestPinning(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, password, _ := r.BasicAuth(); name != "me" || password != "pw" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer s.Close()
	leaf := s.Certificate()
	identity := server.Identity{
		Leaf:        func() (*x509.Certificate, error) { return leaf, nil },
		Credentials: func() (string, string) { return "me", "pw" },
	}
	if err := client(t, s.URL, identity).Ready(t.Context()); err != nil {
		t.Errorf("the pinned certificate: %v", err)
	}
	identity.Leaf = func() (*x509.Certificate, error) { return &x509.Certificate{Raw: []byte("other")}, nil }
	err := client(t, s.URL, identity).Reload(t.Context())
	var failure *server.Failure
	if !errors.As(err, &failure) || failure.Sent {
		t.Errorf("another certificate: %v", err)
	}
}

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/replica"
)

func newAlertmanagerPod(t *testing.T) *pod {
	p := newPodOf(t, kindAlertmanager)
	p.o.grantedDir = t.TempDir()
	return p
}

func (p *pod) startAlertmanager() {
	p.t.Helper()
	p.start("--config.file="+filepath.Join(p.o.dir, "current", "alertmanager.yml"), "--storage.path="+p.t.TempDir(),
		"--web.listen-address="+p.server, "--cluster.listen-address=", "--enable-feature=receiver-name-in-metrics", "--log.level=error")
}

func (p *pod) publishAlertmanager(config, template string, wanted ...bundle.WantedSecret) bundle.Manifest {
	p.t.Helper()
	text, err := bundle.MarshalSecrets(wanted)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.api.Publish(map[string][]byte{
		"alertmanager.yml": []byte(config), "templates/hearth.tmpl": []byte(template), bundle.SecretsName: text,
	}, nil)
}

// fire sends an alert the way Prometheus does: valid for four times the interval at which it is sent. The Watchdog is the
// operator's own.
func (p *pod) fire(name string, interval time.Duration) {
	p.t.Helper()
	now := time.Now().UTC()
	labels := `"prometheus":"monitoring/main","hearth_alertrule":"monitoring/rule"`
	if name == replica.WatchdogAlert {
		labels = `"prometheus":"monitoring/main","severity":"none"`
	}
	text := fmt.Sprintf(`[{"labels":{"alertname":%q,%s},"startsAt":%q,"endsAt":%q}]`,
		name, labels, now.Format(time.RFC3339Nano), now.Add(4*interval).Format(time.RFC3339Nano))
	resp, err := p.http.Post("http://"+p.server+"/api/v2/alerts", "application/json", strings.NewReader(text))
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(resp.Body)
		p.t.Fatalf("%s: %s", resp.Status, body)
	}
}

// webhook is a receiver that notes what it gets, and fails while told to.
type webhook struct {
	mu   sync.Mutex
	got  []string
	auth []string
	fail bool
}

func (h *webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var message struct {
		Alerts []struct{ Labels map[string]string }
	}
	_ = json.NewDecoder(r.Body).Decode(&message)
	if h.fail {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	h.auth = append(h.auth, r.Header.Get("Authorization"))
	for _, a := range message.Alerts {
		h.got = append(h.got, a.Labels["alertname"])
	}
}

func (h *webhook) set(fail bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fail = fail
}

func (h *webhook) last() (name, auth string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.got) == 0 {
		return "", ""
	}
	return h.got[len(h.got)-1], h.auth[len(h.auth)-1]
}

func config(url, credentials string) string {
	return fmt.Sprintf(`route: {receiver: team, group_by: [alertname], group_wait: 100ms, group_interval: 1s}
receivers:
- name: team
  webhook_configs: [{url: %q, http_config: {authorization: {credentials_file: %q}}}]
templates: ["templates/*.tmpl"]
`, url, credentials)
}

func TestRealAlertmanager(t *testing.T) {
	p := newAlertmanagerPod(t)
	hook := &webhook{}
	receiver := httptest.NewServer(hook)
	t.Cleanup(receiver.Close)
	wanted := bundle.WantedSecret{Namespace: "team-a", Name: "hook", Keys: []string{"token"}}
	p.api.PutSecret("team-a", "hook", map[string][]byte{"token": []byte("open-sesame")}, true)
	text := config(receiver.URL, filepath.Join(p.o.grantedDir, "team-a/hook/token"))
	one := p.publishAlertmanager(text, `{{ define "a" }}a{{ end }}`, wanted)
	p.startReloader()
	p.startAlertmanager()
	r := p.loaded(one)
	if r.Version == "" || r.Alertmanager == nil || r.Alertmanager.Members != 1 || r.Error != "" {
		r = p.until("facts", func(r replica.Report) bool { return r.Version != "" && r.Alertmanager != nil })
	}
	if len(r.Secrets) != 1 || r.Secrets[0].Problem != "" {
		t.Errorf("Secrets: %+v", r.Secrets)
	}

	// A granted Secret gets to the receiver.
	p.fire("First", time.Minute)
	eventually(t, "the alert arrives with the granted password", func() bool {
		name, auth := hook.last()
		return name == "First" && auth == "Bearer open-sesame"
	})

	// What the server alone refuses is rolled back, with its own words; a template counts too.
	bad := p.publishAlertmanager(text, `{{ define "a" }}{{ nonsense }}{{ end }}`, wanted)
	r = p.until("refused", func(r replica.Report) bool {
		return r.Published == bad.Revision && r.Error != "" && r.Loaded == one.Revision
	})
	t.Logf("the server's own text: %s", r.Error)
	if !strings.Contains(r.Error, `function "nonsense" not defined`) {
		t.Errorf("error: %s", r.Error)
	}
	p.fire("Second", time.Minute)
	eventually(t, "the last good configuration notifies", func() bool { name, _ := hook.last(); return name == "Second" })

	// One namespace's missing certificate authority keeps nobody from a new configuration.
	published := time.Now()
	broken := strings.Replace(text, "authorization: {", `tls_config: {ca_file: "`+filepath.Join(p.o.grantedDir, "team-b/ca/ca.crt")+`"}, authorization: {`, 1)
	two := p.publishAlertmanager(broken, "", wanted, bundle.WantedSecret{Namespace: "team-b", Name: "ca", Keys: []string{"ca.crt"}})
	r = p.loaded(two)
	t.Logf("published to loaded, with two Secrets: %s", time.Since(published))
	if len(r.Secrets) != 2 || !r.Secrets[1].Forbidden {
		t.Errorf("Secrets: %+v", r.Secrets)
	}
	p.kill()
	p.until("unready", func(r replica.Report) bool { return !r.Ready })
	p.startAlertmanager()
	p.loaded(two)
}

// TestRealAlertmanagerTellsHowItIsDoing: what fails and whether the watchdog arrives, and not once more than it changes.
func TestRealAlertmanagerTellsHowItIsDoing(t *testing.T) {
	p := newAlertmanagerPod(t)
	hook := &webhook{fail: true}
	receiver := httptest.NewServer(hook)
	t.Cleanup(receiver.Close)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	one := p.publishAlertmanager(config(receiver.URL, token), "")
	p.startReloader()
	p.startAlertmanager()
	p.loaded(one)
	p.fire("Failing", time.Minute)
	r := p.until("failing", func(r replica.Report) bool { return r.Alertmanager != nil && len(r.Alertmanager.Failing) > 0 })
	if f := r.Alertmanager.Failing[0]; f.Receiver != "team" || f.Integration != "webhook" || f.Reason != "clientError" || f.Failed < 1 {
		t.Errorf("what fails: %+v", f)
	}
	hook.set(false)
	p.until("no longer failing", func(r replica.Report) bool { return r.Alertmanager != nil && len(r.Alertmanager.Failing) == 0 })

	fired := time.Now()
	p.fire(replica.WatchdogAlert, 6*time.Second)
	taken := time.Now()
	p.until("the watchdog arrives", func(r replica.Report) bool {
		dog := watchdog(r)
		return dog != nil && *dog == replica.Watchdog{Server: "monitoring/main", Arriving: true}
	})
	// It is no alert that anybody has to see to.
	p.until("the other alert alone is counted", func(r replica.Report) bool { return r.Alertmanager != nil && r.Alertmanager.Active == 1 })
	r = p.until("the watchdog is late", func(r replica.Report) bool { return watchdog(r) != nil && !watchdog(r).Arriving })
	// The Alertmanager notes when it took it, to the millisecond or so, and what is reported are whole seconds.
	if seen := watchdog(r).LastSeen; seen < fired.Unix() || seen > taken.Unix()+1 {
		t.Errorf("last seen at %s, it was sent between %s and %s", time.Unix(seen, 0), fired, taken)
	}
	p.fire(replica.WatchdogAlert, time.Minute)
	p.until("the watchdog arrives again", func(r replica.Report) bool { return watchdog(r) != nil && watchdog(r).Arriving })
}

// watchdog is the one that a report speaks of, nil if there is none.
func watchdog(r replica.Report) *replica.Watchdog {
	if r.Alertmanager == nil || len(r.Alertmanager.Watchdogs) != 1 {
		return nil
	}
	return &r.Alertmanager.Watchdogs[0]
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if done() {
			return
		}
	}
	t.Fatalf("not so: %s", what)
}

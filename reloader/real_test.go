package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/reloader/fetchtest"
)

// binary is the real server, or the test is skipped aloud.
func binary(t *testing.T, name string) string {
	t.Helper()
	variable := strings.ToUpper(name) + "_BIN"
	path := os.Getenv(variable)
	if path == "" {
		path = filepath.Join("..", "bin", name)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIPPED, nothing here was tried on a real server: %v (set %s or build bin/%s)", err, variable, name)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// pod is a reloader and a server side by side.
type pod struct {
	t      *testing.T
	api    *fetchtest.API
	o      options
	log    string
	binary string
	server string
	http   *http.Client
	kill   func()
}

// freePort is an address for a server that is started later, and again. It is not one that the kernel gives to whoever asks for
// any, of whom there are many while tests run.
func freePort(t *testing.T) string {
	t.Helper()
	var err error
	for range 100 {
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))); err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal(err)
	return ""
}

func newPod(t *testing.T) *pod { return newPodOf(t, kindPrometheus) }

func newPodOf(t *testing.T, kind string) *pod {
	p := &pod{t: t, binary: binary(t, kind), api: fetchtest.New(t), server: freePort(t)}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: %q}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\ncurrent-context: c\nusers: [{name: u, user: {}}]\n", p.api.URL())
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p.o = options{
		namespace: fetchtest.Namespace, manifest: bundle.ManifestName(fetchtest.Prefix), dir: t.TempDir(),
		kind: kind, serverURL: "http://" + p.server, listen: freePort(t), kubeconfig: kubeconfig,
	}
	p.http = &http.Client{Timeout: 10 * time.Second}
	return p
}

// startReloader returns when the server may start.
func (p *pod) startReloader() {
	p.t.Helper()
	p.startReloaderThatWaits("")
}

// startReloaderThatWaits returns when /startup says for what the server has to wait, or if that is nothing, that it may start.
func (p *pod) startReloaderThatWaits(want string) {
	p.t.Helper()
	p.log = filepath.Join(p.t.TempDir(), "log")
	log, err := os.Create(p.log)
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(p.t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx, p.o, slog.New(slog.NewJSONHandler(log, nil))) }()
	p.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			p.t.Error(err)
		}
		_ = log.Close()
	})
	p.startup(want)
}

func (p *pod) startup(want string) {
	p.t.Helper()
	code, text := 0, ""
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		code, text = p.get("http://" + p.o.listen + "/startup")
		if want == "" && code == http.StatusOK || want != "" && code == http.StatusServiceUnavailable && strings.Contains(text, want) {
			return
		}
	}
	p.t.Fatalf("/startup says %d %q, want %q", code, text, want)
}

func (p *pod) startPrometheus() {
	p.t.Helper()
	args := []string{
		"--config.file=" + filepath.Join(p.o.dir, "current", "prometheus.yml"), "--storage.tsdb.path=" + p.t.TempDir(),
		"--web.listen-address=" + p.server, "--web.enable-lifecycle", "--log.level=warn",
	}
	if p.o.web.Out != "" {
		args = append(args, "--web.config.file="+p.o.web.Out)
	}
	p.start(args...)
}

func (p *pod) start(args ...string) {
	p.t.Helper()
	cmd := exec.Command(p.binary, args...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	stopped := false
	p.kill = func() {
		if !stopped {
			stopped = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	p.t.Cleanup(p.kill)
}

func (p *pod) get(url string) (int, string) {
	resp, err := p.http.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// until follows the report the way the operator does.
func (p *pod) until(what string, done func(replica.Report) bool) replica.Report {
	p.t.Helper()
	etag := ""
	var r replica.Report
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); {
		resp, err := p.http.Get("http://" + p.o.listen + replica.Path + "?wait=2s&after=" + etag)
		if err != nil {
			p.t.Log(err)
			continue
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		etag = strings.Trim(resp.Header.Get("ETag"), `"`)
		if r, err = replica.Decode(text); err != nil {
			p.t.Fatal(err)
		}
		if done(r) {
			return r
		}
	}
	p.t.Fatalf("not %s: %+v", what, r)
	return r
}

func (p *pod) publish(config string, rules map[string][]byte) bundle.Manifest {
	p.t.Helper()
	return p.api.Publish(map[string][]byte{"prometheus.yml": []byte(config)}, rules)
}

func (p *pod) loaded(m bundle.Manifest) replica.Report {
	p.t.Helper()
	return p.until(fmt.Sprintf("revision %d loaded", m.Revision), func(r replica.Report) bool {
		return r.Ready && r.Loaded == m.Revision && r.LoadedHash == m.Hash
	})
}

func rule(name, expr string) []byte {
	return fmt.Appendf(nil, "groups:\n- name: %s\n  interval: 1s\n  rules:\n  - alert: %s\n    expr: %s\n    for: 1h\n", name, name, expr)
}

func TestRealPrometheus(t *testing.T) {
	p := newPod(t)
	config := "global: {scrape_interval: 1s}\nrule_files: [rules/*.yaml]\nscrape_configs:\n- job_name: self\n  static_configs: [{targets: ['" + p.server + "']}]\n" +
		"- job_name: nobody\n  static_configs: [{targets: ['127.0.0.1:1']}]\n"
	rules := map[string][]byte{"a.yaml": rule("A", "vector(1)"), "b.yaml": rule("B", "vector(1)")}
	one := p.publish(config, rules)
	p.startReloader()
	p.startPrometheus()
	p.loaded(one)
	r := p.until("all facts", func(r replica.Report) bool {
		return r.Rules == 2 && r.Pending == 2 && len(r.Jobs) == 2 && r.Jobs[0].Down == 1 && r.Jobs[1].Up == 1 && r.Storage.HeadSeries > 0
	})
	if r.Version == "" || !strings.Contains(r.Jobs[0].LastError, "127.0.0.1:1/metrics: ") || r.Error != "" {
		t.Errorf("facts: %+v", r)
	}
	before := p.group("A")

	rules["b.yaml"] = rule("B", "vector(2)")
	published := time.Now()
	two := p.publish(config, rules)
	p.loaded(two)
	t.Logf("published to loaded: %s", time.Since(published))
	// The pending alert of the group that was not touched goes on where it was.
	if after := p.group("A"); after != before || !strings.Contains(after, p.o.dir+"/current/rules/a.yaml") {
		t.Errorf("state of an untouched group: before %s, after %s", before, after)
	}

	// Fine for whoever packs it, refused by the server only.
	bad := p.publish(strings.Replace(config, "job_name: nobody", "job_name: self", 1), rules)
	r = p.until("refused", func(r replica.Report) bool {
		return r.Published == bad.Revision && r.Error != "" && r.Loaded == two.Revision
	})
	t.Logf("the server's own text: %s", r.Error)
	if !strings.Contains(r.Error, `found multiple scrape configs with job name "self"`) {
		t.Errorf("error: %s", r.Error)
	}
	rules["b.yaml"] = []byte("groups: [{name: B, rules: [{alert: B, expr: 'sum('}]}]")
	bad = p.publish(config, rules)
	r = p.until("refused", func(r replica.Report) bool {
		return r.Published == bad.Revision && r.Error != "" && r.Loaded == two.Revision
	})
	t.Logf("the server's own text: %s", r.Error)
	if r = p.until("ready with the last good one", func(r replica.Report) bool { return r.Ready && r.Rules == 2 }); r.LoadedHash != two.Hash {
		t.Errorf("after a roll back: %+v", r)
	}
	if after := p.group("A"); after != before {
		t.Errorf("state of an untouched group after a roll back: before %s, after %s", before, after)
	}

	// A server that is killed with a refused revision published starts with the last good one.
	p.kill()
	p.until("unready", func(r replica.Report) bool { return !r.Ready })
	p.startPrometheus()
	p.loaded(two)
	rules["b.yaml"] = rule("B", "vector(3)")
	p.loaded(p.publish(config, rules))
}

// group is where a rule group is from and since when its alert is pending.
func (p *pod) group(name string) string {
	p.t.Helper()
	_, text := p.get(p.o.serverURL + "/api/v1/rules")
	var answer struct {
		Data struct {
			Groups []struct {
				Name, File string
				Rules      []struct{ Alerts []struct{ ActiveAt string } }
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		p.t.Fatal(err)
	}
	for _, g := range answer.Data.Groups {
		if g.Name == name {
			return fmt.Sprint(g.File, g.Rules)
		}
	}
	return "absent"
}

func TestParse(t *testing.T) {
	base := []string{"--namespace=a", "--manifest=b", "--dir=c"}
	if _, err := parse(append(base, "--log-level=debug", "--expand-env=POD_NAME")); err != nil {
		t.Error(err)
	}
	for _, args := range [][]string{nil, {"--namespace=a"}, append(base, "x"), append(base, "--tls-dir=x"), append(base, "--log-level=loud"), append(base, "--server-kind=grafana")} {
		if _, err := parse(args); err == nil {
			t.Errorf("%v passed", args)
		}
	}
}

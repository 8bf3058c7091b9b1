package agent_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/reloader/agent"
	"github.com/hearth-monitoring/hearth/reloader/fetch"
	"github.com/hearth-monitoring/hearth/reloader/fetchtest"
	"github.com/hearth-monitoring/hearth/reloader/report"
	"github.com/hearth-monitoring/hearth/reloader/server"
	"github.com/hearth-monitoring/hearth/reloader/tree"
)

// standIn answers as Prometheus does, over real HTTP, and reads the real files. A prometheus.yml with "bad" in it is
// refused.
type standIn struct {
	dir    string
	server *httptest.Server

	mu      sync.Mutex
	ready   bool
	started int
	slow    time.Duration
	hold    chan struct{} // if there is one, reloads wait until it is closed
	loads   []string      // what each acknowledged reload read
	refused int
}

func newStandIn(t *testing.T, dir string) *standIn {
	s := &standIn{dir: dir, ready: true}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) {
		if !s.read(func() bool { return s.ready }) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("POST /-/reload", s.reload)
	mux.HandleFunc("GET /api/v1/status/runtimeinfo", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		fmt.Fprintf(w, `{"data":{"startTime":"process %d"}}`, s.started)
	})
	mux.HandleFunc("GET /api/v1/status/buildinfo", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"data":{"version":"3"}}`) })
	mux.HandleFunc("GET /api/v1/targets", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"data":{"activeTargets":[]}}`) })
	mux.HandleFunc("GET /api/v1/alerts", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"data":{"alerts":[]}}`) })
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		fmt.Fprintf(w, "prometheus_rule_group_rules{a=\"b\"} %d\n", len(s.loads))
	})
	s.server = httptest.NewServer(mux)
	t.Cleanup(s.server.Close)
	return s
}

func (s *standIn) reload(w http.ResponseWriter, _ *http.Request) {
	s.pause()
	text, err := os.ReadFile(filepath.Join(s.dir, "current", "prometheus.yml"))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || strings.Contains(string(text), "bad") {
		s.refused++
		http.Error(w, fmt.Sprintf("failed to reload config: %s %v", text, err), http.StatusInternalServerError)
		return
	}
	s.loads = append(s.loads, string(text))
}

func (s *standIn) read(f func() bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f()
}

func (s *standIn) pause() {
	s.mu.Lock()
	slow, hold := s.slow, s.hold
	s.mu.Unlock()
	time.Sleep(slow)
	if hold != nil {
		<-hold
	}
}

// reloads is how many were acknowledged.
func (s *standIn) reloads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.loads)
}

func (s *standIn) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *standIn) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.loads) == 0 {
		return ""
	}
	return s.loads[len(s.loads)-1]
}

type world struct {
	t      *testing.T
	dir    string
	api    *fetchtest.API
	server *standIn
	board  *report.Board
	agent  *agent.Agent
	stop   func()
	// rereads is true if whatever is swapped in makes the server's files others.
	rereads atomic.Bool
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, dir: t.TempDir(), api: fetchtest.New(t)}
	w.server = newStandIn(t, w.dir)
	return w
}

// start runs an agent, as a container that starts does.
func (w *world) start() {
	w.t.Helper()
	store, err := tree.Open(w.dir, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	source, err := fetch.New(w.api.Config(), fetchtest.Namespace, bundle.ManifestName(fetchtest.Prefix))
	if err != nil {
		w.t.Fatal(err)
	}
	base, err := url.Parse(w.server.server.URL)
	if err != nil {
		w.t.Fatal(err)
	}
	w.board = report.NewBoard(agent.TreeBlocker)
	pace := agent.DefaultPace()
	pace.Probe, pace.Eager, pace.RetryMin = 50*time.Millisecond, 20*time.Millisecond, 1500*time.Millisecond
	a := agent.New(store, source, server.NewPrometheus(server.NewClient(base, server.Identity{}), ""), w.board,
		agent.NewMetrics(prometheus.NewRegistry()), pace, slog.New(slog.DiscardHandler))
	w.agent = a
	a.Prepare(func(context.Context) {
		if w.rereads.Load() {
			a.Reread()
		}
	})
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() { defer close(done); a.Run(ctx) }()
	w.stop = func() { cancel(); <-done }
	w.t.Cleanup(w.stop)
}

func (w *world) publish(text string) bundle.Manifest {
	w.t.Helper()
	return w.api.Publish(map[string][]byte{"prometheus.yml": []byte(text)}, map[string][]byte{"a.yaml": []byte("a")})
}

func (w *world) until(what string, done func(replica.Report) bool) replica.Report {
	w.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		r := w.board.Report()
		if done(r) {
			return r
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("not %s: %+v; the server read %q", what, r, w.server.last())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (w *world) loaded(m bundle.Manifest) replica.Report {
	w.t.Helper()
	return w.until(fmt.Sprintf("revision %d loaded", m.Revision), func(r replica.Report) bool {
		return r.Loaded == m.Revision && r.LoadedHash == m.Hash && r.Ready && r.Error == ""
	})
}

func TestLoadsWhatIsPublished(t *testing.T) {
	w := newWorld(t)
	w.server.set(func() { w.server.ready = false })
	w.start()
	w.until("waiting for a manifest", func(r replica.Report) bool { return strings.Contains(r.Error, "does not exist") })
	one := w.publish("one")
	r := w.until("published", func(r replica.Report) bool { return r.Published == 1 })
	if r.Loaded != 0 || r.Ready {
		t.Errorf("loaded before the server said so: %+v", r)
	}
	w.until("on disk, so that the server could start", func(replica.Report) bool {
		_, err := os.Stat(filepath.Join(w.dir, "current", "rules", "a.yaml"))
		return err == nil
	})
	w.server.set(func() { w.server.ready = true })
	w.loaded(one)
	w.loaded(w.publish("two"))
	w.until("counting rules", func(r replica.Report) bool { return r.Rules == 2 && r.Version == "3" })
	if gets := w.api.Gets(bundle.RulesName(fetchtest.Prefix, 0)); gets != 1 {
		t.Errorf("the unchanged bucket was got %d times", gets)
	}
	// They are cleared away after the report, which need not wait for that.
	var found []string
	for deadline := time.Now().Add(time.Minute); len(found) != 1; time.Sleep(5 * time.Millisecond) {
		found, _ = filepath.Glob(filepath.Join(w.dir, "rev-*"))
		if time.Now().After(deadline) {
			t.Fatalf("old revisions are left: %v", found)
		}
	}
}

func TestRollsBackWhatTheServerRefuses(t *testing.T) {
	w := newWorld(t)
	w.start()
	one := w.publish("one")
	w.loaded(one)
	w.publish("bad two")
	r := w.until("refused", func(r replica.Report) bool { return r.Published == 2 && r.Error != "" && r.Loaded == 1 })
	if !r.Ready || r.LoadedHash != one.Hash || !strings.Contains(r.Error, "failed to reload config: bad two") {
		t.Errorf("after a refusal: %+v", r)
	}
	// From here on the refused revision is tried again now and then, and each time it is taken back.
	w.until("back", func(replica.Report) bool { return w.server.reloads() >= 2 })
	if got := w.server.last(); got != "one" {
		t.Errorf("after a refusal the server read %q", got)
	}
	w.until("tried again after the backoff", func(replica.Report) bool { return w.server.read(func() bool { return w.server.refused >= 2 }) })
	w.loaded(w.publish("three"))
}

func TestServerRestart(t *testing.T) {
	w := newWorld(t)
	w.start()
	one := w.publish("one")
	w.loaded(one)
	w.server.set(func() { w.server.ready = false })
	w.until("unready", func(r replica.Report) bool { return !r.Ready })
	hold := make(chan struct{})
	release := sync.OnceFunc(func() { close(hold) })
	t.Cleanup(release)
	w.server.server.CloseClientConnections() // as a process does that ends
	w.server.set(func() { w.server.ready, w.server.started, w.server.hold = true, 1, hold })
	w.until("Loaded forgotten", func(r replica.Report) bool { return !r.Ready && r.Loaded == 0 })
	release()
	w.loaded(one)
	if n := w.server.reloads(); n != 2 {
		t.Errorf("%d reloads", n)
	}
	// A server that only did not answer for a while needs no reload.
	w.server.set(func() { w.server.ready = false })
	w.until("unready", func(r replica.Report) bool { return !r.Ready && r.Loaded == 1 })
	w.server.set(func() { w.server.ready = true })
	w.loaded(one)
	if n := w.server.reloads(); n != 2 {
		t.Errorf("%d reloads", n)
	}
}

func TestGoesOnWithoutTheAPI(t *testing.T) {
	w := newWorld(t)
	w.start()
	one := w.publish("one")
	w.loaded(one)
	w.stop()
	w.api.SetAway(true)
	w.server.set(func() { w.server.started = 1 })
	w.start()
	w.loaded(one)
	w.api.SetAway(false)
	w.loaded(w.publish("two"))
}

func TestBurstsCoalesce(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.loaded(w.publish("first"))
	w.server.set(func() { w.server.slow = 300 * time.Millisecond })
	var last bundle.Manifest
	started := time.Now()
	for i := range 200 {
		last = w.publish(fmt.Sprintf("burst %d", i))
	}
	w.loaded(last)
	// One after the other, and one more for what came during the last.
	if n, most := w.server.reloads(), 3+int(time.Since(started)/w.server.slow); n > most {
		t.Errorf("%d reloads for 200 revisions, want at most %d", n, most)
	}
}

func TestOldAndRecreated(t *testing.T) {
	w := newWorld(t)
	w.start()
	one := w.publish("one")
	two := w.publish("two")
	w.loaded(two)
	w.api.PublishManifest(one)
	w.until("keeping the newer", func(r replica.Report) bool { return r.Loaded == 2 && strings.Contains(r.Error, "older") })
	w.api.Recreate()
	w.loaded(w.publish("recreated"))
	if got := w.server.last(); got != "recreated" {
		t.Errorf("the server read %q", got)
	}
}

func TestTornWrites(t *testing.T) {
	w := newWorld(t)
	w.start()
	one := w.publish("one")
	w.loaded(one)
	// The operator has written the parts of the next revision but not its manifest, when a new replica starts.
	two := w.api.PublishParts(map[string][]byte{"prometheus.yml": []byte("two")}, nil)
	w.stop()
	if err := os.RemoveAll(w.dir); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.until("the manifest of before known", func(r replica.Report) bool { return r.Published == 1 })
	time.Sleep(300 * time.Millisecond) // for what must not happen
	if r := w.board.Report(); r.Loaded != 0 || r.Published != 1 || strings.Contains(r.Error, "manifest") {
		t.Errorf("in the middle of a write: %+v", r)
	}
	w.api.PublishManifest(two)
	w.loaded(two)
}

// TestReread: where only a file has become another of which the configuration is made, the server reads the same revision once
// more, also if it refuses to at first.
func TestReread(t *testing.T) {
	w := newWorld(t)
	w.start()
	one := w.publish("one")
	w.loaded(one)
	before := w.server.reloads()
	w.agent.Reread()
	w.until("read again", func(replica.Report) bool { return w.server.reloads() == before+1 })

	// In the middle of it nobody is told that less is loaded than before.
	published := filepath.Join(w.dir, "current", "prometheus.yml")
	if err := os.WriteFile(published, []byte("bad"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.agent.Reread()
	r := w.until("refused", func(replica.Report) bool { return w.server.read(func() bool { return w.server.refused > 0 }) })
	if r.Loaded != one.Revision {
		t.Errorf("what is loaded counts for nothing: %+v", r)
	}
	if err := os.WriteFile(published, []byte("again"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.until("tried again", func(replica.Report) bool { return w.server.last() == "again" })
	w.loaded(one)

	// Another revision is read once, though it comes with such files.
	before = w.server.reloads()
	w.rereads.Store(true)
	w.loaded(w.publish("two"))
	w.loaded(w.publish("three"))
	if n := w.server.reloads() - before; n != 2 {
		t.Errorf("%d reloads for 2 revisions", n)
	}
}

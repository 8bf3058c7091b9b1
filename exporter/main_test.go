package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// newTestHandler is the whole handler, as the command line makes it, on the collector package's fixture.
func newTestHandler(t *testing.T, args ...string) http.Handler {
	t.Helper()
	const host = "collector/testdata/host"
	h, _ := newTestConfiguration(t, slog.DiscardHandler, append([]string{"--path.procfs", host + "/proc", "--path.sysfs", host + "/sys",
		"--path.rootfs", host + "/root", "--collector.timeout=30s"}, args...)...)
	return h
}

func newTestConfiguration(t *testing.T, to slog.Handler, args ...string) (http.Handler, *configuration) {
	t.Helper()
	o, err := parse(args, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	config, err := newConfiguration(args, o, slog.New(to))
	if err != nil {
		t.Fatal(err)
	}
	handler, err := newHandler(config, o.handler, slog.New(to))
	if err != nil {
		t.Fatal(err)
	}
	return handler, config
}

func request(h http.Handler, method, url string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, url, nil))
	return w
}

// ran lists the collectors that a scrape says it ran.
func ran(body string) []string {
	var names []string
	for line := range strings.Lines(body) {
		if rest, ok := strings.CutPrefix(line, `node_scrape_collector_success{collector="`); ok {
			name, _, _ := strings.Cut(rest, `"`)
			names = append(names, name)
		}
	}
	return names
}

func TestRequests(t *testing.T) {
	h := newTestHandler(t)
	for _, c := range []struct {
		method, url string
		code        int
		body        string
	}{
		{"GET", "/", 200, ">Metrics</a>"},
		{"GET", "/healthz", 200, "ok"},
		{"HEAD", "/healthz", 200, ""},
		{"GET", "/metrics", 200, "node_exporter_build_info{"},
		{"GET", "/metrics", 200, "process_cpu_seconds_total"},
		{"GET", "/metrics", 200, "promhttp_metric_handler_errors_total"},
		{"HEAD", "/metrics", 200, ""},
		{"GET", "/other", 404, ""},
		{"POST", "/metrics", 405, "only GET and HEAD"},
		{"PUT", "/", 405, ""},
		{"DELETE", "/healthz", 405, ""},
		{"GET", "/metrics?collect[]=cpu&exclude[]=stat", 400, "can't be combined"},
		{"GET", "/metrics?collect[]=nope", 400, `no collector "nope" is enabled; there are arp, `},
	} {
		w := request(h, c.method, c.url)
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.body) {
			t.Errorf("%s %s: %d, want %d with %q in:\n%.300s", c.method, c.url, w.Code, c.code, c.body, w.Body)
		}
		if c.code == 405 && w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s %s: Allow is %q", c.method, c.url, w.Header().Get("Allow"))
		}
	}
}

func TestCollectors(t *testing.T) {
	all := strings.Fields(`arp bonding conntrack cpu cpufreq diskstats dmi edac entropy filefd filesystem hwmon loadavg mdadm meminfo netclass
		netdev netstat nfs nfsd nvme os powersupplyclass pressure schedstat selinux sockstat softnet stat textfile thermal_zone time timex
		udp_queues uname vmstat watchdog xfs`)
	but := func(names ...string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return slices.Contains(names, name) })
	}
	for name, c := range map[string]struct {
		args  []string
		query string
		want  []string
	}{
		"default":            {nil, "", all},
		"collect":            {nil, "?collect[]=uname&collect[]=cpu&collect[]=cpu", []string{"cpu", "uname"}},
		"exclude":            {nil, "?exclude[]=cpu&exclude[]=stat&exclude[]=nope", but("cpu", "stat")},
		"off":                {[]string{"--no-collector.cpu", "--collector.stat=false"}, "", but("cpu", "stat")},
		"only":               {[]string{"--collector.disable-defaults", "--collector.cpu"}, "", []string{"cpu"}},
		"only, either order": {[]string{"--collector.cpu", "--collector.disable-defaults", "--no-collector.stat"}, "", []string{"cpu"}},
		"excluded are none":  {[]string{"--collector.disable-defaults", "--collector.cpu"}, "?exclude[]=cpu", nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := request(newTestHandler(t, c.args...), "GET", "/metrics"+c.query)
			if diff := cmp.Diff(c.want, ran(w.Body.String())); diff != "" || w.Code != 200 {
				t.Errorf("%d (-want +got):\n%s", w.Code, diff)
			}
		})
	}
}

func TestFilters(t *testing.T) {
	body := request(newTestHandler(t, "--collector.diskstats.device-include=^loop", "--collector.netdev.device-exclude", "^lo$",
		"--collector.netclass.ignored-devices=^lo$",
		"--collector.filesystem.fs-types-include=^xfs$", "--web.disable-exporter-metrics"), "GET", "/metrics").Body.String()
	for _, want := range []string{`node_disk_io_now{device="loop0"}`, `node_network_receive_bytes_total{device="eth0"}`, `fstype="xfs",mountpoint="/srv"`} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s", want)
		}
	}
	for _, unwanted := range []string{`device="sda"`, `device="lo"`, `fstype="ext4"`, "\ngo_", "\nprocess_", "\npromhttp_"} {
		if strings.Contains(body, unwanted) {
			t.Errorf("%s is there", unwanted)
		}
	}
}

func TestLimit(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	h := limit(1, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-leave
	}))
	done := make(chan struct{})
	go func() {
		defer close(done)
		request(h, "GET", "/metrics")
	}()
	<-entered
	if w := request(h, "GET", "/metrics"); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "(1)") {
		t.Errorf("the second request: %d %s", w.Code, w.Body)
	}
	close(leave)
	<-done
}

func TestBudget(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"10": 9 * time.Second, "0.5": 450 * time.Millisecond, "": 0, "0": 0, "-1": 0, "NaN": 0, "+Inf": 0, "soon": 0,
	} {
		if got := budget(header); got != want {
			t.Errorf("budget(%q) = %s, want %s", header, got, want)
		}
	}
}

// TestRefusals starts with what can't work: each says which flag or file it is.
func TestRefusals(t *testing.T) {
	config := filepath.Join(t.TempDir(), "web.yaml")
	if err := os.WriteFile(config, []byte("tls_server_config:\n  cert_file: none.crt\n  key_file: none.key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--web.config.file=" + config, "--web.listen-address=127.0.0.1:0"}, "--web.config.file: "},
		{[]string{"--web.config.file=none.yaml", "--web.listen-address=127.0.0.1:0"}, "none.yaml"},
		{[]string{"--web.listen-address=nowhere"}, "nowhere"},
		{[]string{"--web.telemetry-path=metrics"}, "--web.telemetry-path"},
		{[]string{"--web.telemetry-path=/healthz"}, "--web.telemetry-path"},
		{[]string{"--collector.nope"}, "collector.nope"},
		{[]string{"--collector.cpu=maybe"}, "collector.cpu"},
		{[]string{"--collector.timeout=0s"}, "--collector.timeout"},
		{[]string{"--collector.netdev.device-include=a", "--collector.netdev.device-exclude=b"}, "mutually exclusive"},
		{[]string{"--collector.diskstats.device-exclude=("}, "--collector.diskstats.device-exclude"},
		{[]string{"--collector.filesystem.mount-points-include=("}, "--collector.filesystem.mount-points-include"},
		{[]string{"--path.procfs=none"}, "none"},
		{[]string{"--log.level=loud"}, "log.level"},
		{[]string{"stray"}, "stray"},
		{[]string{"--config.file=none.yaml"}, "--config.file: open none.yaml"},
	} {
		if err := run(t.Context(), c.args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want %q in it", c.args, err, c.want)
		}
	}
}

func TestInformation(t *testing.T) {
	for flag, want := range map[string]string{"--version": "node_exporter, version", "--help": "--[no-]collector.cpu\n"} {
		var out bytes.Buffer
		if err := run(t.Context(), []string{flag}, &out, io.Discard); err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%s: error %v, want %q in:\n%s", flag, err, want, &out)
		}
	}
}

// TestShutdown ends without an error when it is told to.
func TestShutdown(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx, []string{"--web.listen-address=127.0.0.1:0"}, io.Discard, io.Discard) }()
	time.Sleep(200 * time.Millisecond)
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("still running")
	}
}

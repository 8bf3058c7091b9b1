package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const testHost = "collector/testdata/host"

// configured is a handler with a configuration file.
func configured(t *testing.T, log io.Writer, text string) (http.Handler, *configuration, func(string)) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(text)
	h, c := newTestConfiguration(t, slog.NewTextHandler(log, nil), "--config.file="+file,
		"--path.procfs="+testHost+"/proc", "--path.sysfs="+testHost+"/sys", "--path.rootfs="+testHost+"/root")
	return h, c, write
}

const (
	onlyCPU  = "collectors: {disable-defaults: true, cpu: {enabled: true}, timeout: 30s}\n"
	onlyLoad = "collectors: {disable-defaults: true, loadavg: {enabled: true}, timeout: 30s}\n"
)

// TestReload: what is good takes effect as a whole, what is not leaves everything as it was and is logged once.
func TestReload(t *testing.T) {
	var log bytes.Buffer
	h, c, write := configured(t, &log, onlyCPU)
	now := func(collector, successful string) {
		t.Helper()
		body := request(h, "GET", "/metrics").Body.String()
		if diff := cmp.Diff([]string{collector}, ran(body)); diff != "" {
			t.Error(diff)
		}
		for _, want := range []string{"\nnode_exporter_config_last_reload_successful " + successful + "\n",
			"\n# TYPE node_exporter_config_last_reload_success_timestamp_seconds gauge\nnode_exporter_config_last_reload_success_timestamp_seconds "} {
			if !strings.Contains(body, want) {
				t.Errorf("no %q in\n%.600s", want, body)
			}
		}
	}
	now("cpu", "1")
	began := c.since

	c.reload(false)
	if log.Len() > 0 || !c.since.Equal(began) {
		t.Errorf("what has not changed was loaded: %s", &log)
	}
	write(onlyLoad)
	c.reload(false)
	now("loadavg", "1")
	if !strings.Contains(log.String(), "configuration loaded") || !c.since.After(began) {
		t.Errorf("loaded at %s, log: %s", c.since, &log)
	}
	good := c.since
	for _, bad := range []string{
		"collectors: {nope: {}}", // unknown
		"collectors: {disable-defaults: true, netdev: {enabled: true, device-include: a, device-exclude: b}}", // no collector of it
		"collectors: {timeout: 0s}", strings.Repeat("#", maxConfig+1), "\x00",
	} {
		log.Reset()
		write(bad)
		for range 3 {
			c.reload(false)
			c.reload(true)
		}
		now("loadavg", "0")
		if n := strings.Count(log.String(), "level=ERROR"); n != 1 || !strings.Contains(log.String(), "config.yml") {
			t.Errorf("%.80q: logged %d times: %s", bad, n, &log)
		}
	}
	if !c.since.Equal(good) {
		t.Error("the time of the last success moved")
	}
	if err := os.Remove(c.file); err != nil {
		t.Fatal(err)
	}
	c.reload(false)
	now("loadavg", "0")
	write(onlyLoad) // as it was before
	c.reload(false)
	now("loadavg", "1")
}

// TestNoConfigFile: without a file there is nothing to say of it.
func TestNoConfigFile(t *testing.T) {
	if body := request(newTestHandler(t), "GET", "/metrics").Body.String(); strings.Contains(body, "node_exporter_config") {
		t.Error("there are metrics about a file that there is not")
	}
}

// TestBadFileAtTheStart ends before anything is served.
func TestBadFileAtTheStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yml")
	for text, want := range map[string]string{
		"collectors:\n  netdev: {device-exlude: a}\n": "--config.file: " + file +
			": line 2: collectors.netdev.device-exlude: is not known; the nearest that is: collectors.netdev.device-exclude",
		"collectors:\n  netdev: {device-exclude: (}\n": "with --config.file " + file + ": collector netdev: --collector.netdev.device-exclude: error parsing regexp",
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		err := run(t.Context(), []string{"--config.file=" + file, "--web.listen-address=127.0.0.1:0"}, io.Discard, io.Discard)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v\nwant  %s", err, want)
		}
	}
}

// TestFollow swaps the file as the kubelet does, by a link to a directory, and as people do who send SIGHUP.
func TestFollow(t *testing.T) {
	dir := t.TempDir()
	swap := func(version int, text string) {
		t.Helper()
		data := fmt.Sprintf("..%d", version)
		for _, err := range []error{
			os.Mkdir(filepath.Join(dir, data), 0o755), os.WriteFile(filepath.Join(dir, data, "config.yml"), []byte(text), 0o644),
			os.Symlink(data, filepath.Join(dir, "..tmp")), os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	swap(1, onlyCPU)
	if err := os.Symlink("..data/config.yml", filepath.Join(dir, "config.yml")); err != nil {
		t.Fatal(err)
	}
	h, c := newTestConfiguration(t, slog.DiscardHandler, "--config.file="+filepath.Join(dir, "config.yml"))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); c.follow(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	await := func(want string) {
		t.Helper()
		for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
			got := ran(request(h, "GET", "/metrics").Body.String())
			if len(got) == 1 && got[0] == want {
				return
			}
			if time.Since(begin) > time.Minute {
				t.Fatalf("runs %v, want %s", got, want)
			}
		}
	}
	await("cpu")
	swap(2, onlyLoad)
	await("loadavg")
	swap(3, onlyCPU)
	begin := time.Now()
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	await("cpu")
	if took := time.Since(begin); took > configPoll/2 {
		t.Errorf("SIGHUP took %s", took)
	}
}

// TestReloadsLeaveNothing reloads many times under scrapes: each answer is whole, and what a set had open goes with it.
func TestReloadsLeaveNothing(t *testing.T) {
	all, less := "", "collectors: {netclass: {enabled: false}, timeout: 30s}\n"
	h, c, write := configured(t, io.Discard, all)
	request(h, "GET", "/metrics")
	files, routines := openFiles(t), runtime.NumGoroutine()
	if files < 50 {
		t.Fatalf("only %d files are open: nothing is held", files)
	}

	ctx, stop := context.WithCancel(t.Context())
	var scrapers sync.WaitGroup
	for range 2 {
		scrapers.Go(func() {
			for ctx.Err() == nil {
				if w := request(h, "GET", "/metrics"); w.Code != 200 || len(ran(w.Body.String())) < 30 {
					t.Errorf("%d with %d collectors", w.Code, len(ran(w.Body.String())))
				}
			}
		})
	}
	const reloads = 100
	for i := range reloads {
		write([]string{less, all}[i%2])
		c.reload(false)
		request(h, "GET", "/metrics")
	}
	stop()
	scrapers.Wait()
	if c.failure != "" {
		t.Fatal(c.failure)
	}
	var left, going int
	for begin := time.Now(); time.Since(begin) < time.Minute; time.Sleep(20 * time.Millisecond) {
		runtime.GC()
		left, going = openFiles(t), runtime.NumGoroutine()
		if left <= files+2 && going <= routines+2 {
			break
		}
	}
	t.Logf("%d files and %d goroutines before %d reloads, %d and %d after", files, routines, reloads, left, going)
	if left > files+2 || going > routines+2 {
		t.Error("reloads leave something behind")
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

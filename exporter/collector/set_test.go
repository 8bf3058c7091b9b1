package collector

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/hearth-monitoring/hearth/exporter/text"
)

// odd is a collector that does what a test wants.
type odd struct {
	update   func(ctx context.Context) error
	families []*text.Family
}

func (o odd) Families() []*text.Family { return o.families }

func (o odd) Update(ctx context.Context) error { return o.update(ctx) }

// stuckOnFIFO is a host whose loadavg is a FIFO that nobody writes to, so that reading it never returns.
func stuckOnFIFO(t *testing.T, log *bytes.Buffer) (set *Set, fifo string) {
	t.Helper()
	dir := t.TempDir()
	copyHost(t, dir)
	fifo = filepath.Join(dir, "proc/loadavg")
	if err := os.Remove(fifo); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	return newTestSet(t, log, hostArgs(dir, "--collector.timeout=2s")...), fifo
}

// release lets the reader of the FIFO have its answer and puts a file with another one in its place.
func release(t *testing.T, fifo string) {
	t.Helper()
	writer, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(fifo); err != nil {
		t.Fatal(err)
	}
	writeFile(t, fifo, "1.00 2.00 3.00 1/2 3\n")
	if _, err := writer.WriteString("9.00 9.00 9.00 1/2 3\n"); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestStuckCollector(t *testing.T) {
	var log bytes.Buffer
	set, fifo := stuckOnFIFO(t, &log)

	begin := time.Now()
	got := scraped(t, set, set.Names()...)
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("the first scrape took %s", took)
	}
	want := map[string]string{}
	for _, name := range set.Names() {
		want[name] = "1"
	}
	want["loadavg"] = "0"
	if diff := cmp.Diff(want, successes(got)); diff != "" {
		t.Errorf("success (-want +got):\n%s", diff)
	}
	if strings.Contains(got, "node_load") || !strings.Contains(got, "node_cpu_seconds_total") {
		t.Errorf("want every collector's samples but the stuck one's:\n%s", got)
	}

	t.Run("1000 scrapes", func(t *testing.T) { scrapeThousand(t, set) })
	if n := strings.Count(log.String(), "no answer before its deadline"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, &log)
	}

	// What it says at last goes nowhere, and then it is asked again.
	release(t, fifo)
	eventually(t, "the collector works again", func() bool {
		got = scraped(t, set, "loadavg")
		return successes(got)["loadavg"] == "1"
	})
	if !strings.Contains(got, "node_load1 1\n") {
		t.Errorf("late samples in a later scrape:\n%s", got)
	}
}

// scrapeThousand scrapes the stuck collector, and one that works, again and again: nobody waits and nothing piles up.
func scrapeThousand(t *testing.T, set *Set) {
	goroutines, threads, descriptors, begin := runtime.NumGoroutine(), countThreads(t), count(t, "/proc/self/fd"), time.Now()
	for range 1000 {
		s := successes(scraped(t, set, "loadavg", "uname"))
		if s["loadavg"] != "0" || s["uname"] != "1" {
			t.Fatalf("success %v", s)
		}
	}
	if took := time.Since(begin); took > 2*time.Minute {
		t.Errorf("took %s: the stuck collector is waited for", took)
	}
	eventually(t, "no more goroutines and descriptors than before", func() bool {
		return runtime.NumGoroutine() <= goroutines+2 && count(t, "/proc/self/fd") <= descriptors+5
	})
	if after := countThreads(t); after > threads+10 {
		t.Errorf("%d threads, %d before", after, threads)
	}
}

func countThreads(t *testing.T) int {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(tasks)
}

// TestLateSamples has a collector that is still at it when its scrape is over: what it has so far reaches nobody.
func TestLateSamples(t *testing.T) {
	set := newSet(50*time.Millisecond, slog.New(slog.DiscardHandler))
	over, finished := make(chan struct{}), make(chan struct{})
	late := text.Gauge("late", "A sample that comes too late.")
	set.add("late", odd{func(context.Context) error {
		defer close(finished)
		late.Add(1)
		<-over
		return nil
	}, []*text.Family{late}})
	got := scraped(t, set, set.Names()...)
	close(over)
	select {
	case <-finished:
	case <-time.After(time.Minute):
		t.Fatal("the collector is blocked by a scrape that is over")
	}
	if strings.Contains(got, "late 1") || successes(got)["late"] != "0" {
		t.Errorf("got:\n%s", got)
	}
}

func TestPanic(t *testing.T) {
	var log bytes.Buffer
	set := newSet(time.Minute, slog.New(slog.NewTextHandler(&log, nil)))
	fine := text.Gauge("fine", "A sample.")
	set.add("panics", odd{func(context.Context) error {
		none := map[string][]int{}
		return fmt.Errorf("not reached: %d", none[""][len(os.Args)])
	}, nil})
	set.add("works", odd{func(context.Context) error {
		fine.Add(1)
		return nil
	}, []*text.Family{fine}})
	for range 3 {
		got := scraped(t, set, set.Names()...)
		if diff := cmp.Diff(map[string]string{"panics": "0", "works": "1"}, successes(got)); diff != "" || !strings.Contains(got, "fine 1") {
			t.Errorf("(-want +got):\n%s\n%s", diff, got)
		}
	}
	if n := strings.Count(log.String(), "set_test.go"); n != 1 || !strings.Contains(log.String(), "index out of range") {
		t.Errorf("want the panic and its line once:\n%s", &log)
	}
}

// TestBudget gives up when the scraper does, even where the collectors may take longer.
func TestBudget(t *testing.T) {
	set := newSet(time.Hour, slog.New(slog.DiscardHandler))
	set.add("slow", odd{func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}, nil})
	begin := time.Now()
	got := normal(t, set.Run(set.Names(), 50*time.Millisecond).AppendTo(nil))
	if took := time.Since(begin); took > 10*time.Second || successes(got)["slow"] != "0" {
		t.Errorf("took %s:\n%s", took, got)
	}
}

// TestOverlap lets two scrapes share one run: a collector never runs twice at once.
func TestOverlap(t *testing.T) {
	set := newSet(10*time.Second, slog.New(slog.DiscardHandler))
	started, answer := make(chan struct{}, 2), make(chan struct{})
	set.add("shared", odd{func(context.Context) error {
		started <- struct{}{}
		<-answer
		return nil
	}, nil})
	done := make(chan string, 2)
	for range 2 {
		go func() { done <- scraped(t, set, set.Names()...) }()
	}
	<-started
	time.Sleep(50 * time.Millisecond)
	close(answer)
	for range 2 {
		if s := successes(<-done); s["shared"] != "1" {
			t.Errorf("success %v", s)
		}
	}
}

// TestStuckMount has one mount whose statfs does not return.
func TestStuckMount(t *testing.T) {
	var log bytes.Buffer
	c := newTestSet(t, &log, hostArgs("testdata/host")...).seats["filesystem"].Collector.(*filesystem)
	c.log = slog.New(slog.NewTextHandler(&log, nil))
	dead := make(chan struct{})
	c.asking.statfs = func(path string) (unix.Statfs_t, error) {
		if strings.HasSuffix(path, "/srv") {
			<-dead
		}
		return cannedStatfs(path)
	}
	scrape := func() string {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		said, err := updated(ctx, t, c)
		if err != nil || ctx.Err() != nil {
			t.Fatalf("error %v, context %v", err, ctx.Err())
		}
		return said
	}

	got := scrape()
	for _, want := range []string{
		`node_filesystem_device_error{device="/dev/sdb1",device_error="mountpoint timeout",fstype="xfs",mountpoint="/srv"} 1`,
		`node_filesystem_readonly{device="/dev/sdb1",device_error="mountpoint timeout",fstype="xfs",mountpoint="/srv"} 1`,
		`node_filesystem_size_bytes{device="/dev/sda1",device_error="",fstype="ext4",mountpoint="/"} 4.096e+06`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in:\n%s", want, got)
		}
	}
	if strings.Contains(got, `node_filesystem_size_bytes{device="/dev/sdb1"`) {
		t.Error("a size for a mount that does not answer")
	}

	before, begin := runtime.NumGoroutine(), time.Now()
	for range 1000 {
		scrape()
	}
	eventually(t, "no more goroutines after 1000 scrapes than before", func() bool { return runtime.NumGoroutine() <= before+2 })
	if took := time.Since(begin); took > 2*time.Minute {
		t.Errorf("1000 scrapes took %s: the stuck mount is waited for", took)
	}

	close(dead)
	eventually(t, "the mount answers again", func() bool {
		return strings.Contains(scrape(), `node_filesystem_size_bytes{device="/dev/sdb1",device_error="",fstype="xfs",mountpoint="/srv"}`)
	})
	if n := strings.Count(log.String(), "mount does not answer"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, &log)
	}
}

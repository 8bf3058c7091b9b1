package collector

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"golang.org/x/sys/unix"
)

var rewrite = flag.Bool("update", false, "rewrite testdata/golden")

func testHost(dir string) Host {
	return Host{Proc: dir + "/proc", Sys: dir + "/sys", Root: dir + "/root", Udev: dir + "/udev"}
}

// hostArgs are the flags for a host below dir.
func hostArgs(dir string, more ...string) []string {
	h := testHost(dir)
	return append([]string{"--path.procfs=" + h.Proc, "--path.sysfs=" + h.Sys, "--path.rootfs=" + h.Root, "--path.udev.data=" + h.Udev}, more...)
}

func newTestSet(t testing.TB, log io.Writer, args ...string) *Set {
	t.Helper()
	flags := flag.NewFlagSet("test", flag.ContinueOnError)
	options := Declare(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	set, err := options.New(slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// updated runs the collector by itself and returns what it said, in the order and the spelling of client_golang.
func updated(ctx context.Context, t *testing.T, c Collector) (string, error) {
	t.Helper()
	seat := &seat{Collector: c}
	seat.keep(seat.run(ctx))
	said := seat.admit(seat.said, &seat.result)
	return normal(t, said), seat.err
}

// scraped runs a scrape of the named collectors.
func scraped(t *testing.T, set *Set, names ...string) string {
	t.Helper()
	return normal(t, set.Run(names, 0).AppendTo(nil))
}

// normal reads text with Prometheus' own parser, has client_golang check it (no sample twice, labels in order) and writes
// it as client_golang would.
func normal(t *testing.T, text []byte) string {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	parsed, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	families, err := prometheus.Gatherers{prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		return slices.Collect(maps.Values(parsed)), nil
	})}.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&out, f); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

// TestGolden compares what each collector says of testdata/host with testdata/golden/NAME.prom.
func TestGolden(t *testing.T) {
	changing := regexp.MustCompile(`(?m)^node_time_seconds .*\n`)
	for name, args := range map[string][]string{
		"cpu":        {"--collector.cpu.info", "--collector.cpu.info.flags-include=^(aes|avx.?)$", "--collector.cpu.info.bugs-include=^spectre"},
		"diskstats":  nil,
		"filefd":     nil,
		"filesystem": nil,
		"loadavg":    nil,
		"meminfo":    nil,
		"netclass":   nil,
		"netdev":     nil,
		"netstat":    nil,
		"sockstat":   nil,
		"stat":       {"--collector.stat.softirq"},
		"time":       nil,
		"vmstat":     nil,
	} {
		t.Run(name, func(t *testing.T) {
			c := newTestSet(t, &bytes.Buffer{}, hostArgs("testdata/host", args...)...).seats[name].Collector
			if f, ok := c.(*filesystem); ok {
				f.asking.statfs = cannedStatfs
			}
			said, err := updated(t.Context(), t, c)
			if err != nil {
				t.Fatal(err)
			}
			got := changing.ReplaceAllString(said, "")
			golden := filepath.Join("testdata/golden", name+".prom")
			if *rewrite {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", golden, diff)
			}
		})
	}
}

// cannedStatfs answers for the mounts of testdata/host, whose sizes would be this machine's.
func cannedStatfs(path string) (unix.Statfs_t, error) {
	if _, err := os.Stat(path); err != nil {
		return unix.Statfs_t{}, unix.ENOENT
	}
	return unix.Statfs_t{Bsize: 4096, Blocks: 1000, Bfree: 600, Bavail: 500, Files: 200, Ffree: 150}, nil
}

func TestUname(t *testing.T) {
	for name, c := range map[string]struct {
		hostname, want, err string
	}{
		"below a mounted root": {hostname: "# a comment\n\nnode-a\n", want: `nodename="node-a"`},
		"empty":                {hostname: "\n", err: "etc/hostname: no name in it"},
		"missing":              {err: "etc/hostname: no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			h := Host{Root: t.TempDir()}
			if c.hostname != "" {
				writeFile(t, filepath.Join(h.Root, "etc/hostname"), c.hostname)
			}
			u, err := declareUname(nil)(h, slog.Default())
			if err != nil {
				t.Fatal(err)
			}
			said, err := updated(t.Context(), t, u)
			if got := fmt.Sprint(err); c.err != "" && !strings.Contains(got, c.err) || c.err == "" && err != nil {
				t.Errorf("error %s, want %q", got, c.err)
			}
			if !strings.Contains(said, c.want) || c.err != "" && said != "" {
				t.Errorf("want %q in:\n%s", c.want, said)
			}
		})
	}
}

func TestUnameOnTheHost(t *testing.T) {
	u, err := declareUname(nil)(Host{Root: "/"}, slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	got, err := updated(t.Context(), t, u)
	if err != nil {
		t.Fatal(err)
	}
	name, err := os.Hostname()
	if err != nil || !strings.Contains(got, `nodename="`+name+`"`) {
		t.Errorf("error %v, want nodename %q in:\n%s", err, name, got)
	}
}

// TestTimeZone follows an absolute link below the mounted root to the host's file and not to this machine's.
func TestTimeZone(t *testing.T) {
	h := testHost("testdata/host")
	h.Root = t.TempDir()
	zone := "TZif\x00" + strings.Repeat("\x00", 15) + // version 1
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x04" + // one type, four letters
		"\x00\x00\x1c\x20\x00\x00TST\x00" // 7200 s
	writeFile(t, filepath.Join(h.Root, "usr/share/zoneinfo/Test"), zone)
	writeFile(t, filepath.Join(h.Root, "etc/hostname"), "node-a\n")
	if err := os.Symlink("/usr/share/zoneinfo/Test", filepath.Join(h.Root, "etc/localtime")); err != nil {
		t.Fatal(err)
	}
	c, err := declareTime(nil)(h, slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	got, err := updated(t.Context(), t, c)
	if err != nil {
		t.Fatal(err)
	}
	if want := `node_time_zone_offset_seconds{time_zone="TST"} 7200`; !strings.Contains(got, want) {
		t.Errorf("want %s in:\n%s", want, got)
	}

	writeFile(t, filepath.Join(h.Root, "usr/share/zoneinfo/Test"), "garbage")
	if _, err := updated(t.Context(), t, c); err == nil || !strings.Contains(err.Error(), "etc/localtime") {
		t.Errorf("garbage: %v", err)
	}
}

// TestPlainProc reads this machine: nothing fails, and each collector has something to say.
func TestPlainProc(t *testing.T) {
	var log bytes.Buffer
	set := newTestSet(t, &log, "--collector.timeout=30s")
	got := scraped(t, set, set.Names()...)
	if log.Len() > 0 || strings.Contains(got, "node_scrape_collector_success{collector=\"cpu\"} 0") {
		t.Errorf("log:\n%s", &log)
	}
	for _, name := range []string{"node_cpu_seconds_total", "node_memory_MemTotal_bytes", "node_load1", "node_network_receive_bytes_total",
		"node_filesystem_readonly", "node_boot_time_seconds", "node_uname_info", "node_time_seconds"} {
		if !strings.Contains(got, "\n"+name) {
			t.Errorf("no %s", name)
		}
	}
}

func TestHidepid(t *testing.T) {
	dir := t.TempDir()
	copyHost(t, dir)
	if err := os.RemoveAll(filepath.Join(dir, "proc/1")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "proc/net/dev"), "the pod's own")
	writeFile(t, filepath.Join(dir, "proc/self/mountinfo"), "the pod's own")
	set := newTestSet(t, &bytes.Buffer{}, hostArgs(dir)...)
	for _, name := range []string{"netdev", "filesystem"} {
		said, err := updated(t.Context(), t, set.seats[name].Collector)
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), dir+"/proc/1/") || said != "" {
			t.Errorf("%s: error %v, want no samples from a pod's own tables:\n%s", name, err, said)
		}
	}
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func copyHost(t *testing.T, dir string) {
	t.Helper()
	if err := os.CopyFS(dir, os.DirFS("testdata/host")); err != nil {
		t.Fatal(err)
	}
}

// eventually waits for what another goroutine is about to do.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if done() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

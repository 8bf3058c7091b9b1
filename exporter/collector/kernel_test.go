package collector

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// TestKernelGolden compares what the kernel's statistics say of testdata/host with testdata/golden/NAME.prom.
func TestKernelGolden(t *testing.T) {
	for _, name := range []string{
		"nfs", "nfsd", "pressure", "schedstat", "selinux", "softnet", "thermal_zone", "udp_queues", "watchdog", "xfs",
	} {
		t.Run(name, func(t *testing.T) {
			c := newTestSet(t, &bytes.Buffer{}, hostArgs("testdata/host")...).seats[name].Collector
			var said string
			for range 2 { // the second time from held files and kept labels
				var err error
				if said, err = updated(t.Context(), t, c); err != nil {
					t.Fatal(err)
				}
			}
			compareGolden(t, name, said)
		})
	}
}

func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	golden := filepath.Join("testdata/golden", name+".prom")
	if *rewrite {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(readFile(t, golden)), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", golden, diff)
	}
}

// TestKernelBroken breaks one file at a time. What was read before it is still said, and nothing else.
func TestKernelBroken(t *testing.T) {
	for name, c := range map[string]struct {
		collector, file, content string
		message                  string
		said                     string // a pattern; nothing is said without one
	}{
		"pressure empty":    {"pressure", "proc/pressure/cpu", "", "pressure/cpu: empty", "io_waiting"},
		"pressure garbage":  {"pressure", "proc/pressure/cpu", "some avg10=1 total=x\n", `pressure/cpu: line 1: no total`, "io_waiting"},
		"pressure cut off":  {"pressure", "proc/pressure/io", "some avg10=1 total=7\nfull avg10=1 total=7", "pressure/io: truncated", "cpu_waiting"},
		"pressure no IRQ":   {"pressure", "proc/pressure/irq", "\n", "pressure/irq: empty", "cpu_waiting"},
		"pressure partial":  {"pressure", "proc/pressure/io", "some avg10=1 total=7\n", `pressure/io: no line "full"`, "io_waiting.* 7e-06"},
		"schedstat empty":   {"schedstat", "proc/schedstat", "", "schedstat: empty", ""},
		"schedstat no CPU":  {"schedstat", "proc/schedstat", "version 17\n", "schedstat: no line of a CPU", ""},
		"schedstat short":   {"schedstat", "proc/schedstat", "cpu0 1 2\n", "schedstat: line 1: cpu0: 2 numbers", ""},
		"schedstat garbage": {"schedstat", "proc/schedstat", "cpu0 1 2 3 4 5 6 7 8 9\ncpu1 1 x\n", `schedstat: line 2: cpu1: "x" is not`, `cpu="0"`},
		"schedstat name":    {"schedstat", "proc/schedstat", "cpux 1 2 3 4 5 6 7 8 9\n", "schedstat: line 1: cpux: not a CPU", ""},
		"selinux garbage":   {"selinux", "sys/fs/selinux/enforce", "x\n", `enforce: "x" is not a number`, ""},
		"selinux mode":      {"selinux", "root/etc/selinux/config", "\nSELINUX=on\n", `etc/selinux/config: line 2: "on"`, "current_mode 1"},
		"selinux no mode":   {"selinux", "root/etc/selinux/config", "\n", "etc/selinux/config: no line", "current_mode 1"},
		"softnet empty":     {"softnet", "proc/1/net/softnet_stat", "", "softnet_stat: empty", ""},
		"softnet short":     {"softnet", "proc/1/net/softnet_stat", "1 2 3\n", "softnet_stat: line 1: 3 columns", ""},
		"softnet cut off":   {"softnet", "proc/1/net/softnet_stat", "1 1 1 1 1 1 1 1 1 1 1\n1 1 1 1 1 1 1 1 1 1", "softnet_stat: truncated", ""},
		"softnet garbage":   {"softnet", "proc/1/net/softnet_stat", "1 zz\n", `softnet_stat: line 1: column 2: "zz"`, ""},
		"thermal garbage":   {"thermal_zone", "sys/class/thermal/thermal_zone0/temp", "hot\n", `thermal_zone0/temp: "hot"`, "cooling_device_cur_state"},
		"udp garbage":       {"udp_queues", "proc/1/net/udp", "heading\n 0: a b 07 15\n", `net/udp: line 2: column 5: "15"`, ""},
		"udp empty":         {"udp_queues", "proc/1/net/udp", "", "net/udp: empty", ""},
		"udp6 garbage":      {"udp_queues", "proc/1/net/udp6", "heading\ngarbage\n", "net/udp6: line 2:", `queues{ip="v4",queue="tx"} 22`},
		"watchdog garbage":  {"watchdog", "sys/class/watchdog/watchdog0/timeout", "\x00\n", "watchdog0/timeout:", `info{identity="Software Watchdog"`},
		"xfs empty":         {"xfs", "sys/fs/xfs/sda1/stats/stats", "", "sda1/stats/stats: empty", ""},
		"xfs short":         {"xfs", "sys/fs/xfs/sda1/stats/stats", "rw 28\n", "sda1/stats/stats: line 1: rw: 1 numbers, 2", ""},
		"xfs garbage":       {"xfs", "sys/fs/xfs/sda1/stats/stats", "rw 28 x\n", `sda1/stats/stats: line 1: rw: "x"`, ""},
		"nfs empty":         {"nfs", "proc/1/net/rpc/nfs", "", "rpc/nfs: empty", ""},
		"nfs short":         {"nfs", "proc/1/net/rpc/nfs", "net 1 2 3 4\nrpc 1\n", "rpc/nfs: line 2: rpc: 1 numbers, 3", "connections_total 4"},
		"nfs cut off":       {"nfs", "proc/1/net/rpc/nfs", "proc4 9 1 2\n", "rpc/nfs: line 1: proc4: 2 numbers follow, not 9", ""},
		"nfs garbage":       {"nfs", "proc/1/net/rpc/nfs", "rpc a b c\n", `rpc/nfs: line 1: rpc: "a"`, ""},
		"nfsd garbage":      {"nfsd", "proc/1/net/rpc/nfsd", "proc2 x\n", `rpc/nfsd: line 1: proc2: "x"`, ""},
		"nfsd short":        {"nfsd", "proc/1/net/rpc/nfsd", "proc4ops 3 1 2 3\n", "rpc/nfsd: line 1: proc4ops: 3 numbers, 39", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			copyHost(t, dir)
			writeFile(t, filepath.Join(dir, c.file), c.content)
			said, err := updated(t.Context(), t, newTestSet(t, &bytes.Buffer{}, hostArgs(dir)...).seats[c.collector].Collector)
			if err == nil || !strings.Contains(err.Error(), c.message) {
				t.Errorf("error %v, want %q", err, c.message)
			}
			if c.said == "" && said != "" || !regexp.MustCompile(c.said).MatchString(said) {
				t.Errorf("want %q in:\n%s", c.said, said)
			}
		})
	}
}

// TestKernelAbsent takes away what a kernel may be built without: that is no failure, and nothing is said.
func TestKernelAbsent(t *testing.T) {
	for _, c := range []struct{ collector, gone, said string }{
		{"pressure", "proc/pressure", ""},
		{"schedstat", "proc/schedstat", ""},
		{"selinux", "sys/fs/selinux", "selinux_enabled 0"},
		{"thermal_zone", "sys/class/thermal", ""},
		{"udp_queues", "proc/1/net/udp", ""},
		{"watchdog", "sys/class/watchdog", ""},
		{"xfs", "sys/fs/xfs", ""},
		{"nfs", "proc/1/net/rpc", ""},
		{"nfsd", "proc/1/net/rpc", ""},
	} {
		t.Run(c.collector, func(t *testing.T) {
			dir := t.TempDir()
			copyHost(t, dir)
			if err := os.RemoveAll(filepath.Join(dir, c.gone)); err != nil {
				t.Fatal(err)
			}
			said, err := updated(t.Context(), t, newTestSet(t, &bytes.Buffer{}, hostArgs(dir)...).seats[c.collector].Collector)
			if err != nil || c.said == "" && said != "" || !strings.Contains(said, c.said) {
				t.Errorf("error %v, want %q in:\n%s", err, c.said, said)
			}
		})
	}
}

// TestDeviceGone takes a device away between two scrapes, and brings it back.
func TestDeviceGone(t *testing.T) {
	for collector, path := range map[string]string{
		"thermal_zone": "sys/class/thermal/thermal_zone0",
		"watchdog":     "sys/class/watchdog/watchdog0",
		"xfs":          "sys/fs/xfs/sda1",
	} {
		t.Run(collector, func(t *testing.T) {
			dir := t.TempDir()
			copyHost(t, dir)
			c := newTestSet(t, &bytes.Buffer{}, hostArgs(dir)...).seats[collector].Collector
			full, err := updated(t.Context(), t, c)
			if err != nil {
				t.Fatal(err)
			}
			aside := filepath.Join(dir, "aside")
			if err := os.Rename(filepath.Join(dir, path), aside); err != nil {
				t.Fatal(err)
			}
			if less, err := updated(t.Context(), t, c); err != nil || len(less) >= len(full) {
				t.Errorf("gone: error %v, still said:\n%s", err, less)
			}
			if err := os.Rename(aside, filepath.Join(dir, path)); err != nil {
				t.Fatal(err)
			}
			if again, err := updated(t.Context(), t, c); err != nil || again != full {
				t.Errorf("back: error %v: %s", err, cmp.Diff(full, again))
			}
		})
	}
}

// TestSelinuxWithoutPolicy is a kernel that has SELinux and was given nothing to enforce.
func TestSelinuxWithoutPolicy(t *testing.T) {
	dir := t.TempDir()
	copyHost(t, dir)
	writeFile(t, filepath.Join(dir, "proc/1/attr/current"), "kernel\x00")
	said, err := updated(t.Context(), t, newTestSet(t, &bytes.Buffer{}, hostArgs(dir)...).seats["selinux"].Collector)
	if err != nil || !strings.Contains(said, "selinux_enabled 0") || strings.Contains(said, "mode") {
		t.Errorf("error %v:\n%s", err, said)
	}
}

// TestSoftnetOldKernel has neither the columns of newer kernels nor the number of the CPU.
func TestSoftnetOldKernel(t *testing.T) {
	dir := t.TempDir()
	copyHost(t, dir)
	writeFile(t, filepath.Join(dir, "proc/1/net/softnet_stat"), strings.Repeat("0000000a 0 0 0 0 0 0 0 0\n", 2))
	said, err := updated(t.Context(), t, newTestSet(t, &bytes.Buffer{}, hostArgs(dir)...).seats["softnet"].Collector)
	if err != nil || !strings.Contains(said, `node_softnet_processed_total{cpu="1"} 10`) {
		t.Errorf("error %v:\n%s", err, said)
	}
}

func TestTimex(t *testing.T) {
	for name, c := range map[string]struct {
		answer unix.Timex
		state  int
		err    error
		want   []string
	}{
		"micro": {unix.Timex{Offset: -2500, Freq: 65536, Maxerror: 16000, Tick: 10000, Tai: 37}, 0, nil, []string{
			"sync_status 1", "offset_seconds -0.0025", "frequency_adjustment_ratio 1.000001", "maxerror_seconds 0.016", "tick_seconds 0.01",
			"tai_offset_seconds 37",
		}},
		"nano":     {unix.Timex{Offset: -2500, Jitter: 500, Status: unix.STA_NANO}, 0, nil, []string{"offset_seconds -2.5e-06", "pps_jitter_seconds 5e-07", "status 8192"}},
		"unsynced": {unix.Timex{}, unix.TIME_ERROR, nil, []string{"sync_status 0"}},
		"refused":  {unix.Timex{}, 0, unix.EPERM, nil},
	} {
		t.Run(name, func(t *testing.T) {
			x := &timex{values: timexValues(), ask: func(into *unix.Timex) (int, error) {
				*into = c.answer
				return c.state, c.err
			}}
			said, err := updated(t.Context(), t, x)
			if !errors.Is(err, c.err) || c.err != nil && said != "" {
				t.Errorf("error %v, want %v; said:\n%s", err, c.err, said)
			}
			for _, want := range c.want {
				if !strings.Contains(said, "node_timex_"+want+"\n") {
					t.Errorf("no %s in:\n%s", want, said)
				}
			}
		})
	}
}

// TestKernelUpdateDoesNotAllocate reads files of this machine's /proc, which stay open, a second time.
func TestKernelUpdateDoesNotAllocate(t *testing.T) {
	set := newTestSet(t, &bytes.Buffer{})
	for _, name := range []string{"pressure", "schedstat", "softnet", "timex", "udp_queues", "nfs", "nfsd", "thermal_zone", "watchdog", "xfs"} {
		c := set.seats[name].Collector
		update := func() {
			for _, f := range c.Families() {
				f.Reset()
			}
			if err := c.Update(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		update()
		if n := testing.AllocsPerRun(20, update); n > 10 { // errors of files that aren't there, and the lists of families
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

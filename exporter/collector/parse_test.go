package collector

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/procfs"
	"github.com/prometheus/procfs/blockdevice"
)

// A broken file, and what becomes of it.
type broken struct {
	file, content string
	fails         []string
	message       string
}

func brokenInput() map[string]broken {
	const heading = "Inter-|   Receive |  Transmit\n face |bytes |bytes\n"
	return map[string]broken{
		"stat empty":           {"proc/stat", "", []string{"cpu", "stat"}, "proc/stat: empty"},
		"stat cut off":         {"proc/stat", "cpu0 1 2 3 4 5 6 7 8 9 10\nintr 12", []string{"cpu", "stat"}, "proc/stat: truncated"},
		"stat without lines":   {"proc/stat", "cpu0 1 2 3 4 5 6 7 8 9 10\nintr 12\n", []string{"stat"}, "proc/stat: no line for ctxt"},
		"stat garbage":         {"proc/stat", "cpu0 1 2 x 4\n", []string{"cpu", "stat"}, `proc/stat: line 1: cpu0: \"x\" is not a number`},
		"stat short":           {"proc/stat", "cpu0 1 2 3\n", []string{"cpu", "stat"}, "proc/stat: line 1: cpu0: 3 columns"},
		"stat odd cpu":         {"proc/stat", "cpux 1 2 3 4\n", []string{"cpu", "stat"}, "proc/stat: line 1:"},
		"meminfo empty":        {"proc/meminfo", "", []string{"meminfo"}, "proc/meminfo: empty"},
		"meminfo cut off":      {"proc/meminfo", "MemTotal: 100 kB\nMemFree: 5", []string{"meminfo"}, "proc/meminfo: truncated"},
		"meminfo unitless":     {"proc/meminfo", "MemTotal: 100 kB\nMemFree: 5\n", []string{"meminfo"}, "proc/meminfo: line 2: MemFree: no unit"},
		"meminfo without":      {"proc/meminfo", "MemFree: 5 kB\n", []string{"meminfo"}, "proc/meminfo: no MemTotal"},
		"meminfo garbage":      {"proc/meminfo", "\x00\x01\n", []string{"meminfo"}, "proc/meminfo:"},
		"loadavg empty":        {"proc/loadavg", "", []string{"loadavg"}, "proc/loadavg:"},
		"loadavg garbage":      {"proc/loadavg", "a b c 1/2 3\n", []string{"loadavg"}, "proc/loadavg:"},
		"diskstats cut off":    {"proc/diskstats", "8 0 sda 1 2", []string{"diskstats"}, "proc/diskstats: truncated"},
		"diskstats short":      {"proc/diskstats", "8 0 sda 1 2\n", []string{"diskstats"}, "proc/diskstats: line 1: sda: 2 numbers"},
		"diskstats garbage":    {"proc/diskstats", "\xff\xfe\n", []string{"diskstats"}, "proc/diskstats: line 1:"},
		"udev garbage":         {"udev/b8:0", "E:ID_ATA=1\nE:ID_ATA_WRITE_CACHE=yes\n", []string{"diskstats"}, "udev/b8:0: ID_ATA_WRITE_CACHE"},
		"net/dev empty":        {"proc/1/net/dev", "", []string{"netdev"}, "net/dev: empty"},
		"net/dev cut off":      {"proc/1/net/dev", heading + "eth0: 1 2 3", []string{"netdev"}, "net/dev: truncated"},
		"net/dev short":        {"proc/1/net/dev", heading + "eth0: 1 2 3\n", []string{"netdev"}, "net/dev: line 3: eth0: 3 columns"},
		"net/dev nameless":     {"proc/1/net/dev", heading + "1 2 3\n", []string{"netdev"}, "net/dev: line 3: no device name"},
		"net/dev garbage":      {"proc/1/net/dev", "garbage\n", []string{"netdev"}, "net/dev: line 1:"},
		"mountinfo empty":      {"proc/1/mountinfo", "", []string{"filesystem"}, "1/mountinfo: empty"},
		"mountinfo garbage":    {"proc/1/mountinfo", "garbage\n", []string{"filesystem"}, "1/mountinfo:"},
		"mountinfo odd device": {"proc/1/mountinfo", "20 1 x / / rw - ext4 /dev/sda1 rw\n", []string{"filesystem"}, "1/mountinfo: line 1: mount 20:"},
		"isolated garbage":     {"sys/devices/system/cpu/isolated", "a-b\n", []string{"cpu"}, "cpu/isolated:"},
		"clocksource empty":    {"sys/devices/system/clocksource/clocksource0/current_clocksource", "", []string{"time"}, "current_clocksource"},
		"file-nr empty":        {"proc/sys/fs/file-nr", "", []string{"filefd"}, "sys/fs/file-nr: empty"},
		"file-nr short":        {"proc/sys/fs/file-nr", "1 2\n", []string{"filefd"}, "sys/fs/file-nr: 2 numbers, 3 wanted"},
		"vmstat garbage":       {"proc/vmstat", "a 1\npgfault x\n", []string{"vmstat"}, "proc/vmstat: line 2: pgfault:"},
		"netstat empty":        {"proc/1/net/netstat", "", []string{"netstat"}, "net/netstat: empty"},
		"netstat headless":     {"proc/1/net/netstat", "1 2\n3 4\n", []string{"netstat"}, "net/netstat: line 1:"},
		"netstat short":        {"proc/1/net/netstat", "TcpExt: A ListenDrops\nTcpExt: 1\n", []string{"netstat"}, "net/netstat: line 2: TcpExt: column 2:"},
		"netstat long":         {"proc/1/net/netstat", "TcpExt: A\nTcpExt: 1 2\n", []string{"netstat"}, "net/netstat: line 2: TcpExt: more numbers"},
		"netstat odd":          {"proc/1/net/netstat", "TcpExt: A\nIpExt: 1\n", []string{"netstat"}, "net/netstat: line 2:"},
		"snmp6 garbage":        {"proc/1/net/snmp6", "Ip6InOctets x\n", []string{"netstat"}, "net/snmp6: line 1: Ip6InOctets:"},
		"sockstat garbage":     {"proc/1/net/sockstat", "TCP: inuse\n", []string{"sockstat"}, "net/sockstat: line 1: TCP: inuse:"},
		"mtu garbage":          {"sys/class/net/eth0/mtu", "big\n", []string{"netclass"}, `eth0/mtu: \"big\" is not a number`},
		"hostname empty":       {"root/etc/hostname", "", []string{"uname"}, "etc/hostname: no name"},
	}
}

// TestBrokenInput breaks one file of the host at a time: its own collectors fail, with a message that names the file, and
// all the others are still there.
func TestBrokenInput(t *testing.T) {
	for name, c := range brokenInput() {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			copyHost(t, dir)
			writeFile(t, filepath.Join(dir, c.file), c.content)
			var log bytes.Buffer
			set := newTestSet(t, &log, hostArgs(dir)...)
			var got string
			for range 3 {
				got = scraped(t, set, set.Names()...)
			}
			want := map[string]string{}
			for _, n := range set.Names() {
				want[n] = "1"
			}
			for _, n := range c.fails {
				want[n] = "0"
			}
			if diff := cmp.Diff(want, successes(got)); diff != "" {
				t.Errorf("success (-want +got):\n%s\n%s", diff, &log)
			}
			if n := strings.Count(log.String(), c.message); n != len(c.fails) {
				t.Errorf("%q is logged %d times in three scrapes, want %d:\n%s", c.message, n, len(c.fails), &log)
			}
		})
	}
}

// successes reads node_scrape_collector_success by collector.
func successes(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, `node_scrape_collector_success{collector="`); ok {
			name, value, _ := strings.Cut(rest, `"} `)
			out[name] = strings.TrimSpace(value)
		}
	}
	return out
}

// The next three hold our own readers to procfs' where the input is whole.

func TestStatEqualsProcfs(t *testing.T) {
	stat, err := fixtureProc(t).Stat()
	if err != nil {
		t.Fatal(err)
	}
	ours := newProcStat(testHost("testdata/host"))
	if err := ours.read(); err != nil {
		t.Fatal(err)
	}
	want := [6]uint64{stat.IRQTotal, stat.ContextSwitches, stat.ProcessCreated, stat.BootTime, stat.ProcessesRunning, stat.ProcessesBlocked}
	if diff := cmp.Diff(want, ours.values); diff != "" {
		t.Errorf("values (-procfs +ours):\n%s", diff)
	}
	theirs, cpus := map[int][]float64{}, map[int][]float64{}
	for id, c := range stat.CPU {
		theirs[int(id)] = []float64{c.User, c.Nice, c.System, c.Idle, c.Iowait, c.IRQ, c.SoftIRQ, c.Steal, c.Guest, c.GuestNice}
	}
	for _, c := range ours.cpus {
		for _, ticks := range c.ticks {
			cpus[c.id] = append(cpus[c.id], float64(ticks)/userHZ)
		}
	}
	if diff := cmp.Diff(theirs, cpus); diff != "" {
		t.Errorf("cpus (-procfs +ours):\n%s", diff)
	}
	q := stat.SoftIRQ
	vectors := []uint64{stat.SoftIRQTotal, q.Hi, q.Timer, q.NetTx, q.NetRx, q.Block, q.BlockIoPoll, q.Tasklet, q.Sched, q.Hrtimer, q.Rcu}
	if diff := cmp.Diff(vectors, ours.softirq); diff != "" {
		t.Errorf("softirq (-procfs +ours):\n%s", diff)
	}
}

func TestNetdevEqualsProcfs(t *testing.T) {
	init, err := fixtureProc(t).Proc(1)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := init.NetDev()
	if err != nil {
		t.Fatal(err)
	}
	c := newTestSet(t, &bytes.Buffer{}, hostArgs("testdata/host")...).seats["netdev"].Collector.(*netdev)
	said, err := updated(t.Context(), t, c)
	if err != nil {
		t.Fatal(err)
	}
	got, want := map[string][]uint64{}, map[string][]uint64{}
	for name := range theirs {
		for _, f := range c.columns {
			_, rest, _ := strings.Cut(said, "\n"+f.Name()+`{device="`+name+`"} `)
			value, _, _ := strings.Cut(rest, "\n")
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Errorf("%s of %s: %v", f.Name(), name, err)
			}
			got[name] = append(got[name], uint64(v))
		}
	}
	for name, n := range theirs {
		want[name] = []uint64{n.RxBytes, n.RxPackets, n.RxErrors, n.RxDropped, n.RxFIFO, n.RxFrame, n.RxCompressed, n.RxMulticast,
			n.TxBytes, n.TxPackets, n.TxErrors, n.TxDropped, n.TxFIFO, n.TxCollisions, n.TxCarrier, n.TxCompressed}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-procfs +ours):\n%s", diff)
	}
}

func TestDiskstatsEqualsProcfs(t *testing.T) {
	block, err := blockdevice.NewFS("testdata/host/proc", "testdata/host/sys")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := block.ProcDiskstats()
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSuffix(readFile(t, "testdata/host/proc/diskstats"), []byte("\n")), []byte("\n"))
	if len(lines) != len(theirs) {
		t.Fatalf("%d lines, procfs has %d", len(lines), len(theirs))
	}
	for i, s := range theirs {
		got, err := parseDisk(lines[i])
		if err != nil {
			t.Fatal(err)
		}
		want := diskLine{[]byte(s.DeviceName), uint64(s.MajorNumber), uint64(s.MinorNumber), [17]uint64{
			s.ReadIOs, s.ReadMerges, s.ReadSectors, s.ReadTicks, s.WriteIOs, s.WriteMerges, s.WriteSectors, s.WriteTicks,
			s.IOsInProgress, s.IOsTotalTicks, s.WeightedIOTicks, s.DiscardIOs, s.DiscardMerges, s.DiscardSectors, s.DiscardTicks,
			s.FlushRequestsCompleted, s.TimeSpentFlushing}, s.IoStatsCount - 3}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(diskLine{})); diff != "" {
			t.Errorf("(-procfs +ours):\n%s", diff)
		}
	}
}

func fixtureProc(t *testing.T) procfs.FS {
	t.Helper()
	proc, err := procfs.NewFS("testdata/host/proc")
	if err != nil {
		t.Fatal(err)
	}
	return proc
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestAdvance keeps a counter from going back a tick, and lets a CPU that comes back from hotplug start anew.
func TestAdvance(t *testing.T) {
	for _, c := range []struct{ last, read, want cpuTicks }{
		{ticks(1000, 0, 0, 10000), ticks(1100, 0, 0, 9950), ticks(1100, 0, 0, 10000)},
		{ticks(1000, 0, 0, 10000), ticks(100, 0, 0, 200), ticks(100, 0, 0, 200)},
	} {
		got := c.last
		got.advance(c.read)
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(cpuTicks{})); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func ticks(values ...uint64) cpuTicks {
	c := cpuTicks{n: len(values)}
	copy(c.ticks[:], values)
	return c
}

// TestForget lets a CPU that was gone begin anew.
func TestForget(t *testing.T) {
	c := newTestSet(t, &bytes.Buffer{}, hostArgs("testdata/host")...).seats["cpu"].Collector.(*cpu)
	c.times[99] = &cpuTimes{}
	if err := c.addTimes(t.Context()); err != nil || c.times[99] != nil || len(c.times) != len(c.stat.cpus) {
		t.Errorf("%d CPUs are known of %d (%v)", len(c.times), len(c.stat.cpus), err)
	}
}

func TestStripRoot(t *testing.T) {
	for _, c := range []struct{ root, point, want string }{
		{"/", "/boot", "/boot"},
		{"/host/root", "/boot", "/boot"},
		{"/host/root", "/host/root", "/"},
		{"/host/root/", "/host/root/boot", "/boot"},
		{"/host/root", "/host/rootless", "/host/rootless"},
	} {
		if got := stripRoot(c.root, c.point); got != c.want {
			t.Errorf("stripRoot(%q, %q) = %q, want %q", c.root, c.point, got, c.want)
		}
	}
}

package collector

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// offByDefault are collectors that run only when asked for, and the flags that their golden files are made with.
func offByDefault() map[string][]string {
	return map[string][]string{
		"buddyinfo":  nil,
		"cgroups":    nil,
		"interrupts": {"--collector.interrupts.name-exclude=^LOC;", "--collector.interrupts.include-zeros=false"},
		"ksmd":       nil,
		"processes":  nil,
		"qdisc":      {"--collector.qdisc.fixtures=testdata/qdisc", "--collector.qdisc.device-exclude=veth"},
		"slabinfo":   {"--collector.slabinfo.slabs-exclude=^kmalloc", "--collector.slabinfo.slabs-include=.*"},
		"softirqs":   nil,
		"tcpstat":    nil,
		"zoneinfo":   nil,
	}
}

// TestGoldenOffByDefault compares what each says of testdata/host, the second time as the first, with testdata/golden.
func TestGoldenOffByDefault(t *testing.T) {
	for name, args := range offByDefault() {
		t.Run(name, func(t *testing.T) {
			c := newTestSet(t, &bytes.Buffer{}, hostArgs("testdata/host", append(args, "--collector."+name)...)...).seats[name].Collector
			golden := filepath.Join("testdata/golden", name+".prom")
			for range 2 {
				got, err := updated(t.Context(), t, c)
				if err != nil {
					t.Fatal(err)
				}
				if *rewrite {
					writeFile(t, golden, got)
				}
				if diff := cmp.Diff(string(readFile(t, golden)), got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", golden, diff)
				}
			}
		})
	}
}

// TestBrokenOffByDefault breaks a file: its collector fails and names it, and says nothing of the part that it can't know.
func TestBrokenOffByDefault(t *testing.T) {
	const head = "  sl  local_address rem_address   st tx_queue rx_queue\n"
	for name, c := range map[string]struct{ collector, file, content, message string }{
		"buddyinfo empty":     {"buddyinfo", "proc/buddyinfo", "", "proc/buddyinfo: empty"},
		"buddyinfo garbage":   {"buddyinfo", "proc/buddyinfo", "Node 0, zone DMA 1\ngarbage\n", "proc/buddyinfo: line 2: \"garbage\" is not a zone"},
		"buddyinfo odd":       {"buddyinfo", "proc/buddyinfo", "Node 0, zone DMA 1 x\n", `proc/buddyinfo: line 1: node 0, zone DMA: "x" is not a number`},
		"buddyinfo cut off":   {"buddyinfo", "proc/buddyinfo", "Node 0, zone DMA 1", "proc/buddyinfo: truncated"},
		"cgroups short":       {"cgroups", "proc/cgroups", "#a\ncpu\t1\t2\n", "proc/cgroups: line 2: cpu: 2 numbers, 3 wanted"},
		"cgroups garbage":     {"cgroups", "proc/cgroups", "cpu\t1\tx\t1\n", `proc/cgroups: line 1: cpu: "x" is not a number`},
		"cgroups cut off":     {"cgroups", "proc/cgroups", "cpu\t1\t17", "proc/cgroups: truncated"},
		"interrupts headless": {"interrupts", "proc/interrupts", "LOC: 1 a\n", `proc/interrupts: line 1: "LOC:" is not a CPU`},
		"interrupts nameless": {"interrupts", "proc/interrupts", "CPU0\n1 a\n", `proc/interrupts: line 2: "1 a" has no name`},
		"interrupts garbage":  {"interrupts", "proc/interrupts", "CPU0\nLOC: x a\n", `proc/interrupts: line 2: LOC: "x" is not a number`},
		"softirqs headless":   {"softirqs", "proc/softirqs", "\nHI: 1\n", "proc/softirqs: line 1: no CPUs"},
		"softirqs garbage":    {"softirqs", "proc/softirqs", "CPU0\nHI: x\n", `proc/softirqs: line 2: HI: "x" is not a number`},
		"ksmd garbage":        {"ksmd", "sys/kernel/mm/ksm/run", "x\n", `mm/ksm/run: "x" is not a number`},
		"slabinfo version":    {"slabinfo", "proc/slabinfo", "slabinfo - version: 3.0\n", "proc/slabinfo: line 1:"},
		"slabinfo short":      {"slabinfo", "proc/slabinfo", "slabinfo - version: 2.1\na 1 2 3 4 : tunables\n", "proc/slabinfo: line 2: a: 4 numbers, 5 wanted"},
		"slabinfo garbage":    {"slabinfo", "proc/slabinfo", "slabinfo - version: 2.1\na 1 x 3 4 5 : tunables\n", `proc/slabinfo: line 2: a: "x" is not`},
		"zoneinfo headless":   {"zoneinfo", "proc/zoneinfo", "min 1\n", "proc/zoneinfo: line 1: a value before the first zone"},
		"zoneinfo garbage":    {"zoneinfo", "proc/zoneinfo", "Node 0, zone DMA\n min x\n", `proc/zoneinfo: line 2: min: "x" is not a number`},
		"zoneinfo protection": {"zoneinfo", "proc/zoneinfo", "Node 0, zone DMA\n protection: (0, x)\n", `proc/zoneinfo: line 2: protection: " x" is not`},
		"zoneinfo cut off":    {"zoneinfo", "proc/zoneinfo", "Node 0, zone DMA\n min 1", "proc/zoneinfo: truncated"},
		"processes stat":      {"processes", "proc/20/stat", "garbage\n", `proc/20/stat: "garbage" is not a state`},
		"processes threads":   {"processes", "proc/20/stat", "20 (a) S 0 1\n", `proc/20/stat: number of threads: "" is not a number`},
		"processes thread":    {"processes", "proc/20/task/21/stat", "21 (a) \n", `proc/20/task/21/stat: "" is not a state`},
		"processes limit":     {"processes", "proc/sys/kernel/pid_max", "", `sys/kernel/pid_max: "" is not a number`},
		"tcpstat empty":       {"tcpstat", "proc/1/net/tcp", "", "proc/1/net/tcp: empty"},
		"tcpstat headless":    {"tcpstat", "proc/1/net/tcp", "garbage\n", "proc/1/net/tcp: line 1:"},
		"tcpstat state":       {"tcpstat", "proc/1/net/tcp", head + "0: a b 0 0:0\n", `proc/1/net/tcp: line 2: "0" is not a state`},
		"tcpstat queues":      {"tcpstat", "proc/1/net/tcp6", head + "0: a b 1 0\n", `proc/1/net/tcp6: line 2: "0" are not two queues`},
		"tcpstat cut off":     {"tcpstat", "proc/1/net/tcp6", head + "0: a b 1 0:0", "proc/1/net/tcp6: truncated"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			copyHost(t, dir)
			writeFile(t, filepath.Join(dir, c.file), c.content)
			made := newTestSet(t, &bytes.Buffer{}, hostArgs(dir, "--collector."+c.collector)...).seats[c.collector].Collector
			said, err := updated(t.Context(), t, made)
			if err == nil || !strings.Contains(err.Error(), c.message) {
				t.Errorf("error %v, want %q", err, c.message)
			}
			if strings.Contains(said, "node_tcp_") || strings.Contains(said, "node_processes_pids") && c.file != "proc/sys/kernel/pid_max" {
				t.Errorf("a part is said to be all:\n%s", said)
			}
		})
	}
}

// TestLostEnd reads copies of kernel files that lost their last newline and nothing else.
func TestLostEnd(t *testing.T) {
	dir := t.TempDir()
	copyHost(t, dir)
	writeFile(t, filepath.Join(dir, "proc/cgroups"), "cpu\t1\t17\t1")
	writeFile(t, filepath.Join(dir, "proc/zoneinfo"), "Node 0, zone Device\n  pages free 0\n min 0\n protection: (0, 0)")
	set := newTestSet(t, &bytes.Buffer{}, hostArgs(dir, "--collector.cgroups", "--collector.zoneinfo")...)
	for name, want := range map[string]string{"cgroups": `node_cgroups_cgroups{subsys_name="cpu"} 17`, "zoneinfo": `node_zoneinfo_protection_1{node="0",zone="Device"} 0`} {
		if said, err := updated(t.Context(), t, set.seats[name].Collector); err != nil || !strings.Contains(said, want) {
			t.Errorf("%s: error %v, want %s in:\n%s", name, err, want, said)
		}
	}
}

// TestInterruptsChange follows a CPU that goes and a device that comes to an interrupt.
func TestInterruptsChange(t *testing.T) {
	dir := t.TempDir()
	copyHost(t, dir)
	c := newTestSet(t, &bytes.Buffer{}, hostArgs(dir, "--collector.interrupts")...).seats["interrupts"].Collector
	for _, step := range []struct{ content, want string }{
		{"CPU0 CPU1\n 4: 1 2 IO-APIC a\n", `{cpu="1",devices="a",info="IO-APIC",type="4"} 2`},
		{"CPU0 CPU1\n 4: 1 2 IO-APIC a, b\n", `{cpu="1",devices="a, b",info="IO-APIC",type="4"} 2`},
		{"CPU1\n 4: 3 IO-APIC a, b\n", `{cpu="1",devices="a, b",info="IO-APIC",type="4"} 3`},
	} {
		writeFile(t, filepath.Join(dir, "proc/interrupts"), step.content)
		if said, err := updated(t.Context(), t, c); err != nil || !strings.Contains(said, "node_interrupts_total"+step.want) {
			t.Errorf("error %v, want %s in:\n%s", err, step.want, said)
		}
	}
}

// TestOffByDefaultHere reads this machine's own, and refuses another network's queueing disciplines.
func TestOffByDefaultHere(t *testing.T) {
	for name := range offByDefault() {
		c := newTestSet(t, &bytes.Buffer{}, "--collector."+name).seats[name].Collector
		if said, err := updated(t.Context(), t, c); err != nil || said == "" {
			t.Logf("%s: %v", name, err) // some need root, a kernel with all of it, or the host's network
		}
	}
	c := newTestSet(t, &bytes.Buffer{}, hostArgs("testdata/host", "--collector.qdisc")...).seats["qdisc"].Collector
	if said, err := updated(t.Context(), t, c); err == nil || !strings.Contains(err.Error(), "hostNetwork") || said != "" {
		t.Errorf("error %v, want no samples of another network:\n%s", err, said)
	}
}

func TestQueueOfTheKernel(t *testing.T) {
	attribute := func(kind uint16, value ...byte) []byte {
		b := binary.NativeEndian.AppendUint16(nil, uint16(len(value)+unix.SizeofNlAttr))
		b = append(binary.NativeEndian.AppendUint16(b, kind), value...)
		return append(b, make([]byte, -len(b)&3)...)
	}
	numbers := func(values ...uint32) (b []byte) {
		for _, v := range values {
			b = binary.NativeEndian.AppendUint32(b, v)
		}
		return b
	}
	basic := append(binary.NativeEndian.AppendUint64(nil, 1<<40), numbers(7, 0)...)
	stats := append(attribute(tcaStatsBasic, basic...), attribute(tcaStatsQueue, numbers(1, 2, 3, 4, 5)...)...)
	message := append(numbers(0, 3, 0, 1<<32-1, 0), attribute(tcaKind, []byte("fq\x00")...)...)
	message = append(message, attribute(tcaStats2|unix.NLA_F_NESTED, stats...)...)

	got, index, err := parseQueue(message)
	want := queue{Kind: "fq", Bytes: 1 << 40, Packets: 7, Qlen: 1, Backlog: 2, Drops: 3, Requeues: 4, Overlimits: 5, known: true}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(queue{})); diff != "" || index != 3 || err != nil {
		t.Errorf("interface %d, %v (-want +got):\n%s", index, err, diff)
	}
	for n := range message { // never more than an error, wherever it is cut off
		_, _, _ = parseQueue(message[:n])
	}
	if _, _, err := parseQueue(append(numbers(0, 3, 0, 0, 0), attribute(tcaStats2, attribute(tcaStatsBasic, 1, 2)...)...)); err == nil {
		t.Error("statistics of two bytes are taken")
	}
}

func TestProcessesOfNobody(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "proc/1"), 0o755); err != nil {
		t.Fatal(err)
	}
	made, err := declareProcesses(nil)(Host{Proc: filepath.Join(dir, "proc")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if said, err := updated(t.Context(), t, made); err == nil || !strings.Contains(err.Error(), "proc: no processes") || said != "" {
		t.Errorf("error %v:\n%s", err, said)
	}
}

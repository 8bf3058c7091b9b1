package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hearth-monitoring/hearth/test/compare"
	"github.com/hearth-monitoring/hearth/test/peer"
)

// What must be equal, at least. These only grow: who adds a collector raises them to what the test prints.
const (
	wantFamilies = 436
	wantSamples  = 1543
)

// variable is what node_exporter's own test leaves out: what is not of the fixtures but of the machine.
func variable() *regexp.Regexp {
	return regexp.MustCompile(`^(go_|process_|promhttp_|node_exporter_build_info|node_scrape_collector_|node_textfile_mtime_seconds|node_time_(zone|seconds)|node_network_(receive|transmit)_(bytes|packets)_total)`)
}

// flags are those of node_exporter's own test (end-to-end-test.sh); the ones that we don't have yet are left out.
func flags(fixtures string) []string {
	return []string{
		"--collector.cpu.info",
		"--collector.cpu.info.bugs-include=^(cpu_meltdown|spectre_.*|mds)$",
		"--collector.cpu.info.flags-include=^(aes|avx.?|constant_tsc)$",
		"--collector.arp.device-exclude=nope",
		"--collector.bcache.priorityStats",
		"--collector.hwmon.chip-include=(applesmc|asus_nb_wmi|coretemp|hwmon4|ieee80211|nct6779)",
		"--collector.netclass.ignore-invalid-speed",
		"--collector.netclass.ignored-devices=(dmz|int)",
		"--collector.netdev.device-include=lo",
		"--collector.qdisc.device-include=(wlan0|eth0)",
		"--collector.qdisc.fixtures=" + fixtures + "/qdisc/",
		"--collector.stat.softirq",
		"--collector.textfile.directory=" + fixtures + "/textfile/two_metric_files/",
		"--no-collector.arp.netlink",
	}
}

// unfixed are the collectors that read more than the fixtures have: they are compared live.
func unfixed(name string) bool {
	return slices.Contains([]string{"ethtool", "filesystem", "netdev", "selinux", "systemd", "tcpstat", "time", "timex", "uname"}, name)
}

func TestGolden(t *testing.T) {
	module, err := peer.Dir(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fixtures := filepath.Join(module, "collector/fixtures")
	golden := readGolden(t, filepath.Join(fixtures, "e2e-output.txt"))
	e, names := start(t, fixtures)

	var rows []string
	var families, equalFamilies, samples int
	said := map[string]bool{}
	for _, collector := range names {
		ours := scrape(t, e, collector)
		if success := ours["node_scrape_collector_success"].Samples[fmt.Sprintf("{collector=%q}", collector)]; success != 1 {
			t.Errorf("%s failed:\n%s", collector, e.Log())
		}
		row := struct{ claimed, equal, samples int }{}
		for _, name := range slices.Sorted(maps.Keys(ours)) {
			if variable().MatchString(name) {
				continue
			}
			if said[name] {
				t.Errorf("%s: %s is another collector's too", collector, name)
			}
			said[name] = true
			row.claimed++
			diff := compare.Golden(name, golden[name], ours[name])
			if len(diff) > 0 {
				t.Errorf("%s:\n\t%s", collector, strings.Join(diff, "\n\t"))
				continue
			}
			row.equal++
			row.samples += len(ours[name].Samples)
		}
		rows = append(rows, fmt.Sprintf("| %s | %d | %d | %d |", collector, row.claimed, row.equal, row.samples))
		families, equalFamilies, samples = families+row.claimed, equalFamilies+row.equal, samples+row.samples
	}
	t.Logf("\n| collector | families claimed | equal | samples |\n|---|---|---|---|\n%s\n| all | %d | %d | %d |", strings.Join(rows, "\n"), families, equalFamilies, samples)
	t.Logf("not said yet, by what follows node_: %s", missing(golden, said))
	if equalFamilies < wantFamilies || samples < wantSamples {
		t.Errorf("%d families and %d samples are equal, %d and %d were before", equalFamilies, samples, wantFamilies, wantSamples)
	}
	if equalFamilies > wantFamilies || samples > wantSamples {
		t.Logf("raise wantFamilies to %d and wantSamples to %d", equalFamilies, samples)
	}
}

// missing counts the golden families that nobody says, by the word that names their subsystem.
func missing(golden map[string]compare.Family, said map[string]bool) string {
	counts := map[string]int{}
	for name := range golden {
		if !said[name] && !variable().MatchString(name) {
			word, _, _ := strings.Cut(strings.TrimPrefix(name, "node_"), "_")
			counts[word]++
		}
	}
	var out []string
	for _, word := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, fmt.Sprintf("%s %d", word, counts[word]))
	}
	return strings.Join(out, ", ")
}

func readGolden(t *testing.T, path string) map[string]compare.Family {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	golden, err := compare.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return golden
}

// start runs ours on the fixtures and returns the collectors that can be compared there.
func start(t *testing.T, fixtures string) (*peer.Exporter, []string) {
	t.Helper()
	dir := t.TempDir()
	for _, archive := range []string{"sys", "udev"} {
		if err := unpack(filepath.Join(fixtures, archive+".ttar"), dir); err != nil {
			t.Fatal(err)
		}
	}
	procOf(t, fixtures, filepath.Join(dir, "proc"))

	binary, err := peer.BuildOurs(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	usage := help(t, binary)
	var names []string
	args := []string{"--collector.disable-defaults", "--web.disable-exporter-metrics", "--collector.timeout=30s", "--path.procfs=" + dir + "/proc",
		"--path.sysfs=" + dir + "/sys", "--path.udev.data=" + dir + "/udev/data", "--path.rootfs=" + fixtures}
	for _, name := range collectors(usage) {
		if !unfixed(name) {
			names = append(names, name)
			args = append(args, "--collector."+name)
		}
	}
	for _, flag := range flags(fixtures) {
		name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(flag, "--no-"), "--"), "=")
		if regexp.MustCompile(`(?m)--(\[no-\])?` + regexp.QuoteMeta(name) + `(=|$)`).MatchString(usage) {
			args = append(args, flag)
		} else {
			t.Logf("we don't have %s", flag)
		}
	}
	return run(t, binary, args...), names
}

// help is what --help says.
func help(t *testing.T, binary string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), binary, "--help").CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// collectors are those that --help has a switch for.
func collectors(usage string) []string {
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^ +--\[no-\]collector\.([a-z_]+)\b(?:[^.\w-]|$)`).FindAllStringSubmatch(usage, -1) {
		names = append(names, m[1])
	}
	return names
}

func run(t *testing.T, binary string, args ...string) *peer.Exporter {
	t.Helper()
	e, err := peer.Start(context.WithoutCancel(t.Context()), binary, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	return e
}

// procOf makes a /proc of links to the fixtures, in which process 1 has a network: theirs is /proc/net, and ours is what
// the host's first process has.
func procOf(t *testing.T, fixtures, proc string) {
	t.Helper()
	link := func(from, to string) {
		entries, err := os.ReadDir(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(to, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if err := os.Symlink(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil && !errors.Is(err, os.ErrExist) {
				t.Fatal(err)
			}
		}
	}
	link(filepath.Join(fixtures, "proc/1"), filepath.Join(proc, "1"))
	link(filepath.Join(fixtures, "proc"), proc)
	if err := os.Symlink(filepath.Join(fixtures, "proc/net"), filepath.Join(proc, "1/net")); err != nil {
		t.Fatal(err)
	}
}

func scrape(t *testing.T, e *peer.Exporter, collector string) map[string]compare.Family {
	t.Helper()
	body, err := e.Get(t.Context(), collector)
	if err != nil {
		t.Fatal(err)
	}
	families, err := compare.Read(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return families
}

package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// What must be equal, at least. These only grow: who adds a collector raises them to what the test prints.
const (
	wantFamilies = 433
	wantSamples  = 1527
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
	return slices.Contains([]string{"filesystem", "netdev", "selinux", "tcpstat", "time", "timex", "uname"}, name)
}

func TestGolden(t *testing.T) {
	module := moduleDir(t)
	fixtures := filepath.Join(module, "collector/fixtures")
	golden := readGolden(t, filepath.Join(fixtures, "e2e-output.txt"))
	e := start(t, fixtures)

	var rows []string
	var families, equalFamilies, samples int
	said := map[string]bool{}
	for _, collector := range e.collectors {
		ours := e.scrape(t, collector)
		if success := ours["node_scrape_collector_success"].samples[fmt.Sprintf("{collector=%q}", collector)]; success != 1 {
			t.Errorf("%s failed:\n%s", collector, e.log)
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
			diff := differences(name, golden[name], ours[name])
			if len(diff) > 0 {
				t.Errorf("%s:\n\t%s", collector, strings.Join(diff, "\n\t"))
				continue
			}
			row.equal++
			row.samples += len(ours[name].samples)
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
func missing(golden map[string]family, said map[string]bool) string {
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

func moduleDir(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/prometheus/node_exporter").Output()
	if err != nil {
		t.Fatalf("find node_exporter's module: %v", err)
	}
	dir := strings.TrimSpace(string(out))
	if dir == "" {
		t.Fatal("node_exporter's module is not downloaded: run go mod download")
	}
	return dir
}

func readGolden(t *testing.T, path string) map[string]family {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	golden, err := read(file)
	if err != nil {
		t.Fatal(err)
	}
	return golden
}

// exporter is ours, which runs.
type exporter struct {
	url        string
	log        *bytes.Buffer
	collectors []string
}

func start(t *testing.T, fixtures string) *exporter {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "node_exporter")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./exporter")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	for _, archive := range []string{"sys", "udev"} {
		if err := unpack(filepath.Join(fixtures, archive+".ttar"), dir); err != nil {
			t.Fatal(err)
		}
	}
	procOf(t, fixtures, filepath.Join(dir, "proc"))

	help, err := exec.CommandContext(t.Context(), binary, "--help").CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	e := &exporter{log: &bytes.Buffer{}}
	args := []string{"--collector.disable-defaults", "--web.disable-exporter-metrics", "--collector.timeout=30s", "--path.procfs=" + dir + "/proc",
		"--path.sysfs=" + dir + "/sys", "--path.udev.data=" + dir + "/udev/data", "--path.rootfs=" + fixtures}
	for _, m := range regexp.MustCompile(`(?m)^  --\[no-\]collector\.([a-z_]+)$`).FindAllStringSubmatch(string(help), -1) {
		if !unfixed(m[1]) && m[1] != "disable" {
			e.collectors = append(e.collectors, m[1])
			args = append(args, "--collector."+m[1])
		}
	}
	for _, flag := range flags(fixtures) {
		name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(flag, "--no-"), "--"), "=")
		if regexp.MustCompile(`(?m)--(\[no-\])?` + regexp.QuoteMeta(name) + `(=|$)`).Match(help) {
			args = append(args, flag)
		} else {
			t.Logf("we don't have %s", flag)
		}
	}
	e.run(t, binary, args)
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

func (e *exporter) run(t *testing.T, binary string, args []string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	e.url = "http://" + address + "/metrics"
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, binary, append(args, "--web.listen-address="+address)...)
	cmd.Stderr = e.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
	})
	for range 100 {
		answer, err := http.Get(e.url)
		if err == nil {
			_ = answer.Body.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("it does not answer:\n%s", e.log)
}

func (e *exporter) scrape(t *testing.T, collector string) map[string]family {
	t.Helper()
	answer, err := http.Get(e.url + "?collect[]=" + url.QueryEscape(collector))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	families, err := read(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v", answer.Status, err)
	}
	return families
}

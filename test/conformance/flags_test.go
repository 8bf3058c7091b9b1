package conformance

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hearth-monitoring/hearth/test/peer"
)

// TestFlags wants every flag that node_exporter has for the collectors that we have, and its own, also the hidden ones: what
// stands in somebody's unit file must start. They are read from its sources, as its help leaves the hidden ones out.
func TestFlags(t *testing.T) {
	module, err := peer.Dir(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	binary, err := peer.BuildOurs(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ours := collectors(help(t, binary))
	// What a refused one says. Everything else must be taken.
	refused := map[string]string{
		"collector.netdev.address-info":            "addresses are those of the network this process is in",
		"collector.netdev.enable-detailed-metrics": "it renames the metrics",
		"collector.netdev.label-ifalias":           "join with node_network_info",
	}
	values := []string{"", "=true", "=1", "=1s", "=/x"}
	checked := 0
	for _, flag := range theirFlags(t, module) {
		collector, setting, ok := strings.Cut(strings.TrimPrefix(flag, "collector."), ".")
		if owners := map[string]string{"powersupply": "powersupplyclass", "qdisk": "qdisc"}; owners[collector] != "" {
			collector = owners[collector]
		}
		if !strings.HasPrefix(flag, "collector.") || !ok || setting == "" || !slices.Contains(ours, collector) {
			continue
		}
		checked++
		said := ""
		taken := slices.ContainsFunc(values, func(value string) bool {
			out, ok := try(t, binary, "--version", "--"+flag+value)
			said += out
			return ok
		})
		if why, ok := refused[flag]; ok {
			if !strings.Contains(said, why) {
				t.Errorf("--%s: %q is not refused with %q", flag, said, why)
			}
		} else if !taken {
			t.Errorf("--%s is not taken: %s", flag, said)
		}
	}
	t.Logf("%d flags of node_exporter's, %d of them refused", checked, len(refused))
	if checked < 50 {
		t.Errorf("%d flags are too few to be all", checked)
	}
}

func theirFlags(t *testing.T, module string) []string {
	t.Helper()
	sources, err := filepath.Glob(filepath.Join(module, "collector/*.go"))
	if err != nil || len(sources) == 0 {
		t.Fatalf("no sources: %v", err)
	}
	var flags []string
	for _, path := range sources {
		if source, _ := filepath.Match("*_test.go", filepath.Base(path)); source {
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`kingpin\.Flag\(\s*"([^"]+)"`).FindAllSubmatch(b, -1) {
			flags = append(flags, string(m[1]))
		}
	}
	slices.Sort(flags)
	return slices.Compact(flags)
}

func try(t *testing.T, binary string, args ...string) (said string, ok bool) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), binary, args...).CombinedOutput()
	return string(out), err == nil
}

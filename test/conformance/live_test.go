package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hearth-monitoring/hearth/test/compare"
	"github.com/hearth-monitoring/hearth/test/peer"
)

// wantLive is how many series must be compared on any host, however small: a comparison of nothing finds nothing.
const wantLive = 400

// TestLive runs node_exporter and ours on this host, each with its defaults and every collector that both have, and compares
// collector by collector: what fixtures can't show (filesystem, netdev, timex, uname) and all the rest once more.
func TestLive(t *testing.T) {
	theirs, ours, names := both(t)
	var rows []string
	var sum compare.Report
	for _, name := range names {
		r, err := compare.Live(10,
			func() ([]byte, error) { return theirs.Get(t.Context(), name) },
			func() ([]byte, error) { return ours.Get(t.Context(), name) })
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(r.Problems) > 0 {
			t.Errorf("%s: node_exporter's, and ours:\n\t%s", name, strings.Join(r.Problems, "\n\t"))
		}
		if scrape(t, ours, name)["node_scrape_collector_success"].Samples[fmt.Sprintf("{collector=%q}", name)] != 1 {
			t.Errorf("%s failed", name)
		}
		rows = append(rows, fmt.Sprintf("| %s | %d | %d | %d | %d | %d |", name, r.Families, r.Series, r.Equal, r.Between, r.Moving))
		sum.Families, sum.Series = sum.Families+r.Families, sum.Series+r.Series
		sum.Equal, sum.Between, sum.Moving = sum.Equal+r.Equal, sum.Between+r.Between, sum.Moving+r.Moving
	}
	t.Logf("\n| collector | families | series | equal | in between | gauges that moved |\n|---|---|---|---|---|---|\n%s\n| all | %d | %d | %d | %d | %d |",
		strings.Join(rows, "\n"), sum.Families, sum.Series, sum.Equal, sum.Between, sum.Moving)
	if sum.Series < wantLive {
		t.Errorf("%d series were compared, at least %d wanted", sum.Series, wantLive)
	}
	if t.Failed() {
		t.Logf("our log:\n%s", ours.Log())
	}
}

// both runs node_exporter and ours with the collectors that both have, which are all of ours.
func both(t *testing.T) (theirs, ours *peer.Exporter, names []string) {
	t.Helper()
	dir := t.TempDir()
	theirBinary, err := peer.Build(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	ourBinary, err := peer.BuildOurs(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	theirNames := collectors(help(t, theirBinary))
	flags := []string{"--collector.disable-defaults", "--web.disable-exporter-metrics"}
	for _, name := range collectors(help(t, ourBinary)) {
		if !slices.Contains(theirNames, name) {
			t.Errorf("node_exporter has no collector %s", name)
			continue
		}
		if name == "systemd" { // TestSystemd has one for both
			continue
		}
		names = append(names, name)
		flags = append(flags, "--collector."+name)
	}
	return run(t, theirBinary, flags...), run(t, ourBinary, append(append(flags, "--collector.timeout=30s"), theirDefaults()...)...), names
}

// theirDefaults are the flags with which ours leaves out no more than node_exporter does.
func theirDefaults() []string {
	return []string{
		"--collector.arp.device-exclude=", "--collector.ethtool.device-exclude=", "--collector.netclass.ignored-devices=^$",
		"--collector.netdev.device-exclude=", "--collector.qdisc.device-exclude=",
		"--collector.filesystem.mount-points-exclude=^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)",
	}
}

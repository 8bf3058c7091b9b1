package conformance

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hearth-monitoring/hearth/test/compare"
	"github.com/hearth-monitoring/hearth/test/peer"
	"github.com/hearth-monitoring/hearth/test/systemd"
)

// TestSystemd runs node_exporter and ours against one stand-in for systemd, since neither this machine nor CI's has one,
// and wants the same of both: as root on the host, with filters, and below a mounted root.
func TestSystemd(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "root/run/dbus/system_bus_socket")
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		t.Fatal(err)
	}
	bus, err := systemd.Start(socket, map[string]any{"Version": "257.4-1~deb13u2", "Virtualization": "kvm", "SystemState": "running"}, units())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Stop)
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+socket)
	theirBinary, err := peer.Build(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	ourBinary, err := peer.BuildOurs(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"--collector.systemd.enable-task-metrics", "--collector.systemd.enable-restarts-metrics", "--collector.systemd.enable-start-time-metrics"}
	for name, c := range map[string]struct {
		flags, ours []string
		least       int
	}{
		"defaults":     {nil, nil, 55},
		"all":          {all, nil, 69},
		"filters":      {append(all, "--collector.systemd.unit-include=.+[.](service|mount)", "--collector.systemd.unit-exclude=ssh.+"), nil, 29},
		"old filters":  {[]string{"--collector.systemd.unit-whitelist=ssh.+", "--collector.systemd.unit-blacklist=none"}, nil, 27},
		"mounted root": {nil, []string{"--path.rootfs=" + filepath.Join(dir, "root")}, 55},
	} {
		t.Run(name, func(t *testing.T) {
			flags := append([]string{"--collector.disable-defaults", "--collector.systemd", "--web.disable-exporter-metrics"}, c.flags...)
			theirs := run(t, theirBinary, flags...)
			ours := run(t, ourBinary, append(append(flags, "--collector.timeout=30s"), c.ours...)...)
			report, err := compare.Live(1, func() ([]byte, error) { return theirs.Get(t.Context(), "systemd") },
				func() ([]byte, error) { return ours.Get(t.Context(), "systemd") })
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d families, %d series, %d equal", report.Families, report.Series, report.Equal)
			if len(report.Problems) > 0 || report.Equal < c.least {
				t.Errorf("at least %d are wanted; node_exporter's, and ours:\n\t%s\n%s\n%s", c.least, strings.Join(report.Problems, "\n\t"), ours.Log(), theirs.Log())
			}
			if scrape(t, ours, "systemd")["node_scrape_collector_success"].Samples[`{collector="systemd"}`] != 1 {
				t.Errorf("failed:\n%s", ours.Log())
			}
		})
	}
}

// units are one of each kind, and a few that lack what others have.
func units() []systemd.Unit {
	service := func(kind string) map[string]any {
		return map[string]any{"Service.Type": kind, "Service.NRestarts": uint32(3), "Service.TasksCurrent": uint64(5), "Service.TasksMax": uint64(4915),
			"Unit.ActiveEnterTimestamp": uint64(1_700_000_000_250_000)}
	}
	old := map[string]any{"Service.Type": "forking", "Service.TasksCurrent": uint64(math.MaxUint64), "Service.TasksMax": uint64(math.MaxUint64)}
	return []systemd.Unit{
		{Name: "ssh.service", Load: "loaded", Active: "active", Properties: service("notify")},
		{Name: "ssh@1-10.0.0.1:22.service", Load: "loaded", Active: "failed", Properties: service("simple")},
		{Name: "old.service", Load: "loaded", Active: "active", Properties: old},
		{Name: "wanted-but-missing.service", Load: "not-found", Active: "inactive", Properties: service("")},
		{Name: "reloads.service", Load: "loaded", Active: "reloading", Properties: service("exec")},
		{Name: "srv-data.mount", Load: "loaded", Active: "active", Properties: map[string]any{"Mount.Type": "xfs", "Unit.ActiveEnterTimestamp": uint64(7)}},
		{Name: "logrotate.timer", Load: "loaded", Active: "active", Properties: map[string]any{"Timer.LastTriggerUSec": uint64(1_700_000_000_000_000)}},
		{Name: "ssh.socket", Load: "loaded", Active: "active", Properties: map[string]any{"Socket.NAccepted": uint32(10), "Socket.NConnections": uint32(1), "Socket.NRefused": uint32(2)}},
		{Name: "old.socket", Load: "loaded", Active: "inactive", Properties: map[string]any{"Socket.NAccepted": uint32(1), "Socket.NConnections": uint32(0)}},
		{Name: "multi-user.target", Load: "loaded", Active: "active", Properties: map[string]any{"Unit.ActiveEnterTimestamp": uint64(1_700_000_000_000_000)}},
	}
}

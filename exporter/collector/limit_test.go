package collector

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hearth-monitoring/hearth/exporter/text"
)

// TestLimit has a collector with more series than it may have: the same ones stay in each scrape, devices whole, and the
// rest is counted and logged once.
func TestLimit(t *testing.T) {
	var log bytes.Buffer
	set := newSet(time.Minute, slog.New(slog.NewTextHandler(&log, nil)))
	set.limit = 50
	one, in, out := text.Gauge("one", "One."), text.Counter("in_total", "In.", "device"), text.Counter("out_total", "Out.", "device")
	devices := 100
	set.add("many", odd{func(context.Context) error {
		one.Add(1)
		for i := range devices {
			in.Add(1, fmt.Sprintf("device%03d", i))
			out.Add(2, fmt.Sprintf("device%03d", i))
		}
		return nil
	}, []*text.Family{one, in, out}})
	for range 3 {
		got := scraped(t, set, "many")
		for part, want := range map[string]int{
			"\none 1\n": 1, "\nin_total{": 24, "\nout_total{": 24, `_total{device="device023"}`: 2, `_total{device="device024"}`: 0,
			`node_scrape_collector_dropped_series{collector="many"} 152`: 1, `node_scrape_collector_success{collector="many"} 1`: 1,
		} {
			if n := strings.Count(got, part); n != want {
				t.Errorf("%q is there %d times, want %d:\n%s", part, n, want, got)
			}
		}
	}
	if n := strings.Count(log.String(), "--collector.max-series"); n != 1 || !strings.Contains(log.String(), "collector=many limit=50 dropped=152") {
		t.Errorf("logged %d times:\n%s", n, &log)
	}
	devices = 24
	if got := scraped(t, set, "many"); strings.Contains(got, "dropped") || strings.Count(got, `{device="`) != 48 {
		t.Errorf("as many as it may have:\n%s", got)
	}
}

func TestLimitOfTextfiles(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "a.prom"), "a{x=\"1\"} 1\na{x=\"2\"} 1\nb{x=\"1\"} 1\nb{x=\"2\"} 1\nc 1\n")
	var log bytes.Buffer
	set := newTestSet(t, &log, "--collector.textfile.directory="+dir, "--collector.max-series=3")
	got := scraped(t, set, "textfile")
	if !strings.Contains(got, "\na{") || strings.Contains(got, "\nb{") || !strings.Contains(got, "\nc 1") ||
		!strings.Contains(got, `node_scrape_collector_dropped_series{collector="textfile"} 2`) {
		t.Errorf("want a metric whole or not at all:\n%s", got)
	}
}

// TestLeftOut has what a node with containers has, and says how much of it is left out. With node_exporter's own defaults,
// nothing is.
func TestLeftOut(t *testing.T) {
	dir := t.TempDir()
	copyHost(t, dir)
	const numbers = ": 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
	interfaces := "Inter-|   Receive |  Transmit\n face |bytes |bytes\n"
	arp := "IP address       HW type     Flags       HW address            Mask     Device\n"
	containers := []string{"veth1234abcd", "vethwepl0", "cali0123456789a", "lxc0123456789ab", "lxc_health", "gke0123456789a", "azv0123456789a", "eni0123456789a"}
	kept := []string{"bond0", "br-0123456789ab", "cni0", "docker0", "eno1", "ens5", "eth0", "flannel.1", "lo", "lxcbr0", "tunl0", "vmbr0", "wlan0"}
	for _, name := range append(containers, kept...) {
		interfaces += name + numbers
		arp += "10.0.0.1 0x1 0x2 02:00:00:00:00:01 * " + name + "\n"
		writeFile(t, filepath.Join(dir, "sys/class/net", name, "mtu"), "1500\n")
	}
	writeFile(t, filepath.Join(dir, "proc/1/net/dev"), interfaces)
	writeFile(t, filepath.Join(dir, "proc/1/net/arp"), arp)
	mounts := "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
	for _, mount := range []string{"/run/containerd/io.containerd.grpc.v1.cri/sandboxes/a/shm", "/var/lib/kubelet/pods/a/volumes/b",
		"/run/k3s/containerd/a/shm", "/run/netns/a", "/var/lib/docker/overlay2/a/merged", "/var/lib/kubelet/plugins/kubernetes.io/csi/a/globalmount"} {
		mounts += "21 1 0:30 / " + mount + " rw - tmpfs tmpfs rw\n"
	}
	mounts += "22 1 8:2 / /var/lib/kubelet rw - ext4 /dev/sda2 rw\n23 1 0:31 / /srv/a rw - overlay overlay rw\n"
	writeFile(t, filepath.Join(dir, "proc/1/mountinfo"), mounts)
	writeFile(t, filepath.Join(dir, "proc/diskstats"), "7 0 loop0 1 2 3 4 5 6 7 8 9 10 11\n1 0 ram0 1 2 3 4 5 6 7 8 9 10 11\n8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n")

	names := []string{"arp", "diskstats", "filesystem", "netclass", "netdev"}
	said := func(args ...string) map[string]string {
		got := scraped(t, newTestSet(t, &bytes.Buffer{}, hostArgs(dir, args...)...), names...)
		left := map[string]string{}
		for line := range strings.Lines(got) {
			if rest, ok := strings.CutPrefix(line, `node_scrape_collector_left_out{collector="`); ok {
				name, value, _ := strings.Cut(rest, `"} `)
				left[name] = strings.TrimSpace(value)
			}
		}
		for _, name := range append(containers, kept...) {
			there := strings.Count(got, `{device="`+name+`"}`) > 0
			if want := len(args) > 0 || !strings.Contains(strings.Join(containers, " "), name); there != want {
				t.Errorf("%s: %v, want %v", name, there, want)
			}
		}
		return left
	}
	if diff := cmp.Diff(map[string]string{"arp": "8", "diskstats": "2", "filesystem": "7", "netclass": "8", "netdev": "8"}, said()); diff != "" {
		t.Errorf("by default (-want +got):\n%s", diff)
	}
	none := map[string]string{"arp": "0", "diskstats": "0", "filesystem": "0", "netclass": "0", "netdev": "0"}
	if diff := cmp.Diff(none, said("--collector.arp.device-exclude=", "--collector.diskstats.device-exclude=", "--collector.filesystem.mount-points-exclude=",
		"--collector.filesystem.fs-types-exclude=", "--collector.netclass.ignored-devices=^$", "--collector.netdev.device-exclude=")); diff != "" {
		t.Errorf("nothing excluded (-want +got):\n%s", diff)
	}
}

package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// scrapePort and webPort are of those that are given to nobody who asks for any.
const scrapePort = 30021

// The main job: an exporter that Hearth deployed, scraped by a Prometheus that Hearth deployed, asked on a node port.
func TestScrape(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	_, ne, _ := g.full(func(ps *v1alpha1.PrometheusServer) {
		ps.Spec.Service = v1alpha1.Service{Type: corev1.ServiceTypeNodePort, Port: 80, NodePort: scrapePort}
	})
	g.show(g.nodes, "nodeexporters")
	g.show(g.servers, "prometheusservers")
	g.show(g.servers, "alertrules")
	t.Run("up", func(t *testing.T) {
		base := fmt.Sprintf("http://%s:%d", kube.address, scrapePort)
		want := map[string]float64{g.servers + "/main": 1}
		for _, node := range kube.nodes {
			want[node] = 1
		}
		up := map[string]float64{}
		// The status follows targets, whose samples come a moment later, and kube-proxy follows the pod's readiness.
		took := eventually(t, time.Minute, func() error {
			result, err := at(base, http.DefaultClient.Do).query(t.Context(), "up")
			clear(up)
			for _, s := range result {
				up[s.Metric["instance"]] = s.Value.float()
			}
			if diff := cmp.Diff(want, up); err == nil && diff != "" {
				err = fmt.Errorf("up by instance (-want +got):\n%s", diff)
			}
			return err
		})
		t.Logf("%s/api/v1/query?query=up after %s: %v", base, took, up)
	})
	t.Run("figures", func(t *testing.T) { g.figures(t, ne) })
}

// figures compares what the exporter says with what this machine's kernel says here.
func (g *ground) figures(t *testing.T, ne *v1alpha1.NodeExporter) {
	if !kube.here {
		t.Skip("the nodes are other machines than this one, so there is nothing to compare with")
	}
	var pods corev1.PodList
	must(t, kube.api.List(t.Context(), &pods, client.InNamespace(ne.Namespace), client.MatchingLabels{"monitoring.hearth.dev/node-exporter": ne.Name}))
	var metrics map[string][]exposed
	var got map[string]string
	// An interface may come or go between the two looks at them.
	eventually(t, time.Minute, func() error {
		body, err := kube.typed.CoreV1().Pods(ne.Namespace).ProxyGet("http", pods.Items[0].Name, "9100", "/metrics", nil).DoRaw(t.Context())
		if err != nil {
			return err
		}
		metrics = exposition(t, body)
		got = map[string]string{
			"memory":     number(metrics, "node_memory_MemTotal_bytes"),
			"boot time":  number(metrics, "node_boot_time_seconds"),
			"CPUs":       strings.Join(labels(metrics, "node_cpu_seconds_total", "cpu"), " "),
			"interfaces": strings.Join(labels(metrics, "node_network_receive_bytes_total", "device"), " "),
			"release":    strings.Join(labels(metrics, "node_uname_info", "release"), " "),
			"failed":     strings.Join(failed(metrics), " "),
		}
		if diff := cmp.Diff(machine(t), got); diff != "" {
			return fmt.Errorf("figures differ (-this machine +the exporter):\n%s", diff)
		}
		return nil
	})
	for _, name := range slices.Sorted(maps.Keys(got)) {
		t.Logf("%-10s %s", name, got[name])
	}
	load := number(metrics, "node_load1")
	now, err := strconv.ParseFloat(number(metrics, "node_time_seconds"), 64)
	if away := time.Since(time.UnixMilli(int64(now * 1000))).Abs(); err != nil || away > time.Minute {
		t.Errorf("node_time_seconds is %s away from now (%v)", away, err)
	}
	root := labels(metrics, "node_filesystem_size_bytes", "mountpoint")
	t.Logf("load %s, %d names of metrics, file systems %v, disks %v", load, len(metrics), root, labels(metrics, "node_disk_io_time_seconds_total", "device"))
	if !slices.Contains(root, "/") {
		t.Errorf("there is no file system / among %v", root)
	}
}

// machine is what /proc says here.
func machine(t *testing.T) map[string]string {
	t.Helper()
	read := func(name string) string {
		content, err := os.ReadFile(name)
		must(t, err)
		return string(content)
	}
	out := map[string]string{"release": strings.TrimSpace(read("/proc/sys/kernel/osrelease")), "failed": ""}
	var cpus, interfaces []string
	for line := range strings.Lines(read("/proc/stat")) {
		f := strings.Fields(line)
		switch {
		case f[0] == "btime":
			out["boot time"] = f[1]
		case strings.HasPrefix(f[0], "cpu") && f[0] != "cpu":
			cpus = append(cpus, strings.TrimPrefix(f[0], "cpu"))
		}
	}
	for line := range strings.Lines(read("/proc/meminfo")) {
		if f := strings.Fields(line); f[0] == "MemTotal:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			must(t, err)
			out["memory"] = strconv.FormatInt(kib*1024, 10)
		}
	}
	for line := range strings.Lines(read("/proc/1/net/dev")) {
		if name, _, ok := strings.Cut(line, ":"); ok {
			interfaces = append(interfaces, strings.TrimSpace(name))
		}
	}
	slices.Sort(cpus)
	slices.Sort(interfaces)
	out["CPUs"], out["interfaces"] = strings.Join(cpus, " "), strings.Join(interfaces, " ")
	return out
}

// exposed is a series as /metrics has it.
type exposed struct {
	labels map[string]string
	value  float64
}

func exposition(t *testing.T, body []byte) map[string][]exposed {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	must(t, err)
	out := map[string][]exposed{}
	for name, family := range families {
		for _, m := range family.GetMetric() {
			e := exposed{labels: map[string]string{}, value: m.GetGauge().GetValue() + m.GetCounter().GetValue() + m.GetUntyped().GetValue()}
			for _, l := range m.GetLabel() {
				e.labels[l.GetName()] = l.GetValue()
			}
			out[name] = append(out[name], e)
		}
	}
	return out
}

// number is the value of the only series of a name.
func number(metrics map[string][]exposed, name string) string {
	if len(metrics[name]) != 1 {
		return ""
	}
	return strconv.FormatFloat(metrics[name][0].value, 'f', -1, 64)
}

// labels are the values that a label has, sorted.
func labels(metrics map[string][]exposed, name, label string) []string {
	set := map[string]bool{}
	for _, e := range metrics[name] {
		set[e.labels[label]] = true
	}
	return slices.Sorted(maps.Keys(set))
}

func failed(metrics map[string][]exposed) []string {
	var out []string
	for _, e := range metrics["node_scrape_collector_success"] {
		if e.value != 1 {
			out = append(out, e.labels["collector"])
		}
	}
	return out
}

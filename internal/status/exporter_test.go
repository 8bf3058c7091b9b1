package status_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/status"
)

func exporter() *v1alpha1.NodeExporter {
	return &v1alpha1.NodeExporter{ObjectMeta: metav1.ObjectMeta{Namespace: "node-exporter", Name: "node", Generation: generation}}
}

func pool(nodes, ready, updated int32) status.Pool {
	return status.Pool{Name: "default", DaemonSet: "node-exporter-node", Nodes: nodes, Ready: ready, Updated: updated, Settled: true}
}

// scraped is what the server main says.
func scraped(up int32) status.Scrape {
	return status.Scrape{Server: "PrometheusServer monitoring/main", Up: &up}
}

func waitingPool(name, why string, nodes, ready int32) status.Pool {
	return status.Pool{Name: name, DaemonSet: "node-exporter-node-" + name, Nodes: nodes, Ready: ready, Updated: nodes, Settled: true, Waiting: why}
}

func leftOut(n int) []stack.LeftOut {
	var out []stack.LeftOut
	for i := range n {
		out = append(out, stack.LeftOut{Node: fmt.Sprintf("n%d", i)})
	}
	return out
}

const (
	covered         = "Covered True Covered: every node that should run an exporter has its pool"
	scrapedThree    = "Scraped True Scraped: 3 exporters scraped by 1 server"
	nothingToScrape = "Scraped Unknown Unknown: no exporter is ready, so there is nothing to scrape"
)

var exporterCases = map[string]struct {
	observed status.Exporter
	err      error
	want     []string
}{
	"ready": {
		status.Exporter{Pools: []status.Pool{pool(3, 3, 3)}, Scrapes: []status.Scrape{scraped(3)}}, nil,
		[]string{"Ready True Ready: ready on 3 nodes", scrapedThree},
	},
	"no node": {
		status.Exporter{Pools: []status.Pool{pool(0, 0, 0)}, Scrapes: []status.Scrape{scraped(0)}}, nil,
		[]string{"Ready True NoNodes: no node matches: check nodeSelector, the pools' nodeSelectors, affinity and tolerations if that is not meant",
			nothingToScrape},
	},
	"created a moment ago": {
		status.Exporter{Pools: []status.Pool{{Name: "default", DaemonSet: "node-exporter-node", Nodes: 3, Ready: 3, Updated: 3}}, Scrapes: []status.Scrape{scraped(3)}}, nil,
		progressing("DaemonSet node-exporter-node is being rolled out", scrapedThree),
	},
	"starting": {
		status.Exporter{Pools: []status.Pool{pool(1, 0, 1)}, Scrapes: []status.Scrape{scraped(0)}}, nil,
		progressing("DaemonSet node-exporter-node is ready on 0 of 1 node: pods are starting (kubectl -n node-exporter describe daemonset,pod"+
			" -l monitoring.hearth.dev/node-exporter=node,monitoring.hearth.dev/pool=default shows what they wait for)",
			nothingToScrape),
	},
	"two pools that wait": {
		status.Exporter{Pools: []status.Pool{waitingPool("all", "x: container node-exporter: ErrImagePull: not found", 3, 1), waitingPool("gpu", "y: no node takes it: full", 1, 0)}, Scrapes: []status.Scrape{scraped(1)}}, nil,
		progressing("DaemonSet node-exporter-node-all is ready on 1 of 3 nodes: x: container node-exporter: ErrImagePull: not found; "+
			"DaemonSet node-exporter-node-gpu is ready on 0 of 1 node: y: no node takes it: full",
			"Scraped True Scraped: 1 exporter scraped by 1 server"),
	},
	"an update under way": {
		status.Exporter{Pools: []status.Pool{pool(3, 3, 1)}, Scrapes: []status.Scrape{scraped(3)}}, nil,
		progressing("DaemonSet node-exporter-node is updated on 1 of 3 nodes", scrapedThree),
	},
	"not selected": {
		status.Exporter{Pools: []status.Pool{pool(3, 3, 3)}, Nearest: []string{"server a/b wants namespace c; this is in d"}}, nil,
		[]string{"Ready True Ready: ready on 3 nodes",
			"Scraped False NotSelected: no PrometheusServer selects this NodeExporter: server a/b wants namespace c; this is in d"},
	},
	"not scraped yet": {
		status.Exporter{Pools: []status.Pool{pool(3, 3, 3)}, Scrapes: []status.Scrape{scraped(2)}}, nil,
		[]string{"Ready True Ready: ready on 3 nodes",
			"Scraped False NotScraped: PrometheusServer monitoring/main scrapes 2 of 3 ready exporters: the others are not scraped yet"},
	},
	"a target down, of the second server": {
		status.Exporter{Pools: []status.Pool{pool(3, 3, 3)}, Scrapes: []status.Scrape{scraped(3), {Server: "PrometheusServer a/b", Up: new(int32(2)), LastError: "http://10.0.0.3:9100/metrics: connection refused"}}}, nil,
		[]string{"Ready True Ready: ready on 3 nodes",
			"Scraped False NotScraped: PrometheusServer a/b scrapes 2 of 3 ready exporters: http://10.0.0.3:9100/metrics: connection refused"},
	},
	"a silent server": {
		status.Exporter{Pools: []status.Pool{pool(3, 3, 3)}, Scrapes: []status.Scrape{{Server: "PrometheusServer monitoring/main"}}}, nil,
		[]string{"Ready True Ready: ready on 3 nodes",
			"Scraped Unknown Unknown: PrometheusServer monitoring/main says nothing of it yet: see whether that server is Ready and Loaded"},
	},
	"nodes that no pool takes": {
		status.Exporter{Pools: []status.Pool{pool(3, 3, 3)}, Scrapes: []status.Scrape{scraped(3)}, LeftOut: append(leftOut(11),
			stack.LeftOut{Node: "tainted", Pool: "default", Taint: "gpu=yes:NoSchedule"})}, nil,
		[]string{"Ready True Ready: ready on 3 nodes", scrapedThree, "Covered False NodesUnassigned: 12 nodes without an exporter: " +
			"n0, n1, n2, n3, n4, n5, n6, n7, n8, n9 and 1 more: no pool's nodeSelector takes them: add a pool without a nodeSelector at the end of spec.pools, or label them; " +
			"tainted: their taint gpu=yes:NoSchedule is not tolerated: add it to spec.tolerations, or leave those out, which tolerates all"},
	},
	"a name conflict": {
		status.Exporter{Pools: []status.Pool{pool(3, 3, 3)}, Scrapes: []status.Scrape{scraped(3)}}, conflict,
		[]string{`Ready False NameConflict: Service "prometheus-main" is not ours: rename it`, `Stalled True NameConflict: Service "prometheus-main" is not ours: rename it`, scrapedThree},
	},
}

func TestOfExporter(t *testing.T) {
	for name, c := range exporterCases {
		t.Run(name, func(t *testing.T) {
			got := status.OfExporter(exporter(), &c.observed, c.err)
			if !slices.ContainsFunc(c.want, func(s string) bool { return strings.HasPrefix(s, "Covered") }) {
				c.want = append(c.want, covered)
			}
			wantConditions(t, c.want, got.Conditions)
			if got.ObservedGeneration != generation {
				t.Errorf("observedGeneration %d", got.ObservedGeneration)
			}
		})
	}
}

func TestExporterNumbers(t *testing.T) {
	other := status.Pool{Name: "gpu", DaemonSet: "node-exporter-node-gpu", Nodes: 2, Ready: 1, Updated: 2, Settled: true}
	got := status.OfExporter(exporter(), &status.Exporter{
		Pools: []status.Pool{pool(3, 3, 1), other},
		Scrapes: []status.Scrape{
			{Server: "a", Up: new(int32(4)), Pools: map[string]int32{"default": 3, "gpu": 1}}, {Server: "silent"},
			{Server: "b", Up: new(int32(3)), Pools: map[string]int32{"default": 1, "gpu": 2}},
		},
		LeftOut: leftOut(12),
	}, nil)
	checkKstatus(t, got.Conditions)
	got.Conditions = nil
	want := v1alpha1.NodeExporterStatus{ObservedGeneration: generation, Nodes: 5, Ready: 4, Up: new(int32(3)),
		Unassigned: &v1alpha1.UnassignedNodes{Count: 12, Nodes: []string{"n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9"}},
		Pools: []v1alpha1.NodePoolStatus{
			{Name: "default", DaemonSet: "node-exporter-node", Nodes: 3, Ready: 3, Updated: 1, Up: new(int32(1))},
			{Name: "gpu", DaemonSet: "node-exporter-node-gpu", Nodes: 2, Ready: 1, Updated: 2, Up: new(int32(1))},
		}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnInvalidExporterRunsOn(t *testing.T) {
	ne := exporter()
	ne.Status = status.OfExporter(ne, &status.Exporter{Pools: []status.Pool{pool(3, 3, 3)}, Scrapes: []status.Scrape{scraped(3)}}, nil)
	got := status.OfExporter(ne, nil, &status.Invalid{Err: errors.New("spec.pools[1].nodeSelector: no")})
	wantConditions(t, []string{"Ready False InvalidSpec: spec.pools[1].nodeSelector: no", "Stalled True InvalidSpec: spec.pools[1].nodeSelector: no", scrapedThree, covered}, got.Conditions)
	if got.Nodes != 3 || got.Ready != 3 || *got.Up != 3 || len(got.Pools) != 1 {
		t.Errorf("what runs is forgotten: %+v", got)
	}
}

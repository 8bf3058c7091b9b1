package e2e

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/test/compare"
	"github.com/hearth-monitoring/hearth/test/peer"
)

// exporterPods are an exporter's pods that are not on their way out, by name.
func (g *ground) exporterPods(ctx context.Context, ne *v1alpha1.NodeExporter) (map[string]corev1.Pod, error) {
	var list corev1.PodList
	err := kube.api.List(ctx, &list, client.InNamespace(ne.Namespace), client.MatchingLabels{"monitoring.hearth.dev/node-exporter": ne.Name})
	out := map[string]corev1.Pod{}
	for _, p := range list.Items {
		if p.DeletionTimestamp == nil {
			out[p.Name] = p
		}
	}
	return out, err
}

func scrapePod(ctx context.Context, p corev1.Pod, query map[string]string) ([]byte, error) {
	return kube.typed.CoreV1().Pods(p.Namespace).ProxyGet("http", p.Name, "9100", "/metrics", query).DoRaw(ctx)
}

// TestExporterSettings changes what is collected: the exporters load it, and none of them restarts.
func TestExporterSettings(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	ne := g.exporter()
	g.create(ne)
	g.await(2*time.Minute, ne, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	before, err := g.exporterPods(t.Context(), ne)
	must(t, err)

	change(g, ne, func(ne *v1alpha1.NodeExporter) {
		ne.Spec.Collectors = &v1alpha1.Collectors{Enable: []v1alpha1.CollectorName{"softirqs"}, Disable: []v1alpha1.CollectorName{"uname"},
			Netdev: &v1alpha1.DeviceFilter{DeviceInclude: "^lo$"}}
	})
	took := eventually(t, 3*time.Minute, func() error {
		for name, p := range before {
			body, err := scrapePod(t.Context(), p, nil)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			metrics := exposition(t, body)
			devices := labels(metrics, "node_network_receive_bytes_total", "device")
			if len(metrics["node_uname_info"]) > 0 || len(metrics["node_softirqs_functions_total"]) == 0 || !slices.Equal(devices, []string{"lo"}) ||
				number(metrics, "node_exporter_config_last_reload_successful") != "1" {
				return fmt.Errorf("%s has not loaded the settings: interfaces %v", name, devices)
			}
		}
		return nil
	})
	after, err := g.exporterPods(t.Context(), ne)
	must(t, err)
	if diff := cmp.Diff(lives(before), lives(after)); diff != "" {
		t.Errorf("setting restarts pods (-before +after):\n%s", diff)
	}
	t.Logf("%d exporters loaded the settings in %s, without a restart", len(before), took)
}

// TestExporterPools: who is in no pool is named, and what is up is known by pool.
func TestExporterPools(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	ne, ps := g.exporter(), g.server()
	first := v1alpha1.NodePool{Name: "first", NodeSelector: map[string]string{corev1.LabelHostname: "nobody"}}
	ne.Spec.Pools = []v1alpha1.NodePool{first}
	g.create(ne, ps)
	c, _ := g.await(time.Minute, ne, v1alpha1.ConditionCovered, metav1.ConditionFalse, v1alpha1.ReasonNodesUnassigned)
	t.Log(c.Message)
	want := &v1alpha1.UnassignedNodes{Count: int32(len(kube.nodes)), Nodes: slices.Sorted(slices.Values(kube.nodes))}
	if diff := cmp.Diff(want, ne.Status.Unassigned); diff != "" {
		t.Errorf("status.unassigned:\n%s", diff)
	}
	var node corev1.Node
	must(t, kube.api.Get(t.Context(), client.ObjectKey{Name: kube.nodes[0]}, &node))
	change(g, ne, func(ne *v1alpha1.NodeExporter) {
		first.NodeSelector = map[string]string{corev1.LabelHostname: node.Labels[corev1.LabelHostname]}
		ne.Spec.Pools = []v1alpha1.NodePool{first, {Name: "rest"}}
	})
	g.await(time.Minute, ne, v1alpha1.ConditionCovered, metav1.ConditionTrue, "")
	g.await(2*time.Minute, ne, v1alpha1.ConditionScraped, metav1.ConditionTrue, "")
	wanted := map[string]int32{"first": 1, "rest": int32(len(kube.nodes) - 1)}
	eventually(t, time.Minute, func() error {
		if err := g.get(ne); err != nil {
			return err
		}
		up := map[string]int32{}
		for _, p := range ne.Status.Pools {
			if p.Up != nil {
				up[p.Name] = *p.Up
			}
		}
		if !maps.Equal(up, wanted) {
			return fmt.Errorf("up by pool is %v, want %v", up, wanted)
		}
		return nil
	})
	g.show(g.nodes, "nodeexporters")
	eventually(t, time.Minute, func() error {
		return wantValue(t, through(ps), `count(up{job="node-exporter"} == 1)`, float64(len(kube.nodes)))
	})
	must(t, wantValue(t, through(ps), `count(up{job!~"prometheus|hearth-reloader"})`, float64(len(kube.nodes))))
}

// TestRollingUpdate changes the pods' template and looks at every node all the while: at no time more of them than declared
// are without an exporter that answers.
func TestRollingUpdate(t *testing.T) {
	t.Parallel()
	if needCluster(t); len(kube.nodes) < 2 {
		t.Skip("on one node there is nothing to see of a rolling update: localcluster up --nodes 3 adds some")
	}
	const most = 1
	g := newGround(t)
	ne := g.exporter()
	ne.Spec.UpdateStrategy = &appsv1.DaemonSetUpdateStrategy{Type: appsv1.RollingUpdateDaemonSetStrategyType,
		RollingUpdate: &appsv1.RollingUpdateDaemonSet{MaxUnavailable: new(intstr.FromInt32(most))}}
	g.create(ne)
	g.await(2*time.Minute, ne, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	before, err := g.exporterPods(t.Context(), ne)
	must(t, err)
	if n := len(served(t.Context(), g, ne)); n != len(kube.nodes) {
		t.Fatalf("%d of %d nodes are served before the update", n, len(kube.nodes))
	}

	change(g, ne, func(ne *v1alpha1.NodeExporter) {
		ne.Spec.PodMetadata = &v1alpha1.PodMetadata{Annotations: map[string]string{"example.org/restart": "1"}}
	})
	begin, looks, least := time.Now(), 0, len(kube.nodes)
	for {
		now := served(t.Context(), g, ne)
		looks++
		if least = min(least, len(now)); len(now) < len(kube.nodes)-most {
			t.Errorf("after %s only %v of %d nodes are served", time.Since(begin).Round(time.Millisecond), now, len(kube.nodes))
		}
		after, err := g.exporterPods(t.Context(), ne)
		must(t, err)
		old := slices.ContainsFunc(slices.Collect(maps.Keys(after)), func(name string) bool { _, ok := before[name]; return ok })
		if !old && len(now) == len(kube.nodes) {
			break
		}
		if time.Since(begin) > 4*time.Minute {
			t.Fatal("the update does not end")
		}
		time.Sleep(500 * time.Millisecond)
	}
	t.Logf("%d nodes were updated in %s; of %d looks the worst saw %d served", len(before), time.Since(begin).Round(time.Second), looks, least)
	if least == len(kube.nodes) {
		t.Log("no look fell into the moment in which a node had none")
	}
}

// served are the nodes on which an exporter answers a scrape.
func served(ctx context.Context, g *ground, ne *v1alpha1.NodeExporter) []string {
	pods, err := g.exporterPods(ctx, ne)
	if err != nil {
		return nil
	}
	var mu sync.Mutex
	nodes := map[string]bool{}
	var looking sync.WaitGroup
	for _, p := range pods {
		looking.Go(func() {
			if body, err := scrapePod(ctx, p, map[string]string{"collect[]": "loadavg"}); err == nil && strings.Contains(string(body), "node_load1 ") {
				mu.Lock()
				nodes[p.Spec.NodeName] = true
				mu.Unlock()
			}
		})
	}
	looking.Wait()
	return slices.Sorted(maps.Keys(nodes))
}

// TestPodSeesTheHost compares what an exporter in a pod says with node_exporter on the host itself: its own network, its own
// root and its own name must not show.
func TestPodSeesTheHost(t *testing.T) {
	t.Parallel()
	if needCluster(t); !kube.here {
		t.Skip("the nodes are other machines than this one, so there is nothing to compare with")
	}
	g := newGround(t)
	ne := g.exporter()
	nothing := &v1alpha1.DeviceFilter{DeviceExclude: "^$"}
	ne.Spec.Collectors = &v1alpha1.Collectors{
		Timeout: "10s", ARP: nothing, Netdev: nothing, Netclass: &v1alpha1.NetclassCollector{DeviceExclude: "^$"},
		Filesystem: &v1alpha1.FilesystemCollector{MountPointsExclude: theirMountPoints},
	}
	g.create(ne)
	binary, err := peer.Build(t.Context(), t.TempDir())
	must(t, err)
	theirs, err := peer.Start(t.Context(), binary, "--collector.filesystem.mount-points-exclude="+theirMountPoints)
	must(t, err)
	t.Cleanup(theirs.Stop)
	g.await(2*time.Minute, ne, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	pods, err := g.exporterPods(t.Context(), ne)
	must(t, err)
	pod := slices.Collect(maps.Values(pods))[0]
	series := 0
	for _, name := range []string{"arp", "cpu", "diskstats", "entropy", "filefd", "filesystem", "loadavg", "meminfo", "netclass", "netdev", "netstat",
		"os", "pressure", "schedstat", "sockstat", "softnet", "stat", "time", "timex", "uname", "vmstat"} {
		r, err := compare.Live(10,
			func() ([]byte, error) { return theirs.Get(t.Context(), name) },
			func() ([]byte, error) {
				body, err := scrapePod(t.Context(), pod, map[string]string{"collect[]": name})
				// Of its configuration file only ours has something to say.
				return regexp.MustCompile(`(?m)^(# \w+ )?node_exporter_config_.*\n`).ReplaceAll(body, nil), err
			})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		series += r.Series
		if len(r.Problems) > 0 {
			t.Errorf("%s: node_exporter's on the host, and ours in a pod:\n\t%s", name, strings.Join(r.Problems, "\n\t"))
		}
	}
	t.Logf("%d series are the host's", series)
	if series < 200 {
		t.Errorf("only %d series were compared", series)
	}
}

// TestHostNetwork runs exporters in their nodes' network, scraped at their nodes' addresses.
func TestHostNetwork(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	ne, ps := g.exporter(), g.server()
	ne.Spec.HostNetwork, ne.Spec.Port = true, 19100
	ne.Spec.Collectors = &v1alpha1.Collectors{Enable: []v1alpha1.CollectorName{"ethtool", "qdisc"}}
	g.create(ne, ps)
	g.await(2*time.Minute, ne, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	g.await(2*time.Minute, ne, v1alpha1.ConditionScraped, metav1.ConditionTrue, "")
	// Whether ethtool and qdisc have something to say is not asked: a node of the local cluster has a network of its own,
	// which is not process 1's, and they answer for that one alone.
	pods, err := g.exporterPods(t.Context(), ne)
	must(t, err)
	for name, p := range pods {
		if p.Status.PodIP == "" || p.Status.PodIP != p.Status.HostIP {
			t.Errorf("%s has the address %q, its node %q", name, p.Status.PodIP, p.Status.HostIP)
		}
	}
	eventually(t, time.Minute, func() error {
		return wantValue(t, through(ps), `count(up{job="node-exporter"} == 1)`, float64(len(kube.nodes)))
	})
}

// theirMountPoints leaves out what comes and goes with the pods of this very cluster.
const theirMountPoints = "^/(dev|proc|sys|run|var/lib/hearth-localcluster|var/lib/docker|var/lib/containers/storage|tmp)($|/)"

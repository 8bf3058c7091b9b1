package cluster

import (
	"encoding/json"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hearth-monitoring/hearth/hack/localcluster/build"
	"github.com/hearth-monitoring/hearth/hack/localcluster/host"
)

func testCluster(t *testing.T, name, subnet string) *Cluster {
	t.Helper()
	c, err := New(Options{Name: name, Subnet: subnet, State: filepath.Join(t.TempDir(), "state"), Root: "/repo", Out: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNewRefuses(t *testing.T) {
	for _, o := range []Options{
		{Name: ""}, {Name: "Upper"}, {Name: "../x"}, {Name: strings.Repeat("x", 40)},
		{Name: "x", Subnet: "10.1.0.0/24"}, {Name: "x", Subnet: "10.1.2.0/16"}, {Name: "x", Subnet: "fd00::/16"},
		{Name: "x", State: "relative"}, {Name: "x", State: "/"}, {Name: "x", State: "/var"},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v: want an error", o)
		}
	}
}

func TestNamesFitAndDiffer(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"hearth", "hearth2", "t", "hearth-updown-test", "hearth-updown-test-2"} {
		c := testCluster(t, name, "")
		for _, link := range []string{c.bridge(), c.veth(1), c.veth(MaxNodes)} {
			if len(link) > 15 {
				t.Errorf("%s: interface name %s is longer than Linux allows", name, link)
			}
			if other := seen[link]; other != "" {
				t.Errorf("%s and %s share the interface name %s", name, other, link)
			}
			seen[link] = name
		}
	}
}

func TestAddressesAreInTheirParts(t *testing.T) {
	c := testCluster(t, "x", "10.77.0.0/16")
	for n := 1; n <= MaxNodes; n++ {
		if !c.allPods().Contains(c.podRange(n).Addr()) {
			t.Errorf("node %d's pods, %s, are not in %s", n, c.podRange(n), c.allPods())
		}
	}
	if c.services().Overlaps(c.allPods()) || !c.services().Contains(c.dns()) || !c.services().Contains(c.apiService()) {
		t.Errorf("services %s, pods %s, DNS %s, API %s", c.services(), c.allPods(), c.dns(), c.apiService())
	}
	if got := c.nodeAddress(2); got != netip.MustParseAddr("10.77.0.12") {
		t.Errorf("node 2 is %s", got)
	}
	if a, b := subnetOf("hearth"), subnetOf("hearth-test"); a == b || a.Bits() != 16 || a != a.Masked() {
		t.Errorf("subnets %s and %s", a, b)
	}
}

func TestManifestsAreFilledIn(t *testing.T) {
	c := testCluster(t, "x", "10.77.0.0/16")
	files, err := c.manifests()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if strings.Contains(text, "${") {
			t.Errorf("%s: something is left to fill in:\n%s", name, text)
		}
	}
	for _, want := range []string{"clusterIP: 10.77.128.10\n", "image: " + build.CoreDNSRef + "\n"} {
		if !strings.Contains(files["dns.yaml"], want) {
			t.Errorf("dns.yaml does not say %q", want)
		}
	}
}

func TestNodeConfigurationsAreJSON(t *testing.T) {
	c := testCluster(t, "x", "10.77.0.0/16")
	for name, o := range map[string]object{"kubelet": c.kubeletConfig(2), "proxy": c.proxyConfig(), "network": c.networkConfig(2)} {
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(name, err)
		}
		if name == "network" && !strings.Contains(string(text), `"subnet":"10.77.66.0/24"`) {
			t.Errorf("network of node 2: %s", text)
		}
	}
}

func TestPlan(t *testing.T) {
	c := testCluster(t, "plan-test", "10.77.0.0/16")
	if n, err := c.plan(0); n != 1 || err != nil {
		t.Errorf("nothing there: got %d %v, want 1 node", n, err)
	}
	if _, err := c.plan(MaxNodes + 1); err == nil {
		t.Error("too many nodes: want an error")
	}
	// Left by a machine that was restarted: files, and nothing else.
	if err := c.claim(); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(saved{Subnet: c.Subnet, Nodes: 3, Boot: "another"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.path("cluster.json"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	if n, err := c.plan(0); n != 3 || err != nil {
		t.Errorf("after a restart: got %d %v, want the 3 nodes it had", n, err)
	}
	if _, err := os.Stat(c.State); !os.IsNotExist(err) {
		t.Errorf("after a restart: %s is still there (%v)", c.State, err)
	}
}

func TestAFolderThatIsNotOursIsLeftAlone(t *testing.T) {
	c := testCluster(t, "foreign-test", "10.77.0.0/16")
	if err := os.MkdirAll(c.State, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.path("cluster.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{"claim": c.claim(), "remove": c.remove()} {
		if err == nil || !strings.Contains(err.Error(), "--state") {
			t.Errorf("%s: got %v, want it refused", what, err)
		}
	}
	if _, err := os.Stat(c.path("cluster.json")); err != nil {
		t.Error(err)
	}
}

func TestAClusterThatRunsKeepsItsShape(t *testing.T) {
	c := testCluster(t, "shape-test", "10.77.0.0/16")
	if err := os.MkdirAll(c.path("pids"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := c.save(2); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 2; n++ {
		// This very process stands for the ones that keep the namespaces.
		if err := host.Record(os.Getpid(), c.pidFile(holder(n))); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := c.plan(0); n != 2 || err != nil {
		t.Errorf("no number given: got %d %v, want 2", n, err)
	}
	if n, err := c.plan(3); n != 3 || err != nil {
		t.Errorf("more nodes: got %d %v, want 3", n, err)
	}
	if _, err := c.plan(1); err == nil || !strings.Contains(err.Error(), "localcluster down") {
		t.Errorf("fewer nodes: got %v, want to be told to take it down", err)
	}
	c.Subnet = netip.MustParsePrefix("10.78.0.0/16")
	if _, err := c.plan(2); err == nil || !strings.Contains(err.Error(), "10.77.0.0/16") {
		t.Errorf("another subnet: got %v", err)
	}
}

package cluster

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hearth-monitoring/hearth/hack/localcluster/host"
)

// TestUpDown is the tool's promise, on this machine: three nodes that work, an unclean stop that the next start mends, and
// after the end nothing of it left. It runs beside a cluster of the developer's own.
func TestUpDown(t *testing.T) {
	c := upDownCluster(t)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()

	before := takeSnapshot(t, c)
	t.Cleanup(func() {
		if err := c.Down(); err != nil {
			t.Error(err)
		}
	})
	up(ctx, t, c, 3)
	load(ctx, t, c)
	apply(t, c)
	t.Run("Pods", func(t *testing.T) { checkPods(t, c) })
	t.Run("Claim", func(t *testing.T) { checkClaim(t, c) })

	killAll(t, c, 3)
	up(ctx, t, c, 1)
	// A process that ended is started again, without anything being lost; and nodes can be added.
	if p, alive := host.Recorded(c.pidFile("kube-scheduler")); !alive || p.Kill() != nil {
		t.Error("no scheduler to kill")
	}
	up(ctx, t, c, 2)

	if err := c.Down(); err != nil {
		t.Fatal(err)
	}
	compare(t, before, takeSnapshot(t, c))
	if err := c.Down(); err != nil {
		t.Error("down again:", err)
	}
}

// upDownCluster is the test's own cluster, which is down; the test is skipped, or fails, where it can't be had.
func upDownCluster(t *testing.T) *Cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: -short, and this starts a cluster")
	}
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: a cluster takes root (network namespaces, cgroups)")
	}
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := host.Lock("updown-test", os.Stderr) // Another checkout may be at the same test.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(unlock)
	c, err := New(Options{Name: "updown-test", Subnet: "10.198.0.0/16", Root: root, Out: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"kube", "pause", "coredns"} {
		if current, err := c.Build.Current(target); !current {
			t.Fatalf("%s is not built, or from other sources (%v): run `localcluster build` first, which may take longer than a test", target, err)
		}
	}
	if missing := host.Missing(host.Needs()); len(missing) > 0 {
		t.Fatalf("missing Debian packages: %s: run `localcluster packages` first", strings.Join(missing, " "))
	}
	if err := c.Down(); err != nil { // What an earlier run that was stopped has left.
		t.Fatal(err)
	}
	return c
}

func up(ctx context.Context, t *testing.T, c *Cluster, nodes int) {
	t.Helper()
	start := time.Now()
	c.start = start
	if err := c.Up(ctx, nodes); err != nil {
		t.Fatalf("up --nodes %d: %v", nodes, err)
	}
	took := time.Since(start)
	t.Logf("up --nodes %d took %s", nodes, took.Round(100*time.Millisecond))
	if took > time.Minute {
		t.Errorf("up --nodes %d took %s: more than the minute it may", nodes, took)
	}
}

// killAll kills everything of the tool's own. The pods' processes, their containers' keepers and all else stay behind.
func killAll(t *testing.T, c *Cluster, nodes int) {
	t.Helper()
	for _, name := range c.processes(nodes) {
		p, alive := host.Recorded(c.pidFile(name))
		if !alive {
			t.Errorf("%s does not run", name)
		}
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Healthy(nodes); err == nil {
		t.Error("all processes killed, and it says it is healthy")
	}
	if left := c.groups.Processes(c.group()); len(left) == 0 {
		t.Error("no process of a pod was left, so this shows less than it should")
	}
}

func load(ctx context.Context, t *testing.T, c *Cluster) {
	t.Helper()
	probe := filepath.Join(t.TempDir(), "probe")
	cmd := exec.Command("go", "build", "-o", probe, "./testdata/probe")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := c.Load(ctx, "hearth-probe:dev="+probe); err != nil {
		t.Fatal(err)
	}
}

// apply makes the probe's objects and waits for their pods.
func apply(t *testing.T, c *Cluster) {
	t.Helper()
	kubectl(t, c, "apply", "--filename=testdata/probe.yaml")
	kubectl(t, c, "rollout", "status", "--timeout=60s", "daemonset/probe")
	kubectl(t, c, "rollout", "status", "--timeout=60s", "statefulset/store")
}

// checkPods has every way that one thing in a cluster reaches another.
func checkPods(t *testing.T, c *Cluster) {
	pods := strings.Fields(kubectl(t, c, "get", "pods", "--selector=app=probe", "--output=jsonpath={.items[*].metadata.name}"))
	if len(pods) != 3 {
		t.Fatalf("the DaemonSet has %d pods, want one on each of 3 nodes", len(pods))
	}
	for _, pod := range pods {
		exec := func(args ...string) string {
			return kubectl(t, c, append([]string{"exec", pod, "--", "/probe"}, args...)...)
		}
		for _, url := range []string{"http://probe.probe.svc.cluster.local", "http://headless:8080"} {
			if got := exec("get", url); !strings.HasPrefix(got, "this is probe-") {
				t.Errorf("%s: %s says %q", pod, url, got)
			}
		}
		if got := exec("api"); !strings.Contains(got, "gitVersion") {
			t.Errorf("%s: the API server says %q", pod, got)
		}
		// From each node to each pod, whichever node it is on.
		for _, ip := range strings.Fields(kubectl(t, c, "get", "pods", "--selector=app=probe", "--output=jsonpath={.items[*].status.podIP}")) {
			exec("get", "http://"+ip+":8080")
			fetch(t, "http://"+ip+":8080")
		}
		if got := kubectl(t, c, "logs", pod); !strings.Contains(got, "serving") {
			t.Errorf("%s: its log is %q", pod, got)
		}
	}
	for n := 1; n <= 3; n++ {
		fetch(t, fmt.Sprintf("http://%s:32077", c.nodeAddress(n)))
	}
	_, err := host.Run(c.KubectlArgs("run", "bad", "--namespace=probe", "--image=hearth-probe:dev", "--privileged")...)
	if err == nil || !strings.Contains(err.Error(), "violates PodSecurity") {
		t.Errorf("a privileged pod in a restricted namespace: %v", err)
	}
}

// checkClaim has a claim that a pod of another user writes to, that grows, and whose folder goes with it.
func checkClaim(t *testing.T, c *Cluster) {
	kubectl(t, c, "exec", "store-0", "--", "/probe", "write", "/data/file")
	kubectl(t, c, "patch", "pvc", "data-store-0", "--patch", `{"spec":{"resources":{"requests":{"storage":"20Mi"}}}}`)
	kubectl(t, c, "wait", "--for=jsonpath={.status.capacity.storage}=20Mi", "--timeout=20s", "pvc/data-store-0")
	if got := kubectl(t, c, "exec", "store-0", "--", "/probe", "read", "/data/file"); got != "written\n" {
		t.Errorf("after it grew, its file says %q", got)
	}
	kubectl(t, c, "delete", "statefulset/store", "pvc/data-store-0", "--timeout=30s")
	if err := c.wait("the volume's removal", 20*time.Second, func() error {
		left, err := filepath.Glob(c.path("volumes", "*", "*"))
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("there is %s", left)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	if got := kubectl(t, c, "get", "pv", "--output=name"); got != "" {
		t.Errorf("volumes are left: %s", got)
	}
}

func kubectl(t *testing.T, c *Cluster, args ...string) string {
	t.Helper()
	argv := c.KubectlArgs(append([]string{"--namespace=probe"}, args...)...)
	cmd := exec.Command(argv[0], argv[1:]...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("kubectl %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}

func fetch(t *testing.T, url string) {
	t.Helper()
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		t.Errorf("from this machine: %v", err)
		return
	}
	_ = resp.Body.Close()
}

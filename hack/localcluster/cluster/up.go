package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hearth-monitoring/hearth/hack/localcluster/build"
	"github.com/hearth-monitoring/hearth/hack/localcluster/host"
)

// Up starts the cluster with that many nodes (0: as many as it has, or 1), whatever of it runs already.
func (c *Cluster) Up(ctx context.Context, nodes int) error {
	if os.Geteuid() != 0 {
		return errors.New("up makes network namespaces and cgroups: run it as root")
	}
	nodes, err := c.plan(nodes)
	if err != nil {
		return err
	}
	if c.Healthy(nodes) == nil {
		c.say("%s is up already: %s", c.Name, c.summary(nodes))
		return nil
	}
	if err := c.prepare(ctx); err != nil {
		return err
	}
	if err := c.lay(nodes); err != nil {
		return fmt.Errorf("network and namespaces: %w", err)
	}
	c.say("network: bridge %s, %s nodes, %s pods, %s services", c.bridge(), netip.PrefixFrom(c.at(0, 0), 24), c.allPods(), c.services())
	if err := c.boot(nodes); err != nil {
		return fmt.Errorf("%w\nlocalcluster status shows what runs, %s holds all logs, localcluster down starts anew", err, c.path("logs"))
	}
	c.say("%s is up: %s", c.Name, c.summary(nodes))
	return nil
}

func (c *Cluster) summary(nodes int) string {
	return fmt.Sprintf("%d node(s) ready, %s\n        export KUBECONFIG=%s", nodes, c.server(), c.Kubeconfig())
}

// plan decides how many nodes there will be, and removes what an unclean stop left.
func (c *Cluster) plan(nodes int) (int, error) {
	if nodes < 0 || nodes > MaxNodes {
		return 0, fmt.Errorf("--nodes %d: want 1 to %d", nodes, MaxNodes)
	}
	was, err := c.saved() // Without any, nothing is known of it: no nodes.
	if nodes == 0 {
		nodes = was.Nodes
	}
	if err == nil && !c.torn(was) {
		return nodes, c.extends(was, nodes)
	}
	if c.anything() {
		c.say("%s was not stopped cleanly: removing what is left; it starts anew, empty", c.Name)
		if err := c.remove(); err != nil {
			return 0, fmt.Errorf("remove what is left: %w", err)
		}
	}
	return max(nodes, 1), nil
}

// extends returns an error if a cluster that is up would have to be another to be what is asked for.
func (c *Cluster) extends(was saved, nodes int) error {
	if was.Subnet != c.Subnet {
		return fmt.Errorf("%s is up with the subnet %s: run `localcluster down` first to have %s", c.Name, was.Subnet, c.Subnet)
	}
	if nodes < was.Nodes {
		return fmt.Errorf("%s is up with %d nodes: run `localcluster down` first to have %d", c.Name, was.Nodes, nodes)
	}
	return nil
}

// torn reports whether a cluster that was started has lost a node's namespaces, or the machine was restarted: then nothing
// of it can be mended. A process that has ended, on the other hand, is only started again.
func (c *Cluster) torn(was saved) bool {
	if was.Boot != host.BootID() {
		return true
	}
	for n := range was.Nodes {
		if _, alive := host.Recorded(c.pidFile(holder(n + 1))); !alive {
			return true
		}
	}
	return false
}

// prepare sees to packages, binaries and folders.
func (c *Cluster) prepare(ctx context.Context) error {
	if err := host.InstallMissing(c.Out); err != nil {
		return err
	}
	if err := c.Build.Build(ctx, "kube", "pause", "coredns"); err != nil {
		return err
	}
	c.say("packages and binaries: Kubernetes %s, CoreDNS %s", build.Kubernetes, build.CoreDNS)
	route, err := host.Overlap(c.Subnet, c.bridge())
	if err != nil {
		return err
	}
	if route != "" {
		return fmt.Errorf("the subnet %s is in use here (%s): choose another with --subnet 10.X.0.0/16", c.Subnet, route)
	}
	if err := c.claim(); err != nil {
		return err
	}
	for _, dir := range []string{"logs", "pids", "conf", "volumes", "images"} {
		if err := os.MkdirAll(c.path(dir), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// lay makes the bridge and the nodes' namespaces, cables and routes.
func (c *Cluster) lay(nodes int) error {
	if err := host.Bridge(c.bridge(), netip.PrefixFrom(c.gateway(), 24)); err != nil {
		return err
	}
	for n := range nodes {
		if err := c.makeNode(n + 1); err != nil {
			return fmt.Errorf("%s: %w", nodeName(n+1), err)
		}
	}
	if err := c.connect(nodes); err != nil {
		return err
	}
	return c.save(nodes)
}

// boot starts everything, the control plane and the nodes' runtimes at once, and waits until all of it says it is ready.
func (c *Cluster) boot(nodes int) error {
	if err := c.startControlPlane(); err != nil {
		return err
	}
	runtimes := make(chan error, 1)
	go func() { runtimes <- c.startRuntimes(nodes) }()
	a, err := c.api()
	if err != nil {
		return err
	}
	if err := c.wait("API server", 90*time.Second, func() error { return a.get("/readyz", nil) }, "kube-apiserver", "etcd"); err != nil {
		return errors.Join(err, <-runtimes)
	}
	c.say("API server: ready")
	for _, p := range c.controllers() {
		if err := c.ensure(p); err != nil {
			return errors.Join(err, <-runtimes)
		}
	}
	if err := <-runtimes; err != nil {
		return err
	}
	c.say("containerd: running, with the images")
	if err := c.startNodes(nodes); err != nil {
		return err
	}
	// Before the provisioner, whose rights are among them.
	if err := c.applyManifests(); err != nil {
		return err
	}
	if err := c.ensure(c.provisioner()); err != nil {
		return err
	}
	return c.waitReady(a, nodes)
}

func (c *Cluster) waitReady(a *api, nodes int) error {
	kubelets := make([]string, nodes)
	for n := range nodes {
		kubelets[n] = nodeName(n+1) + ".kubelet"
	}
	if err := c.wait("nodes", 90*time.Second, func() error { return a.nodesReady(nodes) }, kubelets...); err != nil {
		return err
	}
	c.say("nodes: %d ready", nodes)
	if err := c.wait("DNS", 90*time.Second, a.dnsReady, append([]string{"kube-controller-manager", "kube-scheduler"}, kubelets...)...); err != nil {
		return err
	}
	c.say("DNS: ready")
	// Something that started well may have ended since.
	return c.Healthy(nodes)
}

// startRuntimes starts every node's containerd and gives it the images that a cluster itself runs.
func (c *Cluster) startRuntimes(nodes int) error {
	archives, err := c.archives("pause", "coredns")
	if err != nil {
		return err
	}
	return each(nodes, func(n int) error {
		if err := c.configureNode(n); err != nil {
			return err
		}
		containerd, _, _ := c.nodeProcesses(n)
		_, ran := host.Recorded(c.pidFile(containerd.name))
		if err := c.ensure(containerd); err != nil {
			return err
		}
		err := c.wait(nodeName(n)+": containerd", 60*time.Second, func() error {
			return c.enter(n, "ctr", "--timeout=2s", "version")
		}, containerd.name)
		if err != nil || ran {
			return err
		}
		return c.importImages(n, archives)
	})
}

func (c *Cluster) startNodes(nodes int) error {
	return each(nodes, func(n int) error {
		_, kubelet, proxy := c.nodeProcesses(n)
		if err := c.ensure(kubelet); err != nil {
			return err
		}
		return c.ensure(proxy)
	})
}

// each does something for every node at once.
func each(nodes int, do func(n int) error) error {
	errs := make([]error, nodes)
	var wg sync.WaitGroup
	for n := range nodes {
		wg.Go(func() { errs[n] = do(n + 1) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// archives writes the built-in images' archives.
func (c *Cluster) archives(names ...string) ([]string, error) {
	var files []string
	for _, name := range names {
		img, err := build.FindImage(name)
		if err != nil {
			return nil, err
		}
		file, err := c.archive(img.Spec(c.Build.Bin()))
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

func (c *Cluster) importImages(n int, archives []string) error {
	for _, file := range archives {
		if err := c.enter(n, "ctr", "--namespace=k8s.io", "images", "import", file); err != nil {
			return fmt.Errorf("%s: import %s: %w", nodeName(n), filepath.Base(file), err)
		}
	}
	return nil
}

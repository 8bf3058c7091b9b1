package cluster

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/hearth-monitoring/hearth/hack/localcluster/build"
	"github.com/hearth-monitoring/hearth/hack/localcluster/host"
	"github.com/hearth-monitoring/hearth/hack/localcluster/pki"
)

// prepareMounts makes the node's mount namespace its own: what is mounted there is seen by the node's processes only and
// goes with them. Without --no-mtab, mount would leave a note in this machine's /run.
const prepareMounts = `set -e
mount --no-mtab --make-rslave /
mount --no-mtab --make-rshared /
mount --no-mtab -t tmpfs -o mode=755 tmpfs /run
while [ $# -gt 0 ]; do
  mount --no-mtab --bind "$1" "$2"
  # In a group of its own, or what is mounted below would appear at the source too.
  mount --no-mtab --make-private "$2"
  mount --no-mtab --make-shared "$2"
  shift 2
done
`

// place is a folder of this machine that each node has one of its own for.
type place struct {
	place, folder string
	made          bool // by us, where it is missing, and so ours to remove when it is empty
}

// places are where a node's programs write whatever they are told (the kubelet its sockets and logs, containerd what its network
// plugins said), and so each node has folders of its own there.
func places() []place {
	return []place{
		{"/var/log", "log", false},
		{"/var/lib/kubelet", "kubelet", true},
		{"/var/lib/cni", "cni/state", true},
	}
}

// makeNode makes a node's namespaces, its interface and its cgroup.
func (c *Cluster) makeNode(n int) error {
	for _, dir := range []string{"containerd", "cni/net.d", "opt"} {
		if err := os.MkdirAll(c.nodePath(n, dir), 0o755); err != nil {
			return err
		}
	}
	script := []string{"sh", "-c", prepareMounts, "mounts"}
	for _, p := range places() {
		for _, dir := range []string{c.nodePath(n, p.folder), p.place} {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			script = append(script, dir)
		}
	}
	_, had := host.Recorded(c.pidFile(holder(n)))
	keeper, err := c.ensureHolder(n)
	if err != nil {
		return err
	}
	if !had {
		if err := c.enter(n, script...); err != nil {
			return err
		}
	}
	if err := c.groups.Make(c.kubeletGroup(n)); err != nil {
		return err
	}
	return host.Connect(host.Cable{
		Bridge: c.bridge(), Name: c.veth(n), PID: keeper.PID, Inner: "eth0",
		Address: netip.PrefixFrom(c.nodeAddress(n), 24),
	})
}

func (c *Cluster) kubeletGroup(n int) string { return filepath.Join(c.group(), nodeName(n)) }

// connect makes the routes between this machine and all nodes. There is no way out: no pod gets beyond this machine.
func (c *Cluster) connect(nodes int) error {
	var routes strings.Builder
	for n := range nodes {
		fmt.Fprintf(&routes, "route replace %s via %s\n", c.podRange(n+1), c.nodeAddress(n+1))
	}
	// Services have no address that is anywhere; from here they are reached through the first node.
	script := routes.String() + fmt.Sprintf("route replace %s via %s\n", c.services(), c.nodeAddress(1))
	if _, err := host.Run("sh", "-c", `printf %s "$1" | ip -batch -`, "routes", script); err != nil {
		return err
	}
	for n := range nodes {
		var inside strings.Builder
		for line := range strings.Lines(routes.String()) {
			if !strings.Contains(line, " "+c.podRange(n+1).String()+" ") {
				inside.WriteString(line)
			}
		}
		// A process of the node's own needs a route to have the address translated at all.
		fmt.Fprintf(&inside, "route replace %s via %s\n", c.services(), c.gateway())
		if err := c.enter(n+1, "sh", "-c", `printf %s "$1" | ip -batch -`, "routes", inside.String()); err != nil {
			return err
		}
	}
	return nil
}

// nodeProcesses are a node's own: containerd, the kubelet and kube-proxy.
func (c *Cluster) nodeProcesses(n int) (containerd, kubelet, proxy process) {
	name := nodeName(n)
	containerd = process{name: name + ".containerd", node: n, args: []string{"containerd", "--config", c.nodePath(n, "containerd.toml")}}
	kubelet = process{name: name + ".kubelet", node: n, args: []string{
		c.program("kubelet"), "--v=1", "--config=" + c.nodePath(n, "kubelet.json"), "--kubeconfig=" + c.nodePath(n, "kubelet.kubeconfig"),
		"--hostname-override=" + name, "--node-ip=" + c.nodeAddress(n).String(),
	}}
	proxy = process{name: name + ".kube-proxy", node: n, args: []string{
		c.program("kube-proxy"), "--v=1", "--config=" + c.nodePath(n, "kube-proxy.json"), "--hostname-override=" + name,
	}}
	return containerd, kubelet, proxy
}

// configureNode writes a node's files.
func (c *Cluster) configureNode(n int) error {
	name := nodeName(n)
	if err := c.pki().Issue(pki.Subject{
		Name: name, CA: "ca", User: "system:node:" + name, Groups: []string{"system:nodes"},
		DNSNames: []string{name}, Addresses: []net.IP{c.nodeAddress(n).AsSlice()},
	}); err != nil {
		return err
	}
	if err := c.clientConfig(name, c.nodePath(n, "kubelet.kubeconfig")); err != nil {
		return err
	}
	// No upstream resolver: this machine's is not reachable from a pod, and nothing should ask it.
	files := map[string][]byte{"resolv.conf": []byte("search .\n"), "containerd.toml": []byte(c.containerdConfig(n))}
	for file, config := range map[string]any{
		"kubelet.json": c.kubeletConfig(n), "kube-proxy.json": c.proxyConfig(), "cni/net.d/10-hearth.conflist": c.networkConfig(n),
	} {
		text, err := json.MarshalIndent(config, "", "  ")
		if err != nil {
			return err
		}
		files[file] = text
	}
	for file, text := range files {
		if err := os.WriteFile(c.nodePath(n, file), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// object is a configuration file's: these are read by programs whose Go types would bring all of Kubernetes into this one.
type object map[string]any

func (c *Cluster) kubeletConfig(n int) object {
	d := c.pki()
	return object{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
		"address":                  c.nodeAddress(n).String(),
		"authentication":           object{"x509": object{"clientCAFile": d.Cert("ca")}, "webhook": object{"enabled": true}, "anonymous": object{"enabled": false}},
		"authorization":            object{"mode": "Webhook"},
		"tlsCertFile":              d.Cert(nodeName(n)),
		"tlsPrivateKeyFile":        d.Key(nodeName(n)),
		"cgroupDriver":             "cgroupfs",
		"cgroupRoot":               "/" + c.kubeletGroup(n),
		"failCgroupV1":             false, // many CI machines have version 1 still
		"failSwapOn":               false,
		"clusterDNS":               []string{c.dns().String()},
		"clusterDomain":            domain,
		"resolvConf":               c.nodePath(n, "resolv.conf"),
		"containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
		"volumePluginDir":          "/var/lib/kubelet/volume-plugins",
		// The machine's disk is shared with everything else on it; that it is nearly full is no reason to evict anybody, or
		// to remove images that can't be pulled again.
		"evictionHard":                  object{"nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%", "imagefs.inodesFree": "0%"},
		"imageGCHighThresholdPercent":   100,
		"localStorageCapacityIsolation": true,
	}
}

func (c *Cluster) proxyConfig() object {
	return object{
		"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
		"mode":             "nftables",
		"clientConnection": object{"kubeconfig": c.path("conf", "kube-proxy.kubeconfig")},
		"clusterCIDR":      c.allPods().String(),
		"detectLocalMode":  "ClusterCIDR",
		// The limits of connection tracking are the whole machine's: not ours to set.
		"conntrack": object{"maxPerCore": 0, "min": 0},
	}
}

// networkConfig is the pods' network: each has a cable of its own to the node, which routes. A bridge would let two pods of
// a node answer each other around the node's address translation, and so break Services between them.
func (c *Cluster) networkConfig(n int) object {
	return object{
		"cniVersion": "0.4.0", "name": "hearth",
		"plugins": []object{
			{
				"type": "ptp", "ipMasq": false,
				"ipam": object{
					"type":   "host-local",
					"ranges": [][]object{{{"subnet": c.podRange(n).String()}}},
					"routes": []object{{"dst": "0.0.0.0/0"}},
				},
			},
			{"type": "portmap", "capabilities": object{"portMappings": true}},
		},
	}
}

// containerdConfig is for Debian's containerd 1.6.
func (c *Cluster) containerdConfig(n int) string {
	return fmt.Sprintf(`version = 2
root = %q
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]

[grpc]
  address = "/run/containerd/containerd.sock"

[plugins."io.containerd.internal.v1.opt"]
  path = %q

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  # Root may lack CAP_SYS_RESOURCE: without this, no sandbox starts there.
  restrict_oom_score_adj = true
  tolerate_missing_hugetlb_controller = true
  # As newer runtimes do: a pod that is not root may listen on port 53.
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = %q

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
`, c.nodePath(n, "containerd"), c.nodePath(n, "opt"), build.PauseRef, c.nodePath(n, "cni", "net.d"))
}

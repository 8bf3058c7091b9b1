// Package cluster is a Kubernetes cluster on this machine: one bridge, and for each node a network and a mount namespace of
// its own. The first node's hold the control plane too. Everything a cluster writes is below one folder; every process it
// starts is in one cgroup.
package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/hearth-monitoring/hearth/hack/localcluster/build"
	"github.com/hearth-monitoring/hearth/hack/localcluster/host"
	"github.com/hearth-monitoring/hearth/hack/localcluster/pki"
)

// StateParent is where clusters' folders are, unless told otherwise.
const StateParent = "/var/lib/hearth-localcluster"

// DefaultName is the name of a cluster that is given none.
const DefaultName = "hearth"

// MaxNodes is as many as the addresses are laid out for.
const MaxNodes = 9

// cgroupParent is the cgroup that clusters' cgroups are in.
const cgroupParent = "hearth-localcluster"

// Cluster is one cluster: what it is called and where its things are.
type Cluster struct {
	Name   string
	State  string       // the folder of all it writes
	Subnet netip.Prefix // a /16, of which its nodes, pods and services have parts
	Build  build.Builder
	Out    io.Writer

	start  time.Time
	groups host.Cgroups
}

// Options are what the command line says.
type Options struct {
	Name, State, Subnet, Root string
	Out                       io.Writer
}

var validName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$`)

// New is the cluster of that name, running or not.
func New(o Options) (*Cluster, error) {
	if !validName.MatchString(o.Name) {
		return nil, fmt.Errorf("--name %q: want up to 32 lower-case letters, digits and dashes", o.Name)
	}
	if o.State == "" {
		o.State = filepath.Join(StateParent, o.Name)
	}
	if !filepath.IsAbs(o.State) || strings.Count(filepath.Clean(o.State), "/") < 2 {
		return nil, fmt.Errorf("--state %q: want an absolute path of a folder that `down` may remove", o.State)
	}
	groups, err := host.FindCgroups()
	if err != nil {
		return nil, err
	}
	c := &Cluster{
		Name: o.Name, State: filepath.Clean(o.State), Out: o.Out, start: time.Now(), groups: groups,
		Build: build.Builder{Root: o.Root, Out: o.Out},
	}
	c.Subnet, err = c.subnet(o.Subnet)
	return c, err
}

// subnet is the one asked for, or else the one it was started with, or else one made of its name.
func (c *Cluster) subnet(asked string) (netip.Prefix, error) {
	if asked == "" {
		if saved, err := c.saved(); err == nil {
			return saved.Subnet, nil
		}
		return subnetOf(c.Name), nil
	}
	p, err := netip.ParsePrefix(asked)
	if err != nil || p.Bits() != 16 || !p.Addr().Is4() || p != p.Masked() {
		return p, fmt.Errorf("--subnet %q: want a /16, such as 10.213.0.0/16", asked)
	}
	return p, nil
}

// subnetOf is a subnet made of the name, so that two clusters on one machine seldom clash. The range is one that few
// networks use.
func subnetOf(name string) netip.Prefix {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(200 + h.Sum32()%50), 0, 0}), 16)
}

// at is an address of the subnet.
func (c *Cluster) at(third, fourth int) netip.Addr {
	a := c.Subnet.Addr().As4()
	return netip.AddrFrom4([4]byte{a[0], a[1], byte(third), byte(fourth)})
}

// The subnet's parts: .0/24 the nodes (.1 this machine's end of the bridge), .64/18 the pods (a /24 each node), .128/20 the
// services (.128.1 the API server's, .128.10 the DNS server's).

func (c *Cluster) gateway() netip.Addr          { return c.at(0, 1) }
func (c *Cluster) nodeAddress(n int) netip.Addr { return c.at(0, 10+n) }
func (c *Cluster) podRange(n int) netip.Prefix  { return netip.PrefixFrom(c.at(64+n, 0), 24) }
func (c *Cluster) allPods() netip.Prefix        { return netip.PrefixFrom(c.at(64, 0), 18) }
func (c *Cluster) services() netip.Prefix       { return netip.PrefixFrom(c.at(128, 0), 20) }
func (c *Cluster) apiService() netip.Addr       { return c.at(128, 1) }
func (c *Cluster) dns() netip.Addr              { return c.at(128, 10) }
func (c *Cluster) server() string               { return fmt.Sprintf("https://%s:6443", c.nodeAddress(1)) }

// tag is the cluster's part of interface names, which may have 15 characters in all.
func (c *Cluster) tag() string {
	if len(c.Name) <= 8 {
		return c.Name
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(c.Name))
	return fmt.Sprintf("%.3s%05x", c.Name, h.Sum32()&0xfffff)
}

func (c *Cluster) bridge() string    { return "hl-" + c.tag() }
func (c *Cluster) veth(n int) string { return fmt.Sprintf("%s.%d", c.bridge(), n) }
func (c *Cluster) group() string     { return filepath.Join(cgroupParent, c.Name) }
func (c *Cluster) pki() pki.Dir      { return pki.Dir(c.path("pki")) }

// Kubeconfig is where the admin's kubeconfig is, once the cluster is up.
func (c *Cluster) Kubeconfig() string { return c.path("kubeconfig") }

func nodeName(n int) string { return fmt.Sprintf("node-%d", n) }

// path is a path below the cluster's folder.
func (c *Cluster) path(parts ...string) string {
	return filepath.Join(append([]string{c.State}, parts...)...)
}

// nodePath is a path below the folder of a node.
func (c *Cluster) nodePath(n int, parts ...string) string {
	return c.path(append([]string{"nodes", nodeName(n)}, parts...)...)
}

func (c *Cluster) program(name string) string { return filepath.Join(c.Build.Bin(), "kube", name) }

// say reports, with the time since the command began.
func (c *Cluster) say(format string, args ...any) {
	fmt.Fprintf(c.Out, "%5.1fs  %s\n", time.Since(c.start).Seconds(), fmt.Sprintf(format, args...))
}

// saved is what is known of a cluster that was started.
type saved struct {
	Subnet netip.Prefix
	Nodes  int
	Boot   string
}

func (c *Cluster) saved() (saved, error) {
	var s saved
	text, err := os.ReadFile(c.path("cluster.json"))
	if err != nil {
		return s, err
	}
	err = json.Unmarshal(text, &s)
	return s, err
}

func (c *Cluster) save(nodes int) error {
	text, err := json.Marshal(saved{Subnet: c.Subnet, Nodes: nodes, Boot: host.BootID()})
	if err != nil {
		return err
	}
	return os.WriteFile(c.path("cluster.json"), text, 0o644)
}

// ErrDown says that there is no such cluster.
var ErrDown = errors.New("the cluster is not up")

// Nodes is how many nodes the cluster was started with.
func (c *Cluster) Nodes() (int, error) {
	s, err := c.saved()
	if errors.Is(err, os.ErrNotExist) {
		return 0, fmt.Errorf("%s: %w (start it with: localcluster up --name %s)", c.Name, ErrDown, c.Name)
	}
	return s.Nodes, err
}

package host

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// LinkExists reports whether this machine has a network interface of that name.
func LinkExists(name string) bool {
	_, err := os.Stat(filepath.Join("/sys/class/net", name))
	return err == nil
}

// Bridge makes a bridge with that address, if it is not there.
func Bridge(name string, address netip.Prefix) error {
	if !LinkExists(name) {
		if _, err := Run("ip", "link", "add", name, "type", "bridge"); err != nil {
			return err
		}
	}
	if _, err := Run("ip", "address", "replace", address.String(), "dev", name); err != nil {
		return err
	}
	_, err := Run("ip", "link", "set", name, "up")
	return err
}

// Cable is a pair of interfaces: one here, on a bridge, the other in a process' network namespace.
type Cable struct {
	Bridge  string
	Name    string // of this end
	PID     int    // whose network namespace the other end is in
	Inner   string // of the other end
	Address netip.Prefix
}

// Connect makes the pair, if it is not there, and configures the other end.
func Connect(c Cable) error {
	if !LinkExists(c.Name) {
		if _, err := Run("ip", "link", "add", c.Name, "type", "veth", "peer", "name", c.Inner, "netns", strconv.Itoa(c.PID)); err != nil {
			return err
		}
	}
	if _, err := Run("ip", "link", "set", c.Name, "master", c.Bridge, "up"); err != nil {
		return err
	}
	// Forwarding for the pods, whose addresses are not this interface's, so no filter by reverse path either.
	for _, args := range [][]string{
		{"ip", "link", "set", "lo", "up"},
		{"ip", "address", "replace", c.Address.String(), "dev", c.Inner},
		{"ip", "link", "set", c.Inner, "up"},
		{"sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward; for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$f; done"},
	} {
		if _, err := Run(Enter(c.PID, args...)...); err != nil {
			return err
		}
	}
	return nil
}

// RemoveLink removes an interface, if it is there. The kernel may be quicker: it takes the interfaces of a namespace that
// has just lost its last process, and their peers here with them.
func RemoveLink(name string) error {
	if !LinkExists(name) {
		return nil
	}
	if _, err := Run("ip", "link", "delete", name); err != nil && LinkExists(name) {
		return err
	}
	return nil
}

// Links are the names of this machine's interfaces that begin with a prefix.
func Links(prefix string) ([]string, error) {
	entries, err := os.ReadDir("/sys/class/net")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Overlap is the first route of this machine, by other interfaces than ours, whose addresses a subnet would hide.
func Overlap(subnet netip.Prefix, ours string) (string, error) {
	out, err := Run("ip", "-json", "-4", "route")
	if err != nil {
		return "", err
	}
	return overlap([]byte(out), subnet, ours)
}

func overlap(routes []byte, subnet netip.Prefix, ours string) (string, error) {
	var list []struct{ Dst, Dev string }
	if err := json.Unmarshal(routes, &list); err != nil {
		return "", fmt.Errorf("ip route: %w", err)
	}
	for _, r := range list {
		if r.Dev == ours || r.Dst == "default" {
			continue
		}
		if !strings.Contains(r.Dst, "/") {
			r.Dst += "/32"
		}
		if p, err := netip.ParsePrefix(r.Dst); err == nil && p.Overlaps(subnet) {
			return r.Dst + " by " + r.Dev, nil
		}
	}
	return "", nil
}

package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hearth-monitoring/hearth/hack/localcluster/host"
)

// Down stops the cluster and leaves nothing of it, however much or little of it there is.
func (c *Cluster) Down() error {
	if os.Geteuid() != 0 {
		return errors.New("down removes network namespaces and cgroups: run it as root")
	}
	if !c.anything() {
		c.say("%s is down already", c.Name)
		return nil
	}
	return c.remove()
}

// anything reports whether anything at all of the cluster is there.
func (c *Cluster) anything() bool {
	if _, err := os.Stat(c.State); err == nil {
		return true
	}
	links, _ := c.links()
	return len(links) > 0 || c.groups.Exists(c.group())
}

// links are the cluster's network interfaces on this side.
func (c *Cluster) links() ([]string, error) {
	links, err := host.Links(c.bridge() + ".")
	if host.LinkExists(c.bridge()) {
		links = append(links, c.bridge())
	}
	return links, err
}

// remove takes everything away in the order in which one thing holds another: processes, then (with them go the namespaces and
// the mounts in them) interfaces and their routes, cgroups, files.
func (c *Cluster) remove() error {
	if err := c.claimed(); err != nil {
		return err
	}
	killed, err := c.groups.KillAll(c.group(), 30*time.Second)
	if err != nil {
		return err
	}
	c.say("processes: %d ended", killed)
	links, err := c.links()
	if err != nil {
		return err
	}
	for _, link := range links {
		if err := host.RemoveLink(link); err != nil {
			return err
		}
	}
	if err := c.groups.Remove(c.group()); err != nil {
		return fmt.Errorf("cgroups: %w", err)
	}
	c.groups.RemoveIfEmpty(cgroupParent)
	if !c.groups.Exists(cgroupParent) {
		removePlaces()
	}
	if err := host.RemoveTree(c.State); err != nil {
		return fmt.Errorf("files: %w", err)
	}
	if parent := filepath.Dir(c.State); parent == StateParent {
		_ = os.Remove(parent) // Refused if another cluster is in it.
	}
	c.say("interfaces, cgroups and %s: removed", c.State)
	return nil
}

// removePlaces has the last cluster take the places along that nodes' own folders are mounted on. What holds anything is not
// ours, and stays.
func removePlaces() {
	for _, p := range places() {
		if p.made {
			_ = os.Remove(p.place)
		}
	}
}

// marker is the file by which a folder is known to be one that we made, and so may remove: --state may name any.
const marker = ".hearth-localcluster"

// claim makes the cluster's folder.
func (c *Cluster) claim() error {
	if err := c.claimed(); err != nil {
		return err
	}
	if err := os.MkdirAll(c.State, 0o755); err != nil {
		return err
	}
	return os.WriteFile(c.path(marker), nil, 0o644)
}

// claimed fails if the folder holds anything, and we did not make it.
func (c *Cluster) claimed() error {
	entries, err := os.ReadDir(c.State)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err == nil {
		_, err = os.Stat(c.path(marker))
	}
	if err != nil {
		return fmt.Errorf("%s was not made by localcluster: name another folder with --state (%w)", c.State, err)
	}
	return nil
}

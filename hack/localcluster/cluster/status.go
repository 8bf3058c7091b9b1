package cluster

import (
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/hearth-monitoring/hearth/hack/localcluster/host"
)

// processes are the names of all processes that a cluster of that many nodes has.
func (c *Cluster) processes(nodes int) []string {
	names := []string{c.etcd().name, c.apiserver().name}
	for _, p := range c.controllers() {
		names = append(names, p.name)
	}
	names = append(names, c.provisioner().name)
	for n := range nodes {
		containerd, kubelet, proxy := c.nodeProcesses(n + 1)
		names = append(names, holder(n+1), containerd.name, kubelet.name, proxy.name)
	}
	return names
}

// Healthy fails, with the first reason, unless every process runs and every node and the DNS are ready.
func (c *Cluster) Healthy(nodes int) error {
	for _, name := range c.processes(nodes) {
		if _, alive := host.Recorded(c.pidFile(name)); !alive {
			return fmt.Errorf("%s does not run", name)
		}
	}
	a, err := c.api()
	if err != nil {
		return err
	}
	if err := a.get("/readyz", nil); err != nil {
		return fmt.Errorf("the API server is not ready: %w", err)
	}
	if err := a.nodesReady(nodes); err != nil {
		return err
	}
	return a.dnsReady()
}

// Status prints what runs, and fails unless all of it does.
func (c *Cluster) Status() error {
	nodes, err := c.Nodes()
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "cluster %s: %s, subnet %s, files in %s\n\n", c.Name, c.server(), c.Subnet, c.State)
	w := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	c.printNodes(w, nodes)
	fmt.Fprintln(w, "\nPROCESS\tPID\tLOG")
	for _, name := range c.processes(nodes) {
		pid := "ended"
		if p, alive := host.Recorded(c.pidFile(name)); alive {
			pid = fmt.Sprint(p.PID)
		}
		log := c.log(name)
		if info, err := os.Stat(log); err != nil || info.Size() == 0 {
			log = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", name, pid, log)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := c.Healthy(nodes); err != nil {
		return fmt.Errorf("not healthy: %w", err)
	}
	fmt.Fprintln(c.Out, "\nhealthy")
	return nil
}

func (c *Cluster) printNodes(w io.Writer, nodes int) {
	known := map[string]node{}
	if a, err := c.api(); err == nil {
		known, _ = a.nodes() // What can't be asked is shown as unknown; Healthy says why.
	}
	fmt.Fprintln(w, "NODE\tSTATE\tADDRESS\tPODS")
	for n := range nodes {
		name := nodeName(n + 1)
		state := "unknown"
		if n, registered := known[name]; registered {
			state = "not ready"
			if ok, _ := n.ready(); ok {
				state = "ready"
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", name, state, c.nodeAddress(n+1), c.podRange(n+1))
	}
}

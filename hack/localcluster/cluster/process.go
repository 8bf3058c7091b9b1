package cluster

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/hearth-monitoring/hearth/hack/localcluster/host"
)

// process is one of the cluster's own processes.
type process struct {
	name string
	node int // whose namespaces it is in
	args []string
}

func (c *Cluster) log(name string) string     { return c.path("logs", name+".log") }
func (c *Cluster) pidFile(name string) string { return c.path("pids", name) }

// holder is the name of the process that does nothing but keep a node's namespaces.
func holder(n int) string { return nodeName(n) + ".namespaces" }

// environment is the processes': nothing of the caller's, which may hold proxies and secrets.
func (c *Cluster) environment() []string {
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + c.State, "LANG=C.UTF-8"}
}

// ensure starts a process, unless it runs.
func (c *Cluster) ensure(p process) error {
	if _, alive := host.Recorded(c.pidFile(p.name)); alive {
		return nil
	}
	keeper, alive := host.Recorded(c.pidFile(holder(p.node)))
	if !alive {
		return fmt.Errorf("%s: the namespaces of %s are gone", p.name, nodeName(p.node))
	}
	group, err := c.groups.Tracking(c.group() + "/system")
	if err != nil {
		return err
	}
	_, err = host.Start(host.Spec{
		Args: host.Enter(keeper.PID, p.args...), Env: c.environment(),
		Log: c.log(p.name), PIDFile: c.pidFile(p.name), Cgroup: group,
	})
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	return nil
}

// ensureHolder makes a node's namespaces, by the process that keeps them.
func (c *Cluster) ensureHolder(n int) (host.Process, error) {
	if p, alive := host.Recorded(c.pidFile(holder(n))); alive {
		return p, nil
	}
	group, err := c.groups.Tracking(c.group() + "/system")
	if err != nil {
		return host.Process{}, err
	}
	return host.Start(host.Spec{
		Args: []string{"sleep", "infinity"}, Env: c.environment(), Unshare: true,
		Log: c.log(holder(n)), PIDFile: c.pidFile(holder(n)), Cgroup: group,
	})
}

// enter runs a command to its end in a node's namespaces.
func (c *Cluster) enter(n int, args ...string) error {
	keeper, alive := host.Recorded(c.pidFile(holder(n)))
	if !alive {
		return fmt.Errorf("%s: %w", nodeName(n), ErrDown)
	}
	_, err := host.Run(host.Enter(keeper.PID, args...)...)
	return err
}

// processError says which log to look at, and shows its end.
type processError struct {
	err error
	log string
}

func (e *processError) Error() string {
	text, _ := os.ReadFile(e.log)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return fmt.Sprintf("%v\nthe end of %s:\n  %s", e.err, e.log, strings.Join(lines[max(0, len(lines)-15):], "\n  "))
}

func (e *processError) Unwrap() error { return e.err }

// wait tries until it works, the time is over, or one of the processes it depends on has ended.
func (c *Cluster) wait(what string, timeout time.Duration, try func() error, processes ...string) error {
	deadline := time.Now().Add(timeout)
	for {
		err := try()
		if err == nil {
			return nil
		}
		for _, p := range processes {
			if _, alive := host.Recorded(c.pidFile(p)); !alive {
				return &processError{fmt.Errorf("%s: %s ended", what, p), c.log(p)}
			}
		}
		if time.Now().After(deadline) {
			err = fmt.Errorf("%s: not after %s: %w", what, timeout, err)
			if len(processes) == 0 {
				return err
			}
			return &processError{err, c.log(processes[0])}
		}
		time.Sleep(200 * time.Millisecond)
	}
}

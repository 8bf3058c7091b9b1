// Package host is what localcluster does to the machine it runs on: processes, namespaces, links, cgroups, mounts and
// packages. Each has a way to be made that finds it already made, and a way to be removed that finds it already gone.
package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Process is a running process: an ID alone may be another's by now, so the time it started goes with it.
type Process struct {
	PID   int
	Start uint64 // in clock ticks since boot
	Boot  string
}

// Spec is a process to start.
type Spec struct {
	Args    []string
	Env     []string
	Log     string // both outputs go there
	PIDFile string
	Cgroup  string // the folder of a cgroup, which the process is in before its program starts, and so its children are too
	Unshare bool   // in new network and mount namespaces
}

// Start starts a process that outlives this one, and records it.
func Start(s Spec) (Process, error) {
	log, err := os.OpenFile(s.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return Process{}, err
	}
	defer func() { _ = log.Close() }() // The process has it open for itself.
	join := `echo $$ >"$0" && exec "$@"`
	cmd := exec.Command("/bin/sh", append([]string{"-c", join, filepath.Join(s.Cgroup, "cgroup.procs")}, s.Args...)...)
	cmd.Env = s.Env
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if s.Unshare {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET | syscall.CLONE_NEWNS
	}
	if err := cmd.Start(); err != nil {
		return Process{}, err
	}
	p, err := find(cmd.Process.Pid)
	// Until we end it is our child: waited for, so that none is left half gone.
	go func() { _ = cmd.Wait() }()
	if err != nil {
		return Process{}, fmt.Errorf("%s: ended at once: see %s", s.Args[0], s.Log)
	}
	return p, p.save(s.PIDFile)
}

// Record records a process that runs already.
func Record(pid int, path string) error {
	p, err := find(pid)
	if err != nil {
		return err
	}
	return p.save(path)
}

func (p Process) save(path string) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

// Recorded is the process of a file that Start wrote, if that very process still runs.
func Recorded(path string) (Process, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Process{}, false
	}
	var p Process
	if json.Unmarshal(text, &p) != nil {
		return Process{}, false
	}
	return p, p.Alive()
}

// Alive reports whether the process still runs. One that has ended and is not waited for yet does not.
func (p Process) Alive() bool {
	now, err := find(p.PID)
	return err == nil && now == p
}

// Kill ends the process, if it is still the one that was meant, and waits until it has ended.
func (p Process) Kill() error {
	if !p.Alive() {
		return nil
	}
	if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill %d: %w", p.PID, err)
	}
	// One that writes to a disk that others keep busy ends when its write does.
	for range 6000 {
		if !p.Alive() {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("process %d was killed and does not end", p.PID)
}

var errEnded = errors.New("ended")

// find is the process with that ID now.
func find(pid int) (Process, error) {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return Process{}, err
	}
	state, start, err := parseStat(stat)
	if err != nil {
		return Process{}, err
	}
	if state == "Z" || state == "X" {
		return Process{}, errEnded
	}
	return Process{PID: pid, Start: start, Boot: BootID()}, nil
}

// parseStat reads a process' state and start time. Its name, the second field, may hold anything, so it is cut off first.
func parseStat(stat []byte) (state string, start uint64, err error) {
	i := bytes.LastIndexByte(stat, ')')
	if i < 0 {
		return "", 0, errors.New("stat: no name")
	}
	fields := strings.Fields(string(stat[i+1:]))
	if len(fields) < 20 {
		return "", 0, errors.New("stat: too short")
	}
	start, err = strconv.ParseUint(fields[19], 10, 64)
	return fields[0], start, err
}

// BootID tells one boot of the machine from another.
func BootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

// Run runs a command to its end and returns what it printed; its error holds that too.
func Run(args ...string) (string, error) {
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return string(out), nil
}

// Enter is a command line that runs args in the network and mount namespaces of a process. nsenter, because
// `ip netns exec` mounts a fresh /sys, without the cgroups.
func Enter(pid int, args ...string) []string {
	return append([]string{"nsenter", "-t", strconv.Itoa(pid), "-n", "-m", "--"}, args...)
}

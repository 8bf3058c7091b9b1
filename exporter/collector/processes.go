package collector

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"golang.org/x/sys/unix"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

// processes counts what runs, which means to open a file for each process and each thread: a process that leaves is
// no error, and one that can't be read fails the collector, since a part of the processes is not their number.
type processes struct {
	host                Host
	dir                 *held.Dir
	maxThreads, maxPIDs *held.File
	buf                 []byte
	count               processCount

	threads, threadLimit, threadState, state, pids, pidLimit *text.Family
}

// processCount is how many there are, and how many in each state, which is a letter.
type processCount struct {
	pids, threads       int
	states, threadState [256]int
}

func declareProcesses(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		return &processes{
			host: h, dir: held.NewDir(h.Proc), buf: make([]byte, 4096),
			maxThreads: h.procFile("sys/kernel/threads-max"), maxPIDs: h.procFile("sys/kernel/pid_max"),
			threads:     text.Gauge("node_processes_threads", "Allocated threads in system"),
			threadLimit: text.Gauge("node_processes_max_threads", "Limit of threads in the system"),
			threadState: text.Gauge("node_processes_threads_state", "Number of threads in each state.", "thread_state"),
			state:       text.Gauge("node_processes_state", "Number of processes in each state.", "state"),
			pids:        text.Gauge("node_processes_pids", "Number of PIDs"),
			pidLimit:    text.Gauge("node_processes_max_processes", "Number of max PIDs limit"),
		}, nil
	}
}

func (c *processes) Families() []*text.Family {
	return []*text.Family{c.threads, c.threadLimit, c.threadState, c.state, c.pids, c.pidLimit}
}

func (c *processes) Update(ctx context.Context) error {
	return errors.Join(c.addCount(ctx), addLimit(c.threadLimit, c.maxThreads), addLimit(c.pidLimit, c.maxPIDs))
}

func addLimit(f *text.Family, file *held.File) error {
	v, err := file.Uint()
	if err == nil {
		f.Add(float64(v))
	}
	return err
}

func (c *processes) addCount(ctx context.Context) error {
	names, err := c.dir.Names()
	if err != nil {
		return err
	}
	c.count = processCount{}
	for _, name := range names {
		if name[0] < '0' || name[0] > '9' {
			continue
		}
		if err := c.process(c.host.proc(string(name)), string(name)); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil { // nobody waits for the rest
			return fmt.Errorf("%s: after %d processes: %w", c.dir.Path(), c.count.pids, err)
		}
	}
	if c.count.pids == 0 {
		return fmt.Errorf("%s: no processes", c.dir.Path())
	}
	c.pids.Add(float64(c.count.pids))
	c.threads.Add(float64(c.count.threads))
	addStates(c.state, &c.count.states)
	addStates(c.threadState, &c.count.threadState)
	return nil
}

func addStates(f *text.Family, states *[256]int) {
	for state, n := range states {
		if n > 0 {
			f.Add(float64(n), string(rune(state)))
		}
	}
}

func (c *processes) process(path, pid string) error {
	state, threads, err := c.stat(path + "/stat")
	if err != nil {
		return unlessGone(err)
	}
	c.count.pids++
	c.count.states[state]++
	c.count.threads += threads
	tasks := path + "/task"
	if threads > 1 {
		return c.tasks(tasks, pid, state)
	}
	if unix.Access(tasks, unix.F_OK) == nil { // most have only the thread that the process' own state is about
		c.count.threadState[state]++
	}
	return nil
}

func (c *processes) tasks(path, pid string, leader byte) error {
	names, err := readNames(path)
	if err != nil {
		return unlessGone(err)
	}
	for _, name := range names {
		state := leader
		if name != pid {
			if state, _, err = c.stat(path + "/" + name + "/stat"); err != nil {
				if err = unlessGone(err); err != nil {
					return err
				}
				continue
			}
		}
		c.count.threadState[state]++
	}
	return nil
}

func readNames(path string) ([]string, error) {
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	return dir.Readdirnames(-1)
}

// unlessGone is nil for a process or thread that ended since it was listed.
func unlessGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// stat reads a process' state and its number of threads out of a line such as
// "1 (systemd) S 0 1 1 0 -1 4194560 9061 9416027 94 2620 36 98 54406 13885 20 0 1 0 29 ...". The name may hold anything,
// also spaces and parentheses.
func (c *processes) stat(path string) (state byte, threads int, err error) {
	line, err := c.read(path)
	if err != nil {
		return 0, 0, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	field, rest := scan.Field(line[bytes.LastIndexByte(line, ')')+1:])
	if len(field) != 1 || !bytes.Contains(line, []byte(")")) {
		return 0, 0, fmt.Errorf("%s: %q is not a state", path, field)
	}
	state = field[0]
	for range 17 {
		field, rest = scan.Field(rest)
	}
	n, ok := scan.Uint(field)
	if !ok || n > 1<<30 {
		return 0, 0, fmt.Errorf("%s: number of threads: %q is not a number", path, field)
	}
	return state, int(n), nil
}

// read is for files that are too many to hold: one call each to open, read and close. What it returns is valid until the
// next. The lines are shorter than the buffer and come at once.
func (c *processes) read(path string) ([]byte, error) {
	for {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, err
		}
		n, err := unix.Read(fd, c.buf)
		_ = unix.Close(fd)
		if !errors.Is(err, unix.EINTR) {
			return c.buf[:max(n, 0)], err
		}
	}
}

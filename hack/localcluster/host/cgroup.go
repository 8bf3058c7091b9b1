package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Cgroups is the machine's cgroup hierarchies: one for each controller (version 1), or the unified one (version 2). Where both
// are mounted, version 1's have the controllers, and runc makes its groups in all.
type Cgroups struct {
	mounts  []string // the hierarchies with controllers, that groups have to be made in
	all     []string // every hierarchy, that groups may be found in
	unified bool
}

// FindCgroups reads which hierarchies are mounted.
func FindCgroups() (Cgroups, error) {
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return Cgroups{}, err
	}
	return parseCgroups(string(text))
}

func parseCgroups(mounts string) (Cgroups, error) {
	var v1, v2 []string
	for line := range strings.Lines(mounts) {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		switch f[2] {
		case "cgroup":
			v1 = append(v1, f[1])
		case "cgroup2":
			v2 = append(v2, f[1])
		}
	}
	switch {
	case len(v1) > 0:
		slices.Sort(v1)
		return Cgroups{mounts: v1, all: slices.Concat(v1, v2)}, nil
	case len(v2) > 0:
		return Cgroups{mounts: v2[:1], all: v2[:1], unified: true}, nil
	}
	return Cgroups{}, errors.New("no cgroup file system is mounted")
}

// Make makes a group in every hierarchy. Nothing is put into it: that is the kubelet's.
func (c Cgroups) Make(group string) error {
	for _, mount := range c.mounts {
		dir := mount
		for part := range strings.SplitSeq(strings.Trim(group, "/"), "/") {
			parent := dir
			dir = filepath.Join(dir, part)
			if c.unified {
				// Not every kernel has every controller: each on its own.
				for _, controller := range []string{"+cpu", "+cpuset", "+memory", "+pids", "+io", "+hugetlb"} {
					_ = os.WriteFile(filepath.Join(parent, "cgroup.subtree_control"), []byte(controller), 0)
				}
			}
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			// A version 1 cpuset starts empty, and nothing can be put into it until it has both.
			for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
				if err := inherit(parent, dir, file); err != nil && !c.unified {
					return err
				}
			}
		}
	}
	return nil
}

func inherit(parent, dir, file string) error {
	has, err := os.ReadFile(filepath.Join(dir, file))
	if errors.Is(err, os.ErrNotExist) || strings.TrimSpace(string(has)) != "" {
		return nil // Another controller's hierarchy, or done.
	}
	value, err := os.ReadFile(filepath.Join(parent, file))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, file), value, 0)
}

// Tracking is the folder of a group in the one hierarchy that our own processes are put in, for nothing but to be found
// again. Not a hierarchy that limits anything: they stay under whatever limits the caller has.
func (c Cgroups) Tracking(group string) (string, error) {
	mount := c.mounts[0]
	for _, m := range c.mounts {
		if base := filepath.Base(m); base == "systemd" || base == "freezer" {
			mount = m
		}
	}
	dir := filepath.Join(mount, group)
	return dir, os.MkdirAll(dir, 0o755)
}

// Processes are the IDs of all processes in a group and in the groups below it, in any hierarchy.
func (c Cgroups) Processes(group string) []int {
	var pids []int
	for _, mount := range c.all {
		_ = filepath.WalkDir(filepath.Join(mount, group), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return fs.SkipDir // Groups go while we look: what is gone has no processes.
			}
			if !d.IsDir() {
				return nil
			}
			list, _ := os.ReadFile(filepath.Join(path, "cgroup.procs"))
			for _, field := range strings.Fields(string(list)) {
				if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
					pids = append(pids, pid)
				}
			}
			return nil
		})
	}
	slices.Sort(pids)
	return slices.Compact(pids)
}

// KillAll ends every process of a group, and waits until they are gone.
func (c Cgroups) KillAll(group string, timeout time.Duration) (killed int, err error) {
	seen := map[int]bool{}
	for deadline := time.Now().Add(timeout); ; time.Sleep(50 * time.Millisecond) {
		alive := 0
		for _, pid := range c.Processes(group) {
			// Ended but not waited for by its parent: nothing more can be done to it, and nothing need be.
			if _, err := find(pid); err != nil {
				continue
			}
			alive++
			seen[pid] = true
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return len(seen), err
			}
		}
		if alive == 0 {
			return len(seen), nil
		}
		if time.Now().After(deadline) {
			return len(seen), fmt.Errorf("%d processes of %s did not end", alive, group)
		}
	}
}

// Remove removes a group and all below it from every hierarchy.
func (c Cgroups) Remove(group string) error {
	var errs []error
	for _, mount := range c.all {
		errs = append(errs, removeGroup(filepath.Join(mount, group)))
	}
	return errors.Join(errs...)
}

// letGo is how long the kernel may take to let go of a group whose last process has just ended. One that held gigabytes takes seconds.
const letGo = 30 * time.Second

// removeGroup goes bottom up: a group is removed with rmdir, whose files can't be.
func removeGroup(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeGroup(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	for deadline := time.Now().Add(letGo); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err = syscall.Rmdir(dir); err == nil || errors.Is(err, syscall.ENOENT) {
			return nil
		}
		if !errors.Is(err, syscall.EBUSY) {
			break
		}
	}
	return &os.PathError{Op: "rmdir", Path: dir, Err: err}
}

// RemoveIfEmpty removes a group that has no groups left below it.
func (c Cgroups) RemoveIfEmpty(group string) {
	for _, mount := range c.all {
		_ = syscall.Rmdir(filepath.Join(mount, group)) // Refused if it is not empty, which is what is wanted.
	}
}

// Exists reports whether any hierarchy has the group.
func (c Cgroups) Exists(group string) bool {
	for _, mount := range c.all {
		if _, err := os.Stat(filepath.Join(mount, group)); err == nil {
			return true
		}
	}
	return false
}

package cluster

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// metered is how often the operator's CPU is read: one small file.
	metered = 50 * time.Millisecond
	// Somebody works on a write from leading before it is heard of until trailing after it.
	leading, trailing = 500 * time.Millisecond, time.Second
)

// meter reads the CPU that a pod on this machine uses from its cgroup: to the nanosecond, and without asking the pod, which
// would cost it more than some of what is measured.
type meter struct {
	file string

	mu       sync.Mutex
	readings []reading
}

type reading struct {
	at  time.Time
	cpu float64 // seconds so far
}

// share is a part of some time, and the CPU that was used in it, in seconds.
type share struct{ seconds, cpu float64 }

// newMeter reads until ctx ends or the pod does.
func newMeter(ctx context.Context, uid string) (*meter, error) {
	file, err := usageFile(uid)
	if err != nil {
		return nil, err
	}
	m := &meter{file: file}
	if _, err := m.read(); err != nil {
		return nil, err
	}
	go func() {
		for Sleep(ctx, metered) == nil {
			if _, err := m.read(); err != nil {
				return
			}
		}
	}()
	return m, nil
}

// usageFile is where the kernel counts: in the cgroup whose name has the pod's UID, which systemd writes with underscores.
func usageFile(uid string) (string, error) {
	for _, file := range []string{"/sys/fs/cgroup/cpuacct/cpuacct.usage", "/sys/fs/cgroup/cpu,cpuacct/cpuacct.usage", "/sys/fs/cgroup/cpu.stat"} {
		found := ""
		_ = filepath.WalkDir(filepath.Dir(file), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() && strings.Contains(strings.ReplaceAll(d.Name(), "_", "-"), "pod"+uid) {
				found = filepath.Join(path, filepath.Base(file))
				return filepath.SkipAll
			}
			return nil
		})
		if found != "" {
			return found, nil
		}
	}
	return "", fmt.Errorf("no cgroup of the pod %s: its cluster has to be on this machine", uid)
}

// read is what was used so far, in seconds.
func (m *meter) read() (float64, error) {
	m.mu.Lock() // already here, so that readings are kept in the order in which they were made
	defer m.mu.Unlock()
	text, err := os.ReadFile(m.file)
	if err != nil {
		return 0, err
	}
	count, unit := string(text), 1e9
	if usec, v2 := strings.CutPrefix(count, "usage_usec "); v2 {
		count, _, _ = strings.Cut(usec, "\n")
		unit = 1e6
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(count), 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", m.file, err)
	}
	m.readings = append(m.readings, reading{time.Now(), n / unit})
	return n / unit, nil
}

// split is what was used between two times: while somebody worked on what was written at these, in order, and in the rest.
func (m *meter) split(from, to time.Time, writes []time.Time) (worked, rest share) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := 1; i < len(m.readings); i++ {
		begin, end := m.readings[i-1], m.readings[i]
		if begin.at.Before(from) || end.at.After(to) {
			continue
		}
		for len(writes) > 0 && writes[0].Add(trailing).Before(begin.at) {
			writes = writes[1:]
		}
		s := &rest
		if len(writes) > 0 && !writes[0].Add(-leading).After(end.at) {
			s = &worked
		}
		s.seconds += end.at.Sub(begin.at).Seconds()
		s.cpu += end.cpu - begin.cpu
	}
	return worked, rest
}

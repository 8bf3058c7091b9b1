package collector

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type filesystem struct {
	tally
	host               Host
	log                *slog.Logger
	mountPoints, types filter
	timeout            time.Duration

	table  *held.File
	read   []byte   // what the table said when mounts were made of it
	mounts []*mount // those that are not left out

	asking mountAsker
	stuck  map[string]bool // the mount points that did not answer the last time

	size, free, avail, files, filesFree, purgeable, readonly, deviceError, mountInfo *text.Family
}

func declareFilesystem(flags *flag.FlagSet) factory {
	mountPoints := declareFilter(flags, "filesystem.mount-points", "mount points",
		`^/(dev|proc|run/(credentials|containerd|docker|k3s/containerd|netns)/.+|sys|var/lib/(docker|containerd|containers/storage|kubelet/(pods|plugins))/.+)($|/)`)
	mountPoints.old(flags, "", "filesystem.ignored-mount-points")
	types := declareFilter(flags, "filesystem.fs-types", "filesystem types",
		`^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs)$`)
	types.old(flags, "", "filesystem.ignored-fs-types")
	flags.Int("collector.filesystem.stat-workers", 4, "Without effect: a mount that does not answer gets a worker of its own, the rest need one.")
	timeout := flags.Duration("collector.filesystem.mount-timeout", 5*time.Second, "How long to wait for a mount to respond before marking it as stale; never longer than the collector has.")
	return func(h Host, log *slog.Logger) (Collector, error) {
		c := newFilesystem(h, log)
		c.timeout = *timeout
		var err error
		if c.mountPoints, err = mountPoints.compile(); err != nil {
			return nil, err
		}
		if c.types, err = types.compile(); err != nil {
			return nil, err
		}
		return c, nil
	}
}

func newFilesystem(h Host, log *slog.Logger) *filesystem {
	mount := func(name, help string) *text.Family {
		return text.Gauge("node_filesystem_"+name, help, "device", "mountpoint", "fstype", "device_error")
	}
	return &filesystem{
		host: h, log: log, table: h.initFile("mountinfo"), asking: mountAsker{statfs: statfs}, stuck: map[string]bool{},
		size:        mount("size_bytes", "Filesystem size in bytes."),
		free:        mount("free_bytes", "Filesystem free space in bytes."),
		avail:       mount("avail_bytes", "Filesystem space available to non-root users in bytes."),
		files:       mount("files", "Filesystem total file nodes."),
		filesFree:   mount("files_free", "Filesystem total free file nodes."),
		purgeable:   mount("purgeable_bytes", "Filesystem space available including purgeable space (MacOS specific)."),
		readonly:    mount("readonly", "Filesystem read-only status."),
		deviceError: mount("device_error", "Whether an error occurred while getting statistics for the given device."),
		mountInfo:   text.Gauge("node_filesystem_mount_info", "Filesystem mount information.", "device", "major", "minor", "mountpoint"),
	}
}

func (c *filesystem) Families() []*text.Family {
	return []*text.Family{c.size, c.free, c.avail, c.files, c.filesFree, c.purgeable, c.readonly, c.deviceError, c.mountInfo}
}

func (c *filesystem) Update(ctx context.Context) error {
	if err := c.readMounts(); err != nil {
		return err
	}
	patience := c.timeout
	if end, ok := ctx.Deadline(); ok { // there must be time left to say which mounts kept silent
		patience = min(patience, time.Until(end)*4/5)
	}
	answers := c.asking.ask(c.mounts, patience)
	silent := 0
	for i, m := range c.mounts {
		if errors.Is(answers[i].err, errOverdue) {
			silent++
		}
		c.add(m, answers[i])
	}
	if silent > 0 || len(c.stuck) > 0 {
		c.noteStuck(answers)
	}
	return nil
}

func statfs(path string) (unix.Statfs_t, error) {
	var stat unix.Statfs_t
	for {
		if err := unix.Statfs(path, &stat); !errors.Is(err, unix.EINTR) {
			return stat, err
		}
	}
}

func (c *filesystem) add(m *mount, a answer) {
	readonly := 0.0
	if m.readonly {
		readonly = 1
	}
	if a.err != nil {
		problem := a.err.Error()
		if errors.Is(a.err, errOverdue) {
			problem = "mountpoint timeout"
		}
		c.deviceError.Add(1, m.device, m.point, m.kind, problem)
		c.readonly.Add(readonly, m.device, m.point, m.kind, problem)
		return
	}
	block := float64(a.stat.Bsize)
	c.deviceError.Put(0, m.labels)
	c.readonly.Put(readonly, m.labels)
	c.size.Put(float64(a.stat.Blocks)*block, m.labels)
	c.free.Put(float64(a.stat.Bfree)*block, m.labels)
	c.avail.Put(float64(a.stat.Bavail)*block, m.labels)
	c.files.Put(float64(a.stat.Files), m.labels)
	c.filesFree.Put(float64(a.stat.Ffree), m.labels)
	c.purgeable.Put(0, m.labels) // no file system of Linux has any, and node_exporter says so
	c.mountInfo.Put(1, m.info)
}

// noteStuck logs which mounts fell silent and which answer again, each once.
func (c *filesystem) noteStuck(answers []answer) {
	stuck := map[string]bool{}
	for i, m := range c.mounts {
		if !errors.Is(answers[i].err, errOverdue) {
			continue
		}
		stuck[m.point] = true
		if !c.stuck[m.point] {
			c.log.Warn("mount does not answer, it is left out until it does", "mountpoint", m.point)
		}
	}
	for point := range c.stuck {
		if !stuck[point] {
			c.log.Info("mount answers again, or is gone", "mountpoint", point)
		}
	}
	c.stuck = stuck
}

// readMounts reads the mounts of process 1, so the host's and not the pod's. The table is long and seldom changes: it is
// read when the kernel says that it did, and parsed when it says something new.
func (c *filesystem) readMounts() error {
	if !c.table.Changed() && c.read != nil {
		return nil
	}
	b, err := c.table.Lines()
	if err != nil {
		c.read = nil
		return err
	}
	if c.read != nil && bytes.Equal(b, c.read) {
		return nil
	}
	mounts, err := parseMounts(b, c.host.Root)
	if err != nil {
		return fmt.Errorf("%s: %w", c.table.Path(), err)
	}
	c.mounts, c.left = c.mounts[:0], 0
	for _, m := range mounts {
		if c.mountPoints.drops(m.point) || c.types.drops(m.kind) {
			c.left++
			continue
		}
		m.path = filepath.Join(c.host.Root, m.point)
		m.labels = c.size.Labels(m.device, m.point, m.kind, "")
		m.info = c.mountInfo.Labels(m.device, m.major, m.minor, m.point)
		c.mounts = append(c.mounts, m)
	}
	c.read = append(c.read[:0], b...)
	return nil
}

package collector

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

type filesystem struct {
	host               Host
	log                *slog.Logger
	procfs             procfs.FS
	mountPoints, types filter
	timeout            time.Duration

	asked  flights[unix.Statfs_t] // by mount point
	stuck  map[string]bool        // the mount points that did not answer the last time
	statfs func(path string) (unix.Statfs_t, error)

	size, free, avail, files, filesFree, purgeable, readonly, deviceError, mountInfo family
}

func declareFilesystem(flags *flag.FlagSet) factory {
	mountPoints := declareFilter(flags, "filesystem.mount-points", "mount points",
		`^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)`)
	types := declareFilter(flags, "filesystem.fs-types", "filesystem types",
		`^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs)$`)
	timeout := flags.Duration("collector.filesystem.mount-timeout", 5*time.Second, "How long to wait for a mount to respond before marking it as stale; never longer than the collector has.")
	return func(h Host, log *slog.Logger) (Collector, error) {
		proc, err := procfs.NewFS(h.Proc)
		if err != nil {
			return nil, fmt.Errorf("open procfs: %w", err)
		}
		c := newFilesystem(h, log)
		c.procfs, c.timeout = proc, *timeout
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
	mount := func(name, help string) family {
		return gauge("node_filesystem_"+name, help, "device", "mountpoint", "fstype", "device_error")
	}
	return &filesystem{
		host: h, log: log, statfs: statfs, stuck: map[string]bool{},
		size:        mount("size_bytes", "Filesystem size in bytes."),
		free:        mount("free_bytes", "Filesystem free space in bytes."),
		avail:       mount("avail_bytes", "Filesystem space available to non-root users in bytes."),
		files:       mount("files", "Filesystem total file nodes."),
		filesFree:   mount("files_free", "Filesystem total free file nodes."),
		purgeable:   mount("purgeable_bytes", "Filesystem space available including purgeable space (MacOS specific)."),
		readonly:    mount("readonly", "Filesystem read-only status."),
		deviceError: mount("device_error", "Whether an error occurred while getting statistics for the given device."),
		mountInfo:   gauge("node_filesystem_mount_info", "Filesystem mount information.", "device", "major", "minor", "mountpoint"),
	}
}

func (c *filesystem) Describe(ch chan<- *prometheus.Desc) {
	describe(ch, c.size, c.free, c.avail, c.files, c.filesFree, c.purgeable, c.readonly, c.deviceError, c.mountInfo)
}

func (c *filesystem) Collect(ctx context.Context, ch chan<- prometheus.Metric) error {
	mounts, err := c.mounts()
	if err != nil {
		return err
	}
	calls := c.ask(ctx, mounts)
	stuck := map[string]bool{}
	for i, m := range mounts {
		stat, err := calls[i].wait(ctx)
		if errors.Is(err, errOverdue) {
			stuck[m.point] = true
		}
		c.send(ch, m, stat, err)
	}
	c.noteStuck(stuck)
	return nil
}

// ask starts a statfs for each mount. Each has a moment to itself, which is more than a healthy one needs, so that a
// thousand of them don't take a thousand threads; those that need longer go on side by side. All share one deadline, set
// before the collector's own so that there is time to say which mounts kept silent.
func (c *filesystem) ask(ctx context.Context, mounts []mount) []*flight[unix.Statfs_t] {
	const moment = 2 * time.Millisecond
	patience := c.timeout
	if end, ok := ctx.Deadline(); ok {
		patience = min(patience, time.Until(end)*4/5)
	}
	deadline := time.Now().Add(patience)

	calls := make([]*flight[unix.Statfs_t], len(mounts))
	for i, m := range mounts {
		path := filepath.Join(c.host.Root, m.point)
		calls[i] = c.asked.start(m.point, deadline, func() (unix.Statfs_t, error) { return c.statfs(path) })
		if calls[i].overdue() {
			continue
		}
		select {
		case <-calls[i].done:
		case <-time.After(moment):
		}
	}
	return calls
}

func statfs(path string) (unix.Statfs_t, error) {
	var stat unix.Statfs_t
	for {
		if err := unix.Statfs(path, &stat); !errors.Is(err, unix.EINTR) {
			return stat, err
		}
	}
}

func (c *filesystem) send(ch chan<- prometheus.Metric, m mount, stat unix.Statfs_t, err error) {
	labels := func(problem string) []string { return []string{m.device, m.point, m.kind, problem} }
	readonly := 0.0
	if m.readonly {
		readonly = 1
	}
	if err != nil {
		problem := err.Error()
		if errors.Is(err, errOverdue) {
			problem = "mountpoint timeout"
		}
		c.deviceError.send(ch, 1, labels(problem)...)
		c.readonly.send(ch, readonly, labels(problem)...)
		return
	}
	block := float64(stat.Bsize)
	c.deviceError.send(ch, 0, labels("")...)
	c.readonly.send(ch, readonly, labels("")...)
	c.size.send(ch, float64(stat.Blocks)*block, labels("")...)
	c.free.send(ch, float64(stat.Bfree)*block, labels("")...)
	c.avail.send(ch, float64(stat.Bavail)*block, labels("")...)
	c.files.send(ch, float64(stat.Files), labels("")...)
	c.filesFree.send(ch, float64(stat.Ffree), labels("")...)
	c.purgeable.send(ch, 0, labels("")...) // no file system of Linux has any, and node_exporter says so
	c.mountInfo.send(ch, 1, m.device, m.major, m.minor, m.point)
}

// noteStuck logs which mounts fell silent and which answer again, each once.
func (c *filesystem) noteStuck(stuck map[string]bool) {
	for point := range stuck {
		if !c.stuck[point] {
			c.log.Warn("mount does not answer, it is left out until it does", "mountpoint", point)
		}
	}
	for point := range c.stuck {
		if !stuck[point] {
			c.log.Info("mount answers again, or is gone", "mountpoint", point)
		}
	}
	c.stuck = stuck
}

type mount struct {
	device, point, kind, major, minor string
	readonly                          bool
}

// mounts are those of process 1, so the host's and not the pod's. Only where /proc is our own, and hides process 1 from
// us (hidepid), are our own as good.
func (c *filesystem) mounts() ([]mount, error) {
	path := c.host.proc("1/mountinfo")
	infos, err := c.procfs.GetProcMounts(1)
	if errors.Is(err, fs.ErrNotExist) && c.host.ownProc() {
		path = c.host.proc("self/mountinfo")
		infos, err = c.procfs.GetMounts()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(infos) == 0 {
		return nil, fmt.Errorf("%s: empty", path)
	}
	mounts, err := parseMounts(infos, c.host.Root)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	kept := mounts[:0]
	for _, m := range mounts {
		if !c.mountPoints.drops(m.point) && !c.types.drops(m.kind) {
			kept = append(kept, m)
		}
	}
	return kept, nil
}

// parseMounts turns mountinfo's lines into mounts. What is mounted twice in the same place from the same device is one.
func parseMounts(infos []*procfs.MountInfo, root string) ([]mount, error) {
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	type key struct{ device, point, kind string }
	seen := map[key]bool{}
	var mounts []mount
	for _, info := range infos {
		var major, minor uint32
		if _, err := fmt.Sscanf(info.MajorMinorVer, "%d:%d", &major, &minor); err != nil {
			return nil, fmt.Errorf("mount %d: %q is not a device number", info.MountID, info.MajorMinorVer)
		}
		m := mount{
			device: info.Source, kind: info.FSType,
			point:    stripRoot(root, unescape.Replace(info.MountPoint)),
			major:    fmt.Sprint(major),
			minor:    fmt.Sprint(minor),
			readonly: has(info.Options, "ro") || has(info.SuperOptions, "ro") || has(info.SuperOptions, "emergency_ro"),
		}
		if k := (key{m.device, m.point, m.kind}); !seen[k] {
			seen[k] = true
			mounts = append(mounts, m)
		}
	}
	return mounts, nil
}

// stripRoot takes the place where the host's root is mounted off a mount point, which starts with it if what was read
// is the mount table of a container that has the host's root mounted.
func stripRoot(root, point string) string {
	root = filepath.Clean(root)
	if rest, ok := strings.CutPrefix(point, root); ok && root != "/" {
		switch {
		case rest == "":
			return "/"
		case rest[0] == '/':
			return rest
		}
	}
	return point
}

func has(options map[string]string, name string) bool {
	_, ok := options[name]
	return ok
}

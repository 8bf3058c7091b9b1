package collector

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/hearth-monitoring/hearth/exporter/held"
)

// Host is where the host's file systems are: the usual places for a process on the host, read-only mounts for a pod.
type Host struct {
	Proc, Sys, Root, Udev string

	room *held.Room
	stat *statReader
}

func (h *Host) declare(flags *flag.FlagSet) {
	flags.StringVar(&h.Proc, "path.procfs", "/proc", "procfs mountpoint.")
	flags.StringVar(&h.Sys, "path.sysfs", "/sys", "sysfs mountpoint.")
	flags.StringVar(&h.Root, "path.rootfs", "/", "rootfs mountpoint.")
	flags.StringVar(&h.Udev, "path.udev.data", "/run/udev/data", "udev data path.")
}

func (h Host) proc(elem ...string) string { return filepath.Join(append([]string{h.Proc}, elem...)...) }
func (h Host) sys(elem ...string) string  { return filepath.Join(append([]string{h.Sys}, elem...)...) }

// mounted says whether the host's root is somewhere below ours, so that this process lives in namespaces of its own.
func (h Host) mounted() bool { return filepath.Clean(h.Root) != "/" }

// ownProc says whether procfs is this process's own. Only then do its self/ entries stand in for process 1's: through a
// mounted procfs they would be the pod's and not the host's.
func (h Host) ownProc() bool { return filepath.Clean(h.Proc) == "/proc" }

// readRoot reads a file of the host's root the way the host would: absolute symbolic links, as /etc/localtime usually
// is, lead to the host's files and not to the container's.
func (h Host) readRoot(name string) ([]byte, error) {
	if !h.mounted() {
		return os.ReadFile(filepath.Join("/", name))
	}
	root, err := os.Open(h.Root)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()

	path := filepath.Join(h.Root, name)
	fd, err := unix.Openat2(int(root.Fd()), name, &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT,
	})
	if errors.Is(err, unix.ENOSYS) { // before Linux 5.6
		return os.ReadFile(path)
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	file := os.NewFile(uintptr(fd), path)
	defer func() { _ = file.Close() }()
	return io.ReadAll(file)
}

// procFile is a file below the host's /proc, held open between scrapes. Paths below net/ are for initFile.
func (h Host) procFile(elem ...string) *held.File { return held.Proc(h.room, h.proc(elem...)) }

// sysFile is a file below the host's /sys, held open between scrapes.
func (h Host) sysFile(elem ...string) *held.File { return held.Sys(h.room, h.sys(elem...)) }

// initFile is a file of process 1, whose network and mounts are the host's: /proc/net is a link to self/net and so the
// reader's, in a pod the pod's own, also through the host's /proc. Netlink answers for the reader's network too. Only
// where /proc is our own, and hides process 1 from us (hidepid), is self as good.
func (h Host) initFile(elem string) *held.File {
	path := h.proc("1", elem)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && h.ownProc() {
		path = h.proc("self", elem)
	}
	return held.Proc(h.room, path)
}

// check says early, and by its flag, that a path is wrong.
func (h Host) check() error {
	for flag, path := range map[string]string{"procfs": h.Proc, "sysfs": h.Sys} {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("--path.%s: %w", flag, err)
		}
	}
	return nil
}

// roomFor is how many files may be held: half of the descriptors we may have, the rest is for connections and for files
// that are read once; and no more than 500 interfaces need, since each costs the kernel a page.
func roomFor() int {
	const enough = 8192
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 128
	}
	return int(min(limit.Cur/2, enough))
}

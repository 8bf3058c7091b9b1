package collector

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Host is where the host's file systems are: the usual places for a process on the host, read-only mounts for a pod.
type Host struct {
	Proc, Sys, Root, Udev string
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

// readWhole reads a file of lines and refuses one that was cut off: the kernel ends each of these with a newline.
func readWhole(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, fmt.Errorf("%s: empty", path)
	}
	if !bytes.HasSuffix(b, []byte("\n")) {
		return nil, fmt.Errorf("%s: truncated: its last line has no end", path)
	}
	return b, nil
}

// readUint reads a sysfs file that holds one number.
func readUint(path string) (uint64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}

// parseUints turns fields into numbers; the error names the field that is none.
func parseUints(fields []string) ([]uint64, error) {
	values := make([]uint64, len(fields))
	for i, f := range fields {
		v, err := strconv.ParseUint(f, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a number", f)
		}
		values[i] = v
	}
	return values, nil
}

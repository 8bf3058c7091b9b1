// Package held reads the kernel's files at the least cost: each is opened once and then read again and again from its
// start, one system call a read, into a buffer that is kept. Opening, closing and what Go's runtime does to watch a
// descriptor are three quarters of what os.ReadFile costs for a file of /proc or /sys.
//
// It notices by itself when a file must be opened anew: its device went away (ENODEV, also if one of the same name came
// back), its process ended (ESRCH), its server forgot it (ESTALE). Files that are not the kernel's are replaced by
// renaming; those are held only for as long as they have their name.
package held

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/hearth-monitoring/hearth/exporter/scan"
)

// Room is how many files may be held. A file beyond it is opened and closed at each read. Each held file of sysfs costs a
// page of kernel memory, so it is bounded also where descriptors are plenty.
type Room struct{ left atomic.Int64 }

// NewRoom has room for n files. A nil Room has room for all.
func NewRoom(n int) *Room {
	r := &Room{}
	r.left.Store(int64(n))
	return r
}

func (r *Room) enter() bool {
	if r == nil || r.left.Add(-1) >= 0 {
		return true
	}
	r.left.Add(1)
	return false
}

func (r *Room) leave() {
	if r != nil {
		r.left.Add(1)
	}
}

// A File is a path and, once it was read, the open file there. It is for one reader at a time.
type File struct {
	path string
	room *Room
	kind kind
	fd   int // -1 when it is not open
	held bool
	buf  []byte
	lost runtime.Cleanup // closes a held file that nobody has any more

	opened int // times
}

type kind int

const (
	proc  kind = iota // a read may bring a part, and only a read that brings nothing is the end
	sys               // a read brings all there is
	plain             // as sys, but others may rename a file over it
)

// Proc is the file at path, which is /proc's. Nothing is opened before the first read.
func Proc(room *Room, path string) *File { return &File{path: path, room: room, fd: -1, kind: proc} }

// Sys is the file at path, which is /sys's: one value, never more than a page.
func Sys(room *Room, path string) *File { return &File{path: path, room: room, fd: -1, kind: sys} }

// Plain is the file at path, which is on any other file system.
func Plain(room *Room, path string) *File { return &File{path: path, room: room, fd: -1, kind: plain} }

// Path of the file, for errors.
func (f *File) Path() string { return f.path }

// Read returns the file's whole content, which is valid until the next Read.
func (f *File) Read() ([]byte, error) {
	if f.fd >= 0 && f.kind == plain && f.replaced() {
		f.Close()
	}
	old := f.fd >= 0
	n, err := f.readOnce()
	if old && gone(err) { // what was held is gone, and what bears its name now is to be read
		n, err = f.readOnce()
	}
	if err != nil {
		return nil, err
	}
	return f.buf[:n], nil
}

// readOnce reads from the file that is open, or opens it. Many a driver answers with an error for as long as it lives: then
// the file stays open.
func (f *File) readOnce() (int, error) {
	if f.fd < 0 {
		if err := f.open(); err != nil {
			return 0, f.failed("open", err)
		}
	}
	n, err := f.fill()
	runtime.KeepAlive(f)
	if !f.held || gone(err) {
		f.Close()
	}
	if err != nil {
		return 0, f.failed("read", err)
	}
	return n, nil
}

func gone(err error) bool {
	return errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ESTALE) || errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENXIO)
}

func (f *File) failed(op string, err error) error {
	return &fs.PathError{Op: op, Path: f.path, Err: err}
}

// open opens the file without Go's poller, which has no use for files.
func (f *File) open() error {
	fd, err := retry(func() (int, error) { return unix.Open(f.path, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return err
	}
	f.fd, f.held = fd, f.room.enter()
	if f.held {
		f.lost = closeWhenLost(f, fd)
	}
	f.opened++
	return nil
}

// closeWhenLost closes a descriptor when the garbage collector finds that nobody has what it belongs to any more. So a
// collector needs no end: what replaced it at a reload does not know whether it is still stuck in one of its files.
func closeWhenLost[T any](of *T, fd int) runtime.Cleanup {
	return runtime.AddCleanup(of, func(fd int) { _ = unix.Close(fd) }, fd)
}

// replaced says whether the open file lost its name, which is what happens to one that another is renamed over.
func (f *File) replaced() bool {
	var stat unix.Stat_t
	err := unix.Fstat(f.fd, &stat)
	return err != nil || stat.Nlink == 0
}

// fill reads into the buffer until the end, and makes it larger where there is more.
func (f *File) fill() (int, error) {
	if f.buf == nil {
		f.buf = make([]byte, 64)
	}
	n := 0
	for {
		if n == len(f.buf) {
			f.buf = append(f.buf, make([]byte, max(len(f.buf), 448))...)
		}
		got, err := unix.Pread(f.fd, f.buf[n:], int64(n))
		if errors.Is(err, unix.ESPIPE) { // no file at all: it can be read once
			f.lost.Stop()
			f.release()
			got, err = unix.Read(f.fd, f.buf[n:])
		}
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return 0, err
		}
		n += got
		if got == 0 || n < len(f.buf) && f.kind != proc {
			return n, nil
		}
	}
}

// retry calls fn again when a signal, such as the runtime's own, interrupted it.
func retry(fn func() (int, error)) (int, error) {
	for {
		n, err := fn()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// Close lets go of the open file. Reading it again opens it again.
func (f *File) Close() {
	if f.fd < 0 {
		return
	}
	f.lost.Stop()
	_ = unix.Close(f.fd)
	f.fd = -1
	f.release()
}

// release gives the file's place in the room to another.
func (f *File) release() {
	if f.held {
		f.room.leave()
	}
	f.held = false
}

// Opened is how often the file was opened: another number than before may be another file, or the same where there is
// no room to hold it.
func (f *File) Opened() int { return f.opened }

// Lines reads a file of lines and refuses one that is empty or was cut off: the kernel ends each line with a newline.
func (f *File) Lines() ([]byte, error) {
	b, err := f.Read()
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, fmt.Errorf("%s: empty", f.path)
	}
	if b[len(b)-1] != '\n' {
		return nil, fmt.Errorf("%s: truncated: its last line has no end", f.path)
	}
	return b, nil
}

// Text reads a file that holds one text, without the space around it.
func (f *File) Text() ([]byte, error) {
	b, err := f.Read()
	return bytes.TrimSpace(b), err
}

// Uint reads a file that holds one number.
func (f *File) Uint() (uint64, error) {
	b, err := f.Text()
	if err != nil {
		return 0, err
	}
	v, ok := scan.Uint(b)
	if !ok {
		return 0, f.notNumber(b)
	}
	return v, nil
}

// Number reads a file that holds one number, which may have a sign or be hexadecimal.
func (f *File) Number() (float64, error) {
	b, err := f.Text()
	if err != nil {
		return 0, err
	}
	v, ok := scan.Number(b)
	if !ok {
		return 0, f.notNumber(b)
	}
	return v, nil
}

func (f *File) notNumber(b []byte) error {
	return fmt.Errorf("%s: %s is not a number", f.path, strconv.Quote(string(b[:min(len(b), 40)])))
}

// Changed says whether a file of the kind that can be waited for, as mountinfo is, may have changed since the last call.
// It is true whenever that can't be known.
func (f *File) Changed() bool {
	var stat unix.Statfs_t
	if f.fd < 0 || unix.Fstatfs(f.fd, &stat) != nil || stat.Type != unix.PROC_SUPER_MAGIC {
		return true
	}
	fds := []unix.PollFd{{Fd: int32(f.fd), Events: unix.POLLPRI}}
	n, err := unix.Poll(fds, 0)
	return err != nil || n > 0 && fds[0].Revents&(unix.POLLPRI|unix.POLLERR|unix.POLLNVAL) != 0
}

// Absent says that err means there is no such file, or that it has nothing to say: the usual ways in which one kernel or
// device has less than another. It is not an error of the collector's.
func Absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EOPNOTSUPP) ||
		gone(err)
}

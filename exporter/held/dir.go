package held

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"
)

// A Dir is a directory that is listed again and again, such as /sys/class/net. It is for one reader at a time.
type Dir struct {
	path  string
	fd    int
	lost  runtime.Cleanup // closes one that nobody has any more
	buf   []byte
	names [][]byte
	text  []byte // what names are cut out of
}

// NewDir is the directory at path. Nothing is opened before the first listing.
func NewDir(path string) *Dir { return &Dir{path: path, fd: -1} }

// Path of the directory.
func (d *Dir) Path() string { return d.path }

// Names lists the directory, sorted. They are valid until the next listing.
func (d *Dir) Names() ([][]byte, error) {
	if err := d.rewind(); err != nil {
		return nil, &fs.PathError{Op: "open", Path: d.path, Err: err}
	}
	if d.buf == nil {
		d.buf = make([]byte, 8<<10)
	}
	d.text = d.text[:0]
	for {
		n, err := unix.Getdents(d.fd, d.buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			d.Close()
			return nil, &fs.PathError{Op: "readdir", Path: d.path, Err: err}
		}
		if n <= 0 {
			return d.cut(), nil
		}
		d.text = appendNames(d.text, d.buf[:n])
	}
}

// rewind goes back to the start, or opens the directory if it isn't open or was replaced.
func (d *Dir) rewind() error {
	if d.fd >= 0 {
		var stat unix.Stat_t
		if err := unix.Fstat(d.fd, &stat); err == nil && stat.Nlink > 0 {
			if _, err := unix.Seek(d.fd, 0, 0); err == nil {
				return nil
			}
		}
		d.Close()
	}
	fd, err := retry(func() (int, error) {
		return unix.Open(d.path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return err
	}
	d.fd, d.lost = fd, closeWhenLost(d, fd)
	return nil
}

// appendNames appends the names in a buffer of directory entries (struct linux_dirent64), each with a zero at its end.
func appendNames(text, entries []byte) []byte {
	const lengthAt, nameAt = 16, 19
	for len(entries) > nameAt {
		length := int(binary.NativeEndian.Uint16(entries[lengthAt:]))
		if length <= nameAt || length > len(entries) {
			break
		}
		name := entries[nameAt:length]
		name = name[:max(bytes.IndexByte(name, 0), 0)]
		if len(name) > 0 && string(name) != "." && string(name) != ".." {
			text = append(append(text, name...), 0)
		}
		entries = entries[length:]
	}
	return text
}

func (d *Dir) cut() [][]byte {
	d.names = d.names[:0]
	for rest := d.text; len(rest) > 0; {
		end := bytes.IndexByte(rest, 0)
		d.names = append(d.names, rest[:end:end])
		rest = rest[end+1:]
	}
	slices.SortFunc(d.names, bytes.Compare)
	return d.names
}

// Close lets go of the directory. Listing it again opens it again.
func (d *Dir) Close() {
	if d.fd >= 0 {
		d.lost.Stop()
		_ = unix.Close(d.fd)
		d.fd = -1
	}
}

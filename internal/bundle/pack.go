package bundle

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
)

const (
	// MaxFiles bounds the files in a part.
	MaxFiles = 100_000
	// MaxUnpacked bounds a part's files together, in bytes, so that a small archive cannot fill a disk.
	MaxUnpacked = 64 << 20

	maxPath = 1024
	maxName = 255
)

// Pack makes the archive of files, by path. The same files always give the same bytes.
func Pack(files map[string][]byte) ([]byte, error) { return new(archiver).pack(files) }

// archiver packs one archive after the other with one working memory, which is dear to make. The zero value is ready.
type archiver struct{ zip *gzip.Writer }

func (a *archiver) pack(files map[string][]byte) ([]byte, error) {
	if err := checkFiles(files); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	// gzip's header stays empty: a name or time in it would make equal contents differ.
	if a.zip == nil {
		// The fastest level, as an edit waits for it. It is one that exists, and that is all NewWriterLevel asks.
		a.zip, _ = gzip.NewWriterLevel(&out, gzip.BestSpeed)
	} else {
		a.zip.Reset(&out)
	}
	archive := tar.NewWriter(a.zip)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(files[name]))}
		if err := archive.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("pack %q: %w", name, err)
		}
		if _, err := archive.Write(files[name]); err != nil {
			return nil, fmt.Errorf("pack %q: %w", name, err)
		}
	}
	if err := errors.Join(archive.Close(), a.zip.Close()); err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	return bytes.Clone(out.Bytes()), nil
}

// Unpack is the inverse of Pack. It refuses whatever Pack would not have written, and more than MaxFiles or MaxUnpacked.
func Unpack(data []byte) (map[string][]byte, error) {
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	// One byte more than allowed, so that reaching it can be told from an archive that just fits. Headers count too.
	limited := &io.LimitedReader{R: zip, N: MaxUnpacked + 1}
	archive := tar.NewReader(limited)
	files := map[string][]byte{}
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, unpackError(limited, err)
		}
		if err := checkEntry(h, files); err != nil {
			return nil, err
		}
		if files[h.Name], err = io.ReadAll(archive); err != nil {
			return nil, unpackError(limited, err)
		}
	}
	if limited.N <= 0 {
		return nil, unpackError(limited, nil)
	}
	// The rest of the stream is read for gzip's own checksum.
	if _, err := io.Copy(io.Discard, limited); err != nil || limited.N <= 0 {
		return nil, unpackError(limited, err)
	}
	return files, checkTree(files)
}

func unpackError(limited *io.LimitedReader, err error) error {
	if limited.N <= 0 {
		return fmt.Errorf("unpack: more than %d bytes", MaxUnpacked)
	}
	return fmt.Errorf("unpack: %w", err)
}

func checkEntry(h *tar.Header, files map[string][]byte) error {
	if h.Typeflag != tar.TypeReg {
		return fmt.Errorf("unpack: %q is not a regular file", h.Name)
	}
	if err := checkPath(h.Name); err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	if _, ok := files[h.Name]; ok {
		return fmt.Errorf("unpack: %q is there twice", h.Name)
	}
	if len(files) == MaxFiles {
		return fmt.Errorf("unpack: more than %d files", MaxFiles)
	}
	return nil
}

func checkFiles(files map[string][]byte) error {
	if len(files) > MaxFiles {
		return fmt.Errorf("pack: %d files, more than %d: %w", len(files), MaxFiles, errTooLarge)
	}
	// tar puts 512 bytes before each file (three times that for a long name), fills up its last block and ends with two.
	total := 1024
	for name, data := range files {
		if err := checkPath(name); err != nil {
			return fmt.Errorf("pack: %w", err)
		}
		total += len(data) + 512*4 + len(name)
	}
	if total > MaxUnpacked {
		return fmt.Errorf("pack: %d bytes in %d files, more than %d: %w", total, len(files), MaxUnpacked, errTooLarge)
	}
	return checkTree(files)
}

// checkPath lets through clean relative paths. Hidden names are refused because the reloader keeps its own notes in one.
func checkPath(name string) error {
	if !fs.ValidPath(name) || name == "." || len(name) > maxPath {
		return fmt.Errorf("%q is not a clean relative path", name)
	}
	for element := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(element, ".") || len(element) > maxName {
			return fmt.Errorf("%q has an element that is hidden or too long", name)
		}
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }) {
		return fmt.Errorf("%q has a control character or backslash", name)
	}
	return nil
}

// checkTree refuses a name that is a file and a directory at once.
func checkTree(files map[string][]byte) error {
	for name := range files {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if _, ok := files[dir]; ok {
				return fmt.Errorf("%q is a file and the directory of %q", dir, name)
			}
		}
	}
	return nil
}

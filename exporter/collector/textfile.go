package collector

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hearth-monitoring/hearth/exporter/text"
)

// textfile says what others left for it in files: NAME.prom in a directory, in the text format. What it read it keeps
// until a file changes, so that a scrape of unchanged files costs a stat each.
type textfile struct {
	globs  []string
	mtime  *text.Family
	failed [2]*text.Family // what is said of no failure and of one

	before []textfileStamp // of the files that the rest was made of
	fresh  time.Time       // when
	mtimes []textfileTime
	read   *textfileContent

	said atomic.Pointer[textfileContent] // of the last run that is over
}

// A textfileStamp changes when a file does.
type textfileStamp struct {
	path              string
	device, inode     uint64
	size              int64
	modified, changed time.Time
	err               string // why it can't be read
}

type textfileTime struct {
	label text.Labels
	at    time.Time
}

func declareTextfile(flags *flag.FlagSet) factory {
	var globs stringsFlag
	flags.Var(&globs, "collector.textfile.directory", "Directory to read text files with metrics from, supports glob matching. (repeatable)")
	return func(Host, *slog.Logger) (Collector, error) {
		c := &textfile{
			globs: globs,
			mtime: text.Gauge("node_textfile_mtime_seconds", "Unixtime mtime of textfiles successfully read.", "file"),
		}
		for i := range c.failed {
			c.failed[i] = text.Gauge("node_textfile_scrape_error", "1 if there was an error opening or reading a file, 0 otherwise")
			c.failed[i].Add(float64(i))
		}
		return c, nil
	}
}

func (c *textfile) Families() []*text.Family { return []*text.Family{c.mtime} }

func (c *textfile) Update(context.Context) error {
	if stamps := c.list(); !c.same(stamps) {
		c.before, c.fresh = stamps, time.Now()
		c.readAll()
	}
	for _, m := range c.mtimes {
		c.mtime.Put(float64(m.at.Unix()), m.label)
	}
	c.said.Store(c.read)
	return c.read.err
}

// list finds the files, and what they look like before they are read. Directories may be given twice, a pattern and one
// that it matches; their files are there once.
func (c *textfile) list() []textfileStamp {
	var stamps []textfileStamp
	for _, glob := range c.globs {
		if glob == "" { // node_exporter's default
			continue
		}
		dirs, err := filepath.Glob(glob)
		if err != nil || len(dirs) == 0 { // no pattern, or nothing there: the directory itself says why
			dirs = []string{glob}
		}
		for _, dir := range dirs {
			for _, stamp := range stampDir(dir) {
				if !slices.ContainsFunc(stamps, func(s textfileStamp) bool { return s.path == stamp.path }) {
					stamps = append(stamps, stamp)
				}
			}
		}
	}
	return stamps
}

func stampDir(dir string) []textfileStamp {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return []textfileStamp{{path: dir, err: err.Error()}}
	}
	var stamps []textfileStamp
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), ".prom") {
			stamps = append(stamps, stampFile(filepath.Join(dir, entry.Name())))
		}
	}
	return stamps
}

func stampFile(path string) textfileStamp {
	info, err := os.Stat(path)
	if err != nil {
		return textfileStamp{path: path, err: err.Error()}
	}
	if !info.Mode().IsRegular() { // a FIFO would be waited for
		return textfileStamp{path: path, err: path + ": not a regular file"}
	}
	stamp := textfileStamp{path: path, size: info.Size(), modified: info.ModTime()}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		stamp.device, stamp.inode = uint64(stat.Dev), stat.Ino //nolint:unconvert // Dev's type depends on the architecture
		stamp.changed = time.Unix(stat.Ctim.Unix())
	}
	return stamp
}

// same says that what was read still holds. A file that changed shortly before it was read may have changed again within
// the same tick of its file system's clock, so that it can't be told from its times.
func (c *textfile) same(stamps []textfileStamp) bool {
	const tick = 2 * time.Second
	if c.fresh.IsZero() || !slices.Equal(c.before, stamps) {
		return false
	}
	return !slices.ContainsFunc(stamps, func(s textfileStamp) bool {
		return s.changed.After(c.fresh.Add(-tick)) || s.modified.After(c.fresh.Add(-tick))
	})
}

func (c *textfile) readAll() {
	var errs []error
	merged := &textMerge{families: map[string]*mergedFamily{}}
	c.mtimes = c.mtimes[:0]
	for _, stamp := range c.before {
		if stamp.err != "" {
			errs = append(errs, errors.New(stamp.err))
			continue
		}
		families, err := readTextfile(stamp.path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, merged.add(stamp.path, families))
		c.mtimes = append(c.mtimes, textfileTime{c.mtime.Labels(stamp.path), stamp.modified})
	}
	c.read = merged.content()
	c.read.err = errors.Join(append(errs, c.read.err)...)
}

// stringsFlag is a flag that may be given several times.
type stringsFlag []string

func (s *stringsFlag) String() string { return strings.Join(*s, ",") }

// Repeatable says that a configuration file may have a list.
func (s *stringsFlag) Repeatable() bool { return true }

func (s *stringsFlag) Set(value string) error {
	*s = append(*s, value)
	return nil
}

// openRegular opens a file without waiting for a writer, should it have become a FIFO.
func openRegular(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && info.Mode()&fs.ModeType != 0 {
		err = fmt.Errorf("%s: not a regular file", path)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

package collector

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The fault runs: every collector, every file that it reads, and everything that can be wrong with a file. Which files
// those are nobody has to write down: they are the ones that it opens.

// faults are what becomes of a file.
func faults() map[string]func(was []byte) []byte {
	return map[string]func([]byte) []byte{
		"missing": nil,
		"empty":   func([]byte) []byte { return []byte{} },
		"truncated": func(was []byte) []byte {
			half := len(was) / 2
			for half > 0 && was[half-1] == '\n' { // between two lines nothing shows
				half--
			}
			return was[:half]
		},
		"garbage": func([]byte) []byte { return []byte("\x00\xff garbage\n\x01 {}") },
	}
}

// A bench is a host on which all collectors have something to say.
type faultHost struct {
	dir  string
	args []string
}

func newFaultHost(t *testing.T) faultHost {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{"testdata/host", "testdata/hardware"} {
		overlay(t, from, dir)
	}
	overlay(t, "testdata/textfile", filepath.Join(dir, "textfile"))
	writeFile(t, filepath.Join(dir, "qdisc/results.json"), `[{"IfaceName":"eth0","Bytes":83,"Packets":83,"Kind":"fq","Drops":1}]`)
	args := hostArgs(dir, "--collector.cpu.info", "--collector.cpu.info.flags-include=.", "--collector.stat.softirq", "--collector.timeout=30s",
		"--collector.textfile.directory="+filepath.Join(dir, "textfile"), "--collector.qdisc.fixtures="+filepath.Join(dir, "qdisc"))
	return faultHost{dir, args}
}

// overlay copies the files of a tree, as they are where they lie.
func overlay(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		at := filepath.Join(to, rel)
		if _, err := os.Lstat(at); err == nil {
			return nil
		}
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		if e.Type()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(target, at) //nolint:gosec // our own testdata
		}
		b, err := os.ReadFile(path) //nolint:gosec // our own testdata
		if err != nil {
			return err
		}
		return os.WriteFile(at, b, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// alone is a set of one collector, which knows nothing of what others have read.
func (h faultHost) alone(t *testing.T, log *bytes.Buffer, name string, args ...string) *Set {
	t.Helper()
	args = append(append(slices.Clone(h.args), "--collector.disable-defaults", "--collector."+name), args...)
	set := newTestSet(t, log, args...)
	if f, ok := set.seats[name].Collector.(*filesystem); ok {
		f.asking.statfs = cannedStatfs
	}
	return set
}

// opened runs fn and returns the files below the host that were opened meanwhile, relative to it.
func (h faultHost) opened(t *testing.T, fn func()) []string {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	dirs := map[int32]string{}
	err = filepath.WalkDir(h.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		wd, err := unix.InotifyAddWatch(fd, path, unix.IN_OPEN)
		dirs[int32(wd)] = path
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	fn()
	files := map[string]bool{}
	buf := make([]byte, 64<<10)
	for {
		n, err := unix.Read(fd, buf)
		if errors.Is(err, unix.EAGAIN) {
			return slices.Sorted(maps.Keys(files))
		}
		if err != nil {
			t.Fatal(err)
		}
		for b := buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
			wd, mask, length := int32(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint32(b[4:]), int(binary.NativeEndian.Uint32(b[12:]))
			name := unix.ByteSliceToString(b[unix.SizeofInotifyEvent : unix.SizeofInotifyEvent+length])
			if mask&unix.IN_ISDIR == 0 {
				rel, err := filepath.Rel(h.dir, filepath.Join(dirs[wd], name))
				if err != nil {
					t.Fatal(err)
				}
				files[rel] = true
			}
			b = b[unix.SizeofInotifyEvent+length:]
		}
	}
}

// samples are the lines of an answer without those that are about the exporter.
func samples(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, _ := cutLast(strings.TrimSpace(line), " ")
		about := strings.HasPrefix(key, "node_scrape_collector_") || strings.HasPrefix(key, "node_textfile_") || key == "node_time_seconds"
		if !strings.HasPrefix(line, "#") && !about {
			out[key] = value
		}
	}
	return out
}

func cutLast(s, sep string) (before, after string, ok bool) {
	at := strings.LastIndex(s, sep)
	if at < 0 {
		return s, "", false
	}
	return s[:at], s[at+len(sep):], true
}

func TestFaults(t *testing.T) {
	h := newFaultHost(t)
	runs, files := 0, 0
	for _, l := range list() {
		if reason, ok := fileless()[l.name]; ok {
			t.Logf("%s: %s", l.name, reason)
			continue
		}
		t.Run(l.name, func(t *testing.T) {
			var said string
			set := h.alone(t, &bytes.Buffer{}, l.name)
			read := h.opened(t, func() { said = scraped(t, set, l.name) })
			if successes(said)[l.name] != "1" || len(samples(said)) == 0 || len(read) == 0 {
				t.Fatalf("it reads %v and says:\n%s", read, said)
			}
			for _, file := range read {
				files++
				for fault := range faults() {
					runs++
					h.broken(t, l.name, file, fault, samples(said))
				}
			}
		})
	}
	t.Logf("%d runs on %d files", runs, files)
}

// broken breaks one file and scrapes three times.
func (h faultHost) broken(t *testing.T, name, file, fault string, whole map[string]string) {
	path := filepath.Join(h.dir, file)
	was := readFile(t, path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	defer writeFile(t, path, string(was))
	if change := faults()[fault]; change != nil {
		writeFile(t, path, string(change(was)))
	}
	var log bytes.Buffer
	set := h.alone(t, &log, name)
	begin := time.Now()
	var got string
	for range 3 {
		got = scraped(t, set, name)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("%s %s: took %s", file, fault, took)
	}
	failed := successes(got)[name] == "0"
	if n := strings.Count(log.String(), "collector failed"); failed != (n == 1) {
		t.Errorf("%s %s: success is %s and a failure is logged %d times:\n%s", file, fault, successes(got)[name], n, &log)
	}
	// By its last name: drivers' files are found through links. A name that becomes a path's part may be cut out of it.
	if failed && !strings.Contains(log.String(), filepath.Base(file)) && !strings.Contains(log.String(), filepath.Dir(filepath.Dir(file))) {
		t.Errorf("%s %s: the message does not name the file:\n%s", file, fault, &log)
	}
	if problem := judge(fault, failed, whole, samples(got)); problem != "" && !tolerated(name, file, fault) {
		t.Errorf("%s %s: %s", file, fault, problem)
	}
}

// judge says what is wrong with the samples of a collector one of whose files is broken.
func judge(fault string, failed bool, whole, got map[string]string) string {
	var lies, lost []string
	values := map[string][]string{} // of a family; a text that is broken only changes a label, and garbage is a text too
	for key, value := range whole {
		family, _, _ := strings.Cut(key, "{")
		values[family] = append(values[family], value)
		if _, there := got[key]; !there {
			lost = append(lost, key)
		}
	}
	for key, value := range got {
		family, _, _ := strings.Cut(key, "{")
		at := slices.Index(values[family], value)
		// Half a number is a number: of a file that has only one, nobody can tell.
		half := fault == "truncated" && value != "0" && at < 0 && len(values[family]) > 0
		if at < 0 && !half {
			lies = append(lies, key+" "+value)
		} else if at >= 0 {
			values[family] = slices.Delete(values[family], at, at+1)
		}
		if _, there := whole[key]; !there {
			lost = slices.DeleteFunc(lost, func(l string) bool { return strings.HasPrefix(l, family+"{") })
		}
	}
	slices.Sort(lies)
	slices.Sort(lost)
	switch {
	case len(lies) > 0:
		return fmt.Sprintf("failed %v, and it says %d samples that the file does not, such as %s", failed, len(lies), lies[0])
	case !failed && len(lost) == len(whole):
		return "it says nothing, and that all is well"
	case !failed && len(lost) > 0 && (fault == "empty" || fault == "garbage"):
		return fmt.Sprintf("%d samples are lost in silence, such as %s", len(lost), lost[0])
	}
	return ""
}

func fileless() map[string]string {
	return map[string]string{
		"ethtool": "asks the kernel; TestEthtoolFails",
		"systemd": "asks a socket; TestSystemdFaults",
		"timex":   "asks the kernel",
	}
}

// tolerated are the faults that no one could know for faults, each with the reason.
func tolerated(name, file, fault string) bool {
	for _, t := range []struct{ name, file, faults, why string }{
		{"bonding", "bonding_masters", "missing empty", "no bonding, or no bond"},
		{"conntrack", "nf_conntrack_max", "missing", "no connection tracking"},
		{"cpu", "cpu/isolated", "empty", "no CPU is isolated"},
		{"cpufreq", "scaling_governor", "missing", "the first CPU has no frequencies to choose from, and answers for all"},
		{"cpufreq", "cpu/offline", "missing empty", "every CPU is online"},
		{"diskstats", "proc/diskstats", "empty", "no disks"},
		{"diskstats", "udev/", "empty", "udev knows nothing of it"},
		{"hwmon", "hwmon/", "empty garbage", "some drivers have text where others have a number; it is absent"},
		{"hwmon", "coretemp.0/", "empty garbage", "as before"},
		{"mdadm", "mdstat", "missing", "no arrays"},
		{"mdadm", "md/level", "empty", "an array that is not assembled"},
		{"mdadm", "md/raid_disks", "empty", "an array that is not assembled"},
		{"nfs", "rpc/nfs", "missing", "no NFS client"},
		{"nfsd", "rpc/nfsd", "missing", "no NFS server"},
		{"processes", "/stat", "missing", "the process has ended"},
		{"schedstat", "schedstat", "missing", "a kernel without"},
		{"selinux", "enforce", "missing", "SELinux is off"},
		{"tcpstat", "tcp6", "missing", "no IPv6"},
		{"textfile", ".prom", "empty", "nothing to say"},
		{"udp_queues", "net/udp", "missing", "a kernel without"},
		{"xfs", "stats/stats", "missing", "no XFS"},
	} {
		if t.name == name && strings.Contains(file, t.file) && strings.Contains(t.faults, fault) {
			return true
		}
	}
	return false
}

// TestFaultsOfOthers breaks the files of one collector after the other, all at once, in a scrape of all: none fails but
// those that read one of them.
func TestFaultsOfOthers(t *testing.T) {
	h := newFaultHost(t)
	reads := map[string][]string{}
	args := slices.Clone(h.args)
	for _, l := range list() {
		if _, none := fileless()[l.name]; none {
			continue
		}
		set := h.alone(t, &bytes.Buffer{}, l.name)
		reads[l.name] = h.opened(t, func() { scraped(t, set, l.name) })
		args = append(args, "--collector."+l.name)
	}
	for name, files := range reads {
		was := map[string][]byte{}
		for _, file := range files {
			was[file] = readFile(t, filepath.Join(h.dir, file))
			writeFile(t, filepath.Join(h.dir, file), "\x00 garbage\n")
		}
		set := newTestSet(t, &bytes.Buffer{}, args...)
		got := successes(scraped(t, set, set.Names()...))
		for other, success := range got {
			shares := slices.ContainsFunc(reads[other], func(file string) bool { return slices.Contains(files, file) })
			if success != "1" && !shares {
				t.Errorf("%s fails with the files of %s", other, name)
			}
		}
		for file, content := range was {
			writeFile(t, filepath.Join(h.dir, file), string(content))
		}
	}
}

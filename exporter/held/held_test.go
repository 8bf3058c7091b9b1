package held

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFileIsReadAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	f := Plain(NewRoom(10), path)
	defer f.Close()
	if _, err := f.Read(); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) || !Absent(err) {
		t.Errorf("no file: %v", err)
	}
	long := strings.Repeat("0123456789", 5000)
	for _, content := range []string{"one", "", long, "two"} {
		write(t, path, content)
		if got, err := f.Read(); err != nil || string(got) != content {
			t.Fatalf("%d bytes (%v), want %d", len(got), err, len(content))
		}
	}
	write(t, path+"2", "renamed over it")
	if err := os.Rename(path+"2", path); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Read(); err != nil || string(got) != "renamed over it" {
		t.Errorf("%q (%v)", got, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Read(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removed: %v", err)
	}
}

// TestKernelFiles reads files of /proc and /sys twice: through the held descriptor as through a new one.
func TestKernelFiles(t *testing.T) {
	for _, path := range []string{"/proc/version", "/proc/self/mountinfo", "/proc/cpuinfo", "/proc/filesystems", "/sys/class/net/lo/mtu"} {
		want, err := os.ReadFile(path)
		if err != nil {
			t.Logf("%s: %v", path, err)
			continue
		}
		f := Proc(NewRoom(10), path)
		for range 3 {
			if got, err := f.Read(); err != nil || len(got) != len(want) && path != "/proc/cpuinfo" {
				t.Errorf("%s: %d bytes (%v), want %d", path, len(got), err, len(want))
			}
		}
		f.Close()
	}
}

func TestHeldReadDoesNotAllocate(t *testing.T) {
	f := Proc(NewRoom(1), "/proc/loadavg")
	defer f.Close()
	if n := testing.AllocsPerRun(100, func() { _, _ = f.Lines() }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	d := NewDir("/proc/self/fd")
	defer d.Close()
	if n := testing.AllocsPerRun(100, func() { _, _ = d.Names() }); n > 0 {
		t.Errorf("%v allocations for a directory", n)
	}
}

// TestRoom reads more files than may be held.
func TestRoom(t *testing.T) {
	room := NewRoom(1)
	first, second := Proc(room, "/proc/version"), Proc(room, "/proc/version")
	for range 2 {
		a, errA := first.Read()
		b, errB := second.Read()
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Fatalf("%q (%v), %q (%v)", a, errA, b, errB)
		}
	}
	if first.fd < 0 || second.fd >= 0 {
		t.Errorf("held: %d and %d", first.fd, second.fd)
	}
	first.Close()
	if _, err := second.Read(); err != nil || second.fd < 0 {
		t.Errorf("not held where there is room again: %v", err)
	}
	second.Close()
	if left := room.left.Load(); left != 1 {
		t.Errorf("room for %d", left)
	}
}

func TestNumbers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n")
	f := Plain(NewRoom(1), path)
	for content, want := range map[string]float64{"12\n": 12, "-1\n": -1, "0x1003\n": 0x1003} {
		write(t, path, content)
		if got, err := f.Number(); err != nil || got != want {
			t.Errorf("%q: %v (%v)", content, got, err)
		}
	}
	write(t, path, "twelve\n")
	if _, err := f.Uint(); err == nil || !strings.Contains(err.Error(), path+`: "twelve" is not a number`) {
		t.Errorf("error %v", err)
	}
}

func TestDir(t *testing.T) {
	dir := t.TempDir()
	d := NewDir(dir)
	defer d.Close()
	list := func() []string {
		names, err := d.Names()
		if err != nil {
			t.Fatal(err)
		}
		out := []string{}
		for _, n := range names {
			out = append(out, string(n))
		}
		return out
	}
	var want []string
	for _, c := range "cabd" {
		write(t, filepath.Join(dir, strings.Repeat(string(c), 200)), "")
	}
	for _, c := range "abcd" {
		want = append(want, strings.Repeat(string(c), 200))
	}
	for range 2 {
		if diff := cmp.Diff(want, list()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Names(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removed: %v", err)
	}
}

func TestDevices(t *testing.T) {
	var devices Devices[*File]
	var made, dropped []string
	get := func(name string) {
		devices.Get([]byte(name), func(name string) *File {
			made = append(made, name)
			return Proc(nil, name)
		})
	}
	for _, round := range [][]string{{"a", "b"}, {"b"}, {"a", "b"}} {
		for _, name := range round {
			get(name)
		}
		devices.Sweep(func(f *File) { dropped = append(dropped, f.path) })
	}
	if diff := cmp.Diff([][]string{{"a", "b", "a"}, {"a"}}, [][]string{made, dropped}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

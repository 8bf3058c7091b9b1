package host

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestParseStat(t *testing.T) {
	state, start, err := parseStat([]byte("42 (a) b (c) S 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98765 0 0\n"))
	if err != nil || state != "S" || start != 98765 {
		t.Errorf("got %q %d %v", state, start, err)
	}
	for _, bad := range []string{"", "42 a S", "42 (a) S 1 2"} {
		if _, _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q: want an error", bad)
		}
	}
}

func TestARecycledIDIsAnotherProcess(t *testing.T) {
	me, err := find(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "pid")
	for _, c := range []struct {
		name  string
		p     Process
		alive bool
	}{
		{"this one", me, true},
		{"started at another time", Process{PID: me.PID, Start: me.Start - 1, Boot: me.Boot}, false},
		{"of another boot", Process{PID: me.PID, Start: me.Start, Boot: "x"}, false},
		{"no such", Process{PID: 1 << 30, Start: 1, Boot: me.Boot}, false},
	} {
		if err := c.p.save(file); err != nil {
			t.Fatal(err)
		}
		if p, alive := Recorded(file); alive != c.alive || p != c.p {
			t.Errorf("%s: alive %v, want %v", c.name, alive, c.alive)
		}
	}
	if _, alive := Recorded(filepath.Join(t.TempDir(), "none")); alive {
		t.Error("without a record: alive")
	}
}

func TestParseCgroups(t *testing.T) {
	hybrid := "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n" +
		"cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"
	c, err := parseCgroups(hybrid)
	if want := []string{"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/pids"}; err != nil || c.unified || !slices.Equal(c.mounts, want) || len(c.all) != 3 {
		t.Errorf("version 1: got %+v %v", c, err)
	}
	c, err = parseCgroups("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n")
	if err != nil || !c.unified || !slices.Equal(c.mounts, []string{"/sys/fs/cgroup"}) {
		t.Errorf("version 2: got %+v %v", c, err)
	}
	if _, err := parseCgroups("proc /proc proc rw 0 0\n"); err == nil {
		t.Error("none: want an error")
	}
}

func TestParseMounts(t *testing.T) {
	info := "1 0 8:1 / / rw - ext4 x rw\n2 1 0:5 / /s/a rw - tmpfs x rw\n3 1 0:5 / /s/a/b\\040c rw - tmpfs x rw\n4 1 0:5 / /sx rw - tmpfs x rw\n5 1 0:5 / /s/a rw - tmpfs y rw\n"
	got := parseMounts(info, "/s")
	if want := []string{"/s/a/b c", "/s/a", "/s/a"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRemoveTreeRefusesWhatIsNoFolderOfOurs(t *testing.T) {
	for _, dir := range []string{"", "/", "relative", "/.."} {
		if err := RemoveTree(dir); err == nil {
			t.Errorf("%q: want an error", dir)
		}
	}
}

func TestOverlap(t *testing.T) {
	routes := []byte(`[{"dst":"default","dev":"eth0"},{"dst":"10.213.7.0/24","dev":"docker0"},{"dst":"10.214.0.0/24","dev":"ours"},{"dst":"10.215.0.9","dev":"tun0"}]`)
	for subnet, want := range map[string]string{
		"10.213.0.0/16": "10.213.7.0/24 by docker0",
		"10.214.0.0/16": "",
		"10.215.0.0/16": "10.215.0.9/32 by tun0",
		"10.216.0.0/16": "",
	} {
		got, err := overlap(routes, netip.MustParsePrefix(subnet), "ours")
		if err != nil || got != want {
			t.Errorf("%s: got %q %v, want %q", subnet, got, err, want)
		}
	}
}

func TestMissing(t *testing.T) {
	got := Missing([]Need{
		{Package: "b", Program: "no-such-program"}, {Package: "a", File: "/no/such/file"}, {Package: "b", File: "/no/such"},
		{Package: "c", Program: "sh"}, {Package: "d", File: "/proc/self/stat"},
	})
	if want := []string{"a", "b"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

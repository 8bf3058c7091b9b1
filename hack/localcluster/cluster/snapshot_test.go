package cluster

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// snapshot is what a cluster could leave on a machine, by kind: lines that are equal before and after if it left nothing.
type snapshot map[string][]string

// hostFolders are where a Kubernetes node writes if nobody tells it otherwise.
var hostFolders = []string{
	"/etc/cni", "/opt/cni", "/opt/containerd", "/run/containerd", "/run/netns", "/run/flannel", "/run/xtables.lock", "/run/kubernetes",
	"/usr/libexec/kubernetes", "/usr/sbin/policy-rc.d", "/var/lib/cni", "/var/lib/containerd", "/var/lib/dockershim", "/var/lib/etcd",
	"/var/lib/kubelet", "/var/log/containers", "/var/log/pods", "/var/run/kubernetes",
}

func takeSnapshot(t *testing.T, c *Cluster) snapshot {
	t.Helper()
	s := snapshot{}
	others := otherClusters(c)
	s["processes"] = processLines(c, others)
	s["network namespaces"] = namespaceLines(others)
	s["interfaces"] = withoutOthers(c, command(t, "ip", "-oneline", "link"))
	s["routes"] = withoutOthers(c, command(t, "ip", "route", "show", "table", "all"))
	s["nftables"] = command(t, "nft", "list", "ruleset")
	s["mounts"] = mountLines(t)
	s["cgroups"] = cgroupLines(c)
	s["files"] = fileLines(c, others)
	return s
}

// otherClusters are the processes of clusters that are not ours: somebody may be working with one.
func otherClusters(c *Cluster) map[int]bool {
	pids := map[int]bool{}
	for _, pid := range c.groups.Processes(cgroupParent) {
		pids[pid] = true
	}
	for _, pid := range c.groups.Processes(c.group()) {
		delete(pids, pid)
	}
	return pids
}

// processLines are the processes that could be a node's: in namespaces other than this one's, or running what a node runs.
func processLines(c *Cluster, others map[int]bool) []string {
	self, _ := os.Readlink("/proc/self/ns/net")
	var lines []string
	eachProcess(func(pid int, dir string) {
		text, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		line := strings.TrimSpace(strings.ReplaceAll(string(text), "\x00", " "))
		if err != nil || line == "" || others[pid] {
			return
		}
		net, _ := os.Readlink(filepath.Join(dir, "ns/net"))
		program := strings.Fields(line)[0]
		ours := strings.Contains(line, c.State) || strings.HasPrefix(filepath.Base(program), "containerd") || filepath.Base(program) == "runc"
		if ours || net != self {
			lines = append(lines, fmt.Sprintf("%d %.120s", pid, line))
		}
	})
	return lines
}

func namespaceLines(others map[int]bool) []string {
	var lines []string
	eachProcess(func(pid int, dir string) {
		if net, err := os.Readlink(filepath.Join(dir, "ns/net")); err == nil && !others[pid] {
			lines = append(lines, net)
		}
	})
	slices.Sort(lines)
	return slices.Compact(lines)
}

func eachProcess(do func(pid int, dir string)) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			do(pid, filepath.Join("/proc", e.Name()))
		}
	}
}

func mountLines(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		lines = append(lines, f[4]+" "+f[len(f)-3])
	}
	slices.Sort(lines)
	return lines
}

// cgroupLines are the groups that are ours or a kubelet's; sessions and services come and go in the others.
func cgroupLines(c *Cluster) []string {
	var lines []string
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return fs.SkipDir // Groups of others come and go while we look.
		}
		if !d.IsDir() {
			return nil
		}
		_, below, inParent := strings.Cut(path+"/", "/"+cgroupParent+"/")
		if inParent && below != "" && !strings.HasPrefix(below, c.Name+"/") {
			return filepath.SkipDir // another cluster's
		}
		if inParent && below != "" || strings.Contains(path, "kubepods") || strings.Contains(path, "cri-containerd") {
			lines = append(lines, path)
		}
		return nil
	})
	return lines
}

// fileLines are the folders that a node could write to, with how many entries each has, and the cluster's own. The places that
// all clusters have in common go with the last of them, so they say nothing while there is another.
func fileLines(c *Cluster, others map[int]bool) []string {
	var lines []string
	for _, dir := range append([]string{c.State}, hostFolders...) {
		if len(others) > 0 && slices.ContainsFunc(places(), func(p place) bool { return p.made && p.place == dir }) {
			continue
		}
		if _, err := os.Lstat(dir); err == nil {
			entries, _ := os.ReadDir(dir)
			lines = append(lines, fmt.Sprintf("%s (%d entries)", dir, len(entries)))
		}
	}
	return lines
}

func command(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).Output()
	if err != nil {
		t.Fatalf("%s: %v", strings.Join(args, " "), err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// withoutOthers leaves out the lines about other clusters' interfaces, and from the rest the interfaces' numbers and counters.
func withoutOthers(c *Cluster, lines []string) []string {
	var kept []string
	for _, line := range lines {
		if strings.Contains(line, "hl-") && !strings.Contains(line, c.bridge()) {
			continue
		}
		kept = append(kept, strings.TrimSpace(line))
	}
	return kept
}

// compare fails for each kind that is not as it was, and says what was compared.
func compare(t *testing.T, before, after snapshot) {
	t.Helper()
	kinds := make([]string, 0, len(before))
	for kind := range before {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		added, gone := difference(after[kind], before[kind]), difference(before[kind], after[kind])
		if len(added)+len(gone) == 0 {
			t.Logf("%-18s equal (%d lines)", kind, len(before[kind]))
			continue
		}
		t.Errorf("%s: left behind:\n  %s\ngone:\n  %s", kind, strings.Join(added, "\n  "), strings.Join(gone, "\n  "))
	}
}

func difference(a, b []string) []string {
	var d []string
	for _, line := range a {
		if !slices.Contains(b, line) {
			d = append(d, line)
		}
	}
	return d
}

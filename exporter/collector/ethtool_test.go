package collector

import (
	"bytes"
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// peerModule is where node_exporter's own sources are.
func peerModule(t *testing.T) string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/prometheus/node_exporter")
	list.Dir = "../../tools/node_exporter"
	out, err := list.Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		t.Fatalf("node_exporter's module is not there (%v): run go mod download in %s", err, list.Dir)
	}
	return dir
}

// TestEthtoolGolden answers with node_exporter's fixtures what the kernel would be asked, and wants word for word what its
// own test wants.
func TestEthtoolGolden(t *testing.T) {
	module := peerModule(t)
	dir := t.TempDir()
	for _, device := range []string{"bond0", "eth0", "lo"} {
		writeFile(t, filepath.Join(dir, "sys/class/net", device, "type"), "1\n")
	}
	c := newTestSet(t, &bytes.Buffer{}, "--collector.ethtool", "--path.sysfs="+dir+"/sys").seats["ethtool"].Collector.(*ethtool)
	c.asked = ethtoolFixture(filepath.Join(module, "collector/fixtures/ethtool"))
	want := literal(t, filepath.Join(module, "collector/ethtool_linux_test.go"), "testcase")
	for range 2 { // the second time with kept names
		got, err := updated(t.Context(), t, c)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-node_exporter +ours):\n%s", diff)
		}
	}
}

// literal returns a raw string that a file assigns to the name, the longest if there are several.
func literal(t *testing.T, path, name string) string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	longest := ""
	ast.Inspect(file, func(n ast.Node) bool {
		assign, ok := n.(*ast.AssignStmt)
		if !ok || len(assign.Lhs) != 1 {
			return true
		}
		id, isName := assign.Lhs[0].(*ast.Ident)
		value, isText := assign.Rhs[0].(*ast.BasicLit)
		if isName && isText && id.Name == name {
			if text, err := strconv.Unquote(value.Value); err == nil && len(text) > len(longest) {
				longest = text
			}
		}
		return true
	})
	if longest == "" {
		t.Fatalf("%s: no %s", path, name)
	}
	return longest
}

// ethtoolFixture is a folder with a folder for each device, in which is what the ethtool command printed.
type ethtoolFixture string

// lines returns what a file has before and after the first colon of each line.
func (f ethtoolFixture) lines(device, name string) ([][2]string, error) {
	b, err := os.ReadFile(filepath.Join(string(f), device, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, unix.EOPNOTSUPP
	}
	var lines [][2]string
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if !strings.HasPrefix(key, "#") && !strings.HasSuffix(key, "statistics:") {
			lines = append(lines, [2]string{key, value})
		}
	}
	return lines, err
}

func (f ethtoolFixture) driver(device string) (d ethtoolDriver, err error) {
	lines, err := f.lines(device, "driver")
	for _, l := range lines {
		switch l[0] {
		case "driver":
			d.name = l[1]
		case "version":
			d.version = l[1]
		case "firmware-version":
			d.firmware = l[1]
		case "bus-info":
			d.bus = l[1]
		}
	}
	return d, err
}

func (f ethtoolFixture) statistics(device string, _ ethtoolDriver, _ []string, values []uint64) ([]string, []uint64, error) {
	lines, err := f.lines(device, "statistics")
	var names []string
	for _, l := range lines {
		v, err := strconv.ParseUint(l[1], 10, 64)
		if err != nil {
			return nil, nil, err
		}
		if l[0] == "ERROR" {
			return nil, nil, unix.Errno(v)
		}
		names, values = append(names, l[0]), append(values, v)
	}
	return names, values, err
}

func (f ethtoolFixture) link(device string) (link ethtoolLink, err error) {
	lines, err := f.lines(device, "settings")
	var modes *uint32 // what the lines without a key go on with
	for _, l := range lines {
		switch strings.Fields(l[0] + " .")[0] {
		case "Supported", "Supports":
			modes = &link.supported
		case "Advertised":
			modes = &link.advertised
		default:
			if l[1] != "" {
				modes = nil
			}
			link.autonegotiates = link.autonegotiates || l[0] == "Auto-negotiation" && l[1] == "on"
		}
		if modes != nil {
			*modes |= modesIn(l[0] + " " + l[1])
		}
	}
	return link, err
}

func modesIn(line string) (modes uint32) {
	for word, bit := range map[string]int{"TP": unix.ETHTOOL_LINK_MODE_TP_BIT, "MII": unix.ETHTOOL_LINK_MODE_MII_BIT,
		"Symmetric": unix.ETHTOOL_LINK_MODE_Pause_BIT, "Yes": unix.ETHTOOL_LINK_MODE_Autoneg_BIT} {
		for _, w := range strings.Fields(line) {
			if w == word {
				modes |= 1 << bit
			}
		}
	}
	for _, s := range ethtoolSpeeds() {
		name := strconv.Itoa(s.mbits) + "base" + s.kind + "/" + strings.ToUpper(s.duplex[:1]) + s.duplex[1:]
		for _, w := range strings.Fields(line) {
			if w == name {
				modes |= 1 << s.bit
			}
		}
	}
	return modes
}

func TestEthtoolNames(t *testing.T) {
	names := newEthtoolNames()
	for raw, want := range map[string]string{
		"port.rx_errors": "port_received_errors", "rx_errors": "received_errors_total", "Queue[0] AllocFails": "queue_0_allocfails",
		"Tx LPI entry count": "transmitted_lpi_entry_count", "port.VF_admin_queue_requests": "port_vf_admin_queue_requests",
		"[3]: tx_bytes": "3_transmitted_bytes", "     err": "err",
	} {
		if got, _ := names.metric(names.clean(raw)); got != "node_ethtool_"+want {
			t.Errorf("%q becomes %s, want %s", raw, got, want)
		}
	}
}

// TestEthtoolHere asks this machine's kernel, and refuses to speak for another network.
func TestEthtoolHere(t *testing.T) {
	c := newTestSet(t, &bytes.Buffer{}, "--collector.ethtool").seats["ethtool"].Collector
	for range 2 {
		said, err := updated(t.Context(), t, c)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(said)
	}
	c = newTestSet(t, &bytes.Buffer{}, hostArgs("testdata/host", "--collector.ethtool")...).seats["ethtool"].Collector
	if said, err := updated(t.Context(), t, c); err == nil || !strings.Contains(err.Error(), "hostNetwork") || said != "" {
		t.Errorf("error %v, want no samples of another network:\n%s", err, said)
	}
}

// TestEthtoolFails has a device whose driver breaks: it is named, and the others are there.
func TestEthtoolFails(t *testing.T) {
	dir := t.TempDir()
	for _, device := range []string{"bad0", "good0"} {
		writeFile(t, filepath.Join(dir, "sys/class/net", device, "type"), "1\n")
	}
	c := newTestSet(t, &bytes.Buffer{}, "--collector.ethtool", "--path.sysfs="+dir+"/sys").seats["ethtool"].Collector.(*ethtool)
	c.asked = brokenEthtool{}
	said, err := updated(context.Background(), t, c)
	if err == nil || !strings.Contains(err.Error(), "ethtool bad0: statistics: input/output error") {
		t.Errorf("error %v", err)
	}
	if strings.Contains(said, `node_ethtool_a{device="bad0"}`) || !strings.Contains(said, `node_ethtool_a{device="good0"} 5`) || strings.Contains(said, "twice") {
		t.Errorf("got:\n%s", said)
	}
}

type brokenEthtool struct{}

func (brokenEthtool) driver(string) (ethtoolDriver, error) { return ethtoolDriver{name: "d"}, nil }
func (brokenEthtool) link(string) (ethtoolLink, error)     { return ethtoolLink{}, unix.EOPNOTSUPP }

func (brokenEthtool) statistics(device string, _ ethtoolDriver, _ []string, values []uint64) ([]string, []uint64, error) {
	if device == "bad0" {
		return nil, nil, unix.EIO
	}
	return []string{"twice.", "a", "Twice-", "twice_"}, append(values, 1, 5, 2, 3), nil
}

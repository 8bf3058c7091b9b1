// The exporter's bench measures what a scrape costs: it builds node_exporter from its module and ours from this
// repository, starts both on loopback with the same collectors, scrapes them in turns with Prometheus' request headers and
// prints Markdown tables of the processor time and memory of each process. Run it with
//
//	go run ./test/bench/exporter
//
// -table and -only run a part of it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/hearth-monitoring/hearth/test/peer"
)

// common are the collectors that nearly every node has something for; both exporters have them.
const common = "cpu diskstats filefd filesystem loadavg meminfo netclass netdev netstat sockstat stat time uname vmstat"

type options struct {
	scrapes, rounds, memory int
	table, only             string
}

func main() {
	var o options
	flag.IntVar(&o.scrapes, "scrapes", 100, "scrapes in a round, a fifth of it on a large node")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds, each of which is both exporters in turn")
	flag.IntVar(&o.memory, "memory", 1000, "scrapes after which the memory is read; 0 leaves memory out")
	flag.StringVar(&o.table, "table", "", "print only this table: cost or growth")
	flag.StringVar(&o.only, "only", "", "run only the rows whose node has this in its name")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "bench-exporter")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	b, err := build(ctx, dir)
	if err != nil {
		return err
	}
	for _, t := range sections() {
		if !strings.Contains(t.name, o.table) {
			continue
		}
		fmt.Print("\n| node | collectors | node_exporter ms | ours ms | times less | ours user + system | our allocations | answer KB, gzip | our RSS MB, 40 in parallel | node_exporter's |\n",
			"|---|---|---|---|---|---|---|---|---|---|\n")
		for _, s := range t.rows {
			if !strings.Contains(s.name, o.only) {
				continue
			}
			row, err := s.measure(ctx, b, o)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			fmt.Println(row)
		}
	}
	return nil
}

// binaries are what is measured, and our test, which counts allocations from within.
type binaries struct{ theirs, ours, test string }

func build(ctx context.Context, dir string) (binaries, error) {
	b := binaries{test: filepath.Join(dir, "exporter.test")}
	var err error
	if b.theirs, err = peer.Build(ctx, dir); err != nil {
		return b, err
	}
	if b.ours, err = peer.BuildOurs(ctx, dir); err != nil {
		return b, err
	}
	out, err := exec.CommandContext(ctx, "go", "test", //nolint:gosec // ours to choose
		"-c", "-vet=off", "-o", b.test, "github.com/hearth-monitoring/hearth/exporter").CombinedOutput()
	if err != nil {
		return b, fmt.Errorf("build the test: %w\n%s", err, out)
	}
	return b, nil
}

// A section is rows that belong together.
type section struct {
	name string
	rows []scenario
}

// A scenario is a row: a node to scrape, this one or a generated one, and what to collect.
type scenario struct {
	name       string
	tree       *tree  // nil: this node
	collectors string // empty: the defaults of each
}

func sections() []section {
	big := tree{cpus: 64, interfaces: 101, disks: 20, mounts: 264}
	growth := section{name: "growth"}
	grow := func(what string, sizes []int, set func(*tree, int)) {
		for _, n := range sizes {
			t := tree{cpus: 4, interfaces: 4, disks: 2, mounts: 8}
			set(&t, n)
			growth.rows = append(growth.rows, scenario{fmt.Sprintf("%d %s", n, what), &t, common})
		}
	}
	grow("CPUs", []int{8, 32, 128}, func(t *tree, n int) { t.cpus = n })
	grow("interfaces", []int{4, 100, 500}, func(t *tree, n int) { t.interfaces = n })
	grow("disks", []int{2, 50, 200}, func(t *tree, n int) { t.disks = n })
	return []section{
		{"cost", []scenario{{"this node", nil, common}, {"this node", nil, ""}, {"big", &big, common}, {"big", &big, ""}}},
		growth,
	}
}

// flags are those for both. node_exporter's defaults are more than ours: it is given ours.
func (s scenario) flags(defaults []string) []string {
	names := strings.Fields(s.collectors)
	if len(names) == 0 {
		names = defaults
	}
	flags := []string{"--web.disable-exporter-metrics", "--collector.disable-defaults"}
	for _, c := range names {
		flags = append(flags, "--collector."+c)
	}
	if s.tree != nil {
		flags = append(flags, "--path.procfs="+s.tree.dir+"/proc", "--path.sysfs="+s.tree.dir+"/sys", "--path.rootfs="+s.tree.dir+"/root",
			"--path.udev.data="+s.tree.dir+"/udev")
	}
	return flags
}

// measure returns the scenario's row.
func (s scenario) measure(ctx context.Context, b binaries, o options) (string, error) {
	if s.tree != nil {
		s.tree.dir = filepath.Join(filepath.Dir(b.ours), "node")
		defer func() { _ = os.RemoveAll(s.tree.dir) }()
		if err := s.tree.write(); err != nil {
			return "", err
		}
	}
	defaults, err := defaultCollectors(ctx, b.ours)
	if err != nil {
		return "", err
	}
	flags := s.flags(defaults)
	count, err := allocations(ctx, b.test, flags)
	if err != nil {
		return "", err
	}
	theirs, ours, err := s.start(ctx, b, flags)
	if err != nil {
		return "", err
	}
	defer theirs.Stop()
	defer ours.Stop()
	if err := s.scrape(ctx, theirs, ours, o); err != nil {
		return "", err
	}
	ourMemory, err := ours.memory(ctx, o.memory)
	if err != nil {
		return "", err
	}
	theirMemory := "-" // a thousand of its scrapes of a large node take minutes
	if s.tree == nil {
		if theirMemory, err = theirs.memory(ctx, o.memory); err != nil {
			return "", err
		}
	}
	what := "14 common"
	if s.collectors == "" {
		what = fmt.Sprintf("%d defaults", len(defaults))
	}
	return fmt.Sprintf("| %s | %s | %.2f | %.2f | %.1f | %.2f + %.2f | %s | %.0f, %.0f | %s | %s |", s.name, what, theirs.perScrape(), ours.perScrape(),
		theirs.perScrape()/ours.perScrape(), ours.user/float64(ours.scrapes), ours.sys/float64(ours.scrapes), count,
		float64(ours.plain)/1e3, float64(ours.zipped)/1e3, ourMemory, theirMemory), nil
}

func (s scenario) start(ctx context.Context, b binaries, flags []string) (theirs, ours *exporter, err error) {
	if ours, err = start(ctx, b.ours, flags); err != nil {
		return nil, nil, err
	}
	if s.tree != nil {
		flags = append(flags, "--no-collector.netdev.netlink", "--no-collector.arp.netlink") // which would answer for this node
	}
	if theirs, err = start(ctx, b.theirs, flags); err != nil {
		ours.Stop()
	}
	return theirs, ours, err
}

// scrape scrapes both in turns, so that what else the machine does meets both.
func (s scenario) scrape(ctx context.Context, theirs, ours *exporter, o options) error {
	scrapes := o.scrapes
	if s.tree != nil && s.tree.interfaces+s.tree.disks+s.tree.cpus > 100 {
		scrapes = max(scrapes/5, 1)
	}
	for round := range o.rounds + 1 {
		for _, e := range []*exporter{theirs, ours} {
			if err := e.scrape(ctx, scrapes, round > 0); err != nil { // the first warms up
				return err
			}
		}
	}
	return nil
}

// defaultCollectors are those that ours runs unless told otherwise.
func defaultCollectors(ctx context.Context, binary string) ([]string, error) {
	help, err := exec.CommandContext(ctx, binary, "--help").Output()
	if err != nil {
		return nil, fmt.Errorf("%s --help: %w", binary, err)
	}
	var names []string
	for _, m := range regexp.MustCompile(`Enable the (\w+) collector \(default: enabled\)`).FindAllStringSubmatch(string(help), -1) {
		names = append(names, m[1])
	}
	return names, nil
}

// allocations asks our own test, which can count them.
func allocations(ctx context.Context, test string, flags []string) (string, error) {
	cmd := exec.CommandContext(ctx, test, "-test.v", "-test.run=^TestAllocations$/^as_told$")
	cmd.Env = append(os.Environ(), "EXPORTER_FLAGS="+strings.Join(flags, " "))
	out, err := cmd.CombinedOutput()
	m := regexp.MustCompile(`(\d+) allocations a scrape`).FindSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("count the allocations: %w\n%s", err, out)
	}
	_, err = strconv.Atoi(string(m[1]))
	return string(m[1]), err
}

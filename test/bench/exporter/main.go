// The exporter's bench measures what a scrape costs: it builds node_exporter from its module and ours from this
// repository, starts both on loopback with the same collectors, scrapes them in turns with Prometheus' request headers and
// prints the processor time of each process. Run it with
//
//	cd test/bench/exporter && go run .
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

// collectors are those of the small node that both have.
const collectors = "cpu diskstats filefd filesystem loadavg meminfo netclass netdev netstat sockstat stat time uname vmstat"

type options struct {
	scrapes, rounds int
	only            string
}

func main() {
	var o options
	flag.IntVar(&o.scrapes, "scrapes", 100, "scrapes in a round")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds, each of which is both exporters in turn")
	flag.StringVar(&o.only, "only", "", "run only the scenarios whose name has this in it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:gocritic // nothing is left to stop
	}
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "bench-exporter")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binaries, err := build(ctx, dir)
	if err != nil {
		return err
	}
	fmt.Println("| node | exporter | CPU ms/scrape | times less | user ms | sys ms | RSS MB | bytes | gzip |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|")
	for _, s := range scenarios(dir) {
		if !strings.Contains(s.name, o.only) {
			continue
		}
		if err := s.measure(ctx, binaries, o); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// build returns the two binaries, node_exporter's first. Neither has cgo, as neither has in its released image.
func build(ctx context.Context, dir string) ([]string, error) {
	theirs, ours := filepath.Join(dir, "node_exporter"), filepath.Join(dir, "ours")
	for _, b := range []struct{ in, out, pkg string }{
		{".", theirs, "github.com/prometheus/node_exporter"},
		{"../../..", ours, "./exporter"},
	} {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", b.out, b.pkg)
		cmd.Dir, cmd.Stderr = b.in, os.Stderr
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("build %s: %w", b.pkg, err)
		}
	}
	return []string{theirs, ours}, nil
}

// A scenario is a node to scrape: this one, or a generated one.
type scenario struct {
	name   string
	tree   *tree
	theirs []string // flags that node_exporter needs in addition
}

func scenarios(dir string) []scenario {
	generated := func(name string, t tree) scenario {
		t.dir = filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		return scenario{name, &t, []string{"--no-collector.netdev.netlink"}} // which would answer for this node
	}
	return []scenario{
		{name: "this node"},
		generated("small", tree{cpus: 4, interfaces: 4, disks: 2, mounts: 8}),
		generated("big", tree{cpus: 64, interfaces: 101, disks: 20, mounts: 264}),
		generated("8 cpus", tree{cpus: 8, interfaces: 4, disks: 2, mounts: 8}),
		generated("128 cpus", tree{cpus: 128, interfaces: 4, disks: 2, mounts: 8}),
		generated("500 interfaces", tree{cpus: 8, interfaces: 500, disks: 2, mounts: 8}),
		generated("200 disks", tree{cpus: 8, interfaces: 4, disks: 200, mounts: 8}),
	}
}

func (s scenario) flags(theirs bool) []string {
	flags := []string{"--web.disable-exporter-metrics", "--collector.disable-defaults"}
	for _, c := range strings.Fields(collectors) {
		flags = append(flags, "--collector."+c)
	}
	if s.tree != nil {
		flags = append(flags, "--path.procfs="+s.tree.dir+"/proc", "--path.sysfs="+s.tree.dir+"/sys", "--path.rootfs="+s.tree.dir+"/root",
			"--path.udev.data="+s.tree.dir+"/udev")
		if theirs {
			flags = append(flags, s.theirs...)
		}
	}
	return flags
}

// measure scrapes both in turns, so that what else the machine does meets both.
func (s scenario) measure(ctx context.Context, binaries []string, o options) error {
	if s.tree != nil {
		if err := s.tree.write(); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(s.tree.dir) }()
	}
	var both []*exporter
	for i, binary := range binaries {
		e, err := start(ctx, binary, s.flags(i == 0))
		if err != nil {
			return err
		}
		defer e.stop()
		both = append(both, e)
	}
	scrapes := o.scrapes
	if s.tree != nil && s.tree.interfaces+s.tree.disks+s.tree.cpus > 100 {
		scrapes = max(scrapes/5, 1)
	}
	for round := range o.rounds + 1 {
		for _, e := range both {
			if err := e.scrape(ctx, scrapes, round > 0); err != nil { // the first warms up
				return err
			}
		}
	}
	theirs := both[0].perScrape()
	for i, e := range both {
		fmt.Printf("| %s | %s | %.2f | %.1f | %.2f | %.2f | %.1f | %d | %d |\n", s.name, []string{"node_exporter", "ours"}[i], e.perScrape(),
			theirs/e.perScrape(), e.user/float64(e.scrapes), e.sys/float64(e.scrapes), e.resident(), e.plain, e.zipped)
	}
	return nil
}

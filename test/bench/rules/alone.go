package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/rules"
	"github.com/hearth-monitoring/hearth/test/bench/cluster"
)

// reloads of each size; the one that is printed is in the middle.
const reloads = 5

// alone measures what of the way is Prometheus' own: a Prometheus on this machine, without a cluster, that loads the rule
// files as Hearth publishes them.
func (b *bench) alone(ctx context.Context, program string, sizes []int) error {
	fmt.Print("\n| AlertRules | rules of each | reload s | CPU s of it | resident MB |\n|---|---|---|---|---|\n")
	for _, n := range sizes {
		if err := b.aloneWith(ctx, program, n); err != nil {
			return fmt.Errorf("%d AlertRules: %w", n, err)
		}
	}
	return nil
}

func (b *bench) aloneWith(ctx context.Context, program string, n int) error {
	dir, err := os.MkdirTemp("", "bench-rules")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // what is left is in a directory for what is temporary
	if err := b.writeRules(dir, n); err != nil {
		return err
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // nobody reads it after a run
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	p := exec.CommandContext(ctx, program, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--web.enable-lifecycle", //nolint:gosec // the one named by flag
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	p.Stdout, p.Stderr = log, log
	if err := p.Start(); err != nil {
		return err
	}
	defer func() { stop(); _ = p.Wait() }() // it was killed
	err = cluster.Until(ctx, 5*time.Minute, "Prometheus is ready", func(ctx context.Context) error {
		_, err := b.Get(ctx, "http://"+address+"/-/ready")
		return err
	})
	if err != nil {
		return err
	}
	return b.reloadAlone(ctx, address, n)
}

func (b *bench) reloadAlone(ctx context.Context, address string, n int) error {
	var walls, cpus []float64
	memory := 0.0
	for range reloads {
		before, err := b.Metrics(ctx, "http://"+address+"/metrics")
		if err != nil {
			return err
		}
		began := time.Now()
		if err := b.Post(ctx, "http://"+address+"/-/reload"); err != nil {
			return fmt.Errorf("reload: %w", err)
		}
		walls = append(walls, time.Since(began).Seconds())
		after, err := b.Metrics(ctx, "http://"+address+"/metrics")
		if err != nil {
			return err
		}
		cpus, memory = append(cpus, after["process_cpu_seconds_total"]-before["process_cpu_seconds_total"]), after["process_resident_memory_bytes"]
	}
	slices.Sort(walls)
	slices.Sort(cpus)
	fmt.Printf("| %d | %d | %.2f | %.2f | %.0f |\n", n, b.perObject, walls[reloads/2], cpus[reloads/2], memory/1e6)
	return nil
}

// writeRules writes what the reloader would.
func (b *bench) writeRules(dir string, n int) error {
	if err := os.Mkdir(filepath.Join(dir, bundle.RulesDir), 0o755); err != nil {
		return err
	}
	for i := range n {
		judged := rules.Judge(b.rule(i, 0))
		if judged.Problem() != "" {
			return errors.New(judged.Problem())
		}
		file := judged.File
		if err := os.WriteFile(filepath.Join(dir, bundle.RulesDir, file.Path), file.Text, 0o644); err != nil {
			return err
		}
	}
	text := "global: {evaluation_interval: 2m}\nrule_files: [" + strconv.Quote(bundle.RulesDir+"/*.yaml") + "]\n"
	return os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(text), 0o644)
}

func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

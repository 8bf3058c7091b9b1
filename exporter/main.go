// The node exporter: it reads the Linux host it runs on and serves what it found as Prometheus metrics, with
// node_exporter's flags and metric names. It is one binary of its own and needs neither Kubernetes nor, in a pod, the
// host's network: read-only mounts of the host's /proc, /sys and / are enough.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/common/version"
	"github.com/prometheus/exporter-toolkit/web"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "node_exporter:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if o.version {
		_, err := fmt.Fprintln(stdout, version.Print("node_exporter"))
		return err
	}

	runtime.GOMAXPROCS(o.processors)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(25) // what lives is small and a scrape leaves little: memory is worth more here than a rare collection
	}
	log := promslog.New(&promslog.Config{Level: o.logLevel, Format: o.logFormat, Writer: stderr})
	config, err := newConfiguration(args, o, log)
	if err != nil {
		return err
	}
	handler, err := newHandler(config, o.handler, log)
	if err != nil {
		return err
	}
	go config.follow(ctx)
	log.Info("starting", "version", version.Info(), "collectors", config.now.Load().set.Names())
	forgetStart()
	return serve(ctx, newServer(handler), &o.web, log)
}

// serve answers until ctx is over, and then finishes the scrapes that are under way.
func serve(ctx context.Context, server *http.Server, flags *web.FlagConfig, log *slog.Logger) error {
	if err := web.Validate(*flags.WebConfigFile); err != nil {
		return fmt.Errorf("--web.config.file: %w", err)
	}
	failed := make(chan error, 1)
	go func() { failed <- web.ListenAndServe(server, flags, log) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	log.Info("stopping")
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return fmt.Errorf("shut down: %w", err)
	}
	return nil
}

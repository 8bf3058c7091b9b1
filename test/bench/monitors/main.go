// The monitors' bench measures how long a ServiceMonitor takes from kubectl apply to Prometheus' targets, how long the targets
// of what is deleted stay, and what it costs the operator: on a cluster on this machine where Hearth is deployed, with real
// Prometheus. It fills a server of its own with ServiceMonitors, each with a Service and an endpoint, and edits, makes and
// deletes some, one by one; with -removals it removes one of each sort of thing with which targets go. All endpoints are one pod, scraped rarely: scraping is not what is measured. It prints Markdown
// tables. Run it with
//
//	HEARTH_CLUSTER=bench make deploy
//	go run ./test/bench/monitors -kubeconfig "$(bin/localcluster kubeconfig -name bench)"
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

type options struct {
	kubeconfig string
	monitors   int
	namespaces int
	changes    int
	idle       int
	removals   int
	only       string
	rest       time.Duration
	interval   string
	keep       bool
}

func main() {
	var o options
	// controller-runtime has flags of its own in the common set.
	fs := flag.NewFlagSet("monitors", flag.ExitOnError)
	fs.StringVar(&o.kubeconfig, "kubeconfig", os.Getenv("KUBECONFIG"), "the cluster; its pods must be reachable from here")
	fs.IntVar(&o.monitors, "monitors", 1000, "how many ServiceMonitors are there")
	fs.IntVar(&o.namespaces, "namespaces", 20, "in how many namespaces")
	fs.IntVar(&o.changes, "changes", 40, "edits, and half as many of everything else")
	fs.IntVar(&o.idle, "idle", 30, "seconds during which nothing happens and nothing may be written")
	fs.IntVar(&o.removals, "removals", 0, "remove this many of each sort of thing with which a target goes, and nothing else")
	fs.StringVar(&o.only, "only", "", "of -removals, those whose names contain this")
	// While much is discovered Prometheus' discovery hands on what it found less and less often, and begins anew some seconds later.
	fs.DurationVar(&o.rest, "rest", 8*time.Second, "how long nothing happens before each of -removals")
	// Not longer: until each has been scraped once, the server's status follows how many are up, and nothing is idle.
	fs.StringVar(&o.interval, "interval", "30s", "how often a target is scraped")
	fs.BoolVar(&o.keep, "keep", false, "leave the namespaces as they are at the end")
	_ = fs.Parse(os.Args[1:]) // ExitOnError
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "monitors:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if o.kubeconfig == "" {
		return errors.New("say which cluster: -kubeconfig FILE")
	}
	if o.monitors < 1 || o.namespaces < 1 || o.changes < 2 {
		return errors.New("-monitors, -namespaces: at least 1; -changes: at least 2")
	}
	b := newBench(o)
	if err := b.connect(ctx); err != nil {
		return err
	}
	if !o.keep {
		defer b.remove()
	}
	if err := b.fill(ctx); err != nil {
		return err
	}
	if o.removals > 0 {
		return b.removals(ctx)
	}
	return b.measure(ctx)
}

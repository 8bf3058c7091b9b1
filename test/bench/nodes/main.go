// The nodes' bench measures Hearth on a cluster of thousands of nodes: on a cluster on this machine where Hearth is deployed,
// with real Prometheus. The nodes are kwok's and run nothing; to their exporters' pods it gives the address of one pod that
// answers. It prints Markdown tables. Run it with
//
//	HEARTH_CLUSTER=bench make deploy kwok
//	go run ./test/bench/nodes -kubeconfig "$(bin/localcluster kubeconfig -name bench)"
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

type options struct {
	kubeconfig string
	kwok       string
	nodes      int
	changes    int
	idle       int
	interval   string
}

func main() {
	var o options
	// controller-runtime has flags of its own in the common set.
	fs := flag.NewFlagSet("nodes", flag.ExitOnError)
	fs.StringVar(&o.kubeconfig, "kubeconfig", os.Getenv("KUBECONFIG"), "the cluster; its pods must be reachable from here")
	fs.StringVar(&o.kwok, "kwok", "bin/kwok", "the program that keeps the nodes alive")
	fs.IntVar(&o.nodes, "nodes", 5000, "how many nodes there are, beside the real ones")
	fs.IntVar(&o.changes, "changes", 5, "edits of the NodeExporter, and nodes that come and go; one that goes takes Kubernetes most of a minute")
	fs.IntVar(&o.idle, "idle", 60, "seconds during which nothing happens but what nodes do by themselves")
	fs.StringVar(&o.interval, "interval", "10m", "how often a target is scraped")
	_ = fs.Parse(os.Args[1:]) // ExitOnError
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "nodes:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if o.kubeconfig == "" {
		return errors.New("say which cluster: -kubeconfig FILE")
	}
	if o.nodes < 1 || o.changes < 1 {
		return errors.New("-nodes, -changes: at least 1")
	}
	b := newBench(o)
	if err := b.connect(ctx); err != nil {
		return err
	}
	defer b.remove()
	stop, err := b.keepAlive(ctx)
	if err != nil {
		return err
	}
	defer stop()
	if err := b.fill(ctx); err != nil {
		return err
	}
	return b.measure(ctx)
}

// The rules' bench measures how long an AlertRule, or a PrometheusRule, takes from kubectl apply to Prometheus, and what it costs the operator:
// on a cluster on this machine where Hearth is deployed, with real Prometheus. It fills a server of its own with more and
// more AlertRules of 10 rules, and at each size edits, makes and deletes some, one by one. It prints Markdown tables. Run it
// with
//
//	HEARTH_CLUSTER=bench make deploy
//	go run ./test/bench/rules -kubeconfig "$(bin/localcluster kubeconfig -name bench)"
//
// What of it is Prometheus' own, a Prometheus shows that loads the same files without a cluster:
//
//	go run ./test/bench/rules -prometheus bin/prometheus
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

type options struct {
	kubeconfig string
	prometheus string
	kind       string
	perObject  int
	sizes      string
	changes    int
	burst      int
	idle       int
	keep       bool
	asleep     bool
}

func main() {
	var o options
	// controller-runtime has flags of its own in the common set.
	fs := flag.NewFlagSet("rules", flag.ExitOnError)
	fs.StringVar(&o.kubeconfig, "kubeconfig", os.Getenv("KUBECONFIG"), "the cluster; its pods must be reachable from here")
	fs.StringVar(&o.sizes, "sizes", "100,1000,10000", "how many objects are there, one measurement for each")
	fs.StringVar(&o.kind, "kind", alertRule, "of the objects: AlertRule or PrometheusRule")
	fs.IntVar(&o.perObject, "rules", 10, "how many rules each object has")
	fs.StringVar(&o.prometheus, "prometheus", "", "a program to run here, without a cluster, to see how long it takes to load the same files")
	fs.IntVar(&o.changes, "changes", 100, "edits at each size, and half as many creations and deletions")
	fs.IntVar(&o.burst, "burst", 2000, "AlertRules made at once, after the first size; 0 leaves that out")
	// Every two minutes at the latest Go collects garbage, which is most of what a large heap costs while nothing happens.
	fs.IntVar(&o.idle, "idle", 120, "seconds during which nothing happens and nothing may be written, at each size")
	fs.BoolVar(&o.asleep, "asleep", false, "make the AlertRules of each size while the server has no pod, which would load every part of ten thousand")
	fs.BoolVar(&o.keep, "keep", false, "leave the namespace as it is at the end")
	_ = fs.Parse(os.Args[1:]) // ExitOnError
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "rules:", err)
		os.Exit(1)
	}
}

// check is how many objects there are to be.
func (o options) check() ([]int, error) {
	if o.kubeconfig == "" && o.prometheus == "" {
		return nil, errors.New("say which cluster: -kubeconfig FILE")
	}
	if o.kind != alertRule && o.kind != prometheusRule {
		return nil, fmt.Errorf("-kind: %q is neither AlertRule nor PrometheusRule", o.kind)
	}
	if o.perObject < 1 {
		return nil, errors.New("-rules: an object has at least one here")
	}
	var sizes []int
	for text := range strings.SplitSeq(o.sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-sizes: %q is not a number of objects", text)
		}
		sizes = append(sizes, n)
	}
	return sizes, nil
}

func run(ctx context.Context, o options) error {
	sizes, err := o.check()
	if err != nil {
		return err
	}
	b := newBench(o.kind, o.perObject)
	if o.prometheus != "" {
		return b.alone(ctx, o.prometheus, sizes)
	}
	if err := b.connect(ctx, o.kubeconfig); err != nil {
		return err
	}
	if !o.keep {
		defer b.Remove()
	}
	return b.run(ctx, o, sizes)
}

func (b *bench) run(ctx context.Context, o options, sizes []int) error {
	fill := b.fillAsleep
	if !o.asleep {
		fill = b.fill
		if err := b.awake(ctx); err != nil {
			return err
		}
	}
	pod := b.podUID()
	for i, n := range sizes {
		if err := fill(ctx, n); err != nil {
			return fmt.Errorf("make %d %ss: %w", n, b.kind, err)
		}
		if o.asleep {
			pod = b.podUID()
		}
		if err := b.measure(ctx, o, n); err != nil {
			return fmt.Errorf("with %d %ss: %w", n, b.kind, err)
		}
		if i == 0 && o.burst > 0 {
			if err := b.burst(ctx, n+o.burst); err != nil {
				return fmt.Errorf("burst of %d: %w", o.burst, err)
			}
		}
	}
	if err := b.findPod(ctx); err != nil {
		return err
	}
	fmt.Printf("\nThe pod is the same as at the start: %t; restarts: %d; generations of the StatefulSet: %d.\n",
		b.podUID() == pod, b.restarts(), b.generation)
	return nil
}

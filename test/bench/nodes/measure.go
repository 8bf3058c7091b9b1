package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/test/bench/cluster"
)

// stages of one change, in milliseconds.
type stages struct {
	total float64 // from the API server's answer to Prometheus' /api/v1/targets
	ready float64 // until the DaemonSet's pod is ready on the node, or gone: Kubernetes and kwok
}

// measure prints the tables.
func (b *bench) measure(ctx context.Context) error {
	var err error
	if b.idleCPU, err = b.Idle(ctx, b.o.idle); err != nil {
		return err
	}
	if err := b.edits(ctx); err != nil {
		return err
	}
	cluster.Header()
	before, err := b.Costs(ctx)
	if err != nil {
		return err
	}
	all := map[string][]stages{}
	for i := range b.o.changes {
		node := b.node(b.o.nodes + i)
		for _, c := range []struct {
			name  string
			write func() error
			there bool
		}{
			{"node made", func() error { return b.API.Create(ctx, node) }, true},
			{"node deleted", func() error { return b.API.Delete(ctx, node) }, false},
		} {
			s, err := b.follow(ctx, node.Name, c.write, c.there)
			if err != nil {
				return fmt.Errorf("%s %d: %w", c.name, i, err)
			}
			all[c.name] = append(all[c.name], s)
		}
	}
	after, err := b.Costs(ctx)
	if err != nil {
		return err
	}
	for _, name := range []string{"node made", "node deleted"} {
		cluster.PrintStages(name, all[name], []cluster.Stage[stages]{
			{Name: "**total**", Of: func(s stages) float64 { return s.total }},
			{Name: "after its pod was ready, or gone", Of: func(s stages) float64 { return s.total - s.ready }},
		})
	}
	b.Print("node made or deleted", before, after, b.idleCPU, 2*b.o.changes)
	return nil
}

// follow makes a change of a node and follows it into Prometheus.
func (b *bench) follow(ctx context.Context, node string, write func() error, there bool) (stages, error) {
	n := b.o.nodes + b.real
	if there {
		n++
	}
	if err := write(); err != nil {
		return stages{}, err
	}
	began := time.Now()
	var s stages
	ready := b.ready(n)
	for {
		if s.ready == 0 && ready(ctx) == nil {
			s.ready = cluster.Milliseconds(time.Since(began))
		}
		text, err := b.page(ctx)
		if err != nil {
			return s, err
		}
		if strings.Contains(text, `"instance":"`+node+`"`) == there {
			s.total = cluster.Milliseconds(time.Since(began))
			if s.ready == 0 {
				s.ready = s.total
			}
			return s, nil
		}
		if time.Since(began) > 5*time.Minute {
			return s, errors.New("not seen in Prometheus")
		}
		// Every answer has all of the targets.
		if err := cluster.Sleep(ctx, 100*time.Millisecond); err != nil {
			return s, err
		}
	}
}

// edits change the NodeExporter, in a way that restarts no pod, and print what the operator takes for it.
func (b *bench) edits(ctx context.Context) error {
	if err := b.Seen.Settled(ctx, 10*time.Minute, 5*time.Second); err != nil {
		return err
	}
	before, err := b.Costs(ctx)
	if err != nil {
		return err
	}
	ne := &v1alpha1.NodeExporter{ObjectMeta: b.In("node")}
	for i := range b.o.changes {
		patch := fmt.Appendf(nil, `{"spec":{"collectors":{"netdev":{"deviceExclude":"veth%d.*"}}}}`, i)
		if err := b.API.Patch(ctx, ne, client.RawPatch(types.MergePatchType, patch)); err != nil {
			return err
		}
		if err := cluster.Until(ctx, time.Minute, "the edit was seen", func(ctx context.Context) error {
			err := b.API.Get(ctx, client.ObjectKeyFromObject(ne), ne)
			if err == nil && ne.Status.ObservedGeneration != ne.Generation {
				err = fmt.Errorf("generation %d of %d", ne.Status.ObservedGeneration, ne.Generation)
			}
			return err
		}); err != nil {
			return err
		}
	}
	if err := b.Seen.Settled(ctx, time.Minute, 5*time.Second); err != nil {
		return err
	}
	after, err := b.Costs(ctx)
	if err != nil {
		return err
	}
	fmt.Print("\nEdits of the NodeExporter:\n")
	b.Print("edit", before, after, b.idleCPU, b.o.changes)
	return nil
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/test/bench/cluster"
)

// quiet is for how long nothing is written before it is taken for idle.
const quiet = 10 * time.Second

// stages of one change, in milliseconds.
type stages struct {
	total     float64 // from the API server's answer to Prometheus' /api/v1/targets
	watch     float64 // until a watcher hears of it
	publish   float64 // from then until a watcher hears of the manifest: compiled, rendered, packed, written
	fetch     float64 // the reloader gets the part and writes a tree
	reload    float64 // Prometheus loads it
	discovery float64 // the rest, which is Prometheus': its discovery, and when it looks at what was discovered
}

func rows() []cluster.Stage[stages] {
	return append(ends(), []cluster.Stage[stages]{
		{Name: "watch", Of: func(s stages) float64 { return s.watch }},
		{Name: "compile, render, publish", Of: func(s stages) float64 { return s.publish }},
		{Name: "fetch", Of: func(s stages) float64 { return s.fetch }},
		{Name: "reload", Of: func(s stages) float64 { return s.reload }},
	}...)
}

// ends are the rows of changes of which nothing is published: Prometheus discovers them by itself.
func ends() []cluster.Stage[stages] {
	return []cluster.Stage[stages]{
		{Name: "**total**", Of: func(s stages) float64 { return s.total }},
		{Name: "Prometheus' discovery", Of: func(s stages) float64 { return s.discovery }},
	}
}

// change is one write and what has to be seen of it in Prometheus: a target of this pool with this in its address, or none.
type change struct {
	name    string
	write   func(context.Context) error
	pool    string
	has     string
	visible bool
	// published is true if it takes another configuration.
	published bool
}

// measure prints the tables.
func (b *bench) measure(ctx context.Context) error {
	if err := b.Seen.Settled(ctx, 15*time.Minute, quiet); err != nil {
		return err
	}
	if err := b.printSizes(ctx); err != nil {
		return err
	}
	var err error
	if b.idleCPU, err = b.Idle(ctx, b.o.idle); err != nil {
		return err
	}
	cluster.Header()
	before, err := b.Costs(ctx)
	if err != nil {
		return err
	}
	if err := b.changes(ctx, b.o.changes, func(i int) []change { return []change{b.edit(i % b.o.monitors)} }); err != nil {
		return err
	}
	if err := b.Seen.Settled(ctx, time.Minute, quiet); err != nil {
		return err
	}
	after, err := b.Costs(ctx)
	if err != nil {
		return err
	}
	b.Print("edit", before, after, b.idleCPU, b.o.changes)
	cluster.Header()
	for _, of := range []func(i int) []change{
		func(i int) []change { return b.createAndDelete(b.o.monitors + i) },
		func(i int) []change { return b.endpoint(i % b.o.monitors) },
		b.annotated,
	} {
		if err := b.changes(ctx, b.o.changes/2, of); err != nil {
			return err
		}
	}
	return b.printSizes(ctx)
}

func (b *bench) edit(i int) change {
	b.edits++
	object := b.monitor(i, b.edits)
	return change{name: "edit", pool: b.pool(i), has: marker(b.edits), visible: true, published: true, write: func(ctx context.Context) error {
		patch, err := json.Marshal(map[string]any{"spec": object.Spec})
		if err != nil {
			return err
		}
		return b.API.Patch(ctx, object, client.RawPatch(types.MergePatchType, patch))
	}}
}

// createAndDelete are the two changes of a monitor that is there only in between.
func (b *bench) createAndDelete(i int) []change {
	object := b.monitor(i, 0)
	return []change{
		{name: "create", pool: b.pool(i), has: marker(0), visible: true, published: true, write: func(ctx context.Context) error { return b.API.Create(ctx, object) }},
		{name: "delete", pool: b.pool(i), has: marker(0), published: true, write: func(ctx context.Context) error { return b.API.Delete(ctx, object) }},
	}
}

// endpoint takes that of a service away, and brings it back.
func (b *bench) endpoint(i int) []change {
	return []change{
		{name: "endpoint gone", pool: b.pool(i), has: port, write: func(ctx context.Context) error { return b.API.Delete(ctx, b.slice(i)) }},
		{name: "endpoint back", pool: b.pool(i), has: port, visible: true, write: func(ctx context.Context) error { return b.API.Create(ctx, b.slice(i)) }},
	}
}

// annotated is a pod that says that it is to be scraped. It is there when it has an address, and gone when the API server
// has it no more.
func (b *bench) annotated(i int) []change {
	pod := b.target(b.In(fmt.Sprintf("annotated-%d", i)))
	pod.Annotations = map[string]string{"prometheus.io/scrape": "true", "prometheus.io/port": "9102"}
	await := func(ctx context.Context, what string, is func(error) bool) error {
		for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
			if err := b.API.Get(ctx, client.ObjectKeyFromObject(pod), pod); is(err) {
				return nil
			} else if client.IgnoreNotFound(err) != nil {
				return err
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("pod %s is not %s", pod.Name, what)
			}
		}
	}
	in := func(write func(context.Context) error, then func(context.Context) error) func(context.Context) error {
		return func(ctx context.Context) error { return errors.Join(write(ctx), then(ctx)) }
	}
	return []change{
		{name: "annotated pod runs", pool: "kubernetes-pods", has: pod.Name, visible: true, write: in(
			func(ctx context.Context) error { return b.API.Create(ctx, pod.DeepCopy()) },
			func(ctx context.Context) error {
				return await(ctx, "running", func(err error) bool { return err == nil && pod.Status.Phase == corev1.PodRunning })
			})},
		{name: "annotated pod gone", pool: "kubernetes-pods", has: pod.Name, write: in(
			func(ctx context.Context) error { return b.API.Delete(ctx, pod.DeepCopy()) },
			func(ctx context.Context) error { return await(ctx, "gone", apierrors.IsNotFound) })},
	}
}

// changes makes changes one after the other, and prints the stages of those of each name.
func (b *bench) changes(ctx context.Context, n int, of func(int) []change) error {
	var names []string
	all := map[string][]stages{}
	for i := range n {
		for _, c := range of(i) {
			s, err := b.make(ctx, c)
			if err != nil {
				return fmt.Errorf("%s %d: %w", c.name, i, err)
			}
			if all[c.name] == nil {
				names = append(names, c.name)
			}
			all[c.name] = append(all[c.name], s)
		}
	}
	for _, name := range names {
		if all[name][0].publish > 0 {
			cluster.PrintStages(name, all[name], rows())
		} else {
			cluster.PrintStages(name, all[name], ends())
		}
	}
	return nil
}

// make makes one change and follows it into Prometheus.
func (b *bench) make(ctx context.Context, c change) (stages, error) {
	before, err := b.Reloads(ctx, b.pod)
	if err != nil {
		return stages{}, err
	}
	if err := c.write(ctx); err != nil {
		return stages{}, err
	}
	acknowledged := time.Now()
	if err := b.awaitTarget(ctx, c.pool, c.has, c.visible); err != nil {
		return stages{}, err
	}
	s := stages{total: cluster.Milliseconds(time.Since(acknowledged))}
	s.discovery = s.total
	if !c.published {
		return s, nil
	}
	after, err := b.ReloadedSince(ctx, b.pod, before)
	if err != nil {
		return s, err
	}
	at := b.Seen.Times()
	s.watch = max(0, cluster.Milliseconds(at["ServiceMonitor"].Sub(acknowledged)))
	s.publish = cluster.Milliseconds(at[cluster.Manifest].Sub(acknowledged)) - s.watch
	s.fetch, s.reload = 1000*(after.Fetch-before.Fetch), 1000*(after.Reload-before.Reload)
	s.discovery = max(0, s.total-s.watch-s.publish-s.fetch-s.reload)
	return s, nil
}

// awaitTarget waits until Prometheus has a target of this pool with this in it, or has none any more.
func (b *bench) awaitTarget(ctx context.Context, pool, has string, visible bool) error {
	query := url.Values{"state": {"active"}, "scrapePool": {pool}}
	address := cluster.Prometheus(b.pod, "/api/v1/targets?"+query.Encode())
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		text, err := b.Get(ctx, address)
		if err != nil {
			return err
		}
		if strings.Contains(string(text), has) == visible {
			return nil
		}
	}
	return errors.New("not seen in Prometheus")
}

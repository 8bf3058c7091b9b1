package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/test/bench/cluster"
)

// quiet is for how long nothing is written before it is taken for idle.
const quiet = 10 * time.Second

// stages of one change, in milliseconds.
type stages struct {
	total   float64 // from the API server's answer to Prometheus' /api/v1/rules
	watch   float64 // until a watcher hears of it
	publish float64 // from then until a watcher hears of the manifest: judged, rendered, packed, written
	fetch   float64 // the reloader gets the bucket and writes a tree
	reload  float64 // Prometheus loads it
	rest    float64 // everything else, above all the wait for the poll of this bench
}

// change is one write and what has to be seen of it in Prometheus.
type change struct {
	write   func(context.Context) error
	object  int
	alert   string
	visible bool
}

// measure prints the tables of one size.
func (b *bench) measure(ctx context.Context, o options, n int) error {
	fmt.Printf("\n### %d %ss of %d rules, in %d buckets\n", n, b.kind, b.perObject, b.Seen.Published().Buckets("prometheus-"+cluster.Server))
	if err := b.idle(ctx, o.idle); err != nil {
		return err
	}
	cluster.Header()
	before, err := b.Costs(ctx)
	if err != nil {
		return err
	}
	if err := b.changes(ctx, "edit", o.changes, func(i int) []change { return []change{b.edit(i % n)} }); err != nil {
		return err
	}
	// The statuses follow when everything is loaded.
	if err := b.Seen.Settled(ctx, time.Minute, quiet); err != nil {
		return err
	}
	after, err := b.Costs(ctx)
	if err != nil {
		return err
	}
	for what, at := range map[string]int{"create": 0, "delete": 1} {
		all := func(i int) []change { return b.createAndDelete(n + i) }
		if err := b.changesOf(ctx, what, o.changes/2, all, at); err != nil {
			return err
		}
	}
	b.Print("edit", before, after, b.idleCPU, o.changes)
	return nil
}

// idle prints what is written while nothing happens. The statuses of ten thousand AlertRules take their time before that.
func (b *bench) idle(ctx context.Context, seconds int) (err error) {
	if err := b.Seen.Settled(ctx, 30*time.Minute, quiet); err != nil {
		return err
	}
	b.idleCPU, err = b.Idle(ctx, seconds)
	return err
}

func (b *bench) edit(i int) change {
	b.edits++
	alert, object := marker(i, b.edits), b.object(i, b.edits)
	return change{object: i, alert: alert, visible: true, write: func(ctx context.Context) error {
		patch, err := json.Marshal(map[string]any{"spec": specOf(object)})
		if err != nil {
			return err
		}
		return b.API.Patch(ctx, object, client.RawPatch(types.MergePatchType, patch))
	}}
}

// createAndDelete are the two changes of an AlertRule that is there only in between.
func (b *bench) createAndDelete(i int) []change {
	alert, object := marker(i, 0), b.object(i, 0)
	return []change{
		{object: i, alert: alert, visible: true, write: func(ctx context.Context) error { return b.API.Create(ctx, object) }},
		{object: i, alert: alert, write: func(ctx context.Context) error { return b.API.Delete(ctx, object) }},
	}
}

func (b *bench) changes(ctx context.Context, what string, n int, of func(int) []change) error {
	return b.changesOf(ctx, what, n, of, 0)
}

// changesOf makes changes one after the other and prints the stages of the one at this index of each.
func (b *bench) changesOf(ctx context.Context, what string, n int, of func(int) []change, at int) error {
	var all []stages
	for i := range n {
		for j, c := range of(i) {
			s, err := b.make(ctx, c)
			if err != nil {
				return fmt.Errorf("%s %d: %w", what, i, err)
			}
			if j == at {
				all = append(all, s)
			}
		}
	}
	cluster.PrintStages(what, all, rows())
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
	file := "/etc/prometheus/config/current/" + bundle.RulesDir + "/" + b.file(c.object)
	query := url.Values{"rule_name[]": {c.alert}, "file[]": {file}, "exclude_alerts": {"true"}}
	address := cluster.Prometheus(b.pod, "/api/v1/rules?"+query.Encode())
	for {
		text, err := b.Get(ctx, address)
		if err != nil {
			return stages{}, err
		}
		if strings.Contains(string(text), `"`+c.alert+`"`) == c.visible {
			break
		}
		// With a hundred thousand rules, a reload takes Prometheus minutes where it has to share two processors.
		if time.Since(acknowledged) > 10*time.Minute {
			return stages{}, errNotSeen
		}
		time.Sleep(5 * time.Millisecond)
	}
	s := stages{total: cluster.Milliseconds(time.Since(acknowledged))}
	after, err := b.ReloadedSince(ctx, b.pod, before)
	if err != nil {
		return s, err
	}
	at := b.Seen.Times()
	s.watch = max(0, cluster.Milliseconds(at[b.kind].Sub(acknowledged)))
	s.publish = cluster.Milliseconds(at[cluster.Manifest].Sub(acknowledged)) - s.watch
	s.fetch, s.reload = 1000*(after.Fetch-before.Fetch), 1000*(after.Reload-before.Reload)
	s.rest = max(0, s.total-s.watch-s.publish-s.fetch-s.reload)
	return s, nil
}

// burst makes AlertRules as fast as the API takes them until there are n, and waits until all are loaded.
func (b *bench) burst(ctx context.Context, n int) error {
	count := n - b.made
	before, err := b.Reloads(ctx, b.pod)
	if err != nil {
		return err
	}
	start, err := b.Costs(ctx)
	if err != nil {
		return err
	}
	revision, began := b.Seen.Published().Revision, time.Now()
	if err := b.makeRules(ctx, n); err != nil {
		return err
	}
	made, behind := time.Now(), n-b.Seen.Published().Rules/b.perObject
	if err := cluster.Until(ctx, 15*time.Minute, "the burst is loaded", func(ctx context.Context) error { return b.hasLoaded(ctx, n*b.perObject) }); err != nil {
		return err
	}
	loaded := time.Now()
	after, err := b.Reloads(ctx, b.pod)
	if err != nil {
		return err
	}
	end, err := b.Costs(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("\nBurst: %d %ss in %.1f s (%.0f a second). When the last was made %d were not published yet; all were %.1f s later, and loaded %.1f s later."+
		" %d revisions, %.0f reloads of %.1f s on average, %.1f s of the operator's CPU.\n",
		count, b.kind, made.Sub(began).Seconds(), float64(count)/made.Sub(began).Seconds(), behind, b.Seen.Times()[cluster.Manifest].Sub(made).Seconds(), loaded.Sub(made).Seconds(),
		b.Seen.Published().Revision-revision, after.Count-before.Count, (after.Reload-before.Reload)/(after.Count-before.Count), end.CPU-start.CPU)
	return nil
}

package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/replica"
)

// insecure: the operator signs its metrics endpoint's certificate itself.
func insecure() *http.Transport {
	return &http.Transport{
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // a bench on this machine
		MaxIdleConnsPerHost: 4,
	}
}

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
	fmt.Printf("\n### %d AlertRules of %d rules, in %d buckets\n", n, b.perObject, b.seen.published().Buckets("prometheus-"+server))
	if err := b.idle(ctx, o.idle); err != nil {
		return err
	}
	fmt.Print("\n| change | stage | p50 ms | p90 ms | p99 ms | max ms |\n|---|---|---|---|---|---|\n")
	before, err := b.costs(ctx)
	if err != nil {
		return err
	}
	if err := b.changes(ctx, "edit", o.changes, func(i int) []change { return []change{b.edit(i % n)} }); err != nil {
		return err
	}
	// The statuses follow when everything is loaded.
	if err := b.until(ctx, time.Minute, "nothing is written", b.settled()); err != nil {
		return err
	}
	after, err := b.costs(ctx)
	if err != nil {
		return err
	}
	for what, at := range map[string]int{"create": 0, "delete": 1} {
		all := func(i int) []change { return b.createAndDelete(n + i) }
		if err := b.changesOf(ctx, what, o.changes/2, all, at); err != nil {
			return err
		}
	}
	fmt.Print("\n| for each edit | |\n|---|---|\n")
	b.printCosts(before, after, o.changes)
	return nil
}

// idle fails if anything is written while nothing happens.
func (b *bench) idle(ctx context.Context, seconds int) error {
	if err := b.until(ctx, 30*time.Minute, "nothing is written", b.settled()); err != nil {
		return err
	}
	before := b.seen.written()
	costs, err := b.costs(ctx)
	if err != nil {
		return err
	}
	if err := sleep(ctx, time.Duration(seconds)*time.Second); err != nil {
		return err
	}
	after, err := b.costs(ctx)
	if err != nil {
		return err
	}
	total := 0
	for what, n := range b.seen.written() {
		total += n - before[what]
	}
	b.idleCPU = (after.cpu - costs.cpu) / after.at.Sub(costs.at).Seconds()
	fmt.Printf("\nIdle for %d s: %d writes, %.0f ms of the operator's CPU; resident memory %.0f MB, %.0f MB of it heap in use.\n",
		seconds, total, 1000*(after.cpu-costs.cpu), after.memory/1e6, after.heap/1e6)
	return nil
}

func (b *bench) edit(i int) change {
	b.edits++
	alert, ar := marker(i, b.edits), b.rule(i, b.edits)
	return change{object: i, alert: alert, visible: true, write: func(ctx context.Context) error {
		patch, err := json.Marshal(map[string]any{"spec": ar.Spec})
		if err != nil {
			return err
		}
		return b.api.Patch(ctx, ar, client.RawPatch(types.MergePatchType, patch))
	}}
}

// createAndDelete are the two changes of an AlertRule that is there only in between.
func (b *bench) createAndDelete(i int) []change {
	alert, ar := marker(i, 0), b.rule(i, 0)
	return []change{
		{object: i, alert: alert, visible: true, write: func(ctx context.Context) error { return b.api.Create(ctx, ar) }},
		{object: i, alert: alert, write: func(ctx context.Context) error { return b.api.Delete(ctx, ar) }},
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
	printStages(what, all)
	return nil
}

// make makes one change and follows it into Prometheus.
func (b *bench) make(ctx context.Context, c change) (stages, error) {
	before, err := b.reloader(ctx)
	if err != nil {
		return stages{}, err
	}
	if err := c.write(ctx); err != nil {
		return stages{}, err
	}
	acknowledged := time.Now()
	file := "/etc/prometheus/config/current/" + bundle.RulesDir + "/" + namespace + "_" + fmt.Sprintf("service-%d", c.object) + ".yaml"
	query := url.Values{"rule_name[]": {c.alert}, "file[]": {file}, "exclude_alerts": {"true"}}
	address := "http://" + b.pod.Status.PodIP + ":9090/api/v1/rules?" + query.Encode()
	for {
		text, err := b.get(ctx, address)
		if err != nil {
			return stages{}, err
		}
		if strings.Contains(string(text), `"`+c.alert+`"`) == c.visible {
			break
		}
		// With a hundred thousand rules, a reload takes Prometheus minutes where it has to share two processors.
		if time.Since(acknowledged) > 10*time.Minute {
			return stages{}, errors.New("not seen in Prometheus")
		}
		time.Sleep(5 * time.Millisecond)
	}
	s := stages{total: ms(time.Since(acknowledged))}
	after, err := b.reloadedSince(ctx, before)
	if err != nil {
		return s, err
	}
	at := b.seen.times()
	s.watch = max(0, ms(at["rule"].Sub(acknowledged)))
	s.publish = ms(at["manifest"].Sub(acknowledged)) - s.watch
	s.fetch, s.reload = 1000*(after.fetch-before.fetch), 1000*(after.reload-before.reload)
	s.rest = max(0, s.total-s.watch-s.publish-s.fetch-s.reload)
	return s, nil
}

// reloadedSince is what the reloader says once the reload is acknowledged, which is a moment after its rules are there.
func (b *bench) reloadedSince(ctx context.Context, before reloaderTimes) (reloaderTimes, error) {
	var after reloaderTimes
	err := b.until(ctx, 5*time.Minute, "the reload is acknowledged", func(ctx context.Context) error {
		var err error
		after, err = b.reloader(ctx)
		if err == nil && after.reloads <= before.reloads {
			err = errors.New("nothing was reloaded")
		}
		return err
	})
	return after, err
}

// burst makes AlertRules as fast as the API takes them until there are n, and waits until all are loaded.
func (b *bench) burst(ctx context.Context, n int) error {
	count := n - b.made
	before, err := b.reloader(ctx)
	if err != nil {
		return err
	}
	start, err := b.costs(ctx)
	if err != nil {
		return err
	}
	revision, began := b.seen.published().Revision, time.Now()
	if err := b.makeRules(ctx, n); err != nil {
		return err
	}
	made, behind := time.Now(), n-b.seen.published().Rules/b.perObject
	if err := b.until(ctx, 15*time.Minute, "the burst is loaded", func(ctx context.Context) error { return b.hasLoaded(ctx, n*b.perObject) }); err != nil {
		return err
	}
	loaded := time.Now()
	after, err := b.reloader(ctx)
	if err != nil {
		return err
	}
	end, err := b.costs(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("\nBurst: %d AlertRules in %.1f s (%.0f a second). When the last was made %d were not published yet; all were %.1f s later, and loaded %.1f s later."+
		" %d revisions, %.0f reloads of %.1f s on average, %.1f s of the operator's CPU.\n",
		count, made.Sub(began).Seconds(), float64(count)/made.Sub(began).Seconds(), behind, b.seen.times()["manifest"].Sub(made).Seconds(), loaded.Sub(made).Seconds(),
		b.seen.published().Revision-revision, after.reloads-before.reloads, (after.reload-before.reload)/(after.reloads-before.reloads), end.cpu-start.cpu)
	return nil
}

func (b *bench) report(ctx context.Context) (replica.Report, error) {
	text, err := b.get(ctx, fmt.Sprintf("http://%s:%d%s", b.pod.Status.PodIP, replica.Port, replica.Path))
	if err != nil {
		return replica.Report{}, err
	}
	return replica.Decode(text)
}

// reloaderTimes are sums over everything the reloader did so far.
type reloaderTimes struct{ fetch, reload, reloads float64 }

func (b *bench) reloader(ctx context.Context) (reloaderTimes, error) {
	m, err := b.metrics(ctx, fmt.Sprintf("http://%s:%d/metrics", b.pod.Status.PodIP, replica.Port))
	return reloaderTimes{m["hearth_reloader_fetch_duration_seconds_sum"], m["hearth_reloader_reload_duration_seconds_sum"],
		m["hearth_reloader_reload_duration_seconds_count"]}, err
}

// metrics are the series without labels.
func (b *bench) metrics(ctx context.Context, address string) (map[string]float64, error) {
	text, err := b.get(ctx, address)
	if err != nil {
		return nil, err
	}
	out := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil && !strings.Contains(name, "{") {
			out[name] = v
		}
	}
	return out, nil
}

// costs are what the operator took so far, and what was written.
type costs struct {
	at                time.Time
	cpu, memory, heap float64
	writes            map[string]int
}

func (b *bench) costs(ctx context.Context) (costs, error) {
	m, err := b.metrics(ctx, b.operator)
	return costs{time.Now(), m["process_cpu_seconds_total"], m["process_resident_memory_bytes"], m["go_memstats_heap_inuse_bytes"], b.seen.written()}, err
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

package collector

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hearth-monitoring/hearth/exporter/text"
)

// TestManyScrapes lets many scrapes overlap, of collectors that are fast, slow, and now and then slower than a scrape has
// time. None runs twice at once, each answer has what it says it has, and in the end nobody is left at work.
func TestManyScrapes(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	set := newSet(10*time.Second, slog.New(slog.DiscardHandler))
	for i := range 6 {
		var running, calls atomic.Int32
		family := text.Gauge(fmt.Sprint("value", i), "A value.")
		set.add(fmt.Sprint("c", i), odd{func(context.Context) error {
			if running.Add(1) > 1 {
				t.Error("runs twice at once")
			}
			defer running.Add(-1)
			if n := calls.Add(1); i > 2 && n%5 == 0 {
				time.Sleep(time.Duration(i) * 4 * time.Millisecond)
			}
			family.Add(1)
			return nil
		}, []*text.Family{family}})
	}
	var overdue atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for n := range 60 {
				var budget time.Duration
				if n%3 == 0 {
					budget = 10 * time.Millisecond
				}
				names := set.Names()[n%4:]
				answer := string(set.Run(names, budget).AppendTo(nil))
				for _, name := range names {
					said := strings.Contains(answer, "value"+name[1:]+" 1\n")
					succeeded := strings.Contains(answer, fmt.Sprintf("node_scrape_collector_success{collector=%q} 1\n", name))
					if said != succeeded {
						t.Errorf("%s with budget %s:\n%s", name, budget, answer)
					}
					if !said {
						overdue.Add(1)
					}
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d overdue", overdue.Load()) // also of scrapes that joined one with less time
	eventually(t, "all collectors answer", func() bool {
		return !strings.Contains(string(set.Run(set.Names(), 0).AppendTo(nil)), "\"} 0\n")
	})
	eventually(t, "all workers are gone", func() bool { return runtime.NumGoroutine() <= goroutines })
	if len(set.queue) > 0 || set.working != 0 {
		t.Errorf("%d in the queue, worker %d", len(set.queue), set.working)
	}
}

// TestNobodyWaits leaves a collector in the queue whose scrape is over before its turn: it isn't run for nobody, and is
// run for the next.
func TestNobodyWaits(t *testing.T) {
	set := newSet(time.Hour, slog.New(slog.DiscardHandler))
	var calls int
	set.add("counted", odd{func(context.Context) error {
		calls++
		return nil
	}, nil})
	w := set.begin(t.Context(), set.Names(), time.Now(), time.Now().Add(-time.Second))
	set.mu.Lock()
	set.giveUp(w, time.Now())
	set.mu.Unlock()
	set.workers, set.working = 1, 1
	set.worker(1)
	if calls != 0 || !strings.Contains(string(set.end(set.collect(nil, w), w)), `success{collector="counted"} 0`) {
		t.Errorf("%d calls for nobody", calls)
	}
	if got := scraped(t, set, set.Names()...); calls != 1 || successes(got)["counted"] != "1" {
		t.Errorf("%d calls, then:\n%s", calls, got)
	}
}

// TestStatIsReadOnce has cpu and stat read the same file: once a scrape, and anew in the next.
func TestStatIsReadOnce(t *testing.T) {
	dir := t.TempDir()
	path := dir + "/stat"
	write := func(boot string) {
		writeFile(t, path, "cpu0 1 2 3 4 5 6 7 8 9 10\nintr 1\nctxt 1\nbtime "+boot+"\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n")
	}
	reader := &statReader{last: newProcStat(Host{Proc: dir})}
	var first, second procStat
	read := func(ctx context.Context, into *procStat) uint64 {
		if err := reader.read(ctx, into); err != nil {
			t.Fatal(err)
		}
		return into.values[3]
	}
	one, end := context.WithCancel(t.Context())
	defer end()
	write("1")
	got := []uint64{read(one, &first)}
	write("2")
	got = append(got, read(one, &second), read(t.Context(), &second), read(one, &first), read(one, &first))
	if diff := cmp.Diff([]uint64{1, 1, 2, 2, 2}, got); diff != "" || len(second.cpus) != 1 {
		t.Errorf("%d CPUs (-want +got):\n%s", len(second.cpus), diff)
	}
}

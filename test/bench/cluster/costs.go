package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Costs are what the operator took so far, and what was written.
type Costs struct {
	At                time.Time
	CPU, Memory, Heap float64
	Writes            map[string]int
}

// Costs are those of now.
func (c *Cluster) Costs(ctx context.Context) (Costs, error) {
	m, err := c.Metrics(ctx, c.operator)
	if err != nil {
		return Costs{}, err
	}
	cpu, err := c.meter.read()
	return Costs{time.Now(), cpu, m["process_resident_memory_bytes"], m["go_memstats_heap_inuse_bytes"], c.Seen.Written()}, err
}

// Idle prints what is written and used while nothing happens, and returns the operator's CPU, in seconds a second.
func (c *Cluster) Idle(ctx context.Context, seconds int) (float64, error) {
	before, err := c.Costs(ctx)
	if err != nil {
		return 0, err
	}
	if err := Sleep(ctx, time.Duration(seconds)*time.Second); err != nil {
		return 0, err
	}
	after, err := c.Costs(ctx)
	if err != nil {
		return 0, err
	}
	total, which := 0, ""
	for _, what := range slices.Sorted(maps.Keys(after.Writes)) {
		if n := after.Writes[what] - before.Writes[what]; n > 0 {
			total, which = total+n, fmt.Sprintf("%s (%s: %d)", which, what, n)
		}
	}
	fmt.Printf("\nIdle for %d s: %d writes%s, %.0f ms of the operator's CPU; resident memory %.0f MB, %.0f MB of it heap in use.\n",
		seconds, total, which, 1000*(after.CPU-before.CPU), after.Memory/1e6, after.Heap/1e6)
	return (after.CPU - before.CPU) / after.At.Sub(before.At).Seconds(), nil
}

// Print prints what each of so many changes between the two took, beside what the operator takes idle. Of the CPU it takes the
// moments in which something was written: in the minute that a large reload takes, what is idle differs by more than a change costs.
func (c *Cluster) Print(what string, before, after Costs, idle float64, n int) {
	worked, rest := c.meter.split(before.At, after.At, c.Seen.heard(before.At, after.At))
	fmt.Printf("\n| for each %s | |\n|---|---|\n", what)
	fmt.Printf("| operator's CPU in the %.1f s around its writes, beside the %.1f ms a second that it takes idle | %.1f ms |\n",
		worked.seconds/float64(n), 1000*idle, 1000*(worked.cpu-idle*worked.seconds)/float64(n))
	if rest.seconds > worked.seconds {
		fmt.Printf("| operator's CPU in the other %.1f s | %.1f ms a second |\n", rest.seconds/float64(n), 1000*rest.cpu/rest.seconds)
	}
	for _, what := range slices.Sorted(maps.Keys(after.Writes)) {
		fmt.Printf("| writes: %s | %.2f |\n", what, float64(after.Writes[what]-before.Writes[what])/float64(n))
	}
	fmt.Printf("| operator's resident memory after them | %.0f MB |\n", after.Memory/1e6)
}

// Header begins a table of stages.
func Header() {
	fmt.Print("\n| change | stage | p50 ms | p90 ms | p99 ms | max ms |\n|---|---|---|---|---|---|\n")
}

// Stage is one part of the way, and how long it takes in one change.
type Stage[T any] struct {
	Name string
	Of   func(T) float64
}

// PrintStages prints a row for each stage.
func PrintStages[T any](what string, all []T, of []Stage[T]) {
	for _, stage := range of {
		var values []float64
		for _, s := range all {
			values = append(values, stage.Of(s))
		}
		slices.Sort(values)
		fmt.Printf("| %s | %s | %.0f | %.0f | %.0f | %.0f |\n", what, stage.Name,
			Quantile(values, 0.5), Quantile(values, 0.9), Quantile(values, 0.99), values[len(values)-1])
	}
}

// Quantile of sorted values: the smallest that so many are not above.
func Quantile(sorted []float64, q float64) float64 {
	i := int(q*float64(len(sorted))+0.999999) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

// Milliseconds of a duration.
func Milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

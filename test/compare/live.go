package compare

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// A Report is what came of comparing a running exporter with node_exporter.
type Report struct {
	Families, Series int
	Equal            int // series that did not change while we looked, and that ours had equal
	Between          int // series that changed, and of which ours was in between
	Moving           int // gauges that changed, and of which ours was near
	Problems         []string
}

// pause is how much longer than before Live waits before it asks again.
const pause = 50 * time.Millisecond

// Live asks node_exporter, ours, and node_exporter again, and compares: the same families with the same types, the same
// series, what did not change equal, and each counter in between. On a machine that lives, a mount comes and a gauge jumps
// at any time, so it asks up to so many times, each time after a longer pause, and a problem is one that was there each time.
//
// What is Passing is not compared. Nothing else is left out.
func Live(tries int, theirs, ours func() ([]byte, error)) (Report, error) {
	var report Report
	for try := range tries {
		time.Sleep(time.Duration(try) * pause)
		problems := report.Problems
		var err error
		if report, err = once(theirs, ours); err != nil {
			return Report{}, err
		}
		if try > 0 {
			report.Problems = slices.DeleteFunc(report.Problems, func(p string) bool { return !slices.ContainsFunc(problems, sameSeries(p)) })
		}
		if len(report.Problems) == 0 {
			break
		}
	}
	return report, nil
}

// sameSeries compares problems by what they are about, which stands before the colon and space; the rest has values.
func sameSeries(p string) func(string) bool {
	about, _, _ := strings.Cut(p, ": ")
	return func(other string) bool { return strings.HasPrefix(other, about+": ") }
}

func once(theirs, ours func() ([]byte, error)) (Report, error) {
	var said [3]map[string]Family
	for i, ask := range []func() ([]byte, error){theirs, ours, theirs} {
		body, err := ask()
		if err != nil {
			return Report{}, err
		}
		if said[i], err = Read(bytes.NewReader(body)); err != nil {
			return Report{}, err
		}
		for name, f := range said[i] {
			maps.DeleteFunc(f.Samples, func(labels string, _ float64) bool { return Passing(name + labels) })
			if len(f.Samples) == 0 {
				delete(said[i], name)
			}
		}
	}
	return Between(said[0], said[1], said[2]), nil
}

// Passing says that a series can't be the same in two answers: what an exporter says of itself, and what asking changes.
// The bytes in the sockets' queues are, on an idle host, these very scrapes; and of the open files, one is the file that
// node_exporter opens to count them, where ours has it open all the time. Of what runs at this instant, one is whoever counts,
// and on an idle host nobody else is: whether that is seen depends on which of its threads does.
//
// node_scrape_collector_success is among them, since node_exporter says 0 of a collector that finds none of its kind on this
// host, and ours 1: nothing failed.
func Passing(series string) bool {
	name, labels, _ := strings.Cut(series, "{")
	switch name {
	case "node_exporter_build_info", "node_scrape_collector_duration_seconds", "node_scrape_collector_success", "node_filefd_allocated",
		"node_scrape_collector_left_out", "node_scrape_collector_dropped_series":
		return true
	case "node_procs_running":
		return true
	case "node_processes_state", "node_processes_threads_state":
		return strings.Contains(labels, `="R"`)
	case "node_tcp_connection_states":
		return strings.Contains(labels, "_queued_bytes")
	}
	return strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") || strings.HasPrefix(name, "promhttp_")
}

// Between compares what ours says with what node_exporter said before and after.
func Between(before, ours, after map[string]Family) Report {
	var r Report
	for _, name := range union(before, ours, after) {
		b, o, a := before[name], ours[name], after[name]
		kind := max(b.Kind, a.Kind) // it may have come while we looked
		if kind != "" && o.Kind != "" && kind != o.Kind {
			r.problem("%s: a %s, ours a %s", name, kind, o.Kind)
		}
		r.Families++
		for _, labels := range union(b.Samples, o.Samples, a.Samples) {
			r.series(name, kind, labels, b.Samples, o.Samples, a.Samples)
		}
	}
	return r
}

func union[T any](of ...map[string]T) []string {
	all := map[string]bool{}
	for _, m := range of {
		for k := range m {
			all[k] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func (r *Report) problem(format string, args ...any) {
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}

// series compares one series. What was there only before or only after may be in ours or not.
func (r *Report) series(name, kind, labels string, before, ours, after map[string]float64) {
	b, inBefore := before[labels]
	o, inOurs := ours[labels]
	a, inAfter := after[labels]
	switch {
	case !inBefore && !inAfter:
		r.problem("%s%s: extra, %v", name, labels, o)
	case inBefore && inAfter && !inOurs:
		r.problem("%s%s: missing, %v before and %v after", name, labels, b, a)
	case inBefore && inAfter && inOurs:
		r.Series++
		r.value(name, kind, labels, b, o, a)
	}
}

func (r *Report) value(name, kind, labels string, b, o, a float64) {
	switch changed := !equal(b, a); {
	case !changed && equal(b, o):
		r.Equal++
	case within(b, o, a):
		r.Between++
	case changed && !grows(kind, b, a) && near(b, o, a):
		r.Moving++
	default:
		r.problem("%s%s: %v before, %v after, ours %v in between", name, labels, b, a, o)
	}
}

// within allows the last bit to differ, as equal does.
func within(b, o, a float64) bool {
	return math.Min(b, a) <= o && o <= math.Max(b, a) || equal(b, o) || equal(a, o)
}

// grows says whether what is in between must be so in value too: of counters, and of what node_exporter gives no type,
// which is the kernel's counters with a few gauges among them.
func grows(kind string, before, after float64) bool {
	return kind == "COUNTER" || kind == "UNTYPED" && before <= after
}

// near is the most that can be asked of a gauge that moves: that it is of the same size.
func near(b, o, a float64) bool {
	slack := math.Max(math.Abs(b), math.Abs(a)) / 4
	return math.Min(b, a)-slack <= o && o <= math.Max(b, a)+slack
}

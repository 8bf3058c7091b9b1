package ruletest

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// inputSeries is a series and those of its samples that are not in the storage yet.
type inputSeries struct {
	labels  labels.Labels
	samples []sample
}

type sample struct {
	t int64
	f float64
	h *histogram.FloatHistogram
}

// input parses the input series of a test. A series that is there twice has the samples of the last one, as in promtool.
func input(series []v1alpha1.InputSeries, start time.Time, interval time.Duration, limit int) ([]inputSeries, error) {
	cost := 0
	for _, s := range series {
		// Counted before it is parsed: the parser makes as many samples as it is told to.
		if cost += expanded(string(s.Values), limit); cost > limit {
			return nil, fmt.Errorf("input_series have more than %d samples: use fewer series, or a longer interval", limit)
		}
	}
	p := parser.NewParser(parser.Options{})
	var out []inputSeries
	known := map[uint64]int{}
	for i, s := range series {
		// promtool puts them into a file line by line, where an empty line ends the series and # begins a comment.
		for line := range strings.SplitSeq(s.Series+" "+string(s.Values), "\n") {
			if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
				return out, nil
			}
			metric, values, err := p.ParseSeriesDesc(line)
			if err != nil {
				return nil, fmt.Errorf("input_series[%d] (%s): %w", i, s.Series, err)
			}
			one := inputSeries{metric, samples(values, start, interval)}
			if j, ok := known[metric.Hash()]; ok {
				out[j] = one
				continue
			}
			known[metric.Hash()] = len(out)
			out = append(out, one)
		}
	}
	return out, nil
}

func samples(values []parser.SequenceValue, start time.Time, interval time.Duration) []sample {
	out := make([]sample, 0, len(values))
	t := start
	for _, v := range values {
		if !v.Omitted {
			out = append(out, sample{t.UnixMilli(), v.Value, v.Histogram})
		}
		t = t.Add(interval)
	}
	return out
}

// bytesPerSample is how much text of a value may cost as much as one sample: histograms have many buckets.
const bytesPerSample = 64

// expanded is how many samples a text in promtool's notation comes to, or a little more, or anything above the limit.
func expanded(values string, limit int) int {
	cost := 0
	for rest := values; rest != ""; {
		item := rest
		// A histogram has spaces in it.
		end := strings.IndexAny(item, " \t\n")
		if open := strings.Index(item, "{{"); open >= 0 && open < end {
			if end = strings.LastIndex(item, "}}"); end >= 0 {
				if next := strings.IndexAny(item[end:], " \t\n"); next >= 0 {
					end += next
				} else {
					end = -1
				}
			}
		}
		if end >= 0 {
			item, rest = item[:end], item[end+1:]
		} else {
			rest = ""
		}
		cost += (1 + len(item)/bytesPerSample) * (1 + repeats(item, limit))
		if cost > limit {
			return limit + 1
		}
	}
	return cost
}

// repeats are the numbers after each x, all together: 0x1f is not one, but counts for no more than a few samples.
func repeats(item string, limit int) int {
	n := 0
	for rest := item; ; {
		_, after, ok := strings.Cut(rest, "x")
		if !ok {
			return n
		}
		digits := after[:len(after)-len(strings.TrimLeft(after, "0123456789"))]
		if digits != "" {
			count, err := strconv.Atoi(digits)
			if err != nil || count > limit {
				return limit // more than an int holds, or than is allowed
			}
			n += count
		}
		rest = after
	}
}

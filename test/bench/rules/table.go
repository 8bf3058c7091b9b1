package main

import (
	"fmt"
	"maps"
	"slices"
)

func printStages(what string, all []stages) {
	for _, row := range []struct {
		stage string
		of    func(stages) float64
	}{
		{"**total**", func(s stages) float64 { return s.total }},
		{"without Prometheus' reload", func(s stages) float64 { return s.total - s.reload }},
		{"watch", func(s stages) float64 { return s.watch }},
		{"judge, render, publish", func(s stages) float64 { return s.publish }},
		{"fetch", func(s stages) float64 { return s.fetch }},
		{"reload", func(s stages) float64 { return s.reload }},
		{"rest", func(s stages) float64 { return s.rest }},
	} {
		var values []float64
		for _, s := range all {
			values = append(values, row.of(s))
		}
		slices.Sort(values)
		fmt.Printf("| %s | %s | %.0f | %.0f | %.0f | %.0f |\n", what, row.stage,
			quantile(values, 0.5), quantile(values, 0.9), quantile(values, 0.99), values[len(values)-1])
	}
}

// quantile of sorted values: the smallest that so many are not above.
func quantile(sorted []float64, q float64) float64 {
	i := int(q*float64(len(sorted))+0.999999) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

func (b *bench) printCosts(before, after costs, edits int) {
	seconds := after.at.Sub(before.at).Seconds()
	fmt.Printf("| operator's CPU, beside the %.1f ms a second that it takes idle | %.1f ms |\n", 1000*b.idleCPU,
		1000*(after.cpu-before.cpu-b.idleCPU*seconds)/float64(edits))
	for _, what := range slices.Sorted(maps.Keys(after.writes)) {
		fmt.Printf("| writes: %s | %.2f |\n", what, float64(after.writes[what]-before.writes[what])/float64(edits))
	}
	fmt.Printf("| operator's resident memory after them | %.0f MB |\n", after.memory/1e6)
}

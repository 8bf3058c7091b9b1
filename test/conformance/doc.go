// Package conformance holds our node exporter to node_exporter's golden output on node_exporter's own fixtures. Both come
// inside node_exporter's module, which this module requires; nothing of them is copied.
package conformance

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// A family is a metric as it was said: its type and its samples, by their labels as text.
type family struct {
	kind    string
	samples map[string]float64
}

func read(r io.Reader) (map[string]family, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	parsed, err := parser.TextToMetricFamilies(r)
	if err != nil {
		return nil, err
	}
	families := map[string]family{}
	for name, p := range parsed {
		f := family{p.GetType().String(), map[string]float64{}}
		for _, m := range p.GetMetric() {
			labels := labelText(m)
			if _, twice := f.samples[labels]; twice {
				return nil, fmt.Errorf("%s%s is there twice", name, labels)
			}
			addSamples(f.samples, labels, m)
		}
		families[name] = f
	}
	return families, nil
}

func labelText(m *dto.Metric) string {
	var pairs []string
	for _, l := range m.GetLabel() {
		pairs = append(pairs, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
	}
	slices.Sort(pairs)
	return "{" + strings.Join(pairs, ",") + "}"
}

func addSamples(samples map[string]float64, labels string, m *dto.Metric) {
	switch {
	case m.Gauge != nil:
		samples[labels] = m.GetGauge().GetValue()
	case m.Counter != nil:
		samples[labels] = m.GetCounter().GetValue()
	case m.Untyped != nil:
		samples[labels] = m.GetUntyped().GetValue()
	case m.Summary != nil:
		samples[labels+"_sum"], samples[labels+"_count"] = m.GetSummary().GetSampleSum(), float64(m.GetSummary().GetSampleCount())
		for _, q := range m.GetSummary().GetQuantile() {
			samples[fmt.Sprint(labels, q.GetQuantile())] = q.GetValue()
		}
	case m.Histogram != nil:
		samples[labels+"_sum"], samples[labels+"_count"] = m.GetHistogram().GetSampleSum(), float64(m.GetHistogram().GetSampleCount())
		for _, b := range m.GetHistogram().GetBucket() {
			samples[fmt.Sprint(labels, b.GetUpperBound())] = float64(b.GetCumulativeCount())
		}
	}
}

// differences says how a family of ours differs from the golden one.
func differences(name string, golden, ours family) []string {
	var out []string
	if golden.kind != ours.kind {
		out = append(out, fmt.Sprintf("%s is a %s, ours a %s", name, golden.kind, ours.kind))
	}
	for labels, want := range golden.samples {
		got, ok := ours.samples[labels]
		if !ok {
			out = append(out, fmt.Sprintf("%s%s %v is missing", name, labels, want))
		} else if !equal(want, got) {
			out = append(out, fmt.Sprintf("%s%s is %v, ours %v", name, labels, want, got))
		}
	}
	for labels, got := range ours.samples {
		if _, ok := golden.samples[labels]; !ok {
			out = append(out, fmt.Sprintf("%s%s %v is extra", name, labels, got))
		}
	}
	slices.Sort(out)
	return out
}

// equal allows the last bit to differ: node_exporter multiplies milliseconds with 0.001, which is not quite a thousandth,
// and writes 21.650000000000002 where we divide and write 21.65.
func equal(a, b float64) bool {
	return a == b || math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) <= math.Abs(a)*0x1p-52
}

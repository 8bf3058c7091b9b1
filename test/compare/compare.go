// Package compare holds what two exporters say against each other: series by series, and over time. The conformance tests
// compare ours with node_exporter's golden output, and ours with a node_exporter that runs beside it.
package compare

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

// A Family is a metric as it was said: its type and its samples, by their labels as text.
type Family struct {
	Kind    string
	Samples map[string]float64
}

// Read reads an answer in the text format. A series that is there twice is an error.
func Read(r io.Reader) (map[string]Family, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	parsed, err := parser.TextToMetricFamilies(r)
	if err != nil {
		return nil, err
	}
	families := map[string]Family{}
	for name, p := range parsed {
		f := Family{p.GetType().String(), map[string]float64{}}
		for _, m := range p.GetMetric() {
			labels := labelText(m)
			if _, twice := f.Samples[labels]; twice {
				return nil, fmt.Errorf("%s%s is there twice", name, labels)
			}
			addSamples(f.Samples, labels, m)
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

// Golden says how a family of ours differs from the golden one.
func Golden(name string, golden, ours Family) []string {
	var out []string
	if golden.Kind != ours.Kind {
		out = append(out, fmt.Sprintf("%s is a %s, ours a %s", name, golden.Kind, ours.Kind))
	}
	for labels, want := range golden.Samples {
		got, ok := ours.Samples[labels]
		if !ok {
			out = append(out, fmt.Sprintf("%s%s %v is missing", name, labels, want))
		} else if !equal(want, got) {
			out = append(out, fmt.Sprintf("%s%s is %v, ours %v", name, labels, want, got))
		}
	}
	for labels, got := range ours.Samples {
		if _, ok := golden.Samples[labels]; !ok {
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

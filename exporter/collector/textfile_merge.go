package collector

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/hearth-monitoring/hearth/exporter/scan"
)

// readTextfile reads a file, whole or not at all: one with a mistake in it has none of its metrics.
func readTextfile(path string) (map[string]*dto.MetricFamily, error) {
	file, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, name := range slices.Sorted(maps.Keys(families)) {
		for _, m := range families[name].Metric {
			if m.TimestampMs != nil { // a sample that nobody writes anymore would look alive for as long as the file is there
				return nil, fmt.Errorf("%s: %s has a timestamp, which is not supported", path, name)
			}
		}
	}
	return families, nil
}

// A textMerge puts the families of several files together.
type textMerge struct {
	families map[string]*mergedFamily
}

// A mergedFamily is a metric of one file or more, which agree on its type and its help.
type mergedFamily struct {
	*dto.MetricFamily
	files []string
}

// add takes a file's families. One that contradicts an earlier file's is left out.
func (t *textMerge) add(path string, families map[string]*dto.MetricFamily) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(families)) {
		f := families[name]
		padLabels(f.Metric)
		known, ok := t.families[name]
		switch {
		case !ok:
			t.families[name] = &mergedFamily{f, []string{path}}
			continue
		case known.GetType() != f.GetType():
			errs = append(errs, fmt.Errorf("%s: %s is a %s, and in %s a %s", path, name, kind(f), known.files[0], kind(known.MetricFamily)))
			continue
		case f.GetHelp() != "" && known.GetHelp() != "" && f.GetHelp() != known.GetHelp():
			errs = append(errs, fmt.Errorf("%s: %s has another help than in %s", path, name, known.files[0]))
			continue
		}
		if known.GetHelp() == "" {
			known.Help = f.Help
		}
		known.Metric = append(known.Metric, f.Metric...)
		known.files = append(known.files, path)
	}
	return errors.Join(errs...)
}

func kind(f *dto.MetricFamily) string { return strings.ToLower(f.GetType().String()) }

// padLabels gives each metric of a family the labels of all, as node_exporter does, and sorts them.
func padLabels(metrics []*dto.Metric) {
	all := map[string]bool{}
	for _, m := range metrics {
		for _, l := range m.Label {
			all[l.GetName()] = true
		}
	}
	names := slices.Sorted(maps.Keys(all))
	for _, m := range metrics {
		values := map[string]string{}
		for _, l := range m.Label {
			values[l.GetName()] = l.GetValue()
		}
		m.Label = m.Label[:0]
		for _, name := range names {
			m.Label = append(m.Label, &dto.LabelPair{Name: new(name), Value: new(values[name])})
		}
	}
}

// content writes the families. A sample that was already said, by another file or by another family that has the same
// name with _sum or _count behind it, would make Prometheus refuse the scrape: its metric is left out.
func (t *textMerge) content() *textfileContent {
	var errs []error
	content := &textfileContent{named: map[string]int{}}
	said := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(t.families)) {
		f := t.families[name]
		if strings.HasPrefix(name, "node_scrape_collector_") || strings.HasPrefix(name, "node_textfile_") {
			errs = append(errs, fmt.Errorf("%s: %s is what the exporter says of itself: it is left out", strings.Join(f.files, ", "), name))
			continue
		}
		if f.GetHelp() == "" {
			f.Help = new("Metric read from " + strings.Join(f.files, ", "))
		}
		kept := f.Metric[:0]
		for _, m := range f.Metric {
			twice, err := sayOnce(said, f.MetricFamily, m)
			switch {
			case err != nil:
				errs = append(errs, fmt.Errorf("%s: %w", f.files[0], err))
			case twice != "":
				errs = append(errs, fmt.Errorf("%s: %s is there twice", strings.Join(f.files, ", "), twice))
			default:
				kept = append(kept, m)
			}
		}
		if f.Metric = kept; len(kept) == 0 {
			continue
		}
		if err := content.add(name, f); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.files[0], err))
		}
	}
	content.err = errors.Join(errs...)
	return content
}

// sayOnce notes the samples of a metric in said, or returns the first that is there already. A label without a value is
// the same as none.
func sayOnce(said map[string]bool, f *dto.MetricFamily, m *dto.Metric) (twice string, err error) {
	bare := &dto.Metric{Gauge: m.Gauge, Counter: m.Counter, Summary: m.Summary, Untyped: m.Untyped, Histogram: m.Histogram}
	for _, l := range m.Label {
		if l.GetValue() != "" {
			bare.Label = append(bare.Label, l)
		}
	}
	var out bytes.Buffer
	if _, err := expfmt.MetricFamilyToText(&out, &dto.MetricFamily{Name: f.Name, Type: f.Type, Metric: []*dto.Metric{bare}}); err != nil {
		return "", err
	}
	var keys []string
	for b := out.Bytes(); len(b) > 0; {
		var line []byte
		if line, b = scan.Line(b); bytes.HasPrefix(line, []byte("#")) {
			continue
		}
		key := string(line[:bytes.LastIndexByte(line, ' ')])
		if said[key] || slices.Contains(keys, key) {
			return key, nil
		}
		keys = append(keys, key)
	}
	for _, key := range keys {
		said[key] = true
	}
	return "", nil
}

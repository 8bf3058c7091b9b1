package collector

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// textfileContent is what the files say, written out. It is not changed any more once it is made: scrapes read it side by
// side.
type textfileContent struct {
	metrics []textfileMetric
	named   map[string]int // the metric of a name, and of a histogram's or summary's other names
	err     error          // what was left out, and why
}

type textfileMetric struct {
	name, files string
	text        []byte
	samples     int
}

func (c *textfileContent) add(name string, f *mergedFamily) error {
	var out bytes.Buffer
	if _, err := expfmt.MetricFamilyToText(&out, f.MetricFamily); err != nil {
		return err
	}
	const headings = 2
	c.metrics = append(c.metrics, textfileMetric{name, strings.Join(f.files, ", "), out.Bytes(), bytes.Count(out.Bytes(), []byte("\n")) - headings})
	c.named[name] = len(c.metrics) - 1
	if kind := f.GetType(); kind == dto.MetricType_HISTOGRAM || kind == dto.MetricType_SUMMARY {
		for _, end := range []string{"_bucket", "_count", "_sum"} {
			if _, ok := c.named[name+end]; !ok {
				c.named[name+end] = len(c.metrics) - 1
			}
		}
	}
	return nil
}

// admit appends the metrics whose names nobody else has. The exporter's own come first, whatever a file says: two metrics
// of one name would be one with a type and a help that contradict each other, and Prometheus would take either or refuse
// the scrape. node_exporter leaves out whichever it meets last.
func (c *textfile) admit(b []byte, limit int) (out []byte, dropped int, err error) {
	content := c.said.Load()
	if content == nil { // no run has come to its end
		return b, 0, nil
	}
	taken := content.taken(b)
	var errs []error
	samples := 0
	for i, m := range content.metrics {
		switch {
		case taken[i]:
			errs = append(errs, fmt.Errorf("%s: %s is a metric of the exporter's own: it is left out, give it another name", m.files, m.name))
		case limit > 0 && samples+m.samples > limit:
			dropped += m.samples
		default:
			samples += m.samples
			b = append(b, m.text...)
		}
	}
	failed := 0
	if content.err != nil || len(errs) > 0 {
		failed = 1
	}
	return c.failed[failed].AppendTo(b), dropped, errors.Join(errs...)
}

// taken says which metrics have a name that is in b already.
func (c *textfileContent) taken(b []byte) map[int]bool {
	if len(c.metrics) == 0 {
		return nil
	}
	var taken map[int]bool
	heading := []byte("\n# TYPE ") // behind a line of help
	for {
		at := bytes.Index(b, heading)
		if at < 0 {
			return taken
		}
		b = b[at+len(heading):]
		name, _, _ := bytes.Cut(b, []byte(" "))
		if i, ok := c.named[string(name)]; ok {
			if taken == nil {
				taken = map[int]bool{}
			}
			taken[i] = true
		}
	}
}

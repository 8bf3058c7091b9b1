// Package text writes metrics in Prometheus' text format, version 0.0.4, straight from numbers to bytes: no sample is ever
// an object. A family's heading is made once; a sample is three appends to a buffer that is kept from scrape to scrape.
package text

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Family is a metric: its name, help and type, the names of its labels, and the samples of one scrape. Its owner adds
// samples, and whoever runs the owner takes them with AppendTo and then calls Reset; neither is safe to do side by side.
type Family struct {
	name    string
	heading []byte  // # HELP and # TYPE
	labels  []label // as they are written, by name
	body    []byte
}

// A label is what is written before its value, and which of the values it is: they are given in the order of declaration.
type label struct {
	open  string // `{device="`, or `",device="` after another
	value int
}

// Counter makes a family of what only grows. labels, here and below, are the label names, in the order in which Add is given the values.
func Counter(name, help string, labels ...string) *Family {
	return newFamily("counter", name, help, labels)
}

// Gauge makes a family of what can go up and down.
func Gauge(name, help string, labels ...string) *Family {
	return newFamily("gauge", name, help, labels)
}

// Untyped makes a family of what the host does not say enough about.
func Untyped(name, help string, labels ...string) *Family {
	return newFamily("untyped", name, help, labels)
}

// Verbatim makes a family of which each sample is given as text, as the files of others are. It has no heading of its own.
func Verbatim(name string) *Family { return &Family{name: name} }

func newFamily(kind, name, help string, labels []string) *Family {
	f := &Family{name: name}
	escaped := strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(help)
	f.heading = []byte("# HELP " + name + " " + escaped + "\n# TYPE " + name + " " + kind + "\n")
	f.labels = order(labels)
	return f
}

// order writes labels sorted by name, as client_golang does, so that our text can be compared with its.
func order(names []string) []label {
	sorted := slices.Clone(names)
	slices.Sort(sorted)
	labels := make([]label, len(sorted))
	for i, name := range sorted {
		open := `",` + name + `="`
		if i == 0 {
			open = `{` + name + `="`
		}
		labels[i] = label{open, slices.Index(names, name)}
	}
	return labels
}

// Name of the metric.
func (f *Family) Name() string { return f.name }

// Add appends one sample. It panics if there are not as many values as labels: that is a mistake in the program.
func (f *Family) Add(value float64, labels ...string) {
	f.body = append(f.body, f.name...)
	f.body = appendLabels(f.body, f.labels, labels)
	f.body = append(f.body, ' ')
	f.body = appendFloat(f.body, value)
	f.body = append(f.body, '\n')
}

// Labels are label values rendered once, to be written many times: Add renders them anew for each sample.
type Labels string

// Labels renders values for Put. The families of one device have the same label names and can share them.
func (f *Family) Labels(values ...string) Labels {
	return Labels(appendLabels(nil, f.labels, values))
}

// Put appends one sample with labels that were rendered before.
func (f *Family) Put(value float64, labels Labels) {
	f.body = append(f.body, f.name...)
	f.body = append(f.body, labels...)
	f.body = append(f.body, ' ')
	f.body = appendFloat(f.body, value)
	f.body = append(f.body, '\n')
}

// Write appends text as it is: whole lines, in the format. It is for Verbatim.
func (f *Family) Write(text []byte) (int, error) {
	f.body = append(f.body, text...)
	return len(text), nil
}

// Size is how many bytes the samples take.
func (f *Family) Size() int { return len(f.body) }

// Len is how many samples there are: lines, of which each is one.
func (f *Family) Len() int { return bytes.Count(f.body, []byte("\n")) }

// Cut keeps the first n samples.
func (f *Family) Cut(n int) {
	at := 0
	for range n {
		next := bytes.IndexByte(f.body[at:], '\n')
		if next < 0 {
			return
		}
		at += next + 1
	}
	f.body = f.body[:at]
}

// Empty says that the family has no samples.
func (f *Family) Empty() bool { return len(f.body) == 0 }

// AppendTo appends the family, heading and samples, or nothing if it has no sample.
func (f *Family) AppendTo(b []byte) []byte {
	if f.Empty() {
		return b
	}
	return append(append(b, f.heading...), f.body...)
}

// Reset drops the samples and keeps their buffer.
func (f *Family) Reset() { f.body = f.body[:0] }

func appendLabels(b []byte, labels []label, values []string) []byte {
	if len(labels) != len(values) {
		panic("text: a sample needs as many values as its family has labels")
	}
	if len(labels) == 0 {
		return b
	}
	for _, l := range labels {
		b = append(b, l.open...)
		b = appendEscaped(b, values[l.value])
	}
	return append(b, `"}`...)
}

// appendEscaped writes a label's value. Names that the host made up (mount points, devices, models) may be any bytes;
// what is not UTF-8 in them is replaced, since one bad label would otherwise cost the whole scrape.
func appendEscaped(b []byte, s string) []byte {
	plain := true
	for i := range len(s) {
		if c := s[i]; c == '\\' || c == '"' || c == '\n' || c >= utf8.RuneSelf {
			plain = false
			break
		}
	}
	if plain {
		return append(b, s...)
	}
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		switch r {
		case '\\':
			b = append(b, `\\`...)
		case '"':
			b = append(b, `\"`...)
		case '\n':
			b = append(b, `\n`...)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}

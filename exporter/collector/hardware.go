package collector

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

// What the collectors of hardware share: most machines lack most of it, drivers refuse some of their own files, and what
// a device is called seldom changes.

// unsaid says that a device has no value for this file, now or ever: besides held.Absent, a battery that is out, a sensor
// that is off and a CPU that sleeps answer so.
func unsaid(err error) bool {
	return held.Absent(err) || errors.Is(err, unix.ENODATA) || errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EBUSY)
}

// deviceNames lists a directory of devices. A machine without such devices often has no such directory, which is no error.
func deviceNames(dir *held.Dir) ([][]byte, error) {
	names, err := dir.Names()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return names, err
}

// Descriptive files of a device, and the labels that are made of them. They are rendered anew when one has changed.
type described struct {
	names, values []string // of the labels; the first has no file
	files         []*held.File
	withEmpty     bool // write labels that are empty too
	labels        text.Labels
}

func describe(label, value string, withEmpty bool) *described {
	return &described{names: []string{label}, values: []string{value}, withEmpty: withEmpty}
}

func (d *described) add(label string, file *held.File) {
	d.names, d.values, d.files = append(d.names, label), append(d.values, ""), append(d.files, file)
}

func (d *described) read() (text.Labels, error) {
	changed := d.labels == ""
	for i, f := range d.files {
		b, err := f.Text()
		if err != nil && !unsaid(err) {
			return "", err
		}
		if string(b) != d.values[i+1] {
			d.values[i+1], changed = string(b), true
		}
	}
	if changed {
		d.labels = labelsOf(d.names, d.values, d.withEmpty)
	}
	return d.labels, nil
}

func (d *described) close() { closeAll(d.files...) }

// labelsOf renders labels that differ from sample to sample within a family.
func labelsOf(names, values []string, withEmpty bool) text.Labels {
	var n, v []string
	for i, value := range values {
		if value != "" || withEmpty {
			n, v = append(n, names[i]), append(v, value)
		}
	}
	return text.Gauge("", "", n...).Labels(v...)
}

func closeAll(files ...*held.File) {
	for _, f := range files {
		f.Close()
	}
}

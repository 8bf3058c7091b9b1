package collector

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

// perCPU reads a table with a column a CPU, which /proc/interrupts and /proc/softirqs are:
//
//	     CPU0  CPU1
//	LOC:   12    34   Local timer interrupts
type perCPU struct {
	file    *held.File
	heading []byte
	cpus    []string // the number of the CPU, by column: the kernel leaves out of interrupts those that are offline
	rows    held.Devices[*perCPURow]
	values  []uint64
}

// perCPURow is what is kept of a row.
type perCPURow struct {
	name, details string // what stands before and behind the numbers
	dropped       bool
	labels        []text.Labels // by column
}

// read gives each row to add with its numbers. made is called for a row that is new or changed its details, and has to
// set labels or dropped. Rows that have fewer numbers than there are CPUs are no CPU's: a few totals.
func (t *perCPU) read(made func(*perCPURow), add func(*perCPURow, []uint64)) error {
	defer t.rows.Sweep(nil)
	return eachLine(t.file, func(n int, line []byte) error {
		if n == 1 {
			return t.head(line)
		}
		name, rest, ok := bytes.Cut(line, []byte(":"))
		if name = bytes.TrimSpace(name); !ok || len(name) == 0 {
			return fmt.Errorf("%q has no name", line)
		}
		details, enough, err := t.numbers(rest)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if !enough {
			return nil
		}
		row := t.rows.Get(name, func(name string) *perCPURow { return &perCPURow{name: name} })
		if row.labels == nil && !row.dropped || row.details != string(details) {
			row.details, row.dropped, row.labels = string(details), false, row.labels[:0]
			made(row)
		}
		if !row.dropped {
			add(row, t.values)
		}
		return nil
	})
}

func (t *perCPU) head(line []byte) error {
	if t.cpus != nil && bytes.Equal(line, t.heading) {
		return nil
	}
	t.heading, t.cpus, t.rows = append(t.heading[:0], line...), t.cpus[:0], held.Devices[*perCPURow]{}
	for _, field := range bytes.Fields(line) {
		number, ok := bytes.CutPrefix(field, []byte("CPU"))
		if _, digits := scan.Uint(number); !ok || !digits {
			t.cpus = nil
			return fmt.Errorf("%q is not a CPU", field)
		}
		t.cpus = append(t.cpus, string(number))
	}
	if len(t.cpus) == 0 {
		return errors.New("no CPUs")
	}
	t.values = make([]uint64, len(t.cpus))
	return nil
}

// numbers reads a number a CPU into values and returns what stands behind them.
func (t *perCPU) numbers(b []byte) (details []byte, enough bool, err error) {
	for i := range t.values {
		field, rest := scan.Field(b)
		if len(field) == 0 {
			return nil, false, nil
		}
		v, ok := scan.Uint(field)
		if !ok {
			return nil, false, fmt.Errorf("%q is not a number", field)
		}
		t.values[i], b = v, rest
	}
	return bytes.TrimSpace(b), true, nil
}

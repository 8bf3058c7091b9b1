package collector

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/scan"
)

// procStat reads /proc/stat. procfs has a parser for it, but answers zero for a line or a column that is not there, and
// the difference between zero and unknown is what this package is about; a test holds the two equal on whole input.
type procStat struct {
	file    *held.File
	cpus    []cpuTicks
	values  [6]uint64 // by statKeys
	has     [6]bool
	softirq []uint64 // the total, then one number a vector
}

// statKeys are the lines with one value that counts.
func statKeys() [6]string {
	return [6]string{"intr", "ctxt", "processes", "btime", "procs_running", "procs_blocked"}
}

// cpuTicks is a cpu line: user nice system idle iowait irq softirq steal guest guest_nice, or the first n of them, in
// ticks of 1/userHZ seconds.
type cpuTicks struct {
	id    int
	n     int
	ticks [10]uint64
}

// userHZ is the unit of the cpu lines. It is a part of the kernel's ABI and 100 on all that Go runs on.
const userHZ = 100

func newProcStat(h Host) procStat { return procStat{file: h.procFile("stat")} }

// A statReader reads /proc/stat once for the two collectors that need it: the kernel adds up every interrupt of every CPU
// for it, which on a large node is dear.
type statReader struct {
	mu   sync.Mutex
	last procStat
	err  error
	of   context.Context // the scrape it was read for; nil once both have it
	by   *procStat       // who had it read
}

// read gives what was read for the other one in the same scrape, or reads.
func (r *statReader) read(ctx context.Context, into *procStat) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == ctx && r.by != into {
		r.of, r.by = nil, nil
	} else {
		r.err = r.last.read()
		r.of, r.by = ctx, into
	}
	into.file, into.values, into.has = r.last.file, r.last.values, r.last.has
	into.cpus = append(into.cpus[:0], r.last.cpus...)
	into.softirq = append(into.softirq[:0], r.last.softirq...)
	return r.err
}

// read fills s anew; what it holds is valid until the next read.
func (s *procStat) read() error {
	b, err := s.file.Lines()
	if err != nil {
		return err
	}
	s.cpus, s.has, s.softirq = s.cpus[:0], [6]bool{}, s.softirq[:0]
	n := 0
	for len(b) > 0 {
		var line []byte
		line, b = scan.Line(b)
		n++
		if err := s.line(line); err != nil {
			return fmt.Errorf("%s: line %d: %w", s.file.Path(), n, err)
		}
	}
	if len(s.cpus) == 0 {
		return fmt.Errorf("%s: no cpu lines in %d", s.file.Path(), n)
	}
	return nil
}

func (s *procStat) line(line []byte) error {
	key, rest, ok := bytes.Cut(line, []byte(" "))
	switch {
	case !ok:
		return fmt.Errorf("%q has no value", line)
	case string(key) == "cpu": // the sum of the others
		return nil
	case bytes.HasPrefix(key, []byte("cpu")):
		return s.cpu(key, rest)
	case string(key) == "softirq":
		return s.softirqs(rest)
	}
	for i, name := range statKeys() {
		if string(key) != name {
			continue
		}
		first, _ := scan.Field(rest) // after the sum, intr has a number for each of a few thousand interrupts
		if s.values[i], s.has[i] = scan.Uint(first); !s.has[i] {
			return fmt.Errorf("%s: %q is not a number", key, first)
		}
	}
	return nil
}

func (s *procStat) cpu(key, rest []byte) error {
	id, ok := scan.Uint(key[len("cpu"):])
	if !ok || id > 1<<20 {
		return fmt.Errorf("%q is not a cpu", key)
	}
	c := cpuTicks{id: int(id)}
	n, bad := scan.Uints(rest, c.ticks[:])
	if bad != nil {
		return fmt.Errorf("%s: %q is not a number", key, bad)
	}
	if n < 4 {
		return fmt.Errorf("%s: %d columns, at least 4 wanted", key, n)
	}
	c.n = min(n, len(c.ticks))
	s.cpus = append(s.cpus, c)
	return nil
}

func (s *procStat) softirqs(rest []byte) error {
	for {
		var field []byte
		if field, rest = scan.Field(rest); len(field) == 0 {
			return nil
		}
		v, ok := scan.Uint(field)
		if !ok {
			return fmt.Errorf("softirq: %q is not a number", field)
		}
		s.softirq = append(s.softirq, v)
	}
}

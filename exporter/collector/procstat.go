package collector

import (
	"fmt"
	"strconv"
	"strings"
)

// procStat is /proc/stat. procfs has a parser for it, but answers zero for a line or a column that is not there, and the
// difference between zero and unknown is what this package is about; a test holds the two equal on whole input.
type procStat struct {
	cpus    map[int][]float64  // seconds by column: user nice system idle iowait irq softirq steal guest guest_nice
	values  map[string]float64 // intr, ctxt, btime, processes, procs_running, procs_blocked
	softirq []uint64           // the total, then one number a vector
}

// userHZ is the unit of the cpu lines. It is a part of the kernel's ABI and 100 on all that Go runs on.
const userHZ = 100

func readProcStat(h Host) (procStat, error) {
	path := h.proc("stat")
	b, err := readWhole(path)
	if err != nil {
		return procStat{}, err
	}
	s, err := parseProcStat(b)
	if err != nil {
		return procStat{}, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func parseProcStat(b []byte) (procStat, error) {
	s := procStat{cpus: map[int][]float64{}, values: map[string]float64{}}
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		if err := s.parseLine(strings.TrimSuffix(line, "\n")); err != nil {
			return procStat{}, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if len(s.cpus) == 0 {
		return procStat{}, fmt.Errorf("no cpu lines in %d", n)
	}
	return s, nil
}

func (s *procStat) parseLine(line string) error {
	key, rest, ok := strings.Cut(line, " ")
	if !ok {
		return fmt.Errorf("%q has no value", line)
	}
	switch key {
	case "cpu": // the sum of the others
	case "softirq":
		v, err := parseUints(strings.Fields(rest))
		if err != nil {
			return fmt.Errorf("softirq: %w", err)
		}
		s.softirq = v
	case "intr", "ctxt", "btime", "processes", "procs_running", "procs_blocked":
		first, _, _ := strings.Cut(rest, " ") // after the sum, intr has a number for each of a few thousand interrupts
		v, err := strconv.ParseUint(first, 10, 64)
		if err != nil {
			return fmt.Errorf("%s: %q is not a number", key, first)
		}
		s.values[key] = float64(v)
	default:
		if strings.HasPrefix(key, "cpu") {
			return s.parseCPU(key, strings.Fields(rest))
		}
	}
	return nil
}

func (s *procStat) parseCPU(key string, fields []string) error {
	id, err := strconv.Atoi(strings.TrimPrefix(key, "cpu"))
	if err != nil {
		return fmt.Errorf("%q is not a cpu", key)
	}
	ticks, err := parseUints(fields)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	if len(ticks) < 4 {
		return fmt.Errorf("%s: %d columns, at least 4 wanted", key, len(ticks))
	}
	seconds := make([]float64, min(len(ticks), 10))
	for i := range seconds {
		seconds[i] = float64(ticks[i]) / userHZ
	}
	s.cpus[id] = seconds
	return nil
}

package collector

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

// pressure says how long tasks waited for what the machine is short of (PSI).
type pressure struct {
	resources []pressureFile
	families  []*text.Family
}

// pressureFile has a line "some" for the time in which a task waited and a line "full" for that in which all did.
type pressureFile struct {
	*held.File
	some, full *text.Family // nil where node_exporter has no metric: of the CPU, full has no meaning; of IRQs, some
}

func declarePressure(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		c := &pressure{}
		total := func(name, help string) *text.Family {
			f := text.Counter("node_pressure_"+name, help)
			c.families = append(c.families, f)
			return f
		}
		c.resources = []pressureFile{
			{h.procFile("pressure/cpu"), total("cpu_waiting_seconds_total", "Total time in seconds that processes have waited for CPU time"), nil},
			{
				h.procFile("pressure/io"),
				total("io_waiting_seconds_total", "Total time in seconds that processes have waited due to IO congestion"),
				total("io_stalled_seconds_total", "Total time in seconds no process could make progress due to IO congestion"),
			},
			{
				h.procFile("pressure/memory"),
				total("memory_waiting_seconds_total", "Total time in seconds that processes have waited for memory"),
				total("memory_stalled_seconds_total", "Total time in seconds no process could make progress due to memory congestion"),
			},
			{h.procFile("pressure/irq"), nil, total("irq_stalled_seconds_total", "Total time in seconds no process could make progress due to IRQ congestion")},
		}
		return c, nil
	}
}

func (c *pressure) Families() []*text.Family { return c.families }

func (c *pressure) Update(context.Context) error {
	var errs []error
	for _, r := range c.resources {
		b, err := r.lines()
		if held.Absent(err) { // built without PSI, switched off by psi=0, or older than irq's 6.1
			continue
		}
		if err == nil {
			err = errors.Join(r.add(r.some, "some ", b), r.add(r.full, "full ", b))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// lines reads the file. That of the IRQs is one line, which copies tend to have without its newline; where there are two,
// a missing newline means that something is missing.
func (r *pressureFile) lines() ([]byte, error) {
	if r.some != nil {
		return r.Lines()
	}
	b, err := r.Text()
	if err == nil && len(b) == 0 {
		err = fmt.Errorf("%s: empty", r.Path())
	}
	return b, err
}

// add reads a line such as "some avg10=0.18 avg60=0.34 avg300=0.10 total=159886802", in microseconds.
func (r *pressureFile) add(f *text.Family, kind string, b []byte) error {
	if f == nil {
		return nil
	}
	for n := 1; len(b) > 0; n++ {
		var line []byte
		line, b = scan.Line(b)
		if !bytes.HasPrefix(line, []byte(kind)) {
			continue
		}
		_, total, _ := bytes.Cut(line, []byte(" total="))
		v, ok := scan.Uint(total)
		if !ok {
			return fmt.Errorf("%s: line %d: no total in %q", r.Path(), n, line)
		}
		f.Add(float64(v) / 1000 / 1000) // in two steps, as node_exporter rounds
		return nil
	}
	return fmt.Errorf("%s: no line %q", r.Path(), kind[:len(kind)-1])
}

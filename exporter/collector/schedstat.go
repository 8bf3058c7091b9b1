package collector

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type schedstat struct {
	file                         *held.File
	running, waiting, timeslices *text.Family
	labels                       held.Devices[text.Labels]
}

func declareSchedstat(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		return &schedstat{
			file:       h.procFile("schedstat"),
			running:    text.Counter("node_schedstat_running_seconds_total", "Number of seconds CPU spent running a process.", "cpu"),
			waiting:    text.Counter("node_schedstat_waiting_seconds_total", "Number of seconds spent by processing waiting for this CPU.", "cpu"),
			timeslices: text.Counter("node_schedstat_timeslices_total", "Number of timeslices executed by CPU.", "cpu"),
		}, nil
	}
}

func (c *schedstat) Families() []*text.Family {
	return []*text.Family{c.running, c.waiting, c.timeslices}
}

func (c *schedstat) Update(context.Context) error {
	b, err := c.file.Lines()
	if errors.Is(err, fs.ErrNotExist) { // a kernel without CONFIG_SCHEDSTATS
		return nil
	}
	if err != nil {
		return err
	}
	defer c.labels.Sweep(nil)
	cpus := 0
	for n := 1; len(b) > 0; n++ {
		var line []byte
		line, b = scan.Line(b)
		name, rest := scan.Field(line)
		number, ok := bytes.CutPrefix(name, []byte("cpu"))
		if !ok {
			continue // a domain's line, or the heading's two
		}
		if err := c.add(number, rest); err != nil {
			return fmt.Errorf("%s: line %d: %s: %w", c.file.Path(), n, name, err)
		}
		cpus++
	}
	if cpus == 0 {
		return fmt.Errorf("%s: no line of a CPU", c.file.Path())
	}
	return nil
}

// add reads a CPU's numbers: six of the scheduler's own, then the three that say how the time went.
func (c *schedstat) add(number, rest []byte) error {
	if _, ok := scan.Uint(number); !ok {
		return errors.New("not a CPU's name")
	}
	var v [9]uint64
	n, bad := scan.Uints(rest, v[:])
	if bad != nil {
		return fmt.Errorf("%q is not a number", bad)
	}
	if n < len(v) {
		return fmt.Errorf("%d numbers, %d wanted", n, len(v))
	}
	label := c.labels.Get(number, func(cpu string) text.Labels { return c.running.Labels(cpu) })
	c.running.Put(float64(v[6])/1e9, label)
	c.waiting.Put(float64(v[7])/1e9, label)
	c.timeslices.Put(float64(v[8]), label)
	return nil
}

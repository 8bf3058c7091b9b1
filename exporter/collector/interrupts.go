package collector

import (
	"context"
	"flag"
	"log/slog"
	"strconv"
	"strings"

	"github.com/hearth-monitoring/hearth/exporter/text"
)

type interrupts struct {
	table  perCPU
	filter filter
	zeros  bool
	total  *text.Family
}

func declareInterrupts(flags *flag.FlagSet) factory {
	names := declareFilter(flags, "interrupts.name", "interrupts name", "")
	zeros := flags.Bool("collector.interrupts.include-zeros", true, "Include interrupts that have a zero value")
	return func(h Host, _ *slog.Logger) (Collector, error) {
		f, err := names.compile()
		if err != nil {
			return nil, err
		}
		return &interrupts{
			table: perCPU{file: h.procFile("interrupts")}, filter: f, zeros: *zeros,
			total: text.Counter("node_interrupts_total", "Interrupt details.", "cpu", "type", "info", "devices"),
		}, nil
	}
}

func (c *interrupts) Families() []*text.Family { return []*text.Family{c.total} }

func (c *interrupts) Update(context.Context) error { return c.table.read(c.made, c.add) }

// made tells a row's two texts apart: "IO-APIC 4-edge ttyS0" has the controller first and then what it is for, where the
// name is a number; else it is all one text. A row without any is a total such as ERR, which on one CPU looks like others.
func (c *interrupts) made(row *perCPURow) {
	words := strings.Fields(row.details)
	if len(words) == 0 {
		row.dropped = true
		return
	}
	info, devices := strings.Join(words, " "), ""
	if _, err := strconv.Atoi(row.name); err == nil {
		info, devices = words[0], strings.Join(words[1:], " ")
	}
	if row.dropped = c.filter.drops(row.name + ";" + info + ";" + devices); row.dropped {
		return
	}
	for _, cpu := range c.table.cpus {
		row.labels = append(row.labels, c.total.Labels(cpu, row.name, info, devices))
	}
}

func (c *interrupts) add(row *perCPURow, values []uint64) {
	for i, v := range values {
		if v > 0 || c.zeros {
			c.total.Put(float64(v), row.labels[i])
		}
	}
}

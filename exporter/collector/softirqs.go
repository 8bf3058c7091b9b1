package collector

import (
	"context"
	"flag"
	"log/slog"

	"github.com/hearth-monitoring/hearth/exporter/text"
)

type softirqs struct {
	table perCPU
	total *text.Family
}

func declareSoftirqs(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		return &softirqs{
			table: perCPU{file: h.procFile("softirqs")},
			total: text.Counter("node_softirqs_functions_total", "Softirq counts per CPU.", "cpu", "type"),
		}, nil
	}
}

func (c *softirqs) Families() []*text.Family { return []*text.Family{c.total} }

func (c *softirqs) Update(context.Context) error { return c.table.read(c.made, c.add) }

func (c *softirqs) made(row *perCPURow) {
	for _, cpu := range c.table.cpus {
		row.labels = append(row.labels, c.total.Labels(cpu, row.name))
	}
}

func (c *softirqs) add(row *perCPURow, values []uint64) {
	for i, v := range values {
		c.total.Put(float64(v), row.labels[i])
	}
}

package collector

import (
	"context"
	"flag"
	"fmt"
	"log/slog"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type loadavg struct {
	file  *held.File
	loads []*text.Family // in the order of the file
}

func declareLoadavg(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		return &loadavg{
			file: h.procFile("loadavg"),
			loads: []*text.Family{
				text.Gauge("node_load1", "1m load average."),
				text.Gauge("node_load5", "5m load average."),
				text.Gauge("node_load15", "15m load average."),
			},
		}, nil
	}
}

func (c *loadavg) Families() []*text.Family { return c.loads }

func (c *loadavg) Update(context.Context) error {
	b, err := c.file.Lines()
	if err != nil {
		return err
	}
	for _, f := range c.loads {
		var field []byte
		field, b = scan.Field(b)
		load, ok := scan.Float(field)
		if !ok {
			return fmt.Errorf("%s: %q is not a load", c.file.Path(), field)
		}
		f.Add(load)
	}
	return nil
}

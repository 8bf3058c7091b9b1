package collector

import (
	"context"
	"flag"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/procfs"
)

type loadavg struct {
	host                 Host
	procfs               procfs.FS
	load1, load5, load15 family
}

func declareLoadavg(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		proc, err := procfs.NewFS(h.Proc)
		if err != nil {
			return nil, fmt.Errorf("open procfs: %w", err)
		}
		return &loadavg{
			host: h, procfs: proc,
			load1:  gauge("node_load1", "1m load average."),
			load5:  gauge("node_load5", "5m load average."),
			load15: gauge("node_load15", "15m load average."),
		}, nil
	}
}

func (c *loadavg) Describe(ch chan<- *prometheus.Desc) { describe(ch, c.load1, c.load5, c.load15) }

func (c *loadavg) Collect(_ context.Context, ch chan<- prometheus.Metric) error {
	load, err := c.procfs.LoadAvg()
	if err != nil {
		return fmt.Errorf("%s: %w", c.host.proc("loadavg"), err)
	}
	c.load1.send(ch, load.Load1)
	c.load5.send(ch, load.Load5)
	c.load15.send(ch, load.Load15)
	return nil
}

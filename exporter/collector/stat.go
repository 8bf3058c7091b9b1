package collector

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"strings"

	"github.com/hearth-monitoring/hearth/exporter/text"
)

type stat struct {
	reader   *statReader
	stat     procStat
	fields   [6]*text.Family // by statKeys
	softirqs *text.Family
	vectors  []text.Labels // nil where they are not asked for
}

func declareStat(flags *flag.FlagSet) factory {
	softirq := flags.Bool("collector.stat.softirq", false, "Export softirq calls per vector.")
	return func(h Host, _ *slog.Logger) (Collector, error) {
		c := &stat{
			reader: h.stat,
			fields: [6]*text.Family{
				text.Counter("node_intr_total", "Total number of interrupts serviced."),
				text.Counter("node_context_switches_total", "Total number of context switches."),
				text.Counter("node_forks_total", "Total number of forks."),
				text.Gauge("node_boot_time_seconds", "Node boot time, in unixtime."),
				text.Gauge("node_procs_running", "Number of processes in runnable state."),
				text.Gauge("node_procs_blocked", "Number of processes blocked waiting for I/O to complete."),
			},
			softirqs: text.Counter("node_softirqs_total", "Number of softirq calls.", "vector"),
		}
		if *softirq {
			for _, name := range []string{"hi", "timer", "net_tx", "net_rx", "block", "block_iopoll", "tasklet", "sched", "hrtimer", "rcu"} {
				c.vectors = append(c.vectors, c.softirqs.Labels(name))
			}
		}
		return c, nil
	}
}

func (c *stat) Families() []*text.Family { return append(c.fields[:], c.softirqs) }

func (c *stat) Update(ctx context.Context) error {
	if err := c.reader.read(ctx, &c.stat); err != nil {
		return err
	}
	var missing []string
	for i, f := range c.fields {
		if c.stat.has[i] {
			f.Add(float64(c.stat.values[i]))
		} else {
			missing = append(missing, statKeys()[i])
		}
	}
	for i, v := range c.vectors {
		if i+1 < len(c.stat.softirq) { // the first is the total
			c.softirqs.Put(float64(c.stat.softirq[i+1]), v)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s: no line for %s", c.stat.file.Path(), strings.Join(missing, ", "))
	}
	return nil
}

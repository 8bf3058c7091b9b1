package collector

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

type stat struct {
	host        Host
	softirq     bool
	fields      []statField
	softirqs    family
	softirqName []string
}

// statField is a line of /proc/stat that is a metric of its own.
type statField struct {
	key string
	family
}

func declareStat(flags *flag.FlagSet) factory {
	softirq := flags.Bool("collector.stat.softirq", false, "Export softirq calls per vector.")
	return func(h Host, _ *slog.Logger) (Collector, error) {
		return &stat{
			host:    h,
			softirq: *softirq,
			fields: []statField{
				{"intr", counter("node_intr_total", "Total number of interrupts serviced.")},
				{"ctxt", counter("node_context_switches_total", "Total number of context switches.")},
				{"processes", counter("node_forks_total", "Total number of forks.")},
				{"btime", gauge("node_boot_time_seconds", "Node boot time, in unixtime.")},
				{"procs_running", gauge("node_procs_running", "Number of processes in runnable state.")},
				{"procs_blocked", gauge("node_procs_blocked", "Number of processes blocked waiting for I/O to complete.")},
			},
			softirqs:    counter("node_softirqs_total", "Number of softirq calls.", "vector"),
			softirqName: []string{"hi", "timer", "net_tx", "net_rx", "block", "block_iopoll", "tasklet", "sched", "hrtimer", "rcu"},
		}, nil
	}
}

func (c *stat) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range c.fields {
		ch <- f.desc
	}
	describe(ch, c.softirqs)
}

func (c *stat) Collect(_ context.Context, ch chan<- prometheus.Metric) error {
	s, err := readProcStat(c.host)
	if err != nil {
		return err
	}
	var missing []string
	for _, f := range c.fields {
		if v, ok := s.values[f.key]; ok {
			f.send(ch, v)
		} else {
			missing = append(missing, f.key)
		}
	}
	if c.softirq {
		for i, v := range s.softirq {
			if i > 0 && i <= len(c.softirqName) { // the first is the total
				c.softirqs.send(ch, float64(v), c.softirqName[i-1])
			}
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s: no line for %s", c.host.proc("stat"), strings.Join(missing, ", "))
	}
	return nil
}

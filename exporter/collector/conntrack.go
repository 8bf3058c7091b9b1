package collector

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type conntrack struct {
	count, limit, stat *held.File
	elsewhere          bool // this process is not in the host's network
	entries, maximum   *text.Family
	totals             []conntrackTotal
}

// conntrackTotal is a column of the statistics, of which there is a line for each CPU.
type conntrackTotal struct {
	column int
	*text.Family
}

const (
	conntrackColumns = 17
	conntrackEntries = 0 // the column that is not a total
)

func declareConntrack(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		total := func(column int, name, help string) conntrackTotal {
			return conntrackTotal{column, text.Gauge("node_nf_conntrack_stat_"+name, help)}
		}
		return &conntrack{
			count:     h.procFile("sys/net/netfilter/nf_conntrack_count"),
			limit:     h.procFile("sys/net/netfilter/nf_conntrack_max"),
			stat:      h.initFile("net/stat/nf_conntrack"),
			elsewhere: inOtherNetwork(h),
			entries:   text.Gauge("node_nf_conntrack_entries", "Number of currently allocated flow entries for connection tracking."),
			maximum:   text.Gauge("node_nf_conntrack_entries_limit", "Maximum size of connection tracking table."),
			totals: []conntrackTotal{
				total(2, "found", "Number of searched entries which were successful."),
				total(4, "invalid", "Number of packets seen which can not be tracked."),
				total(5, "ignore", "Number of packets seen which are already connected to a conntrack entry."),
				total(8, "insert", "Number of entries inserted into the list."),
				total(9, "insert_failed", "Number of entries for which list insertion was attempted but failed."),
				total(10, "drop", "Number of packets dropped due to conntrack failure."),
				total(11, "early_drop", "Number of dropped conntrack entries to make room for new ones, if maximum table size was reached."),
				total(16, "search_restart", "Number of conntrack table lookups which had to be restarted due to hashtable resizes."),
			},
		}, nil
	}
}

// inOtherNetwork compares a file of our own network with process 1's. The files of a network are the same files for all
// that are in it, and, unlike the namespaces' own links, nobody needs a privilege to look at them.
func inOtherNetwork(h Host) bool {
	ours, errOurs := os.Stat(h.proc("self/net/dev"))
	hosts, errHosts := os.Stat(h.proc("1/net/dev"))
	return errOurs == nil && errHosts == nil && !os.SameFile(ours, hosts)
}

func (c *conntrack) Families() []*text.Family {
	families := []*text.Family{c.entries, c.maximum}
	for _, t := range c.totals {
		families = append(families, t.Family)
	}
	return families
}

// Update says nothing where connections are not tracked. The limit is one for all networks, the count is the reader's.
func (c *conntrack) Update(context.Context) error {
	err := addUint(c.limit, c.maximum)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if !c.elsewhere {
		err = errors.Join(err, addUint(c.count, c.entries))
	}
	if statErr := c.addStat(); !errors.Is(statErr, fs.ErrNotExist) { // the kernel may be built without it
		err = errors.Join(err, statErr)
	}
	return err
}

func (c *conntrack) addStat() error {
	b, err := c.stat.Lines()
	if err != nil {
		return err
	}
	var sums, cpu [conntrackColumns]uint64
	_, b = scan.Line(b) // the heading
	if len(b) == 0 {
		return fmt.Errorf("%s: no CPU in it", c.stat.Path())
	}
	for n := 2; len(b) > 0; n++ {
		var line []byte
		line, b = scan.Line(b)
		if err := hexColumns(line, &cpu); err != nil {
			return fmt.Errorf("%s: line %d: %w", c.stat.Path(), n, err)
		}
		for i, v := range cpu {
			sums[i] += v
		}
	}
	if c.elsewhere {
		c.entries.Add(float64(cpu[conntrackEntries])) // the same on each line
	}
	for _, t := range c.totals {
		t.Add(float64(sums[t.column]))
	}
	return nil
}

func hexColumns(line []byte, values *[conntrackColumns]uint64) error {
	n := 0
	for ; ; n++ {
		var field []byte
		if field, line = scan.Field(line); len(field) == 0 {
			break
		}
		v, ok := hexUint(field)
		if !ok {
			return fmt.Errorf("column %d: %q is not a hexadecimal number", n+1, field)
		}
		if n < conntrackColumns {
			values[n] = v
		}
	}
	if n != conntrackColumns {
		return fmt.Errorf("%d columns, %d wanted", n, conntrackColumns)
	}
	return nil
}

func hexUint(b []byte) (value uint64, ok bool) {
	if len(b) == 0 || len(b) > 16 {
		return 0, false
	}
	for _, c := range b {
		digit := c - '0'
		if digit > 9 {
			if digit = (c | 0x20) - 'a' + 10; digit < 10 || digit > 15 {
				return 0, false
			}
		}
		value = value<<4 | uint64(digit)
	}
	return value, true
}

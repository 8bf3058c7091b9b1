package collector

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type softnet struct {
	file    *held.File
	columns []softnetColumn
	labels  []text.Labels // by CPU
}

// softnetColumn is a column of the table and its metric.
type softnetColumn struct {
	at int
	*text.Family
}

const (
	softnetFewest = 9  // columns, before Linux 2.6.39
	softnetCPU    = 12 // the column that says which CPU it is, since Linux 5.14
	softnetMost   = 13 // columns that we read
)

func declareSoftnet(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		total := func(at int, name, help string) softnetColumn {
			return softnetColumn{at, text.Counter("node_softnet_"+name, help, "cpu")}
		}
		return &softnet{file: h.initFile("net/softnet_stat"), columns: []softnetColumn{
			total(0, "processed_total", "Number of processed packets"),
			total(1, "dropped_total", "Number of dropped packets"),
			total(2, "times_squeezed_total", "Number of times processing packets ran out of quota"),
			total(8, "cpu_collision_total", "Number of collision occur while obtaining device lock while transmitting"),
			total(9, "received_rps_total", "Number of times cpu woken up received_rps"),
			total(10, "flow_limit_count_total", "Number of times flow limit has been reached"),
			{11, text.Gauge("node_softnet_backlog_len", "Softnet backlog status", "cpu")},
		}}, nil
	}
}

func (c *softnet) Families() []*text.Family {
	families := make([]*text.Family, len(c.columns))
	for i, column := range c.columns {
		families[i] = column.Family
	}
	return families
}

func (c *softnet) Update(context.Context) error {
	b, err := c.lines()
	if err != nil {
		return err
	}
	for n := 1; len(b) > 0; n++ {
		var line []byte
		line, b = scan.Line(b)
		if err := c.add(line, n-1); err != nil {
			return fmt.Errorf("%s: line %d: %w", c.file.Path(), n, err)
		}
	}
	return nil
}

// lines reads the file. Its columns have a fixed width, so that a last line as long as the first is whole, also without a
// newline, which copies tend to lose.
func (c *softnet) lines() ([]byte, error) {
	b, err := c.file.Read()
	if err != nil {
		return nil, err
	}
	first, _ := scan.Line(b)
	last := b[bytes.LastIndexByte(b, '\n')+1:]
	if len(first) > 0 && (len(last) == 0 || len(last) == len(first) && len(first) < len(b)) {
		return b, nil
	}
	return c.file.Lines() // says what is wrong
}

// add reads a CPU's line. Columns that an old kernel doesn't have yet count as zero, as with node_exporter: it does not do
// what they count.
func (c *softnet) add(line []byte, cpu int) error {
	var v [softnetMost]uint64
	n := 0
	for ; n < len(v); n++ {
		var field []byte
		if field, line = scan.Field(line); len(field) == 0 {
			break
		}
		var ok bool
		if v[n], ok = parseHex(field); !ok {
			return fmt.Errorf("column %d: %q is not a hexadecimal number", n+1, field)
		}
	}
	if n < softnetFewest {
		return fmt.Errorf("%d columns, at least %d wanted", n, softnetFewest)
	}
	if n > softnetCPU {
		cpu = int(v[softnetCPU])
	}
	label := c.label(cpu)
	for _, column := range c.columns {
		column.Put(float64(v[column.at]), label)
	}
	return nil
}

func (c *softnet) label(cpu int) text.Labels {
	const most = 1 << 16 // CPUs; a number beyond is not worth the memory to remember it
	if cpu < 0 || cpu >= most {
		return c.columns[0].Labels(strconv.Itoa(cpu))
	}
	for len(c.labels) <= cpu {
		c.labels = append(c.labels, c.columns[0].Labels(strconv.Itoa(len(c.labels))))
	}
	return c.labels[cpu]
}

// parseHex reads a hexadecimal number as the tables of /proc/net have them, without 0x.
func parseHex(b []byte) (value uint64, ok bool) {
	if len(b) == 0 || len(b) > 16 {
		return 0, false
	}
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		value = value<<4 | uint64(c)
	}
	return value, true
}

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

type udpQueues struct {
	*text.Family
	tables []udpTable
}

type udpTable struct {
	*held.File
	tx, rx text.Labels
}

func declareUDPQueues(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		f := text.Gauge("node_udp_queues", "Number of allocated memory in the kernel for UDP datagrams in bytes.", "queue", "ip")
		return &udpQueues{f, []udpTable{
			{h.initFile("net/udp"), f.Labels("tx", "v4"), f.Labels("rx", "v4")},
			{h.initFile("net/udp6"), f.Labels("tx", "v6"), f.Labels("rx", "v6")},
		}}, nil
	}
}

func (c *udpQueues) Families() []*text.Family { return []*text.Family{c.Family} }

func (c *udpQueues) Update(context.Context) error {
	var errs []error
	for _, t := range c.tables {
		tx, rx, err := t.sum()
		if errors.Is(err, fs.ErrNotExist) { // a kernel without that protocol
			continue
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		c.Put(float64(tx), t.tx)
		c.Put(float64(rx), t.rx)
	}
	return errors.Join(errs...)
}

// sum adds up the sockets' fifth column, "00000015:00000000", below a heading.
func (t *udpTable) sum() (tx, rx uint64, err error) {
	b, err := t.Lines()
	if err != nil {
		return 0, 0, err
	}
	_, b = scan.Line(b)
	for n := 2; len(b) > 0; n++ {
		var line []byte
		line, b = scan.Line(b)
		var queues []byte
		for range 5 {
			queues, line = scan.Field(line)
		}
		sent, received, _ := bytes.Cut(queues, []byte(":"))
		s, okSent := parseHex(sent)
		r, okReceived := parseHex(received)
		if !okSent || !okReceived {
			return 0, 0, fmt.Errorf("%s: line %d: column 5: %q are not the lengths of two queues", t.Path(), n, queues)
		}
		tx, rx = tx+s, rx+r
	}
	return tx, rx, nil
}

package collector

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type arp struct {
	tally
	file    *held.File
	filter  filter
	devices held.Devices[*arpDevice]
	seen    []*arpDevice // in this scrape
	entries *text.Family
}

type arpDevice struct {
	dropped bool
	labels  text.Labels
	entries int
}

func declareARP(flags *flag.FlagSet) factory {
	devices := declareFilter(flags, "arp.device", "arp devices", ofContainers)
	// Netlink would answer for the network this process is in and not for the host's, so there is nothing to choose.
	ignore(flags, true, "the host's /proc/1/net/arp is read, which says the same.", "arp.netlink")
	return func(h Host, _ *slog.Logger) (Collector, error) {
		f, err := devices.compile()
		if err != nil {
			return nil, err
		}
		return &arp{
			file: h.initFile("net/arp"), filter: f,
			entries: text.Gauge("node_arp_entries", "ARP entries by device", "device"),
		}, nil
	}
}

func (c *arp) Families() []*text.Family { return []*text.Family{c.entries} }

// Update counts the lines of each device, which is the sixth and last column.
func (c *arp) Update(context.Context) error {
	b, err := c.file.Lines()
	if err != nil {
		return err
	}
	heading, b := scan.Line(b)
	if !bytes.HasPrefix(heading, []byte("IP address")) {
		return fmt.Errorf("%s: line 1: not the heading of a table of addresses", c.file.Path())
	}
	c.seen = c.seen[:0]
	for n := 2; len(b) > 0; n++ {
		var line, device []byte
		line, b = scan.Line(b)
		for range 6 {
			device, line = scan.Field(line)
		}
		if len(device) == 0 {
			return fmt.Errorf("%s: line %d: less than 6 columns", c.file.Path(), n)
		}
		c.count(device)
	}
	c.left = 0
	for _, d := range c.seen {
		if d.dropped {
			c.left++
		} else {
			c.entries.Put(float64(d.entries), d.labels)
		}
		d.entries = 0
	}
	c.devices.Sweep(nil)
	return nil
}

func (c *arp) count(device []byte) {
	d := c.devices.Get(device, func(name string) *arpDevice {
		return &arpDevice{dropped: c.filter.drops(name), labels: c.entries.Labels(name)}
	})
	if d.entries == 0 {
		c.seen = append(c.seen, d)
	}
	d.entries++
}

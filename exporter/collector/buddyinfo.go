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

type buddyinfo struct {
	file   *held.File
	zones  held.Devices[*buddyZone]
	blocks *text.Family
}

// buddyZone is what is kept of a zone of a node.
type buddyZone struct {
	node, zone string
	labels     []text.Labels // by the blocks' size, as a power of two
}

func declareBuddyinfo(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		return &buddyinfo{
			file:   h.procFile("buddyinfo"),
			blocks: text.Gauge("node_buddyinfo_blocks", "Count of free blocks according to size.", "node", "zone", "size"),
		}, nil
	}
}

func (c *buddyinfo) Families() []*text.Family { return []*text.Family{c.blocks} }

func (c *buddyinfo) Update(context.Context) error {
	defer c.zones.Sweep(nil)
	return eachLine(c.file, c.line)
}

// line reads "Node 0, zone  DMA32  759 572", the numbers of free blocks of one page, of two, of four and so on.
func (c *buddyinfo) line(_ int, line []byte) error {
	_, _, rest, err := cutZone(line)
	if err != nil {
		return err
	}
	zone := c.zones.Get(line[:len(line)-len(rest)], newBuddyZone)
	for size := 0; ; size++ {
		var field []byte
		if field, rest = scan.Field(rest); len(field) == 0 {
			return nil
		}
		blocks, ok := scan.Uint(field)
		if !ok {
			return fmt.Errorf("node %s, zone %s: %q is not a number", zone.node, zone.zone, field)
		}
		if size == len(zone.labels) {
			zone.labels = append(zone.labels, c.blocks.Labels(zone.node, zone.zone, strconv.Itoa(size)))
		}
		c.blocks.Put(float64(blocks), zone.labels[size])
	}
}

func newBuddyZone(heading string) *buddyZone {
	node, zone, _, _ := cutZone([]byte(heading))
	return &buddyZone{node: string(node), zone: string(zone)}
}

// cutZone reads "Node 0, zone DMA32" at the start of a line, as buddyinfo and zoneinfo have it.
func cutZone(line []byte) (node, zone, rest []byte, err error) {
	first, rest := scan.Field(line)
	node, rest = scan.Field(rest)
	third, rest := scan.Field(rest)
	zone, rest = scan.Field(rest)
	node, comma := bytes.CutSuffix(node, []byte(","))
	if string(first) != "Node" || !comma || string(third) != "zone" || len(zone) == 0 {
		return nil, nil, nil, fmt.Errorf("%q is not a zone of a node", line)
	}
	return node, zone, rest, nil
}

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

// slabinfo reads a file that only root may read.
type slabinfo struct {
	tally
	file    *held.File
	filter  filter
	slabs   held.Devices[*slab]
	columns [5]*text.Family
}

// slab is what is kept of a slab cache.
type slab struct {
	dropped bool
	labels  text.Labels
}

func declareSlabinfo(flags *flag.FlagSet) factory {
	// Unlike other collectors' filters these two go together.
	include := flags.String("collector.slabinfo.slabs-include", ".*", "Regexp of slabs to include in slabinfo collector.")
	exclude := flags.String("collector.slabinfo.slabs-exclude", "", "Regexp of slabs to exclude in slabinfo collector.")
	return func(h Host, _ *slog.Logger) (Collector, error) {
		c := &slabinfo{file: h.procFile("slabinfo")}
		var err error
		if c.filter.include, err = compile("collector.slabinfo.slabs-include", *include); err != nil {
			return nil, err
		}
		if c.filter.exclude, err = compile("collector.slabinfo.slabs-exclude", *exclude); err != nil {
			return nil, err
		}
		gauge := func(name, help string) *text.Family { return text.Gauge("node_slabinfo_"+name, help, "slab") }
		c.columns = [...]*text.Family{
			gauge("active_objects", "The number of objects that are currently active (i.e., in use)."),
			gauge("objects", "The total number of allocated objects (i.e., objects that are both in use and not in use)."),
			gauge("object_size_bytes", "The size of objects in this slab, in bytes."),
			gauge("objects_per_slab", "The number of objects stored in each slab."),
			gauge("pages_per_slab", "The number of pages allocated for each slab."),
		}
		return c, nil
	}
}

func (c *slabinfo) Families() []*text.Family { return c.columns[:] }

func (c *slabinfo) Update(context.Context) error {
	defer c.slabs.Sweep(nil)
	c.left = 0
	return eachLine(c.file, c.line)
}

// line reads a name and five numbers, which end at a colon. Before them are two lines: the version and the heading.
func (c *slabinfo) line(n int, line []byte) error {
	if n == 1 {
		if !bytes.HasPrefix(line, []byte("slabinfo - version: 2.")) {
			return fmt.Errorf("%q is not a version that is known", line)
		}
		return nil
	}
	if bytes.HasPrefix(line, []byte("#")) {
		return nil
	}
	name, rest := scan.Field(line)
	numbers, _, _ := bytes.Cut(rest, []byte(" : "))
	var values [5]uint64
	count, bad := scan.Uints(numbers, values[:])
	if bad != nil {
		return fmt.Errorf("%s: %q is not a number", name, bad)
	}
	if count != len(values) {
		return fmt.Errorf("%s: %d numbers, 5 wanted", name, count)
	}
	s := c.slabs.Get(name, c.slab)
	if s.dropped {
		c.left++
		return nil
	}
	for i, f := range c.columns {
		f.Put(float64(values[i]), s.labels)
	}
	return nil
}

func (c *slabinfo) slab(name string) *slab {
	return &slab{dropped: c.filter.drops(name), labels: c.columns[0].Labels(name)}
}

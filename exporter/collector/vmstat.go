package collector

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"regexp"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type vmstat struct {
	file     *held.File
	wanted   *regexp.Regexp
	families []*text.Family          // those that this kernel has
	fields   map[string]*text.Family // by name; nil for what is not wanted
}

func declareVmstat(flags *flag.FlagSet) factory {
	fields := flags.String("collector.vmstat.fields", "^(oom_kill|pgpg|pswp|pg.*fault).*", "Regexp of fields to return for vmstat collector.")
	return func(h Host, _ *slog.Logger) (Collector, error) {
		wanted, err := regexp.Compile(*fields)
		if err != nil {
			return nil, fmt.Errorf("--collector.vmstat.fields: %w", err)
		}
		return &vmstat{file: h.procFile("vmstat"), wanted: wanted, fields: map[string]*text.Family{}}, nil
	}
}

func (c *vmstat) Families() []*text.Family { return c.families }

func (c *vmstat) Update(context.Context) error {
	b, err := c.file.Lines()
	if err != nil {
		return err
	}
	n := 0
	for len(b) > 0 {
		var line []byte
		line, b = scan.Line(b)
		n++
		name, rest := scan.Field(line)
		f := c.family(name)
		if f == nil {
			continue
		}
		field, _ := scan.Field(rest)
		v, ok := scan.Float(field)
		if !ok {
			return fmt.Errorf("%s: line %d: %s: %q is not a number", c.file.Path(), n, name, field)
		}
		f.Add(v)
	}
	return nil
}

// family is nil for what is not wanted. The kernel's names are all there is, so that what is remembered has an end.
func (c *vmstat) family(name []byte) *text.Family {
	f, known := c.fields[string(name)]
	if known {
		return f
	}
	field := string(name)
	if c.wanted.MatchString(field) {
		f = text.Untyped("node_vmstat_"+field, "/proc/vmstat information field "+field+".")
		c.families = append(c.families, f)
	}
	c.fields[field] = f
	return f
}

package collector

import (
	"context"
	"flag"
	"fmt"
	"log/slog"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type filefd struct {
	file               *held.File
	allocated, maximum *text.Family
}

func declareFilefd(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		return &filefd{
			file:      h.procFile("sys/fs/file-nr"),
			allocated: text.Gauge("node_filefd_allocated", "File descriptor statistics: allocated."),
			maximum:   text.Gauge("node_filefd_maximum", "File descriptor statistics: maximum."),
		}, nil
	}
}

func (c *filefd) Families() []*text.Family { return []*text.Family{c.allocated, c.maximum} }

func (c *filefd) Update(context.Context) error {
	b, err := c.file.Lines()
	if err != nil {
		return err
	}
	var values [3]uint64 // the second has been zero since Linux 2.6
	n, bad := scan.Uints(b, values[:])
	if bad != nil {
		return fmt.Errorf("%s: %q is not a number", c.file.Path(), bad)
	}
	if n != len(values) {
		return fmt.Errorf("%s: %d numbers, 3 wanted", c.file.Path(), n)
	}
	c.allocated.Add(float64(values[0]))
	c.maximum.Add(float64(values[2]))
	return nil
}

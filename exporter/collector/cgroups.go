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

type cgroups struct {
	file             *held.File
	subsystems       held.Devices[text.Labels]
	cgroups, enabled *text.Family
}

func declareCgroups(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		const help = "Current cgroup number of the subsystem." // also of enabled: node_exporter's words
		return &cgroups{
			file:    h.procFile("cgroups"),
			cgroups: text.Gauge("node_cgroups_cgroups", help, "subsys_name"),
			enabled: text.Gauge("node_cgroups_enabled", help, "subsys_name"),
		}, nil
	}
}

func (c *cgroups) Families() []*text.Family { return []*text.Family{c.cgroups, c.enabled} }

func (c *cgroups) Update(context.Context) error {
	defer c.subsystems.Sweep(nil)
	return eachLineUntil(c.file, wholeCgroup, c.line)
}

// wholeCgroup is true for a line that ends in the last column, which has one digit.
func wholeCgroup(last []byte) bool {
	return bytes.HasSuffix(last, []byte("\t0")) || bytes.HasSuffix(last, []byte("\t1"))
}

// line reads a subsystem's name, hierarchy, number of cgroups, and whether it is enabled.
func (c *cgroups) line(_ int, line []byte) error {
	if bytes.HasPrefix(line, []byte("#")) {
		return nil
	}
	name, rest := scan.Field(line)
	var values [3]uint64
	n, bad := scan.Uints(rest, values[:])
	if bad != nil {
		return fmt.Errorf("%s: %q is not a number", name, bad)
	}
	if n < len(values) {
		return fmt.Errorf("%s: %d numbers, 3 wanted", name, n)
	}
	labels := c.subsystems.Get(name, func(name string) text.Labels { return c.cgroups.Labels(name) })
	c.cgroups.Put(float64(values[1]), labels)
	c.enabled.Put(float64(values[2]), labels)
	return nil
}

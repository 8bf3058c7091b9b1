package collector

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type xfs struct {
	host     Host
	dir      *held.Dir
	lines    map[string][]*text.Family
	families []*text.Family
	devices  held.Devices[*xfsDevice]
}

// xfsDevice is a mounted file system.
type xfsDevice struct {
	*held.File
	label text.Labels
}

func declareXFS(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		c := &xfs{host: h, dir: held.NewDir(h.sys("fs/xfs")), lines: xfsMetrics()}
		for _, key := range slices.Sorted(maps.Keys(c.lines)) {
			c.families = append(c.families, c.lines[key]...)
		}
		return c, nil
	}
}

func (c *xfs) Families() []*text.Family { return c.families }

func (c *xfs) Update(context.Context) error {
	names, err := c.dir.Names()
	if held.Absent(err) { // a kernel without XFS
		return nil
	}
	if err != nil {
		return err
	}
	defer c.devices.Sweep(func(d *xfsDevice) { d.Close() })
	var errs []error
	for _, name := range names {
		if string(name) != "stats" { // the sum over all of them
			errs = append(errs, c.add(c.devices.Get(name, c.open)))
		}
	}
	return errors.Join(errs...)
}

func (c *xfs) open(name string) *xfsDevice {
	return &xfsDevice{c.host.sysFile("fs/xfs", name, "stats/stats"), c.families[0].Labels(name)}
}

// add reads lines such as "rw 28 0".
func (c *xfs) add(d *xfsDevice) error {
	b, err := d.Lines()
	if held.Absent(err) { // unmounted in between, or one of the switches that stand among the file systems
		return nil
	}
	if err != nil {
		return err
	}
	for n := 1; len(b) > 0; n++ {
		var line []byte
		line, b = scan.Line(b)
		key, rest := scan.Field(line)
		families := c.lines[string(key)]
		if families == nil {
			continue
		}
		var v [8]uint64 // vnodes' eighth has no metric
		count, bad := scan.Uints(rest, v[:])
		if bad != nil {
			return fmt.Errorf("%s: line %d: %s: %q is not a number", d.Path(), n, key, bad)
		}
		if count < len(families) {
			return fmt.Errorf("%s: line %d: %s: %d numbers, %d wanted", d.Path(), n, key, count, len(families))
		}
		for i, f := range families {
			f.Put(float64(v[i]), d.label)
		}
	}
	return nil
}

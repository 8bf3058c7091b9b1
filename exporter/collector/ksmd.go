package collector

import (
	"context"
	"errors"
	"flag"
	"io/fs"
	"log/slog"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type ksmd struct{ values []ksmdValue }

// ksmdValue is a file of /sys/kernel/mm/ksm and how many of its units make one of ours.
type ksmdValue struct {
	file     *held.File
	unit     float64
	optional bool
	*text.Family
}

func declareKsmd(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		c := &ksmd{}
		for _, name := range []string{"full_scans", "merge_across_nodes", "pages_shared", "pages_sharing", "pages_to_scan",
			"pages_unshared", "pages_volatile", "run", "sleep_millisecs"} {
			v := ksmdValue{file: h.sysFile("kernel/mm/ksm", name), unit: 1}
			help := "ksmd '" + name + "' file."
			switch name {
			case "full_scans":
				v.Family = text.Counter("node_ksmd_full_scans_total", help)
			case "sleep_millisecs":
				v.Family, v.unit = text.Gauge("node_ksmd_sleep_seconds", help), 1000
			default:
				v.Family, v.optional = text.Gauge("node_ksmd_"+name, help), name == "merge_across_nodes" // NUMA only
			}
			c.values = append(c.values, v)
		}
		return c, nil
	}
}

func (c *ksmd) Families() []*text.Family {
	var families []*text.Family
	for _, v := range c.values {
		families = append(families, v.Family)
	}
	return families
}

func (c *ksmd) Update(context.Context) error {
	var errs []error
	for _, v := range c.values {
		n, err := v.file.Uint()
		if v.optional && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		v.Add(float64(n) / v.unit)
	}
	return errors.Join(errs...)
}

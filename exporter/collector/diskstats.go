package collector

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type diskstats struct {
	tally
	file    *held.File
	filter  filter
	columns []diskColumn
	disks   held.Devices[*disk]
	udev    udev
}

// diskColumn is a number of /proc/diskstats, and how many of them are one of the metric's unit.
type diskColumn struct {
	*text.Family
	times, per float64
}

// disk is what is kept of a device.
type disk struct {
	dropped bool
	label   text.Labels
	major   uint64
	minor   uint64
	udev    udevDisk
}

func declareDiskstats(flags *flag.FlagSet) factory {
	devices := declareFilter(flags, "diskstats.device", "diskstats devices", `^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$`)
	devices.old(flags, "", "diskstats.ignored-devices")
	return func(h Host, _ *slog.Logger) (Collector, error) {
		f, err := devices.compile()
		if err != nil {
			return nil, err
		}
		return &diskstats{file: h.procFile("diskstats"), filter: f, columns: diskColumns(), udev: newUdev(h)}, nil
	}
}

// diskColumns are the numbers in the order of the file. The kernel counts time in milliseconds and, whatever the disk
// does, in sectors of 512 bytes. Kernels before 4.18 end with the weighted time, those before 5.5 with the discards.
func diskColumns() []diskColumn {
	total := func(name, help string, times, per float64) diskColumn {
		return diskColumn{text.Counter("node_disk_"+name, help, "device"), times, per}
	}
	const sector, ms = 512, 1000
	return []diskColumn{
		total("reads_completed_total", "The total number of reads completed successfully.", 1, 1),
		total("reads_merged_total", "The total number of reads merged.", 1, 1),
		total("read_bytes_total", "The total number of bytes read successfully.", sector, 1),
		total("read_time_seconds_total", "The total number of seconds spent by all reads.", 1, ms),
		total("writes_completed_total", "The total number of writes completed successfully.", 1, 1),
		total("writes_merged_total", "The number of writes merged.", 1, 1),
		total("written_bytes_total", "The total number of bytes written successfully.", sector, 1),
		total("write_time_seconds_total", "This is the total number of seconds spent by all writes.", 1, ms),
		{text.Gauge("node_disk_io_now", "The number of I/Os currently in progress.", "device"), 1, 1},
		total("io_time_seconds_total", "Total seconds spent doing I/Os.", 1, ms),
		total("io_time_weighted_seconds_total", "The weighted # of seconds spent doing I/Os.", 1, ms),
		total("discards_completed_total", "The total number of discards completed successfully.", 1, 1),
		total("discards_merged_total", "The total number of discards merged.", 1, 1),
		total("discarded_sectors_total", "The total number of sectors discarded successfully.", 1, 1),
		total("discard_time_seconds_total", "This is the total number of seconds spent by all discards.", 1, ms),
		total("flush_requests_total", "The total number of flush requests completed successfully", 1, 1),
		total("flush_requests_time_seconds_total", "This is the total number of seconds spent by all flush requests.", 1, ms),
	}
}

func (c *diskstats) Families() []*text.Family {
	families := c.udev.families()
	for _, column := range c.columns {
		families = append(families, column.Family)
	}
	return families
}

func (c *diskstats) Update(context.Context) error {
	b, err := c.file.Read() // empty on a host without disks
	if err != nil {
		return err
	}
	if len(b) > 0 && b[len(b)-1] != '\n' {
		return fmt.Errorf("%s: truncated: its last line has no end", c.file.Path())
	}
	var errs []error
	n := 0
	c.left = 0
	for len(b) > 0 {
		var line []byte
		line, b = scan.Line(b)
		n++
		d, err := parseDisk(line)
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("%s: line %d: %w", c.file.Path(), n, err))...)
		}
		if err := c.add(d); err != nil {
			errs = append(errs, err)
		}
	}
	c.disks.Sweep(func(d *disk) { d.udev.close() })
	return errors.Join(errs...)
}

// diskLine is a line of /proc/diskstats.
type diskLine struct {
	name         []byte
	major, minor uint64
	counts       [17]uint64
	n            int
}

// parseDisk reads a line. procfs' own reader leaves out a line that is cut short and fills up one that is not quite, hence
// this one; a test holds the two equal on whole input.
func parseDisk(line []byte) (d diskLine, err error) {
	major, rest := scan.Field(line)
	minor, rest := scan.Field(rest)
	d.name, rest = scan.Field(rest)
	if len(d.name) == 0 {
		return d, fmt.Errorf("%q is not a disk", line)
	}
	var okMajor, okMinor bool
	if d.major, okMajor = scan.Uint(major); !okMajor {
		return d, fmt.Errorf("device number: %q is not a number", major)
	}
	if d.minor, okMinor = scan.Uint(minor); !okMinor {
		return d, fmt.Errorf("device number: %q is not a number", minor)
	}
	n, bad := scan.Uints(rest, d.counts[:])
	if bad != nil {
		return d, fmt.Errorf("%s: %q is not a number", d.name, bad)
	}
	if n != 11 && n != 15 && n < 17 {
		return d, fmt.Errorf("%s: %d numbers; 11, 15 or at least 17 wanted", d.name, n)
	}
	d.n = min(n, len(d.counts))
	return d, nil
}

func (c *diskstats) add(line diskLine) error {
	d := c.disks.Get(line.name, func(name string) *disk {
		return &disk{dropped: c.filter.drops(name), label: c.columns[0].Labels(name), major: line.major, minor: line.minor,
			udev: c.udev.disk(name, line.major, line.minor)}
	})
	if d.dropped {
		c.left++
		return nil
	}
	if d.major != line.major || d.minor != line.minor { // another device came back under the name
		d.udev.close()
		d.major, d.minor, d.udev = line.major, line.minor, c.udev.disk(string(line.name), line.major, line.minor)
	}
	for i, v := range line.counts[:line.n] {
		column := &c.columns[i]
		column.Put(float64(v)*column.times/column.per, d.label)
	}
	return c.udev.add(&d.udev)
}

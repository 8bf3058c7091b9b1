package collector

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

type diskstats struct {
	host    Host
	devices filter
	columns []diskColumn

	info, filesystem, mapper           family
	writeCache, writeCacheEnabled, rpm family
}

// diskColumn is a number of /proc/diskstats and what one of it is in the metric's unit.
type diskColumn struct {
	family
	unit float64
}

func declareDiskstats(flags *flag.FlagSet) factory {
	devices := declareFilter(flags, "diskstats.device", "diskstats devices", `^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$`)
	return func(h Host, _ *slog.Logger) (Collector, error) {
		f, err := devices.compile()
		if err != nil {
			return nil, err
		}
		disk := func(name, help string, labels ...string) family {
			return gauge("node_disk_"+name, help, append([]string{"device"}, labels...)...)
		}
		return &diskstats{
			host: h, devices: f, columns: diskColumns(),
			info:              disk("info", "Info of /sys/block/<block_device>.", "major", "minor", "path", "wwn", "model", "serial", "revision", "rotational"),
			filesystem:        disk("filesystem_info", "Info about disk filesystem.", "type", "usage", "uuid", "version"),
			mapper:            disk("device_mapper_info", "Info about disk device mapper.", "name", "uuid", "vg_name", "lv_name", "lv_layer"),
			writeCache:        disk("ata_write_cache", "ATA disk has a write cache."),
			writeCacheEnabled: disk("ata_write_cache_enabled", "ATA disk has its write cache enabled."),
			rpm:               disk("ata_rotation_rate_rpm", "ATA disk rotation rate in RPMs (0 for SSDs)."),
		}, nil
	}
}

// diskColumns are the numbers in the order of the file. The kernel counts time in milliseconds and, whatever the disk
// does, in sectors of 512 bytes. Kernels before 4.18 end with the weighted time, those before 5.5 with the discards.
func diskColumns() []diskColumn {
	total := func(name, help string, unit float64) diskColumn {
		return diskColumn{counter("node_disk_"+name, help, "device"), unit}
	}
	const sector, ms = 512.0, 1.0 / 1000.0
	return []diskColumn{
		total("reads_completed_total", "The total number of reads completed successfully.", 1),
		total("reads_merged_total", "The total number of reads merged.", 1),
		total("read_bytes_total", "The total number of bytes read successfully.", sector),
		total("read_time_seconds_total", "The total number of seconds spent by all reads.", ms),
		total("writes_completed_total", "The total number of writes completed successfully.", 1),
		total("writes_merged_total", "The number of writes merged.", 1),
		total("written_bytes_total", "The total number of bytes written successfully.", sector),
		total("write_time_seconds_total", "This is the total number of seconds spent by all writes.", ms),
		{gauge("node_disk_io_now", "The number of I/Os currently in progress.", "device"), 1},
		total("io_time_seconds_total", "Total seconds spent doing I/Os.", ms),
		total("io_time_weighted_seconds_total", "The weighted # of seconds spent doing I/Os.", ms),
		total("discards_completed_total", "The total number of discards completed successfully.", 1),
		total("discards_merged_total", "The total number of discards merged.", 1),
		total("discarded_sectors_total", "The total number of sectors discarded successfully.", 1),
		total("discard_time_seconds_total", "This is the total number of seconds spent by all discards.", ms),
		total("flush_requests_total", "The total number of flush requests completed successfully", 1),
		total("flush_requests_time_seconds_total", "This is the total number of seconds spent by all flush requests.", ms),
	}
}

func (c *diskstats) Describe(ch chan<- *prometheus.Desc) {
	for _, column := range c.columns {
		ch <- column.desc
	}
	describe(ch, c.info, c.filesystem, c.mapper, c.writeCache, c.writeCacheEnabled, c.rpm)
}

func (c *diskstats) Collect(_ context.Context, ch chan<- prometheus.Metric) error {
	path := c.host.proc("diskstats")
	b, err := os.ReadFile(path) // empty on a host without disks
	if err != nil {
		return err
	}
	disks, err := parseDiskstats(b)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var errs []error
	for _, d := range disks {
		if c.devices.drops(d.name) {
			continue
		}
		for i, v := range d.counts {
			c.columns[i].send(ch, float64(v)*c.columns[i].unit, d.name)
		}
		errs = append(errs, c.sendProperties(d, ch))
	}
	return errors.Join(errs...)
}

type diskLine struct {
	major, minor, name string
	counts             []uint64
}

// parseDiskstats reads a line a disk. procfs' own reader leaves out a line that is cut short and fills up one that is not
// quite, hence this one; a test holds the two equal on whole input.
func parseDiskstats(b []byte) ([]diskLine, error) {
	if len(b) > 0 && b[len(b)-1] != '\n' {
		return nil, errors.New("truncated: its last line has no end")
	}
	var disks []diskLine
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		fields := strings.Fields(line)
		if len(fields) < 3 {
			return nil, fmt.Errorf("line %d: %q is not a disk", n, strings.TrimSpace(line))
		}
		if _, err := parseUints(fields[:2]); err != nil {
			return nil, fmt.Errorf("line %d: device number: %w", n, err)
		}
		counts, err := parseUints(fields[3:])
		if err != nil {
			return nil, fmt.Errorf("line %d: %s: %w", n, fields[2], err)
		}
		if len(counts) != 11 && len(counts) != 15 && len(counts) < 17 {
			return nil, fmt.Errorf("line %d: %s: %d numbers; 11, 15 or at least 17 wanted", n, fields[2], len(counts))
		}
		disks = append(disks, diskLine{fields[0], fields[1], fields[2], counts[:min(len(counts), 17)]})
	}
	return disks, nil
}

// sendProperties sends what udev knows of a disk. In a container there may be no udev data: the labels are empty then, as
// they are for a disk that udev knows nothing of.
func (c *diskstats) sendProperties(d diskLine, ch chan<- prometheus.Metric) error {
	path := filepath.Join(c.host.Udev, "b"+d.major+":"+d.minor)
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	udev := parseUdev(b)
	serial := udev["SCSI_IDENT_SERIAL"] // what is usually printed on the disk
	for _, key := range []string{"ID_SERIAL_SHORT", "ID_SERIAL"} {
		if serial == "" {
			serial = udev[key]
		}
	}
	c.info.send(ch, 1, d.name, d.major, d.minor, udev["ID_PATH"], udev["ID_WWN"], udev["ID_MODEL"], serial, udev["ID_REVISION"], c.rotational(d.name))
	if udev["ID_FS_TYPE"] != "" {
		c.filesystem.send(ch, 1, d.name, udev["ID_FS_TYPE"], udev["ID_FS_USAGE"], udev["ID_FS_UUID"], udev["ID_FS_VERSION"])
	}
	if udev["DM_NAME"] != "" {
		c.mapper.send(ch, 1, d.name, udev["DM_NAME"], udev["DM_UUID"], udev["DM_VG_NAME"], udev["DM_LV_NAME"], udev["DM_LV_LAYER"])
	}
	if udev["ID_ATA"] == "" {
		return nil
	}
	return errors.Join(
		sendUdevNumber(ch, c.writeCache, path, udev, "ID_ATA_WRITE_CACHE", d.name),
		sendUdevNumber(ch, c.writeCacheEnabled, path, udev, "ID_ATA_WRITE_CACHE_ENABLED", d.name),
		sendUdevNumber(ch, c.rpm, path, udev, "ID_ATA_ROTATION_RATE_RPM", d.name),
	)
}

func sendUdevNumber(ch chan<- prometheus.Metric, f family, path string, udev map[string]string, key, device string) error {
	text, ok := udev[key]
	if !ok {
		return nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return fmt.Errorf("%s: %s: %q is not a number", path, key, text)
	}
	f.send(ch, v, device)
	return nil
}

// rotational is "1" for a disk that turns. A device without the file, such as a partition, is "0": that is
// node_exporter's word for it, and a different label would be a different series.
func (c *diskstats) rotational(device string) string {
	if v, err := readUint(c.host.sys("block", device, "queue/rotational")); err == nil && v == 1 {
		return "1"
	}
	return "0"
}

// parseUdev takes the device properties, E:KEY=VALUE, from a file of udev's database.
func parseUdev(b []byte) map[string]string {
	properties := map[string]string{}
	for line := range strings.Lines(string(b)) {
		property, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "E:")
		if key, value, found := strings.Cut(property, "="); ok && found {
			properties[key] = value
		}
	}
	return properties
}

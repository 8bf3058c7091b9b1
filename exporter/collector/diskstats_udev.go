package collector

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

// udev says what udev knows of each disk. In a container there may be no udev data: the labels are empty then, as they
// are for a disk that udev knows nothing of.
type udev struct {
	host Host

	info, filesystem, mapper           *text.Family
	writeCache, writeCacheEnabled, rpm *text.Family
}

// udevDisk is what is kept of a disk: its files, what they said the last time, and the labels made of that, which change
// next to never.
type udevDisk struct {
	name, major, minor string
	file, turns        *held.File

	known    []byte // the file's content that the rest is made of
	turned   bool
	made     bool
	labelled []udevSample
}

type udevSample struct {
	family *text.Family
	value  float64
	labels text.Labels
}

func newUdev(h Host) udev {
	disk := func(name, help string, labels ...string) *text.Family {
		return text.Gauge("node_disk_"+name, help, append([]string{"device"}, labels...)...)
	}
	return udev{
		host:              h,
		info:              disk("info", "Info of /sys/block/<block_device>.", "major", "minor", "path", "wwn", "model", "serial", "revision", "rotational"),
		filesystem:        disk("filesystem_info", "Info about disk filesystem.", "type", "usage", "uuid", "version"),
		mapper:            disk("device_mapper_info", "Info about disk device mapper.", "name", "uuid", "vg_name", "lv_name", "lv_layer"),
		writeCache:        disk("ata_write_cache", "ATA disk has a write cache."),
		writeCacheEnabled: disk("ata_write_cache_enabled", "ATA disk has its write cache enabled."),
		rpm:               disk("ata_rotation_rate_rpm", "ATA disk rotation rate in RPMs (0 for SSDs)."),
	}
}

func (u *udev) families() []*text.Family {
	return []*text.Family{u.info, u.filesystem, u.mapper, u.writeCache, u.writeCacheEnabled, u.rpm}
}

func (u *udev) disk(name string, major, minor uint64) udevDisk {
	d := udevDisk{name: name, major: strconv.FormatUint(major, 10), minor: strconv.FormatUint(minor, 10)}
	d.file = held.Plain(u.host.room, u.host.Udev+"/b"+d.major+":"+d.minor)
	d.turns = u.host.sysFile("block", name, "queue/rotational")
	return d
}

func (d *udevDisk) close() {
	d.file.Close()
	if d.turns != nil {
		d.turns.Close()
	}
}

// add says what is known of d, which is looked at only when its file says something else than the last time.
func (u *udev) add(d *udevDisk) error {
	b, err := d.file.Read()
	if err != nil && !held.Absent(err) {
		return err
	}
	turned := d.rotational()
	if !d.made || turned != d.turned || !bytes.Equal(b, d.known) {
		if err := u.look(d, b, turned); err != nil {
			return err
		}
	}
	for _, s := range d.labelled {
		s.family.Put(s.value, s.labels)
	}
	return nil
}

// rotational is true for a disk that turns. A device without the file, such as a partition, never does: that is
// node_exporter's word for it, and a different label would be a different series.
func (d *udevDisk) rotational() bool {
	if d.turns == nil {
		return false
	}
	v, err := d.turns.Uint()
	if held.Absent(err) {
		d.turns = nil
	}
	return err == nil && v == 1
}

func (u *udev) look(d *udevDisk, b []byte, turned bool) error {
	if err := d.check(b); err != nil {
		return err
	}
	properties := parseUdev(b)
	serial := properties["SCSI_IDENT_SERIAL"] // what is usually printed on the disk
	for _, key := range []string{"ID_SERIAL_SHORT", "ID_SERIAL"} {
		if serial == "" {
			serial = properties[key]
		}
	}
	rotational := "0"
	if turned {
		rotational = "1"
	}
	d.made, d.labelled = false, nil
	d.label(u.info, 1, d.major, d.minor, properties["ID_PATH"], properties["ID_WWN"], properties["ID_MODEL"], serial, properties["ID_REVISION"], rotational)
	if kind := properties["ID_FS_TYPE"]; kind != "" {
		d.label(u.filesystem, 1, kind, properties["ID_FS_USAGE"], properties["ID_FS_UUID"], properties["ID_FS_VERSION"])
	}
	if name := properties["DM_NAME"]; name != "" {
		d.label(u.mapper, 1, name, properties["DM_UUID"], properties["DM_VG_NAME"], properties["DM_LV_NAME"], properties["DM_LV_LAYER"])
	}
	if properties["ID_ATA"] != "" {
		if err := u.lookATA(d, properties); err != nil {
			return err
		}
	}
	d.known, d.turned, d.made = append(d.known[:0], b...), turned, true
	return nil
}

// check refuses what udev does not write: each of its lines begins with a letter that says what follows.
func (d *udevDisk) check(b []byte) error {
	for n, line := range bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n")) {
		if len(line) > 0 && (len(line) < 2 || line[1] != ':') {
			return fmt.Errorf("%s: line %d: %q is not udev's", d.file.Path(), n+1, line[:min(len(line), 40)])
		}
	}
	return nil
}

func (u *udev) lookATA(d *udevDisk, properties map[string]string) error {
	for _, n := range []struct {
		family *text.Family
		key    string
	}{
		{u.writeCache, "ID_ATA_WRITE_CACHE"},
		{u.writeCacheEnabled, "ID_ATA_WRITE_CACHE_ENABLED"},
		{u.rpm, "ID_ATA_ROTATION_RATE_RPM"},
	} {
		s, ok := properties[n.key]
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return fmt.Errorf("%s: %s: %q is not a number", d.file.Path(), n.key, s)
		}
		d.label(n.family, v)
	}
	return nil
}

func (d *udevDisk) label(f *text.Family, value float64, labels ...string) {
	d.labelled = append(d.labelled, udevSample{f, value, f.Labels(append([]string{d.name}, labels...)...)})
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

package collector

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/prometheus/procfs"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type mdadm struct {
	host   Host
	file   *held.File
	last   []byte // mdstat as it was when arrays was read
	arrays []procfs.MDStat
	block  *held.Dir
	raids  held.Devices[*mdRaid]

	state, disks, required, blocks, synced *text.Family
	raidDisks, degraded                    *text.Family
}

// mdRaid are the files of an array.
type mdRaid struct {
	level, disks, degraded *held.File
	labels                 text.Labels
}

func declareMdadm(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		return &mdadm{
			host: h, file: h.procFile("mdstat"), block: held.NewDir(h.sys("block")),
			state:     text.Gauge("node_md_state", "Indicates the state of md-device.", "device", "state"),
			disks:     text.Gauge("node_md_disks", "Number of active/failed/spare disks of device.", "device", "state"),
			required:  text.Gauge("node_md_disks_required", "Total number of disks of device.", "device"),
			blocks:    text.Gauge("node_md_blocks", "Total number of blocks on device.", "device"),
			synced:    text.Gauge("node_md_blocks_synced", "Number of blocks synced on device.", "device"),
			raidDisks: text.Gauge("node_md_raid_disks", "Number of raid disks on device.", "device"),
			degraded:  text.Gauge("node_md_degraded", "Number of degraded disks on device.", "device"),
		}, nil
	}
}

func (c *mdadm) Families() []*text.Family {
	return []*text.Family{c.blocks, c.synced, c.degraded, c.disks, c.required, c.raidDisks, c.state}
}

// Update says nothing where the kernel has no software RAID: then there is no mdstat.
func (c *mdadm) Update(context.Context) error {
	err := c.read()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, array := range c.arrays {
		c.add(array)
	}
	return errors.Join(err, c.addRaids())
}

// read has procfs parse mdstat, which is made for people and a world of its own, but only when it has changed.
func (c *mdadm) read() error {
	b, err := c.file.Lines()
	if err == nil && c.last != nil && bytes.Equal(b, c.last) {
		return nil
	}
	c.last, c.arrays = nil, nil
	if err != nil {
		return err
	}
	if first, _ := scan.Line(b); !bytes.HasPrefix(first, []byte("Personalities :")) {
		return fmt.Errorf("%s: line 1: %q are not the personalities", c.file.Path(), first[:min(len(first), 40)])
	}
	proc, err := procfs.NewFS(c.host.Proc)
	if err != nil {
		return err
	}
	if c.arrays, err = proc.MDStat(); err != nil {
		c.arrays = nil
		return fmt.Errorf("%s: %w", c.file.Path(), err)
	}
	c.last = bytes.Clone(b)
	return nil
}

func (c *mdadm) add(array procfs.MDStat) {
	name := array.Name
	c.required.Add(float64(array.DisksTotal), name)
	c.disks.Add(float64(array.DisksActive), name, "active")
	c.disks.Add(float64(array.DisksFailed), name, "failed")
	c.disks.Add(float64(array.DisksSpare), name, "spare")
	c.blocks.Add(float64(array.BlocksTotal), name)
	c.synced.Add(float64(array.BlocksSynced), name)
	for _, s := range [...]struct{ state, activity string }{
		{"active", "active"}, {"inactive", "inactive"}, {"recovering", "recovering"}, {"resync", "resyncing"}, {"check", "checking"},
	} {
		in := 0.0
		if array.ActivityState == s.activity {
			in = 1
		}
		c.state.Add(in, name, s.state)
	}
}

func (c *mdadm) addRaids() error {
	names, err := deviceNames(c.block)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		if bytes.HasPrefix(name, []byte("md")) {
			errs = append(errs, c.addRaid(c.raids.Get(name, c.open)))
		}
	}
	c.raids.Sweep(func(r *mdRaid) { closeAll(r.level, r.disks, r.degraded) })
	return errors.Join(errs...)
}

func (c *mdadm) open(name string) *mdRaid {
	file := func(attribute string) *held.File { return c.host.sysFile("block", name, "md", attribute) }
	return &mdRaid{level: file("level"), disks: file("raid_disks"), degraded: file("degraded"), labels: c.degraded.Labels(name)}
}

// addRaid reads what /sys says of an array. A container has no disks of its own, and the levels without redundancy have no
// file for how many are missing: none can be.
func (c *mdadm) addRaid(r *mdRaid) error {
	level, err := r.level.Text()
	if err != nil {
		if unsaid(err) { // no array, or one that is just being stopped
			return nil
		}
		return err
	}
	degraded := 0.0
	switch string(level) {
	case "raid1", "raid4", "raid5", "raid6", "raid10":
		if degraded, err = r.degraded.Number(); err != nil {
			return err
		}
	case "raid0", "linear", "multipath", "faulty", "container", "imsm", "ddf", "":
	default:
		return fmt.Errorf("%s: %q is not a level that is known", r.level.Path(), level[:min(len(level), 40)])
	}
	c.degraded.Put(degraded, r.labels)
	switch string(level) {
	case "container", "imsm", "ddf", "":
		return nil
	}
	disks, err := r.disks.Text()
	if err != nil || len(disks) == 0 {
		return err
	}
	current, _ := scan.Field(disks) // "11 (10)" while the array grows from 10 to 11
	v, ok := scan.Uint(current)
	if !ok {
		return fmt.Errorf("%s: %q is not a number of disks", r.disks.Path(), disks)
	}
	c.raidDisks.Put(float64(v), r.labels)
	return nil
}

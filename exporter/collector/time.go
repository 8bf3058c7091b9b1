package collector

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type clock struct {
	host Host

	zoneFile []byte // what zone is made of
	zone     *time.Location

	dir     *held.Dir
	sources held.Devices[*clockSource]

	now, offset, available, inUse *text.Family
}

type clockSource struct{ available, current *held.File }

func declareTime(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		return &clock{
			host: h, dir: held.NewDir(h.sys("devices/system/clocksource")),
			now:       text.Gauge("node_time_seconds", "System time in seconds since epoch (1970)."),
			offset:    text.Gauge("node_time_zone_offset_seconds", "System time zone offset in seconds.", "time_zone"),
			available: text.Gauge("node_time_clocksource_available_info", "Available clocksources read from '/sys/devices/system/clocksource'.", "device", "clocksource"),
			inUse:     text.Gauge("node_time_clocksource_current_info", "Current clocksource read from '/sys/devices/system/clocksource'.", "device", "clocksource"),
		}, nil
	}
}

func (c *clock) Families() []*text.Family {
	return []*text.Family{c.now, c.offset, c.available, c.inUse}
}

func (c *clock) Update(context.Context) error {
	now := time.Now()
	c.now.Add(float64(now.UnixNano()) / 1e9)
	return errors.Join(c.addZone(now), c.addSources())
}

func (c *clock) addZone(now time.Time) error {
	zone, err := c.location()
	if err != nil {
		return fmt.Errorf("time zone: %w", err)
	}
	name, offset := now.In(zone).Zone()
	c.offset.Add(float64(offset), name)
	return nil
}

// location is the host's time zone. A container has one of its own, usually UTC, so there it comes from the mounted
// root; a host without the file is in UTC, as localtime(5) says.
func (c *clock) location() (*time.Location, error) {
	if !c.host.mounted() {
		return time.Local, nil
	}
	b, err := c.host.readRoot("etc/localtime")
	if errors.Is(err, fs.ErrNotExist) {
		return time.UTC, nil
	}
	if err != nil {
		return nil, err
	}
	if c.zone != nil && bytes.Equal(b, c.zoneFile) {
		return c.zone, nil
	}
	zone, err := time.LoadLocationFromTZData("Local", b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(c.host.Root, "etc/localtime"), err)
	}
	c.zone, c.zoneFile = zone, b
	return zone, nil
}

func (c *clock) addSources() error {
	names, err := c.dir.Names()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("clock sources: %w", err)
	}
	n := 0
	for _, name := range names {
		if !bytes.HasPrefix(name, []byte("clocksource")) {
			continue
		}
		source := c.sources.Get(name, func(name string) *clockSource {
			dir := filepath.Join("devices/system/clocksource", name)
			return &clockSource{c.host.sysFile(dir, "available_clocksource"), c.host.sysFile(dir, "current_clocksource")}
		})
		if err := c.addSource(source, strconv.Itoa(n)); err != nil {
			return err
		}
		n++
	}
	return nil
}

func (c *clock) addSource(s *clockSource, device string) error {
	available, err := s.available.Text()
	if err != nil {
		return err
	}
	current, err := s.current.Text()
	if err != nil {
		return err
	}
	if len(current) == 0 {
		return fmt.Errorf("%s: empty", s.current.Path())
	}
	known := bytes.Fields(available)
	if !slices.ContainsFunc(known, func(name []byte) bool { return bytes.Equal(name, current) }) {
		return fmt.Errorf("%s: %q is not one of %q in %s", s.current.Path(), current, available, s.available.Path())
	}
	for _, name := range known {
		c.available.Add(1, device, string(name))
	}
	c.inUse.Add(1, device, string(current))
	return nil
}

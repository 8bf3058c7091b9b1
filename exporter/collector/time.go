package collector

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/procfs/sysfs"
)

type clock struct {
	host                        Host
	sysfs                       sysfs.FS
	now, zone, available, inUse family
}

func declareTime(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		sys, err := sysfs.NewFS(h.Sys)
		if err != nil {
			return nil, fmt.Errorf("open sysfs: %w", err)
		}
		return &clock{
			host: h, sysfs: sys,
			now:       gauge("node_time_seconds", "System time in seconds since epoch (1970)."),
			zone:      gauge("node_time_zone_offset_seconds", "System time zone offset in seconds.", "time_zone"),
			available: gauge("node_time_clocksource_available_info", "Available clocksources read from '/sys/devices/system/clocksource'.", "device", "clocksource"),
			inUse:     gauge("node_time_clocksource_current_info", "Current clocksource read from '/sys/devices/system/clocksource'.", "device", "clocksource"),
		}, nil
	}
}

func (c *clock) Describe(ch chan<- *prometheus.Desc) {
	describe(ch, c.now, c.zone, c.available, c.inUse)
}

func (c *clock) Collect(_ context.Context, ch chan<- prometheus.Metric) error {
	now := time.Now()
	c.now.send(ch, float64(now.UnixNano())/1e9)
	return errors.Join(c.sendZone(now, ch), c.sendSources(ch))
}

func (c *clock) sendZone(now time.Time, ch chan<- prometheus.Metric) error {
	zone, err := c.location()
	if err != nil {
		return fmt.Errorf("time zone: %w", err)
	}
	name, offset := now.In(zone).Zone()
	c.zone.send(ch, float64(offset), name)
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
	zone, err := time.LoadLocationFromTZData("Local", b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(c.host.Root, "etc/localtime"), err)
	}
	return zone, nil
}

func (c *clock) sendSources(ch chan<- prometheus.Metric) error {
	sources, err := c.sysfs.ClockSources()
	if err != nil {
		return fmt.Errorf("clock sources: %w", err)
	}
	for i, s := range sources {
		device := strconv.Itoa(i)
		for _, name := range s.Available {
			c.available.send(ch, 1, device, name)
		}
		if s.Current == "" {
			return fmt.Errorf("%s: empty", c.host.sys("devices/system/clocksource", "clocksource"+s.Name, "current_clocksource"))
		}
		c.inUse.send(ch, 1, device, s.Current)
	}
	return nil
}

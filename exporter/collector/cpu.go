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

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/procfs"
	"github.com/prometheus/procfs/sysfs"
)

type cpu struct {
	host        Host
	procfs      procfs.FS
	sysfs       sysfs.FS
	guest, info bool
	last        map[int][]float64 // what was last said of each CPU

	seconds, guestSeconds, infos, coreThrottles, packageThrottles, isolated, online family
}

func declareCPU(flags *flag.FlagSet) factory {
	guest := flags.Bool("collector.cpu.guest", true, "Enables metric node_cpu_guest_seconds_total.")
	info := flags.Bool("collector.cpu.info", false, "Enables metric node_cpu_info.")
	return func(h Host, _ *slog.Logger) (Collector, error) {
		proc, err := procfs.NewFS(h.Proc)
		if err != nil {
			return nil, fmt.Errorf("open procfs: %w", err)
		}
		sys, err := sysfs.NewFS(h.Sys)
		if err != nil {
			return nil, fmt.Errorf("open sysfs: %w", err)
		}
		return &cpu{
			host: h, procfs: proc, sysfs: sys, guest: *guest, info: *info, last: map[int][]float64{},
			seconds:      counter("node_cpu_seconds_total", "Seconds the CPUs spent in each mode.", "cpu", "mode"),
			guestSeconds: counter("node_cpu_guest_seconds_total", "Seconds the CPUs spent in guests (VMs) for each mode.", "cpu", "mode"),
			infos: gauge("node_cpu_info", "CPU information from /proc/cpuinfo.",
				"package", "core", "cpu", "vendor", "family", "model", "model_name", "microcode", "stepping", "cachesize"),
			coreThrottles:    counter("node_cpu_core_throttles_total", "Number of times this CPU core has been throttled.", "package", "core"),
			packageThrottles: counter("node_cpu_package_throttles_total", "Number of times this CPU package has been throttled.", "package"),
			isolated:         gauge("node_cpu_isolated", "Whether each core is isolated, information from /sys/devices/system/cpu/isolated.", "cpu"),
			online:           gauge("node_cpu_online", "CPUs that are online and being scheduled.", "cpu"),
		}, nil
	}
}

func (c *cpu) Describe(ch chan<- *prometheus.Desc) {
	describe(ch, c.seconds, c.guestSeconds, c.infos, c.coreThrottles, c.packageThrottles, c.isolated, c.online)
}

func (c *cpu) Collect(_ context.Context, ch chan<- prometheus.Metric) error {
	errs := []error{c.sendTimes(ch), c.sendTopology(ch), c.sendIsolated(ch)}
	if c.info {
		errs = append(errs, c.sendInfo(ch))
	}
	return errors.Join(errs...)
}

func (c *cpu) sendTimes(ch chan<- prometheus.Metric) error {
	s, err := readProcStat(c.host)
	if err != nil {
		return err
	}
	c.last = advance(c.last, s.cpus)
	modes := []string{"user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "user", "nice"}
	for id, seconds := range c.last {
		name := strconv.Itoa(id)
		for i, v := range seconds {
			switch {
			case i < 8:
				c.seconds.send(ch, v, name, modes[i])
			case c.guest: // also contained in user and nice
				c.guestSeconds.send(ch, v, name, modes[i])
			}
		}
	}
	return nil
}

// advance keeps counters from going backwards: the kernel's idle and iowait times do so by a tick now and then, which
// Prometheus would take for a restart. A CPU whose idle time falls by three seconds or more came back from hotplug and
// starts anew; one that is gone is forgotten.
func advance(last, read map[int][]float64) map[int][]float64 {
	const idle, hotplug = 3, 3.0
	next := make(map[int][]float64, len(read))
	for id, seconds := range read {
		before := last[id]
		if len(before) == len(seconds) && before[idle]-seconds[idle] < hotplug {
			for i := range seconds {
				seconds[i] = max(seconds[i], before[i])
			}
		}
		next[id] = seconds
	}
	return next
}

// sendTopology sends what is in each CPU's own directory. Virtual machines have few of these files and some
// architectures answer -1: what isn't a number isn't sent.
func (c *cpu) sendTopology(ch chan<- prometheus.Metric) error {
	cpus, err := c.sysfs.CPUs()
	if err != nil {
		return fmt.Errorf("list the CPUs of %s: %w", c.host.Sys, err)
	}
	type core struct{ pkg, id uint64 }
	seenCore, seenPackage := map[core]bool{}, map[uint64]bool{}
	for _, dir := range cpus {
		pkg, pkgErr := readUint(filepath.Join(string(dir), "topology", "physical_package_id"))
		id, idErr := readUint(filepath.Join(string(dir), "topology", "core_id"))
		if pkgErr != nil || idErr != nil {
			continue
		}
		this := core{pkg, id}
		if v, err := readUint(filepath.Join(string(dir), "thermal_throttle", "core_throttle_count")); err == nil && !seenCore[this] {
			seenCore[this] = true
			c.coreThrottles.send(ch, float64(v), strconv.FormatUint(pkg, 10), strconv.FormatUint(id, 10))
		}
		if v, err := readUint(filepath.Join(string(dir), "thermal_throttle", "package_throttle_count")); err == nil && !seenPackage[pkg] {
			seenPackage[pkg] = true
			c.packageThrottles.send(ch, float64(v), strconv.FormatUint(pkg, 10))
		}
	}
	c.sendOnline(cpus, ch)
	return nil
}

// sendOnline says nothing at all where the first CPU can't be switched off, as node_exporter does.
func (c *cpu) sendOnline(cpus []sysfs.CPU, ch chan<- prometheus.Metric) {
	for i, dir := range cpus {
		online, err := dir.Online()
		if i == 0 && errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err != nil {
			continue
		}
		value := 0.0
		if online {
			value = 1
		}
		c.online.send(ch, value, dir.Number())
	}
}

func (c *cpu) sendIsolated(ch chan<- prometheus.Metric) error {
	isolated, err := c.sysfs.IsolatedCPUs()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.host.sys("devices/system/cpu/isolated"), err)
	}
	for _, id := range isolated {
		c.isolated.send(ch, 1, strconv.Itoa(int(id)))
	}
	return nil
}

func (c *cpu) sendInfo(ch chan<- prometheus.Metric) error {
	infos, err := c.procfs.CPUInfo()
	if err != nil {
		return fmt.Errorf("%s: %w", c.host.proc("cpuinfo"), err)
	}
	for _, i := range infos {
		c.infos.send(ch, 1, i.PhysicalID, i.CoreID, strconv.FormatUint(uint64(i.Processor), 10), i.VendorID, i.CPUFamily, i.Model,
			i.ModelName, i.Microcode, i.Stepping, i.CacheSize)
	}
	return nil
}

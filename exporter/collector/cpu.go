package collector

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"strconv"

	"github.com/prometheus/procfs"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type cpu struct {
	host        Host
	stat        procStat
	times       map[int]*cpuTimes
	topology    cpuTopology
	isolation   *held.File
	guest, info bool

	seconds, guestSeconds, infos, isolated *text.Family
}

// cpuTimes is what was last said of a CPU, and its labels.
type cpuTimes struct {
	cpuTicks
	labels [8]text.Labels // by mode; the first two are also the guest's
}

func declareCPU(flags *flag.FlagSet) factory {
	guest := flags.Bool("collector.cpu.guest", true, "Enables metric node_cpu_guest_seconds_total.")
	info := flags.Bool("collector.cpu.info", false, "Enables metric node_cpu_info.")
	return func(h Host, _ *slog.Logger) (Collector, error) {
		return &cpu{
			host: h, stat: newProcStat(h), times: map[int]*cpuTimes{}, topology: newCPUTopology(h),
			isolation: h.sysFile("devices/system/cpu/isolated"), guest: *guest, info: *info,
			seconds:      text.Counter("node_cpu_seconds_total", "Seconds the CPUs spent in each mode.", "cpu", "mode"),
			guestSeconds: text.Counter("node_cpu_guest_seconds_total", "Seconds the CPUs spent in guests (VMs) for each mode.", "cpu", "mode"),
			infos: text.Gauge("node_cpu_info", "CPU information from /proc/cpuinfo.",
				"package", "core", "cpu", "vendor", "family", "model", "model_name", "microcode", "stepping", "cachesize"),
			isolated: text.Gauge("node_cpu_isolated", "Whether each core is isolated, information from /sys/devices/system/cpu/isolated.", "cpu"),
		}, nil
	}
}

func (c *cpu) Families() []*text.Family {
	t := &c.topology
	return []*text.Family{c.seconds, c.guestSeconds, c.infos, t.coreThrottles, t.packageThrottles, c.isolated, t.online}
}

func (c *cpu) Update(context.Context) error {
	errs := []error{c.addTimes(), c.topology.add(), c.addIsolated()}
	if c.info {
		errs = append(errs, c.addInfo())
	}
	return errors.Join(errs...)
}

func (c *cpu) addTimes() error {
	if err := c.stat.read(); err != nil {
		return err
	}
	for _, read := range c.stat.cpus {
		times, ok := c.times[read.id]
		if !ok {
			times = &cpuTimes{cpuTicks: read}
			for i, mode := range []string{"user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"} {
				times.labels[i] = c.seconds.Labels(strconv.Itoa(read.id), mode)
			}
			c.times[read.id] = times
		}
		times.advance(read)
		for i, ticks := range times.ticks[:times.n] {
			switch {
			case i < 8:
				c.seconds.Put(float64(ticks)/userHZ, times.labels[i])
			case c.guest: // also contained in user and nice
				c.guestSeconds.Put(float64(ticks)/userHZ, times.labels[i-8])
			}
		}
	}
	if len(c.times) > len(c.stat.cpus) {
		c.forget()
	}
	return nil
}

// advance keeps counters from going backwards: the kernel's idle and iowait times do so by a tick now and then, which
// Prometheus would take for a restart. A CPU whose idle time falls by three seconds or more came back from hotplug and
// starts anew.
func (c *cpuTicks) advance(read cpuTicks) {
	const idle, hotplug = 3, 3 * userHZ
	if c.n == read.n && c.ticks[idle] < read.ticks[idle]+hotplug {
		for i := range read.ticks {
			read.ticks[i] = max(read.ticks[i], c.ticks[i])
		}
	}
	*c = read
}

// forget drops the CPUs that are gone, which begin anew if they come back.
func (c *cpu) forget() {
	there := map[int]bool{}
	for _, read := range c.stat.cpus {
		there[read.id] = true
	}
	for id := range c.times {
		if !there[id] {
			delete(c.times, id)
		}
	}
}

// addIsolated reads a list such as 1,4-7.
func (c *cpu) addIsolated() error {
	list, err := c.isolation.Text()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for len(list) > 0 {
		var part []byte
		part, list, _ = bytes.Cut(list, []byte(","))
		from, to, isRange := bytes.Cut(part, []byte("-"))
		if !isRange {
			to = from
		}
		first, okFirst := scan.Uint(from)
		last, okLast := scan.Uint(to)
		if !okFirst || !okLast || last > 1<<20 {
			return fmt.Errorf("%s: %q is not a list of CPUs", c.isolation.Path(), part)
		}
		for id := first; id <= last; id++ {
			c.isolated.Add(1, strconv.FormatUint(id, 10))
		}
	}
	return nil
}

// addInfo is off by default and so not in a hurry.
func (c *cpu) addInfo() error {
	path := c.host.proc("cpuinfo")
	proc, err := procfs.NewFS(c.host.Proc)
	if err != nil {
		return err
	}
	infos, err := proc.CPUInfo()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, i := range infos {
		c.infos.Add(1, i.PhysicalID, i.CoreID, strconv.FormatUint(uint64(i.Processor), 10), i.VendorID, i.CPUFamily, i.Model,
			i.ModelName, i.Microcode, i.Stepping, i.CacheSize)
	}
	return nil
}

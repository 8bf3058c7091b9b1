package collector

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"strconv"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type cpu struct {
	reader    *statReader
	stat      procStat
	times     map[int]*cpuTimes
	topology  cpuTopology
	isolation *held.File
	guest     bool
	info      *cpuInfo // nil where it is not wanted

	seconds, guestSeconds, isolated *text.Family
}

// cpuTimes is what was last said of a CPU, and its labels.
type cpuTimes struct {
	cpuTicks
	labels [8]text.Labels // by mode; the first two are also the guest's
}

func declareCPU(flags *flag.FlagSet) factory {
	guest := flags.Bool("collector.cpu.guest", true, "Enables metric node_cpu_guest_seconds_total.")
	info := declareCPUInfo(flags)
	return func(h Host, _ *slog.Logger) (Collector, error) {
		infos, err := info.compile(h)
		if err != nil {
			return nil, err
		}
		return &cpu{
			reader: h.stat, times: map[int]*cpuTimes{}, topology: newCPUTopology(h),
			isolation: h.sysFile("devices/system/cpu/isolated"), guest: *guest, info: infos,
			seconds:      text.Counter("node_cpu_seconds_total", "Seconds the CPUs spent in each mode.", "cpu", "mode"),
			guestSeconds: text.Counter("node_cpu_guest_seconds_total", "Seconds the CPUs spent in guests (VMs) for each mode.", "cpu", "mode"),
			isolated:     text.Gauge("node_cpu_isolated", "Whether each core is isolated, information from /sys/devices/system/cpu/isolated.", "cpu"),
		}, nil
	}
}

func (c *cpu) Families() []*text.Family {
	t := &c.topology
	families := []*text.Family{c.seconds, c.guestSeconds, t.coreThrottles, t.packageThrottles, c.isolated, t.online}
	if c.info != nil {
		families = append(families, c.info.families()...)
	}
	return families
}

func (c *cpu) Update(ctx context.Context) error {
	errs := []error{c.addTimes(ctx), c.topology.add(), c.addIsolated()}
	if c.info != nil {
		errs = append(errs, c.info.add())
	}
	return errors.Join(errs...)
}

func (c *cpu) addTimes(ctx context.Context) error {
	if err := c.reader.read(ctx, &c.stat); err != nil {
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
	err = eachCPURange(list, func(first, last uint64) {
		for id := first; id <= last; id++ {
			c.isolated.Add(1, strconv.FormatUint(id, 10))
		}
	})
	if err != nil {
		return fmt.Errorf("%s: %w", c.isolation.Path(), err)
	}
	return nil
}

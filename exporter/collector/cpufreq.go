package collector

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type cpufreq struct {
	host        Host
	dir         *held.Dir
	offline     *held.File
	cpus        held.Devices[*cpufreqCPU]
	online      []*cpufreqCPU // in this scrape
	frequencies []cpufreqFrequency
	governor    *text.Family
}

// cpufreqFrequency is a file of a CPU that holds a frequency in kHz.
type cpufreqFrequency struct {
	file string
	*text.Family
}

// cpufreqCPU is what is kept of a CPU, and what was last read of it.
type cpufreqCPU struct {
	labels              text.Labels
	current, available  *held.File // governors
	files               []*held.File
	khz                 []float64 // by file; below zero where there is nothing to say
	governor, governors string
	choices             []cpufreqGovernor
	listed              bool // there is a file of them
	name                string
	err                 error
}

type cpufreqGovernor struct {
	name   string
	labels text.Labels
}

func declareCpufreq(flags *flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		frequency := func(file, name, help string) cpufreqFrequency {
			return cpufreqFrequency{file, text.Gauge("node_cpu_"+name+"_hertz", help+" CPU thread frequency in hertz.", "cpu")}
		}
		c := &cpufreq{
			host: h, dir: held.NewDir(h.sys("devices/system/cpu")), offline: h.sysFile("devices/system/cpu/offline"),
			frequencies: []cpufreqFrequency{
				frequency("cpuinfo_cur_freq", "frequency", "Current"),
				frequency("cpuinfo_avg_freq", "frequency_avg", "Average"),
				frequency("cpuinfo_min_freq", "frequency_min", "Minimum"),
				frequency("cpuinfo_max_freq", "frequency_max", "Maximum"),
				frequency("scaling_cur_freq", "scaling_frequency", "Current scaled"),
				frequency("scaling_min_freq", "scaling_frequency_min", "Minimum scaled"),
				frequency("scaling_max_freq", "scaling_frequency_max", "Maximum scaled"),
			},
			governor: text.Gauge("node_cpu_scaling_governor", "Current enabled CPU frequency governor.", "cpu", "governor"),
		}
		if flags != nil && saysCPUInfo(flags) { // then collector cpu says the first, with more labels
			c.frequencies = c.frequencies[1:]
		}
		return c, nil
	}
}

func (c *cpufreq) Families() []*text.Family {
	families := []*text.Family{c.governor}
	for _, f := range c.frequencies {
		families = append(families, f.Family)
	}
	return families
}

func (c *cpufreq) Update(context.Context) error {
	names, err := deviceNames(c.dir)
	if err != nil {
		return err
	}
	offline, err := c.offline.Text()
	if err != nil && !unsaid(err) {
		return err
	}
	c.online = c.online[:0]
	for _, name := range names {
		if !isCPU(name) {
			continue
		}
		id, _ := scan.Uint(name[len("cpu"):])
		off := false
		if err := eachCPURange(offline, func(first, last uint64) { off = off || first <= id && id <= last }); err != nil {
			return fmt.Errorf("%s: %w", c.offline.Path(), err)
		}
		if !off { // those that are off still have their files, with what was
			c.online = append(c.online, c.cpus.Get(name, c.open))
		}
	}
	c.read()
	var errs []error
	for _, cpu := range c.online {
		errs = append(errs, cpu.err)
		c.add(cpu)
	}
	c.cpus.Sweep((*cpufreqCPU).close)
	return errors.Join(errs...)
}

func (c *cpufreq) open(name string) *cpufreqCPU {
	file := func(attribute string) *held.File {
		return c.host.sysFile("devices/system/cpu", name, "cpufreq", attribute)
	}
	cpu := &cpufreqCPU{name: strings.TrimPrefix(name, "cpu"), current: file("scaling_governor"), available: file("scaling_available_governors")}
	cpu.labels = c.frequencies[0].Labels(cpu.name)
	for _, f := range c.frequencies {
		cpu.files = append(cpu.files, file(f.file))
	}
	cpu.khz = make([]float64, len(cpu.files))
	return cpu
}

func (cpu *cpufreqCPU) close() { closeAll(append(cpu.files, cpu.current, cpu.available)...) }

// read reads many CPUs side by side: Linux before 5.18 makes whoever asks for a frequency wait 10 ms, for each CPU anew.
// Virtual machines usually have no such files; the first CPU answers for the rest then.
func (c *cpufreq) read() {
	const each, most = 8, 16 // CPUs to a reader, readers
	if len(c.online) == 0 {
		return
	}
	if !c.online[0].read() && c.online[0].err == nil {
		c.online = c.online[:1]
	}
	rest := c.online[1:]
	readers := min((len(rest)+each-1)/each, most)
	if readers <= 1 {
		for _, cpu := range rest {
			cpu.read()
		}
		return
	}
	var done sync.WaitGroup
	for first := range readers {
		done.Go(func() {
			for i := first; i < len(rest); i += readers {
				rest[i].read()
			}
		})
	}
	done.Wait()
}

// read keeps what the CPU's files say and is false if it has none.
func (cpu *cpufreqCPU) read() bool {
	for i := range cpu.khz {
		cpu.khz[i] = -1
	}
	governor, err := cpu.current.Text()
	if cpu.err = err; unsaid(err) {
		cpu.governor, cpu.err = "", nil
		return !errors.Is(err, fs.ErrNotExist)
	}
	if err != nil {
		return true
	}
	if string(governor) != cpu.governor {
		cpu.governor = string(governor)
	}
	for i, f := range cpu.files {
		if cpu.khz[i], err = kilohertz(f); err != nil {
			cpu.err = errors.Join(cpu.err, err)
		}
	}
	if err := cpu.readChoices(); err != nil {
		cpu.err = errors.Join(cpu.err, err)
	}
	// Of governors that don't have the one in use each would be said to be another.
	if !slices.ContainsFunc(cpu.choices, func(g cpufreqGovernor) bool { return g.name == cpu.governor }) && (len(cpu.choices) > 0 || cpu.listed) {
		cpu.err = errors.Join(cpu.err, fmt.Errorf("%s: %q is not one of %q in %s", cpu.current.Path(), cpu.governor, cpu.governors, cpu.available.Path()))
		cpu.governor = ""
	}
	return true
}

// kilohertz is below zero where the CPU does not say.
func kilohertz(f *held.File) (float64, error) {
	b, err := f.Text()
	if unsaid(err) || string(b) == "<unknown>" {
		return -1, nil
	}
	if err != nil {
		return -1, err
	}
	v, ok := scan.Uint(b)
	if !ok {
		return -1, fmt.Errorf("%s: %q is not a frequency in kHz", f.Path(), b[:min(len(b), 40)])
	}
	return float64(v), nil
}

func (cpu *cpufreqCPU) readChoices() error {
	b, err := cpu.available.Text()
	if err != nil && !unsaid(err) {
		return err
	}
	cpu.listed = err == nil
	if string(b) == cpu.governors {
		return nil
	}
	cpu.governors, cpu.choices = string(b), nil
	for _, name := range strings.Fields(cpu.governors) {
		cpu.choices = append(cpu.choices, cpufreqGovernor{name: name})
	}
	return nil
}

func (c *cpufreq) add(cpu *cpufreqCPU) {
	for i, f := range c.frequencies {
		if cpu.khz[i] >= 0 {
			f.Put(cpu.khz[i]*1000, cpu.labels)
		}
	}
	if cpu.governor == "" {
		return
	}
	for i := range cpu.choices {
		g := &cpu.choices[i]
		if g.labels == "" {
			g.labels = c.governor.Labels(cpu.name, g.name)
		}
		state := 0.0
		if g.name == cpu.governor {
			state = 1
		}
		c.governor.Put(state, g.labels)
	}
}

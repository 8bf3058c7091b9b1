package collector

import (
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/prometheus/procfs"

	"github.com/hearth-monitoring/hearth/exporter/text"
)

// cpuInfo is what /proc/cpuinfo says. It is off by default and so not in a hurry.
type cpuInfo struct {
	host        Host
	flags, bugs *regexp.Regexp // nil wants none

	infos, frequencies, flagInfos, bugInfos *text.Family
}

type cpuInfoFlags struct {
	on          *bool
	flags, bugs *string
}

const (
	cpuInfoFlag      = "collector.cpu.info"
	cpuInfoFlagsFlag = "collector.cpu.info.flags-include"
	cpuInfoBugsFlag  = "collector.cpu.info.bugs-include"
)

func declareCPUInfo(flags *flag.FlagSet) cpuInfoFlags {
	return cpuInfoFlags{
		on:    flags.Bool(cpuInfoFlag, false, "Enables metrics node_cpu_info and node_cpu_frequency_hertz."),
		flags: flags.String(cpuInfoFlagsFlag, "", "Regexp of CPU flags that node_cpu_flag_info has (enables "+cpuInfoFlag+")."),
		bugs:  flags.String(cpuInfoBugsFlag, "", "Regexp of CPU bugs that node_cpu_bug_info has (enables "+cpuInfoFlag+")."),
	}
}

// saysCPUInfo is whether the parsed flags ask for it.
func saysCPUInfo(flags *flag.FlagSet) bool {
	for name, off := range map[string]string{cpuInfoFlag: "false", cpuInfoFlagsFlag: "", cpuInfoBugsFlag: ""} {
		if f := flags.Lookup(name); f != nil && f.Value.String() != off {
			return true
		}
	}
	return false
}

// compile returns nil where the information is not wanted.
func (f cpuInfoFlags) compile(h Host) (*cpuInfo, error) {
	if !*f.on && *f.flags == "" && *f.bugs == "" {
		return nil, nil
	}
	c := &cpuInfo{
		host: h,
		infos: text.Gauge("node_cpu_info", "CPU information from /proc/cpuinfo.",
			"package", "core", "cpu", "vendor", "family", "model", "model_name", "microcode", "stepping", "cachesize"),
		frequencies: text.Gauge("node_cpu_frequency_hertz", "CPU frequency in hertz from /proc/cpuinfo.", "package", "core", "cpu"),
		flagInfos:   text.Gauge("node_cpu_flag_info", "The `flags` field of CPU information from /proc/cpuinfo taken from the first core.", "flag"),
		bugInfos:    text.Gauge("node_cpu_bug_info", "The `bugs` field of CPU information from /proc/cpuinfo taken from the first core.", "bug"),
	}
	var err error
	if c.flags, err = compile(cpuInfoFlagsFlag, *f.flags); err != nil {
		return nil, err
	}
	c.bugs, err = compile(cpuInfoBugsFlag, *f.bugs)
	return c, err
}

func (c *cpuInfo) families() []*text.Family {
	return []*text.Family{c.infos, c.frequencies, c.flagInfos, c.bugInfos}
}

func (c *cpuInfo) add() error {
	path := c.host.proc("cpuinfo")
	proc, err := procfs.NewFS(c.host.Proc)
	if err != nil {
		return err
	}
	cpus, err := proc.CPUInfo()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if len(cpus) == 0 {
		return fmt.Errorf("%s: no CPU in it", path)
	}
	for _, i := range cpus {
		id := strconv.FormatUint(uint64(i.Processor), 10)
		c.infos.Add(1, i.PhysicalID, i.CoreID, id, i.VendorID, i.CPUFamily, i.Model, i.ModelName, i.Microcode, i.Stepping, i.CacheSize)
		if i.CPUMHz > 0 { // most architectures don't say
			c.frequencies.Add(i.CPUMHz*1e6, i.PhysicalID, i.CoreID, id)
		}
	}
	addMatching(c.flagInfos, cpus[0].Flags, c.flags)
	addMatching(c.bugInfos, cpus[0].Bugs, c.bugs)
	return nil
}

func addMatching(f *text.Family, values []string, include *regexp.Regexp) {
	slices.Sort(values)
	for _, v := range slices.Compact(values) {
		if include != nil && include.MatchString(v) {
			f.Add(1, v)
		}
	}
}

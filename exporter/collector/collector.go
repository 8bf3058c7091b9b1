// Package collector reads a Linux host and says what it found in node_exporter's words: the same metric names, labels,
// types and units, so that dashboards and rules made for node_exporter work unchanged.
//
// Each collector is one file: its flags, its families, how it reads and how it parses. What they share is small: host.go
// knows where the host is mounted, filter.go the include and exclude flags, set.go what a scrape is, and relay.go how it
// asks what may never answer. Below them are three packages that know nothing of metrics' meaning: held reads files, scan
// parses bytes in place, text writes samples. docs/exporter.md shows a collector from end to end.
package collector

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

// A Collector reads one corner of the host. Update adds samples to the collector's own families, which are empty when it
// begins; Families returns them in the order in which they are written, and is asked before and after each Update, since
// what a host has may decide which there are.
//
// What was added before an error is kept, so a collector adds only what it has read. A value that could not be read is
// not added; zero means that the host said zero. An error names the file, and the line where there are several. Update is
// never running twice at once for the same collector, so it may keep files and buffers, and it may block for as long as
// it likes: the scrape goes on without it.
type Collector interface {
	Families() []*text.Family
	Update(ctx context.Context) error
}

// A listing is one line of the list: the collector's name, whether it runs unless told otherwise, and the function that
// declares its flags and, once they are parsed, makes it.
type listing struct {
	name      string
	byDefault bool
	declare   func(*flag.FlagSet) factory
}

type factory func(Host, *slog.Logger) (Collector, error)

// list is every collector there is. A new one is its own file and one line here.
func list() []listing {
	return []listing{
		{"arp", true, declareARP},
		{"bonding", true, declareBonding},
		{"buddyinfo", false, declareBuddyinfo},
		{"cgroups", false, declareCgroups},
		{"conntrack", true, declareConntrack},
		{"cpu", true, declareCPU},
		{"cpufreq", true, declareCpufreq},
		{"diskstats", true, declareDiskstats},
		{"dmi", true, declareDMI},
		{"edac", true, declareEdac},
		{"entropy", true, declareEntropy},
		{"ethtool", false, declareEthtool},
		{"filefd", true, declareFilefd},
		{"filesystem", true, declareFilesystem},
		{"hwmon", true, declareHwmon},
		{"interrupts", false, declareInterrupts},
		{"ksmd", false, declareKsmd},
		{"loadavg", true, declareLoadavg},
		{"mdadm", true, declareMdadm},
		{"meminfo", true, declareMeminfo},
		{"netclass", true, declareNetclass},
		{"netdev", true, declareNetdev},
		{"netstat", true, declareNetstat},
		{"nfs", true, declareNFS},
		{"nfsd", true, declareNFSd},
		{"nvme", true, declareNVMe},
		{"os", true, declareOS},
		{"powersupplyclass", true, declarePowerSupplyClass},
		{"pressure", true, declarePressure},
		{"processes", false, declareProcesses},
		{"qdisc", false, declareQdisc},
		{"schedstat", true, declareSchedstat},
		{"selinux", true, declareSelinux},
		{"slabinfo", false, declareSlabinfo},
		{"sockstat", true, declareSockstat},
		{"softirqs", false, declareSoftirqs},
		{"softnet", true, declareSoftnet},
		{"stat", true, declareStat},
		{"systemd", false, declareSystemd},
		{"tcpstat", false, declareTcpstat},
		{"textfile", true, declareTextfile},
		{"thermal_zone", true, declareThermalZone},
		{"time", true, declareTime},
		{"timex", true, declareTimex},
		{"udp_queues", true, declareUDPQueues},
		{"uname", true, declareUname},
		{"vmstat", true, declareVmstat},
		{"watchdog", true, declareWatchdog},
		{"xfs", true, declareXFS},
		{"zoneinfo", false, declareZoneinfo},
	}
}

// Options are the flags of this package after Declare; once parsed, New makes the collectors they ask for.
type Options struct {
	host            Host
	timeout         time.Duration
	disableDefaults bool
	maxSeries       int
	choices         []choice
}

// A choice is a collector together with what the command line says about it.
type choice struct {
	name      string
	byDefault bool
	asked     *optionalBool
	make      factory
}

// Declare adds the flags of every collector, and those they share, to flags.
func Declare(flags *flag.FlagSet) *Options {
	o := &Options{}
	o.host.declare(flags)
	flags.DurationVar(&o.timeout, "collector.timeout", time.Second, "How long a scrape waits for a collector before it goes on without it.")
	flags.BoolVar(&o.disableDefaults, "collector.disable-defaults", false, "Set all collectors to disabled by default.")
	flags.IntVar(&o.maxSeries, "collector.max-series", 20000, "Most series of any one collector. What it has more is left out, logged and counted. Use 0 for no limit.")
	for _, l := range list() {
		asked := &optionalBool{value: l.byDefault}
		flags.Var(asked, "collector."+l.name, fmt.Sprintf("Enable the %s collector (default: %s).", l.name, state(l.byDefault)))
		o.choices = append(o.choices, choice{l.name, l.byDefault, asked, l.declare(flags)})
	}
	return o
}

// Names of all collectors there are, also of those that don't run, sorted.
func (o *Options) Names() []string {
	names := make([]string, len(o.choices))
	for i, c := range o.choices {
		names[i] = c.name
	}
	slices.Sort(names)
	return names
}

// ByDefault says whether a collector runs unless told otherwise.
func (o *Options) ByDefault(name string) bool {
	return slices.ContainsFunc(o.choices, func(c choice) bool { return c.name == name && c.byDefault })
}

// New makes the collectors that the parsed flags ask for.
func (o *Options) New(log *slog.Logger) (*Set, error) {
	if o.timeout <= 0 {
		return nil, fmt.Errorf("--collector.timeout must be above zero, not %s", o.timeout)
	}
	if err := o.host.check(); err != nil {
		return nil, err
	}
	o.host.room = held.NewRoom(roomFor())
	o.host.stat = &statReader{last: newProcStat(o.host)}
	set := newSet(o.timeout, log)
	set.limit = o.maxSeries
	for _, c := range o.choices {
		if !c.enabled(o.disableDefaults) {
			continue
		}
		made, err := c.make(o.host, log.With("collector", c.name))
		if err != nil {
			return nil, fmt.Errorf("collector %s: %w", c.name, err)
		}
		set.add(c.name, made)
	}
	return set, nil
}

func (c choice) enabled(disableDefaults bool) bool {
	if c.asked.given {
		return c.asked.value
	}
	return c.byDefault && !disableDefaults
}

func state(enabled bool) string {
	if enabled {
		return "enabled"
	}
	return "disabled"
}

// optionalBool is a flag that remembers whether it was given, which --collector.disable-defaults has to know.
type optionalBool struct{ value, given bool }

func (b *optionalBool) String() string   { return strconv.FormatBool(b.value) }
func (b *optionalBool) IsBoolFlag() bool { return true }

func (b *optionalBool) Set(s string) error {
	value, err := strconv.ParseBool(s)
	if err != nil {
		return fmt.Errorf("not a boolean: %q", s)
	}
	b.value, b.given = value, true
	return nil
}

package stack

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// Access is what collectors read of the host beside its /proc.
type Access struct {
	// Sys is /sys, Root is /, and Udev is /run/udev.
	Sys, Root, Udev bool
	// DBus is /run/dbus, where systemd can be asked.
	DBus bool
	// Textfile is the directory in which others leave metrics, if it is read.
	Textfile string
}

// collector is what the operator has to know of one of the exporter's. A test holds this to the exporter itself.
type collector struct {
	byDefault bool
	access    Access
	// hostNetwork: it asks the kernel by other ways than files, which answers for the asker's own network.
	hostNetwork bool
}

// collectors by name.
func collectors() map[v1alpha1.CollectorName]collector {
	out := map[v1alpha1.CollectorName]collector{}
	for _, name := range []v1alpha1.CollectorName{
		"arp", "bonding", "conntrack", "cpu", "cpufreq", "diskstats", "dmi", "edac", "entropy", "filefd", "filesystem", "hwmon", "loadavg",
		"mdadm", "meminfo", "netclass", "netdev", "netstat", "nfs", "nfsd", "nvme", "os", "powersupplyclass", "pressure", "schedstat",
		"selinux", "sockstat", "softnet", "stat", "textfile", "thermal_zone", "time", "timex", "udp_queues", "uname", "vmstat", "watchdog",
		"xfs",
	} {
		out[name] = collector{byDefault: true, access: access(name)}
	}
	for _, name := range []v1alpha1.CollectorName{
		"buddyinfo", "cgroups", "ethtool", "interrupts", "ksmd", "processes", "qdisc", "softirqs", "systemd", "tcpstat", "zoneinfo",
	} {
		out[name] = collector{access: access(name), hostNetwork: name == "qdisc" || name == "ethtool"}
	}
	return out
}

func access(name v1alpha1.CollectorName) Access {
	return Access{
		Sys: slices.Contains([]v1alpha1.CollectorName{
			"bonding", "cpu", "cpufreq", "diskstats", "dmi", "edac", "ethtool", "hwmon", "ksmd", "mdadm", "netclass", "netdev", "nvme",
			"powersupplyclass", "selinux", "thermal_zone", "time", "watchdog", "xfs",
		}, name),
		// The last four read files of /etc, which are often links to somewhere else below the root.
		Root: slices.Contains([]v1alpha1.CollectorName{"filesystem", "os", "selinux", "time", "uname"}, name),
		Udev: name == "diskstats",
		DBus: name == "systemd",
	}
}

// Collectors lists the collectors that can be named, and whether each runs unless it is told otherwise.
func Collectors() map[v1alpha1.CollectorName]bool {
	out := map[v1alpha1.CollectorName]bool{}
	for name, c := range collectors() {
		out[name] = c.byDefault
	}
	return out
}

// runs says whether settings leave the collector, which has this name, switched on. Disable wins.
func (known collector) runs(c v1alpha1.Collectors, name v1alpha1.CollectorName) bool {
	on := known.byDefault && !c.DisableDefaults || slices.Contains(c.Enable, name)
	return on && !slices.Contains(c.Disable, name)
}

// and is what two read together, but for the textfile directory: that is a setting, so no collector has one by itself.
func (a Access) and(b Access) Access {
	a.Sys = a.Sys || b.Sys
	a.Root = a.Root || b.Root
	a.Udev = a.Udev || b.Udev
	a.DBus = a.DBus || b.DBus
	return a
}

// AccessOf is what the collectors that these settings leave switched on read of the host.
func AccessOf(c v1alpha1.Collectors) Access {
	var out Access
	for name, known := range collectors() {
		if !known.runs(c, name) {
			continue
		}
		out = out.and(known.access)
		if name == "textfile" && c.Textfile != nil {
			out.Textfile = c.Textfile.Directory
		}
	}
	return out
}

func checkCollectors(c *v1alpha1.Collectors, hostNetwork bool, path *field.Path) field.ErrorList {
	if c == nil {
		return nil
	}
	var errs field.ErrorList
	known := collectors()
	for i, name := range c.Enable {
		at := path.Child("enable").Index(i)
		if slices.Contains(c.Disable, name) {
			errs = append(errs, field.Invalid(at, name, "is in disable too: take it out of one of them"))
		}
		if known[name].hostNetwork && !hostNetwork {
			errs = append(errs, field.Invalid(at, name, "asks the kernel, which tells of the asker's own network: set spec.hostNetwork to true, or leave this collector off"))
		}
	}
	if c.Timeout != "" {
		if _, err := model.ParseDuration(string(c.Timeout)); err != nil {
			errs = append(errs, field.Invalid(path.Child("timeout"), c.Timeout, err.Error()))
		}
	}
	for _, f := range filtersOf(c) {
		errs = append(errs, f.check(path)...)
	}
	return errs
}

// filter is an include and an exclude of one collector, by their names in the API.
type filter struct {
	collector, includeName, excludeName string
	include, exclude                    v1alpha1.Regexp
}

func filtersOf(c *v1alpha1.Collectors) []filter {
	var out []filter
	device := func(collector string, d *v1alpha1.DeviceFilter) {
		if d != nil {
			out = append(out, filter{collector, "deviceInclude", "deviceExclude", d.DeviceInclude, d.DeviceExclude})
		}
	}
	device("arp", c.ARP)
	device("diskstats", c.Diskstats)
	if e := c.Ethtool; e != nil {
		device("ethtool", &e.DeviceFilter)
		out = append(out, filter{collector: "ethtool", includeName: "metricsInclude", include: e.MetricsInclude})
	}
	if f := c.Filesystem; f != nil {
		out = append(out, filter{"filesystem", "mountPointsInclude", "mountPointsExclude", f.MountPointsInclude, f.MountPointsExclude},
			filter{"filesystem", "fsTypesInclude", "fsTypesExclude", f.FSTypesInclude, f.FSTypesExclude})
	}
	if h := c.Hwmon; h != nil {
		out = append(out, filter{"hwmon", "chipInclude", "chipExclude", h.ChipInclude, h.ChipExclude},
			filter{"hwmon", "sensorInclude", "sensorExclude", h.SensorInclude, h.SensorExclude})
	}
	if n := c.Netclass; n != nil {
		out = append(out, filter{collector: "netclass", excludeName: "deviceExclude", exclude: n.DeviceExclude})
	}
	device("netdev", c.Netdev)
	if n := c.Netstat; n != nil {
		out = append(out, filter{collector: "netstat", includeName: "fields", include: n.Fields})
	}
	device("qdisc", c.Qdisc)
	if s := c.Systemd; s != nil { // these two go together
		out = append(out, filter{collector: "systemd", includeName: "unitInclude", include: s.UnitInclude},
			filter{collector: "systemd", excludeName: "unitExclude", exclude: s.UnitExclude})
	}
	if v := c.Vmstat; v != nil {
		out = append(out, filter{collector: "vmstat", includeName: "fields", include: v.Fields})
	}
	return out
}

func (f filter) check(path *field.Path) field.ErrorList {
	path = path.Child(f.collector)
	if f.include != "" && f.exclude != "" {
		return field.ErrorList{field.Invalid(path.Child(f.includeName), f.include,
			fmt.Sprintf("is there beside %s: an include leaves out everything else already, so give one of them", f.excludeName))}
	}
	var errs field.ErrorList
	for _, e := range []struct {
		name string
		text v1alpha1.Regexp
	}{{f.includeName, f.include}, {f.excludeName, f.exclude}} {
		if _, err := regexp.Compile(string(e.text)); err != nil {
			errs = append(errs, field.Invalid(path.Child(e.name), e.text, "is not an RE2 expression: "+err.Error()))
		}
	}
	return errs
}

package collector

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

// cpuTopology reads what is in each CPU's own directory. Virtual machines have few of these files and some architectures
// answer -1: what isn't a number isn't said.
type cpuTopology struct {
	host  Host
	dir   *held.Dir
	cpus  held.Devices[*cpuDir]
	round int

	seenCore    map[[2]uint64]bool
	seenPackage map[uint64]bool

	coreThrottles, packageThrottles, online *text.Family
}

// cpuDir are the files of one CPU.
type cpuDir struct {
	label                          text.Labels
	pkg, core, online              *held.File
	coreThrottles, packageThrottle *held.File
	throttles                      bool
	place                          [2]uint64 // package and core
	placed                         bool
	lost                           error // why it could not be placed
}

func newCPUTopology(h Host) cpuTopology {
	return cpuTopology{
		host: h, dir: held.NewDir(h.sys("devices/system/cpu")),
		seenCore: map[[2]uint64]bool{}, seenPackage: map[uint64]bool{},
		coreThrottles:    text.Counter("node_cpu_core_throttles_total", "Number of times this CPU core has been throttled.", "package", "core"),
		packageThrottles: text.Counter("node_cpu_package_throttles_total", "Number of times this CPU package has been throttled.", "package"),
		online:           text.Gauge("node_cpu_online", "CPUs that are online and being scheduled.", "cpu"),
	}
}

func (c *cpuTopology) add() error {
	names, err := c.dir.Names()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list the CPUs: %w", err)
	}
	clear(c.seenCore)
	clear(c.seenPackage)
	hotplug, first := true, true
	var errs []error
	for _, name := range names {
		if !isCPU(name) {
			continue
		}
		dir := c.cpus.Get(name, c.open)
		errs = append(errs, c.addThrottles(dir))
		if hotplug {
			var err error
			hotplug, err = c.addOnline(dir, first)
			errs = append(errs, err)
		}
		first = false
	}
	c.cpus.Sweep((*cpuDir).close)
	c.round++
	return errors.Join(errs...)
}

// isCPU is true for cpu0 and false for cpufreq.
func isCPU(name []byte) bool {
	if len(name) < 4 || string(name[:3]) != "cpu" {
		return false
	}
	for _, c := range name[3:] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func (c *cpuTopology) open(name string) *cpuDir {
	file := func(path string) *held.File { return c.host.sysFile("devices/system/cpu", name, path) }
	return &cpuDir{
		label: c.online.Labels(name[len("cpu"):]), online: file("online"),
		pkg: file("topology/physical_package_id"), core: file("topology/core_id"),
		coreThrottles: file("thermal_throttle/core_throttle_count"), packageThrottle: file("thermal_throttle/package_throttle_count"),
	}
}

func (d *cpuDir) close() {
	for _, f := range []*held.File{d.pkg, d.core, d.online, d.coreThrottles, d.packageThrottle} {
		f.Close()
	}
}

// addThrottles says each core and package once, though all their threads have the files. Where a CPU is, and that it has
// none of them, as in every virtual machine, is looked at again only now and then: looking for a file that isn't there
// costs more than reading one.
func (c *cpuTopology) addThrottles(d *cpuDir) error {
	const nowAndThen = 20
	if c.round%nowAndThen == 0 {
		d.throttles = true
		d.placed, d.lost = d.find()
	}
	if !d.throttles || !d.placed {
		return d.lost
	}
	pkg := d.place[0]
	var coreErr, pkgErr error
	if !c.seenCore[d.place] {
		var count uint64
		if count, coreErr = d.coreThrottles.Uint(); coreErr == nil {
			c.seenCore[d.place] = true
			c.coreThrottles.Add(float64(count), strconv.FormatUint(pkg, 10), strconv.FormatUint(d.place[1], 10))
		}
	}
	if !c.seenPackage[pkg] {
		var count uint64
		if count, pkgErr = d.packageThrottle.Uint(); pkgErr == nil {
			c.seenPackage[pkg] = true
			c.packageThrottles.Add(float64(count), strconv.FormatUint(pkg, 10))
		}
	}
	d.throttles = coreErr == nil || pkgErr == nil || !held.Absent(coreErr) || !held.Absent(pkgErr)
	return errors.Join(unlessAbsent(coreErr), unlessAbsent(pkgErr))
}

func unlessAbsent(err error) error {
	if held.Absent(err) {
		return nil
	}
	return err
}

// find reads which package and core the CPU belongs to.
func (d *cpuDir) find() (bool, error) {
	for i, f := range []*held.File{d.pkg, d.core} {
		v, err := f.Number()
		if err != nil || v < 0 {
			return false, unlessAbsent(err)
		}
		d.place[i] = uint64(v)
	}
	return true, nil
}

// addOnline says nothing at all where the first CPU can't be switched off, as node_exporter does, and returns false then.
func (c *cpuTopology) addOnline(d *cpuDir, first bool) (bool, error) {
	online, err := d.online.Uint()
	if first && errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		c.online.Put(float64(online), d.label)
	}
	return true, unlessAbsent(err)
}

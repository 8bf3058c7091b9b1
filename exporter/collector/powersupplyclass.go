package collector

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"regexp"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

const powerSupplyDir = "class/power_supply"

type powerSupply struct {
	host     Host
	dir      *held.Dir
	ignored  *regexp.Regexp
	units    map[string]powerUnit // by file
	families []*text.Family
	info     *text.Family
	supplies held.Devices[*powerSource]
}

// powerUnit is what the number in a file means.
type powerUnit struct {
	divisor float64
	*text.Family
}

// powerSource is what is kept of a battery or of the mains.
type powerSource struct {
	left    bool // out
	err     error
	labels  text.Labels
	info    *described
	numbers []powerNumber
}

type powerNumber struct {
	powerUnit
	file *held.File
}

func declarePowerSupplyClass(flags *flag.FlagSet) factory {
	ignored := flags.String("collector.powersupply.ignored-supplies", "^$", "Regexp of power supplies to ignore for powersupplyclass collector.")
	return func(h Host, _ *slog.Logger) (Collector, error) {
		re, err := regexp.Compile(*ignored)
		if err != nil {
			return nil, fmt.Errorf("--collector.powersupply.ignored-supplies: %w", err)
		}
		c := &powerSupply{
			host: h, dir: held.NewDir(h.sys(powerSupplyDir)), ignored: re, units: map[string]powerUnit{},
			info: text.Gauge("node_power_supply_info", "info of /sys/class/power_supply/<power_supply>."),
		}
		c.families = []*text.Family{c.info}
		c.declareUnits()
		return c, nil
	}
}

// declareUnits lists the files that are numbers. The kernel has microvolts, -amperes, -watts and -hours, and tenths of
// degrees.
func (c *powerSupply) declareUnits() {
	unit := func(divisor float64, suffix string, files ...string) {
		for _, file := range files {
			name := file + suffix
			if other, ok := renamedPowerFiles(file); ok {
				name = other
			}
			f := text.Gauge("node_power_supply_"+name, name+" value of /sys/class/power_supply/<power_supply>.", "power_supply")
			c.units[file] = powerUnit{divisor, f}
			c.families = append(c.families, f)
		}
	}
	unit(1, "", "authentic", "calibrate", "capacity", "capacity_alert_max", "capacity_alert_min", "cycle_count", "online", "present",
		"time_to_empty_now", "time_to_full_now")
	unit(1e6, "", "current_boot", "current_max", "current_now", "energy_empty", "energy_empty_design", "energy_full", "energy_full_design",
		"energy_now", "voltage_boot", "voltage_max", "voltage_max_design", "voltage_min", "voltage_min_design", "voltage_now", "voltage_ocv",
		"charge_control_limit", "charge_control_limit_max", "charge_counter", "charge_empty", "charge_empty_design", "charge_full",
		"charge_full_design", "charge_now", "charge_term_current", "constant_charge_current", "constant_charge_current_max",
		"constant_charge_voltage", "constant_charge_voltage_max", "precharge_current", "input_current_limit", "power_now")
	unit(10, "_celsius", "temp", "temp_alert_max", "temp_alert_min", "temp_ambient", "temp_ambient_max", "temp_ambient_min", "temp_max", "temp_min")
}

// renamedPowerFiles are those whose metric has another name than the file.
func renamedPowerFiles(file string) (string, bool) {
	name, ok := map[string]string{
		"cycle_count": "cyclecount", "time_to_empty_now": "time_to_empty_seconds", "time_to_full_now": "time_to_full_seconds",
		"current_now": "current_ampere", "energy_now": "energy_watthour", "voltage_now": "voltage_volt", "charge_now": "charge_ampere",
		"power_now": "power_watt",
	}[file]
	return name, ok
}

func (c *powerSupply) Families() []*text.Family { return c.families }

func (c *powerSupply) Update(context.Context) error {
	names, err := deviceNames(c.dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		if s := c.supplies.Get(name, c.open); !s.left {
			errs = append(errs, s.add(c.info))
		}
	}
	c.supplies.Sweep((*powerSource).close)
	return errors.Join(errs...)
}

// open lists the files once: a supply has all its files from the start, and few of those there could be.
func (c *powerSupply) open(name string) *powerSource {
	s := &powerSource{left: c.ignored.MatchString(name)}
	if s.left {
		return s
	}
	entries, err := os.ReadDir(c.host.sys(powerSupplyDir, name))
	if err != nil {
		s.err = err
		return s
	}
	s.info = describe("power_supply", name, false)
	for _, e := range entries {
		file := e.Name()
		switch file {
		case "capacity_level", "charge_type", "health", "manufacturer", "model_name", "serial_number", "status", "technology", "type", "usb_type", "scope":
			s.info.add(file, c.host.sysFile(powerSupplyDir, name, file))
		default:
			unit, ok := c.units[file]
			if !ok {
				continue
			}
			s.numbers = append(s.numbers, powerNumber{unit, c.host.sysFile(powerSupplyDir, name, file)})
			s.labels = unit.Labels(name)
		}
	}
	return s
}

func (s *powerSource) close() {
	if s.info != nil {
		s.info.close()
	}
	for _, n := range s.numbers {
		n.file.Close()
	}
}

func (s *powerSource) add(info *text.Family) error {
	if s.err != nil {
		return s.err
	}
	labels, err := s.info.read()
	if err == nil {
		info.Put(1, labels)
	}
	errs := []error{err}
	for _, n := range s.numbers {
		v, err := n.file.Number()
		switch {
		case err == nil:
			n.Put(v/n.divisor, s.labels)
		case !unsaid(err):
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

package collector

import (
	"context"
	"errors"
	"flag"
	"log/slog"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type watchdog struct {
	host    Host
	dir     *held.Dir
	numbers []netAttribute
	info    *text.Family
	devices held.Devices[*watchdogDevice]
}

// watchdogDevice is what is kept of a watchdog.
type watchdogDevice struct {
	name    string
	label   text.Labels
	numbers []*held.File
	texts   [watchdogTextCount]*held.File

	known [watchdogTextCount]string // the labels that info is made of
	info  text.Labels
}

// watchdogTextCount is the number of watchdogTexts.
const watchdogTextCount = 5

// watchdogTexts are the files that info's labels are read from, and named after.
func watchdogTexts() [watchdogTextCount]string {
	return [...]string{"options", "identity", "state", "status", "pretimeout_governor"}
}

func declareWatchdog(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		number := func(file, name string) netAttribute {
			return netAttribute{file, text.Gauge("node_watchdog_"+name, "Value of /sys/class/watchdog/<watchdog>/"+file, "name")}
		}
		texts := watchdogTexts()
		return &watchdog{
			host: h,
			dir:  held.NewDir(h.sys("class/watchdog")),
			numbers: []netAttribute{
				number("bootstatus", "bootstatus"),
				number("fw_version", "fw_version"),
				number("nowayout", "nowayout"),
				number("timeleft", "timeleft_seconds"),
				number("timeout", "timeout_seconds"),
				number("pretimeout", "pretimeout_seconds"),
				number("access_cs0", "access_cs0"),
			},
			info: text.Gauge("node_watchdog_info", "Info of /sys/class/watchdog/<watchdog>", append([]string{"name"}, texts[:]...)...),
		}, nil
	}
}

func (c *watchdog) Families() []*text.Family {
	families := []*text.Family{c.info}
	for _, a := range c.numbers {
		families = append(families, a.Family)
	}
	return families
}

func (c *watchdog) Update(context.Context) error {
	names, err := c.dir.Names()
	if held.Absent(err) { // a machine without a watchdog
		return nil
	}
	if err != nil {
		return err
	}
	defer c.devices.Sweep((*watchdogDevice).close)
	var errs []error
	for _, name := range names {
		d := c.devices.Get(name, c.open)
		errs = append(errs, c.addNumbers(d), c.addInfo(d))
	}
	return errors.Join(errs...)
}

func (c *watchdog) open(name string) *watchdogDevice {
	d := &watchdogDevice{name: name, label: c.numbers[0].Labels(name)}
	file := func(attribute string) *held.File { return c.host.sysFile("class/watchdog", name, attribute) }
	for _, a := range c.numbers {
		d.numbers = append(d.numbers, file(a.file))
	}
	for i, attribute := range watchdogTexts() {
		d.texts[i] = file(attribute)
	}
	return d
}

func (d *watchdogDevice) close() {
	for _, f := range append(d.numbers, d.texts[:]...) {
		f.Close()
	}
}

// addNumbers says what the watchdog has: each driver knows of some.
func (c *watchdog) addNumbers(d *watchdogDevice) error {
	var errs []error
	for i, a := range c.numbers {
		v, err := d.numbers[i].Number()
		switch {
		case err == nil:
			a.Put(v, d.label)
		case !held.Absent(err):
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (c *watchdog) addInfo(d *watchdogDevice) error {
	changed := d.info == ""
	for i, f := range d.texts {
		b, err := f.Text()
		if err != nil && !held.Absent(err) {
			return err
		}
		if string(b) != d.known[i] {
			d.known[i], changed = string(b), true
		}
	}
	if changed {
		d.info = c.info.Labels(append([]string{d.name}, d.known[:]...)...)
	}
	c.info.Put(1, d.info)
	return nil
}

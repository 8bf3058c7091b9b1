package collector

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"log/slog"

	"golang.org/x/sys/unix"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type thermalZone struct {
	host                           Host
	dir                            *held.Dir
	devices                        held.Devices[*thermalDevice]
	temperature, current, greatest *text.Family
}

// thermalDevice is a zone, which has a temperature, or a cooling device, which has states.
type thermalDevice struct {
	kind    *held.File
	values  []thermalValue
	label   text.Labels // with the type as it was when it was last read
	labeled []byte
	number  string
}

// thermalValue is a file with a number and its metric.
type thermalValue struct {
	*held.File
	family *text.Family
	scale  float64
}

func declareThermalZone(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		return &thermalZone{
			host:        h,
			dir:         held.NewDir(h.sys("class/thermal")),
			temperature: text.Gauge("node_thermal_zone_temp", "Zone temperature in Celsius", "zone", "type"),
			current:     text.Gauge("node_cooling_device_cur_state", "Current throttle state of the cooling device", "name", "type"),
			greatest:    text.Gauge("node_cooling_device_max_state", "Maximum throttle state of the cooling device", "name", "type"),
		}, nil
	}
}

func (c *thermalZone) Families() []*text.Family {
	return []*text.Family{c.temperature, c.current, c.greatest}
}

func (c *thermalZone) Update(context.Context) error {
	names, err := c.dir.Names()
	if held.Absent(err) { // a machine that knows of no heat, as most virtual ones
		return nil
	}
	if err != nil {
		return err
	}
	defer c.devices.Sweep((*thermalDevice).close)
	var errs []error
	for _, name := range names {
		errs = append(errs, c.devices.Get(name, c.open).add())
	}
	return errors.Join(errs...)
}

func (c *thermalZone) open(name string) *thermalDevice {
	file := func(attribute string) *held.File { return c.host.sysFile("class/thermal", name, attribute) }
	d := &thermalDevice{kind: file("type")}
	zone, isZone := bytes.CutPrefix([]byte(name), []byte("thermal_zone"))
	cooler, isCooler := bytes.CutPrefix([]byte(name), []byte("cooling_device"))
	switch {
	case isZone:
		d.number = string(zone)
		d.values = []thermalValue{{file("temp"), c.temperature, 1000}}
	case isCooler:
		d.number = string(cooler)
		d.values = []thermalValue{{file("cur_state"), c.current, 1}, {file("max_state"), c.greatest, 1}}
	}
	return d
}

func (d *thermalDevice) close() {
	d.kind.Close()
	for _, v := range d.values {
		v.Close()
	}
}

// add says what the device has. A sensor that is switched off, as that of a wireless card is, answers with an error.
func (d *thermalDevice) add() error {
	if len(d.values) == 0 {
		return nil
	}
	kind, err := d.kind.Text()
	if err != nil {
		return unlessOff(err)
	}
	if d.label == "" || !bytes.Equal(kind, d.labeled) {
		d.labeled = bytes.Clone(kind)
		d.label = d.values[0].family.Labels(d.number, string(kind))
	}
	var errs []error
	for _, v := range d.values {
		n, err := v.Number()
		if err != nil {
			errs = append(errs, unlessOff(err))
			continue
		}
		v.family.Put(n/v.scale, d.label)
	}
	return errors.Join(errs...)
}

func unlessOff(err error) error {
	if held.Absent(err) || errors.Is(err, unix.ENODATA) || errors.Is(err, unix.EAGAIN) {
		return nil
	}
	return err
}

package collector

import (
	"context"
	"flag"
	"log/slog"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type dmi struct {
	host Host
	info *text.Family
	read bool
	text.Labels
}

func declareDMI(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		return &dmi{host: h, info: text.Gauge("node_dmi_info", "A metric with a constant '1' value labeled by bios_date, "+
			"bios_release, bios_vendor, bios_version, board_asset_tag, board_name, board_serial, board_vendor, board_version, "+
			"chassis_asset_tag, chassis_serial, chassis_vendor, chassis_version, product_family, product_name, product_serial, "+
			"product_sku, product_uuid, product_version, system_vendor if provided by DMI.")}, nil
	}
}

func (c *dmi) Families() []*text.Family { return []*text.Family{c.info} }

// Update reads once: what the firmware says of the machine stays until it boots again.
func (c *dmi) Update(context.Context) error {
	if !c.read {
		if err := c.load(); err != nil {
			return err
		}
		c.read = true
	}
	if c.Labels != "" {
		c.info.Put(1, c.Labels)
	}
	return nil
}

// load makes the labels: of those files only that are there and that we may read, which serial numbers are for root alone.
func (c *dmi) load() error {
	var names, values []string
	for _, name := range []string{
		"bios_date", "bios_release", "bios_vendor", "bios_version", "board_asset_tag", "board_name", "board_serial", "board_vendor",
		"board_version", "chassis_asset_tag", "chassis_serial", "chassis_vendor", "chassis_version", "product_family", "product_name",
		"product_serial", "product_sku", "product_uuid", "product_version", "system_vendor",
	} {
		value, err := c.attribute(name)
		if unsaid(err) {
			continue
		}
		if err != nil {
			return err
		}
		names, values = append(names, name), append(values, value)
	}
	if len(names) > 0 {
		c.Labels = labelsOf(names, values, true)
	}
	return nil
}

func (c *dmi) attribute(name string) (string, error) {
	if name == "system_vendor" {
		name = "sys_vendor"
	}
	file := held.Sys(nil, c.host.sys("class/dmi/id", name))
	defer file.Close()
	b, err := file.Text()
	return string(b), err
}

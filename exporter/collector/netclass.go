package collector

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type netclass struct {
	host         Host
	dir          *held.Dir
	ignored      *regexp.Regexp
	positiveOnly bool
	attributes   []netAttribute
	devices      held.Devices[*netInterface]
	up, info     *text.Family
}

// netAttribute is a file of an interface that holds a number.
type netAttribute struct {
	file string
	*text.Family
}

// netInterface is what is kept of an interface.
type netInterface struct {
	left                                       bool // out
	name                                       string
	label                                      text.Labels
	numbers                                    []*held.File // by attribute
	operstate, address, broadcast, duplex, ali *held.File

	known [6]string // the labels that info is made of
	info  text.Labels
}

func declareNetclass(flags *flag.FlagSet) factory {
	ignored := flags.String("collector.netclass.ignored-devices", "^$", "Regexp of net devices to ignore for netclass collector.")
	positive := flags.Bool("collector.netclass.ignore-invalid-speed", false, "Ignore devices where the speed is invalid. This will be the default behavior in 2.x.")
	return func(h Host, _ *slog.Logger) (Collector, error) {
		re, err := regexp.Compile(*ignored)
		if err != nil {
			return nil, fmt.Errorf("--collector.netclass.ignored-devices: %w", err)
		}
		return &netclass{
			host: h, dir: held.NewDir(h.sys("class/net")), ignored: re, positiveOnly: *positive, attributes: netAttributes(),
			up: text.Gauge("node_network_up", "Value is 1 if operstate is 'up', 0 otherwise.", "device"),
			info: text.Gauge("node_network_info", "Non-numeric data from /sys/class/net/<iface>, value is always 1.",
				"device", "address", "broadcast", "duplex", "operstate", "adminstate", "ifalias"),
		}, nil
	}
}

// The first two of netAttributes have a meaning beyond their number.
const (
	netFlags = iota
	netSpeed
)

func netAttributes() []netAttribute {
	number := func(file, name string) netAttribute {
		return netAttribute{file, text.Gauge("node_network_"+name, "Network device property: "+name, "device")}
	}
	total := func(file, name string) netAttribute {
		return netAttribute{file, text.Counter("node_network_"+name, "Network device property: "+name, "device")}
	}
	return []netAttribute{
		netFlags: number("flags", "flags"),
		netSpeed: number("speed", "speed_bytes"),
		number("addr_assign_type", "address_assign_type"),
		number("carrier", "carrier"),
		total("carrier_changes", "carrier_changes_total"),
		total("carrier_up_count", "carrier_up_changes_total"),
		total("carrier_down_count", "carrier_down_changes_total"),
		number("dev_id", "device_id"),
		number("dormant", "dormant"),
		number("ifindex", "iface_id"),
		number("iflink", "iface_link"),
		number("link_mode", "iface_link_mode"),
		number("mtu", "mtu_bytes"),
		number("name_assign_type", "name_assign_type"),
		number("netdev_group", "net_dev_group"),
		number("tx_queue_len", "transmit_queue_length"),
		number("type", "protocol_type"),
	}
}

func (c *netclass) Families() []*text.Family {
	families := []*text.Family{c.up, c.info}
	for _, a := range c.attributes {
		families = append(families, a.Family)
	}
	return families
}

func (c *netclass) Update(context.Context) error {
	names, err := c.dir.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if d := c.devices.Get(name, c.open); !d.left {
			if err := c.add(d); err != nil {
				return err
			}
		}
	}
	c.devices.Sweep((*netInterface).close)
	return nil
}

func (c *netclass) open(name string) *netInterface {
	d := &netInterface{name: name, left: c.ignored.MatchString(name) || c.isFile(name), label: c.up.Labels(name)}
	file := func(attribute string) *held.File { return c.host.sysFile("class/net", name, attribute) }
	for _, a := range c.attributes {
		d.numbers = append(d.numbers, file(a.file))
	}
	d.operstate, d.address, d.broadcast, d.duplex, d.ali = file("operstate"), file("address"), file("broadcast"), file("duplex"), file("ifalias")
	return d
}

// isFile is true for bonding_masters, which stands among the interfaces and is none.
func (c *netclass) isFile(name string) bool {
	info, err := os.Stat(filepath.Join(c.dir.Path(), name))
	return err == nil && info.Mode()&fs.ModeType == 0
}

func (d *netInterface) close() {
	for _, f := range append(d.numbers, d.operstate, d.address, d.broadcast, d.duplex, d.ali) {
		f.Close()
	}
}

// add says what the interface has. Many drivers don't know of some of it and answer with an error: that is not said.
func (c *netclass) add(d *netInterface) error {
	admin := "unknown"
	for i, a := range c.attributes {
		v, err := d.numbers[i].Number()
		if err != nil {
			if held.Absent(err) {
				continue
			}
			return err
		}
		switch i {
		case netFlags:
			if admin = "down"; int64(v)&1 == 1 {
				admin = "up"
			}
		case netSpeed: // in Mbit/s; some that don't know it say -1
			if v < 0 && c.positiveOnly {
				continue
			}
			v = float64(int64(v) * 1000 * 1000 / 8)
		}
		a.Put(v, d.label)
	}
	return c.addInfo(d, admin)
}

func (c *netclass) addInfo(d *netInterface, admin string) error {
	changed := d.info == "" || d.known[5] != admin
	d.known[5] = admin
	for i, f := range []*held.File{d.operstate, d.address, d.broadcast, d.duplex, d.ali} {
		b, err := f.Text()
		if err != nil && !held.Absent(err) {
			return err
		}
		if string(b) != d.known[i] {
			d.known[i], changed = string(b), true
		}
	}
	if changed {
		k := d.known
		d.info = c.info.Labels(d.name, k[1], k[2], k[3], k[0], k[5], k[4])
	}
	up := 0.0
	if d.known[0] == "up" {
		up = 1
	}
	c.up.Put(up, d.label)
	c.info.Put(1, d.info)
	return nil
}

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
	tally
	host         Host
	dir          *held.Dir
	ignored      *regexp.Regexp
	positiveOnly bool
	attributes   []linkAttribute
	devices      held.Devices[*netInterface]
	up, info     *text.Family
}

// netAttribute is a file of a device that holds a number.
type netAttribute struct {
	file string
	*text.Family
}

// linkAttribute is one of an interface, and when it has to be read again: reading them is most of what this collector
// costs.
type linkAttribute struct {
	netAttribute
	when refresh
}

type refresh int

const (
	always  refresh = iota
	address         // it says where the address comes from
	carrier         // its sum with another is carrier_changes, which is read before it
	never           // it is the same for as long as the device is there
)

func (r refresh) due(newAddress, newCarrier bool) bool {
	return r == always || r == address && newAddress || r == carrier && newCarrier
}

// netInterface is what is kept of an interface.
type netInterface struct {
	ignored bool
	file    bool // and no interface
	name    string
	label   text.Labels
	numbers []netNumber   // by attribute
	texts   [5]*held.File // operstate, address, broadcast, duplex, ifalias
	known   [6]string     // what they said the last time, and whether the interface is meant to be up
	info    text.Labels   // made of that
}

// netNumber is one attribute of one interface, and what it said the last time.
type netNumber struct {
	*held.File
	value float64
	err   error
	read  bool
}

func declareNetclass(flags *flag.FlagSet) factory {
	ignored := flags.String("collector.netclass.ignored-devices", ofContainers, "Regexp of net devices to ignore for netclass collector.")
	positive := flags.Bool("collector.netclass.ignore-invalid-speed", false, "Ignore devices where the speed is invalid. This will be the default behavior in 2.x.")
	ignore(flags, false, "the host's /sys/class/net is read: netlink answers for this process's network.", "netclass.netlink")
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

// The first of netAttributes have a meaning beyond their number.
const (
	netFlags = iota
	netSpeed
	netCarrierChanges
)

func netAttributes() []linkAttribute {
	number := func(file string, when refresh, name string) linkAttribute {
		return linkAttribute{netAttribute{file, text.Gauge("node_network_"+name, "Network device property: "+name, "device")}, when}
	}
	total := func(file string, when refresh, name string) linkAttribute {
		return linkAttribute{netAttribute{file, text.Counter("node_network_"+name, "Network device property: "+name, "device")}, when}
	}
	return []linkAttribute{
		netFlags:          number("flags", always, "flags"),
		netSpeed:          number("speed", always, "speed_bytes"),
		netCarrierChanges: total("carrier_changes", always, "carrier_changes_total"),
		number("addr_assign_type", address, "address_assign_type"),
		number("carrier", always, "carrier"),
		total("carrier_up_count", carrier, "carrier_up_changes_total"),
		total("carrier_down_count", carrier, "carrier_down_changes_total"),
		number("dev_id", never, "device_id"),
		number("dormant", always, "dormant"),
		number("ifindex", never, "iface_id"),
		number("iflink", never, "iface_link"),
		number("link_mode", always, "iface_link_mode"),
		number("mtu", always, "mtu_bytes"),
		number("name_assign_type", never, "name_assign_type"),
		number("netdev_group", always, "net_dev_group"),
		number("tx_queue_len", always, "transmit_queue_length"),
		number("type", never, "protocol_type"),
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
	c.left = 0
	for _, name := range names {
		d := c.devices.Get(name, c.open)
		if d.ignored {
			c.left++
		}
		if d.ignored || d.file {
			continue
		}
		if err := c.add(d); err != nil {
			return err
		}
	}
	c.devices.Sweep((*netInterface).close)
	return nil
}

func (c *netclass) open(name string) *netInterface {
	d := &netInterface{name: name, ignored: c.ignored.MatchString(name), file: c.isFile(name), label: c.up.Labels(name)}
	for _, a := range c.attributes {
		d.numbers = append(d.numbers, netNumber{File: c.host.sysFile("class/net", name, a.file)})
	}
	for i, file := range []string{"operstate", "address", "broadcast", "duplex", "ifalias"} {
		d.texts[i] = c.host.sysFile("class/net", name, file)
	}
	return d
}

// isFile is true for bonding_masters, which stands among the interfaces and is none.
func (c *netclass) isFile(name string) bool {
	info, err := os.Stat(filepath.Join(c.dir.Path(), name))
	return err == nil && info.Mode()&fs.ModeType == 0
}

func (d *netInterface) close() {
	for _, n := range d.numbers {
		n.Close()
	}
	for _, f := range d.texts {
		f.Close()
	}
}

// add says what the interface has. Many drivers don't know of some of it and answer with an error: that is not said.
func (c *netclass) add(d *netInterface) error {
	changed, err := c.readTexts(d)
	if err != nil {
		return err
	}
	if err := c.readNumbers(d, changed[1]); err != nil {
		return err
	}
	c.addNumbers(d)
	admin := d.admin()
	if d.info == "" || admin != d.known[5] || changed != [5]bool{} {
		d.known[5] = admin
		k := d.known
		d.info = c.info.Labels(d.name, k[1], k[2], k[3], k[0], k[5], k[4])
	}
	c.addInfo(d)
	return nil
}

func (c *netclass) addNumbers(d *netInterface) {
	for i := range d.numbers {
		v := d.numbers[i].value
		if d.numbers[i].err != nil {
			continue
		}
		if i == netSpeed { // in Mbit/s; some that don't know it say -1
			if v < 0 && c.positiveOnly {
				continue
			}
			v = float64(int64(v) * 1000 * 1000 / 8)
		}
		c.attributes[i].Put(v, d.label)
	}
}

// admin is whether the interface was switched on, which is the lowest of its flags.
func (d *netInterface) admin() string {
	switch flags := &d.numbers[netFlags]; {
	case flags.err != nil:
		return "unknown"
	case int64(flags.value)&1 == 1:
		return "up"
	}
	return "down"
}

func (c *netclass) addInfo(d *netInterface) {
	if d.known[0] != "" {
		c.up.Put(truth(d.known[0] == "up"), d.label)
	}
	c.info.Put(1, d.info)
}

// readTexts reads the files that hold a text and says which say something new.
func (c *netclass) readTexts(d *netInterface) (changed [5]bool, err error) {
	for i, f := range d.texts {
		b, err := f.Text()
		if err != nil && !held.Absent(err) {
			return changed, err
		}
		if i == 0 && err == nil && !isOperstate(b) {
			return changed, fmt.Errorf("%s: %q is not a state", f.Path(), b[:min(len(b), 40)])
		}
		if string(b) != d.known[i] {
			d.known[i], changed[i] = string(b), true
		}
	}
	return changed, nil
}

// isOperstate knows the states of RFC 2863 in the kernel's words.
func isOperstate(b []byte) bool {
	switch string(b) {
	case "up", "down", "unknown", "dormant", "testing", "lowerlayerdown", "notpresent":
		return true
	}
	return false
}

// readNumbers reads the numbers that may be others than the last time. Another device under the same name has another
// index, or at least its files had to be opened anew, which those that are always read notice.
func (c *netclass) readNumbers(d *netInterface, newAddress bool) error {
	opened := d.numbers[netFlags].Opened()
	newDevice, newCarrier := false, false
	for i := range d.numbers {
		n := &d.numbers[i]
		if n.read && !newDevice && !c.attributes[i].when.due(newAddress, newCarrier) {
			continue
		}
		before := n.value
		n.value, n.err = n.Number()
		if n.err != nil && !held.Absent(n.err) {
			return n.err
		}
		n.read = true
		if c.attributes[i].when != always {
			n.Close() // there are better uses for a held file than one that is hardly read again
		}
		switch i {
		case netFlags:
			newDevice = n.Opened() != opened
		case netCarrierChanges:
			newCarrier = n.err != nil || n.value != before
		}
	}
	return nil
}

package collector

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type netdev struct {
	tally
	host      Host
	filter    filter
	file      *held.File
	devices   held.Devices[*netDevice]
	columns   []*text.Family // in the order of /proc/net/dev
	nohandler *text.Family
	odd       []error // what sysfs says of devices that is no number
}

// netDevice is what is kept of an interface.
type netDevice struct {
	dropped   bool
	labels    text.Labels
	nohandler *held.File
}

func declareNetdev(flags *flag.FlagSet) factory {
	devices := declareFilter(flags, "netdev.device", "net devices", ofContainers)
	devices.old(flags, "netdev.device-whitelist", "netdev.device-blacklist")
	ignore(flags, true, "the host's /proc/1/net/dev is read, and from sysfs what it does not have, which say the same.", "netdev.netlink")
	refuse(flags, "addresses are those of the network this process is in, in a pod not the host's: see the node's status for them", "netdev.address-info")
	refuse(flags, "it renames the metrics that dashboards and rules use; see --collector.ethtool for details by device", "netdev.enable-detailed-metrics")
	refuse(flags, "join with node_network_info, which has it: x * on (instance, device) group_left (ifalias) node_network_info", "netdev.label-ifalias")
	return func(h Host, _ *slog.Logger) (Collector, error) {
		f, err := devices.compile()
		if err != nil {
			return nil, err
		}
		c := &netdev{host: h, filter: f, file: h.initFile("net/dev"), nohandler: netdevFamily("receive_nohandler")}
		for _, name := range []string{
			"receive_bytes", "receive_packets", "receive_errs", "receive_drop", "receive_fifo", "receive_frame", "receive_compressed",
			"receive_multicast", "transmit_bytes", "transmit_packets", "transmit_errs", "transmit_drop", "transmit_fifo", "transmit_colls",
			"transmit_carrier", "transmit_compressed",
		} {
			c.columns = append(c.columns, netdevFamily(name))
		}
		return c, nil
	}
}

func netdevFamily(name string) *text.Family {
	return text.Counter("node_network_"+name+"_total", "Network device statistic "+name+".", "device")
}

func (c *netdev) Families() []*text.Family {
	return append(c.columns[:len(c.columns):len(c.columns)], c.nohandler)
}

func (c *netdev) Update(context.Context) error {
	b, err := c.file.Lines()
	if err != nil {
		return err
	}
	n := 0
	c.left, c.odd = 0, nil
	for len(b) > 0 {
		var line []byte
		line, b = scan.Line(b)
		if n++; n > 2 {
			err = c.line(line)
		} else if !bytes.Contains(line, []byte("|")) {
			err = fmt.Errorf("%q is not the table's heading", line)
		}
		if err != nil {
			return fmt.Errorf("%s: line %d: %w", c.file.Path(), n, err)
		}
	}
	c.devices.Sweep(func(d *netDevice) { d.nohandler.Close() })
	return errors.Join(c.odd...)
}

// line reads the numbers of one interface. procfs' own reader panics on a short line; a test holds the two equal on whole
// input.
func (c *netdev) line(line []byte) error {
	colon := bytes.LastIndexByte(line, ':')
	name := bytes.TrimSpace(line[:max(colon, 0)])
	if len(name) == 0 {
		return errors.New("no device name")
	}
	var counts [16]uint64
	n, bad := scan.Uints(line[colon+1:], counts[:])
	if bad != nil {
		return fmt.Errorf("%s: %q is not a number", name, bad)
	}
	if n != len(counts) {
		return fmt.Errorf("%s: %d columns, 16 wanted", name, n)
	}
	d := c.devices.Get(name, c.device)
	if d.dropped {
		c.left++
		return nil
	}
	for i, f := range c.columns {
		f.Put(float64(counts[i]), d.labels)
	}
	v, err := d.nohandler.Uint()
	if err == nil {
		c.nohandler.Put(float64(v), d.labels)
	} else if !held.Absent(err) {
		c.odd = append(c.odd, err)
	}
	return nil
}

func (c *netdev) device(name string) *netDevice {
	return &netDevice{
		dropped: c.filter.drops(name),
		labels:  c.nohandler.Labels(name),
		// The one number of the device that has no column in the table. sysfs shows the interfaces of the network it was
		// mounted in, so the host's below a mounted /sys.
		nohandler: c.host.sysFile("class/net", name, "statistics/rx_nohandler"),
	}
}

package collector

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

type netdev struct {
	host      Host
	devices   filter
	columns   []family // in the order of /proc/net/dev
	nohandler family
}

func declareNetdev(flags *flag.FlagSet) factory {
	devices := declareFilter(flags, "netdev.device", "net devices", "")
	return func(h Host, _ *slog.Logger) (Collector, error) {
		f, err := devices.compile()
		if err != nil {
			return nil, err
		}
		c := &netdev{host: h, devices: f, nohandler: netdevFamily("receive_nohandler")}
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

func netdevFamily(name string) family {
	return counter("node_network_"+name+"_total", "Network device statistic "+name+".", "device")
}

func (c *netdev) Describe(ch chan<- *prometheus.Desc) {
	describe(ch, c.columns...)
	describe(ch, c.nohandler)
}

func (c *netdev) Collect(_ context.Context, ch chan<- prometheus.Metric) error {
	devices, err := c.read()
	if err != nil {
		return err
	}
	for _, d := range devices {
		if c.devices.drops(d.name) {
			continue
		}
		for i, f := range c.columns {
			f.send(ch, float64(d.counts[i]), d.name)
		}
		// The one number of the device that has no column there. sysfs shows the interfaces of the network it was
		// mounted in, so the host's below a mounted /sys.
		if v, err := readUint(c.host.sys("class/net", d.name, "statistics/rx_nohandler")); err == nil {
			c.nohandler.send(ch, float64(v), d.name)
		}
	}
	return nil
}

// read asks for process 1's network, which is the host's. Plain net/dev is a link to self/net and so the reader's: in a
// pod the pod's own, also through the host's /proc. Netlink answers for the reader's network too. Only where /proc is
// our own, and hides process 1 from us (hidepid), is self as good.
func (c *netdev) read() ([]netdevLine, error) {
	path := c.host.proc("1/net/dev")
	b, err := readWhole(path)
	if errors.Is(err, fs.ErrNotExist) && c.host.ownProc() {
		path = c.host.proc("net/dev")
		b, err = readWhole(path)
	}
	if err != nil {
		return nil, err
	}
	devices, err := parseNetdev(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return devices, nil
}

type netdevLine struct {
	name   string
	counts []uint64
}

// parseNetdev reads the table of /proc/net/dev. procfs' own reader panics on a short line, hence this one; a test holds
// the two equal on whole input.
func parseNetdev(b []byte) ([]netdevLine, error) {
	var devices []netdevLine
	n := 0
	for line := range strings.Lines(string(b)) {
		if n++; n <= 2 { // the heading
			if !strings.Contains(line, "|") {
				return nil, fmt.Errorf("line %d: %q is not the table's heading", n, strings.TrimSpace(line))
			}
			continue
		}
		colon := strings.LastIndexByte(line, ':')
		name := strings.TrimSpace(line[:max(colon, 0)])
		if name == "" {
			return nil, fmt.Errorf("line %d: no device name", n)
		}
		counts, err := parseUints(strings.Fields(line[colon+1:]))
		if err != nil {
			return nil, fmt.Errorf("line %d: %s: %w", n, name, err)
		}
		if len(counts) != 16 {
			return nil, fmt.Errorf("line %d: %s: %d columns, 16 wanted", n, name, len(counts))
		}
		devices = append(devices, netdevLine{name, counts})
	}
	return devices, nil
}

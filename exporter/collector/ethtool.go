package collector

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type ethtool struct {
	tally
	host    Host
	filter  filter
	wanted  *regexp.Regexp // statistics
	dir     *held.Dir
	asked   ethtoolAnswers // nil asks the kernel
	names   ethtoolNames
	devices held.Devices[*ethtoolDevice]

	families []*text.Family // the statistics'
	byName   map[string]*text.Family
	links    ethtoolLinks
	info     *text.Family
}

// ethtoolAnswers are what can be asked about a device.
type ethtoolAnswers interface {
	driver(device string) (ethtoolDriver, error)
	link(device string) (ethtoolLink, error)
	// statistics appends the numbers to values, in the order of names, which is the one before where it is still right.
	statistics(device string, driver ethtoolDriver, names []string, values []uint64) ([]string, []uint64, error)
}

type ethtoolDriver struct {
	name, version, firmware, bus, rom string

	statistics int // how many
}

type ethtoolLink struct {
	supported, advertised uint32 // modes
	autonegotiates        bool
}

// ethtoolDevice is what is kept of a device.
type ethtoolDevice struct {
	dropped bool
	labels  text.Labels
	info    text.Labels
	driver  ethtoolDriver
	names   []string
	values  []uint64
	said    []*text.Family // by statistic; nil where it is not said
}

func declareEthtool(flags *flag.FlagSet) factory {
	devices := declareFilter(flags, "ethtool.device", "ethtool devices", ofContainers)
	metrics := flags.String("collector.ethtool.metrics-include", ".*", "Regexp of ethtool stats to include.")
	return func(h Host, _ *slog.Logger) (Collector, error) {
		f, err := devices.compile()
		if err != nil {
			return nil, err
		}
		wanted, err := regexp.Compile(*metrics)
		if err != nil {
			return nil, fmt.Errorf("--collector.ethtool.metrics-include: %w", err)
		}
		return &ethtool{
			host: h, filter: f, wanted: wanted, dir: held.NewDir(h.sys("class/net")), names: newEthtoolNames(), byName: map[string]*text.Family{},
			links: newEthtoolLinks(),
			info: text.Gauge("node_ethtool_info", "A metric with a constant '1' value labeled by bus_info, device, driver, expansion_rom_version, firmware_version, version.",
				"bus_info", "device", "driver", "expansion_rom_version", "firmware_version", "version"),
		}, nil
	}
}

func (c *ethtool) Families() []*text.Family {
	return append(append([]*text.Family{c.info}, c.links.families()...), c.families...)
}

func (c *ethtool) Update(context.Context) error {
	if err := c.open(); err != nil {
		return err
	}
	names, err := c.dir.Names()
	if err != nil {
		return err
	}
	c.left = 0
	var errs []error
	for _, name := range names {
		d := c.devices.Get(name, c.device)
		if d.dropped {
			c.left++
			continue
		}
		if err := c.add(string(name), d); err != nil {
			errs = append(errs, fmt.Errorf("ethtool %s: %w", name, err))
		}
	}
	c.devices.Sweep(nil)
	return errors.Join(errs...)
}

// open makes the socket that is asked, which answers for the network it was made in.
func (c *ethtool) open() error {
	if c.asked != nil {
		return nil
	}
	own, err := c.host.sharesNetwork()
	if err != nil {
		return err
	}
	if !own {
		return errors.New("the host's network devices can only be asked in its network (hostNetwork)")
	}
	socket, err := openEthtool()
	if err != nil {
		return err
	}
	c.asked = socket
	return nil
}

func (c *ethtool) device(name string) *ethtoolDevice {
	return &ethtoolDevice{dropped: c.filter.drops(name), labels: c.links.negotiates.Labels(name)}
}

// add says what a device answers. Many have no link, or no statistics: that is not said.
func (c *ethtool) add(name string, d *ethtoolDevice) error {
	link, err := c.asked.link(name)
	if err == nil {
		c.links.add(name, d.labels, link)
	} else if !held.Absent(err) {
		return fmt.Errorf("link: %w", err)
	}
	driver, err := c.asked.driver(name)
	if held.Absent(err) {
		return c.addStatistics(name, d, driver)
	}
	if err != nil {
		return fmt.Errorf("driver: %w", err)
	}
	if driver != d.driver {
		d.driver, d.names = driver, nil
		d.info = c.info.Labels(driver.bus, name, driver.name, driver.rom, driver.firmware, driver.version)
	}
	c.info.Put(1, d.info)
	return c.addStatistics(name, d, driver)
}

func (c *ethtool) addStatistics(name string, d *ethtoolDevice, driver ethtoolDriver) error {
	names, values, err := c.asked.statistics(name, driver, d.names, d.values[:0])
	if held.Absent(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("statistics: %w", err)
	}
	if d.said == nil || !slices.Equal(names, d.names) {
		d.said = c.name(names)
	}
	d.names, d.values = names, values
	for i, f := range d.said {
		if f != nil && i < len(values) {
			f.Put(float64(values[i]), d.labels)
		}
	}
	return nil
}

// name finds each statistic's family. Drivers call theirs what they like; where two of one device come to the same name,
// neither is said, since nobody could tell which it is.
func (c *ethtool) name(statistics []string) []*text.Family {
	said := make([]*text.Family, len(statistics))
	first := map[string]int{}
	for i, raw := range statistics {
		clean := c.names.clean(raw)
		if !c.wanted.MatchString(clean) {
			continue
		}
		name, help := c.names.metric(clean)
		if other, twice := first[name]; twice {
			said[other] = nil
			continue
		}
		first[name] = i
		said[i] = c.family(name, help)
	}
	return said
}

func (c *ethtool) family(name, help string) *text.Family {
	f, ok := c.byName[name]
	if !ok {
		f = text.Untyped(name, help, "device")
		c.byName[name] = f
		c.families = append(c.families, f)
		slices.SortFunc(c.families, func(a, b *text.Family) int { return cmp.Compare(a.Name(), b.Name()) })
	}
	return f
}

// ethtoolNames makes metrics' names of drivers' words.
type ethtoolNames struct {
	odd, received, transmitted *regexp.Regexp
}

func newEthtoolNames() ethtoolNames {
	return ethtoolNames{regexp.MustCompile(`_*[^0-9A-Za-z_]+_*`), regexp.MustCompile(`(^|_)rx(_|$)`), regexp.MustCompile(`(^|_)tx(_|$)`)}
}

func (n ethtoolNames) clean(raw string) string { return n.odd.ReplaceAllString(raw, "_") }

// metric is the name and the help of a cleaned statistic. The common ones have a name of their own.
func (n ethtoolNames) metric(clean string) (name, help string) {
	common := map[string][2]string{
		"rx_bytes":   {"received_bytes_total", "Network interface bytes received"},
		"rx_dropped": {"received_dropped_total", "Number of received frames dropped"},
		"rx_errors":  {"received_errors_total", "Number of received frames with errors"},
		"rx_packets": {"received_packets_total", "Network interface packets received"},
		"tx_bytes":   {"transmitted_bytes_total", "Network interface bytes sent"},
		"tx_errors":  {"transmitted_errors_total", "Number of sent frames with errors"},
		"tx_packets": {"transmitted_packets_total", "Network interface packets sent"},
	}
	if known, ok := common[clean]; ok {
		return "node_ethtool_" + known[0], known[1]
	}
	name = strings.TrimLeft(strings.ToLower(clean), "_")
	name = n.received.ReplaceAllString(name, "${1}received${2}")
	name = n.transmitted.ReplaceAllString(name, "${1}transmitted${2}")
	return "node_ethtool_" + name, "Network interface " + clean
}

package collector

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"log/slog"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

const nvmeDir = "class/nvme"

type nvme struct {
	host        Host
	dir         *held.Dir
	controllers held.Devices[*nvmeController]

	info, namespaceInfo                *text.Family
	capacity, size, used, logicalBlock *text.Family
}

type nvmeController struct {
	name       string
	dir        *held.Dir
	info       *described
	namespaces held.Devices[*nvmeNamespace]
}

type nvmeNamespace struct {
	size, used, logicalBlock, state *held.File
	device, id                      string
	labels, info                    text.Labels
	last                            string // the state that info was rendered with
}

func declareNVMe(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		gauge := func(name, help string) *text.Family {
			return text.Gauge("node_nvme_namespace_"+name, help, "device", "nsid")
		}
		return &nvme{
			host: h, dir: held.NewDir(h.sys(nvmeDir)),
			info:          text.Gauge("node_nvme_info", "Non-numeric data from /sys/class/nvme/<device>, value is always 1."),
			namespaceInfo: text.Gauge("node_nvme_namespace_info", "Information about NVMe namespaces. Value is always 1", "device", "nsid", "ana_state"),
			capacity:      gauge("capacity_bytes", "Capacity of the NVMe namespace in bytes. Computed as namespace_size * namespace_logical_block_size"),
			size:          gauge("size_bytes", "Size of the NVMe namespace in bytes. Available in /sys/class/nvme/<device>/<namespace>/size"),
			used:          gauge("used_bytes", "Used space of the NVMe namespace in bytes. Available in /sys/class/nvme/<device>/<namespace>/nuse"),
			logicalBlock:  gauge("logical_block_size_bytes", "Logical block size of the NVMe namespace in bytes. Usually 4Kb. Available in /sys/class/nvme/<device>/<namespace>/queue/logical_block_size"),
		}, nil
	}
}

func (c *nvme) Families() []*text.Family {
	return []*text.Family{c.info, c.capacity, c.namespaceInfo, c.logicalBlock, c.size, c.used}
}

func (c *nvme) Update(context.Context) error {
	names, err := deviceNames(c.dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		errs = append(errs, c.addController(c.controllers.Get(name, c.open)))
	}
	c.controllers.Sweep((*nvmeController).close)
	return errors.Join(errs...)
}

func (c *nvme) open(name string) *nvmeController {
	info := describe("device", name, true)
	for _, d := range []struct{ label, file string }{
		{"firmware_revision", "firmware_rev"}, {"model", "model"}, {"serial", "serial"}, {"state", "state"}, {"cntlid", "cntlid"},
	} {
		info.add(d.label, c.host.sysFile(nvmeDir, name, d.file))
	}
	return &nvmeController{name: name, dir: held.NewDir(c.host.sys(nvmeDir, name)), info: info}
}

func (d *nvmeController) close() {
	d.dir.Close()
	d.info.close()
	d.namespaces.Sweep((*nvmeNamespace).close) // twice: the first may end a round that an error cut short
	d.namespaces.Sweep((*nvmeNamespace).close)
}

func (c *nvme) addController(d *nvmeController) error {
	labels, err := d.info.read()
	if err == nil {
		c.info.Put(1, labels)
	}
	errs := []error{err}
	names, err := d.dir.Names()
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	for _, name := range names {
		if id := namespaceID(name); id != nil {
			errs = append(errs, c.addNamespace(d.namespaces.Get(name, func(name string) *nvmeNamespace {
				return c.openNamespace(d.name, name, string(id))
			})))
		}
	}
	d.namespaces.Sweep((*nvmeNamespace).close)
	return errors.Join(errs...)
}

// namespaceID is 1 for nvme0n1 and, a path of a namespace that has several, for nvme0c3n1; nil for anything else.
func namespaceID(name []byte) []byte {
	controller, id, found := bytes.Cut(name[min(1, len(name)):], []byte("n")) // beyond the n of nvme
	if _, isNumber := scan.Uint(id); !found || !isNumber || name[0] != 'n' {
		return nil
	}
	device, path, hasPath := bytes.Cut(controller, []byte("c"))
	if _, isNumber := scan.Uint(path); hasPath && !isNumber || !numbered(device, "vme") {
		return nil
	}
	return id
}

func (c *nvme) openNamespace(device, name, id string) *nvmeNamespace {
	file := func(attribute string) *held.File { return c.host.sysFile(nvmeDir, device, name, attribute) }
	return &nvmeNamespace{
		size: file("size"), used: file("nuse"), logicalBlock: file("queue/logical_block_size"), state: file("ana_state"),
		device: device, id: id, labels: c.size.Labels(device, id),
	}
}

func (n *nvmeNamespace) close() { closeAll(n.size, n.used, n.logicalBlock, n.state) }

func (c *nvme) addNamespace(n *nvmeNamespace) error {
	state, err := n.state.Text()
	if err != nil {
		state = []byte("unknown") // not a namespace that several controllers share
	}
	if n.info == "" || string(state) != n.last {
		n.last = string(state)
		n.info = c.namespaceInfo.Labels(n.device, n.id, n.last)
	}
	c.namespaceInfo.Put(1, n.info)

	block, err := n.logicalBlock.Uint()
	if err != nil {
		return err
	}
	c.logicalBlock.Put(float64(block), n.labels)
	size, err := n.size.Uint()
	if err == nil {
		// The kernel counts this in sectors of 512 bytes also where a block is 4096. node_exporter 1.12 multiplies all the
		// same, eight times too much there, and its numbers are ours.
		c.size.Put(float64(size*block), n.labels)
		c.capacity.Put(float64(size*block), n.labels)
	}
	used, usedErr := n.used.Uint()
	if usedErr == nil {
		c.used.Put(float64(used*block), n.labels)
	} else if unsaid(usedErr) {
		usedErr = nil // Linux before 6.8 does not ask
	}
	return errors.Join(err, usedErr)
}

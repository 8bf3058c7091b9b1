package collector

import (
	"context"
	"errors"
	"flag"
	"io/fs"
	"log/slog"
	"os"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type bonding struct {
	host           Host
	masters        *held.File
	bonds          held.Devices[*bond]
	slaves, active *text.Family
}

// bond is what is kept of a bonding interface: the list of its slaves, and each slave's state.
type bond struct {
	labels text.Labels
	list   *held.File
	states held.Devices[*held.File]
}

func declareBonding(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		return &bonding{
			host: h, masters: h.sysFile("class/net/bonding_masters"),
			slaves: text.Gauge("node_bonding_slaves", "Number of configured slaves per bonding interface.", "master"),
			active: text.Gauge("node_bonding_active", "Number of active slaves per bonding interface.", "master"),
		}, nil
	}
}

func (c *bonding) Families() []*text.Family { return []*text.Family{c.active, c.slaves} }

// Update says nothing where the bonding module is not loaded: then there is no list of masters.
func (c *bonding) Update(context.Context) error {
	masters, err := c.masters.Text()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var errs []error
	for {
		var name []byte
		if name, masters = scan.Field(masters); len(name) == 0 {
			break
		}
		errs = append(errs, c.add(string(name), c.bonds.Get(name, c.open)))
	}
	c.bonds.Sweep((*bond).close)
	return errors.Join(errs...)
}

func (c *bonding) open(name string) *bond {
	return &bond{labels: c.slaves.Labels(name), list: c.host.sysFile("class/net", name, "bonding/slaves")}
}

func (b *bond) close() {
	b.list.Close()
	b.states.Sweep((*held.File).Close) // twice: the first may end a round that an error cut short
	b.states.Sweep((*held.File).Close)
}

// add says nothing of a bond of which it cannot read all: a slave that is not counted would look like one that is down.
func (c *bonding) add(master string, b *bond) error {
	list, err := b.list.Text()
	if err != nil {
		return err
	}
	slaves, active := 0, 0
	for {
		var slave []byte
		if slave, list = scan.Field(list); len(slave) == 0 {
			break
		}
		state, err := b.states.Get(slave, func(slave string) *held.File { return c.state(master, slave) }).Text()
		if err != nil {
			return err
		}
		slaves++
		if string(state) == "up" {
			active++
		}
	}
	b.states.Sweep((*held.File).Close)
	c.slaves.Put(float64(slaves), b.labels)
	c.active.Put(float64(active), b.labels)
	return nil
}

// state is the file of a slave, whose link in its master is called slave_NAME on kernels before 3.12.
func (c *bonding) state(master, slave string) *held.File {
	const file = "bonding_slave/mii_status"
	if _, err := os.Stat(c.host.sys("class/net", master, "slave_"+slave, file)); err == nil {
		return c.host.sysFile("class/net", master, "slave_"+slave, file)
	}
	return c.host.sysFile("class/net", master, "lower_"+slave, file)
}

package collector

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/hearth-monitoring/hearth/exporter/text"
)

type qdisc struct {
	tally
	host     Host
	fixtures string
	filter   filter

	families [7]*text.Family
}

// queue is a queueing discipline. Its fields have the names that the fixtures do.
type queue struct {
	IfaceName  string
	Kind       string
	Parent     uint32
	Bytes      uint64
	Packets    uint32
	Drops      uint32
	Requeues   uint32
	Overlimits uint32
	Qlen       uint32
	Backlog    uint32

	known bool // the numbers; what the kernel gave none for is not said
}

func declareQdisc(flags *flag.FlagSet) factory {
	devices := declareFilter(flags, "qdisc.device", "qdisc devices", ofContainers)
	devices.old(flags, "qdisk.device-include", "qdisk.device-exclude")
	fixtures := flags.String("collector.qdisc.fixtures", "", "test fixtures to use for qdisc collector end-to-end testing")
	return func(h Host, _ *slog.Logger) (Collector, error) {
		f, err := devices.compile()
		if err != nil {
			return nil, err
		}
		total := func(name, help string) *text.Family { return text.Counter("node_qdisc_"+name, help, "device", "kind") }
		gauge := func(name, help string) *text.Family { return text.Gauge("node_qdisc_"+name, help, "device", "kind") }
		return &qdisc{host: h, fixtures: *fixtures, filter: f, families: [...]*text.Family{
			total("bytes_total", "Number of bytes sent."),
			total("packets_total", "Number of packets sent."),
			total("drops_total", "Number of packets dropped."),
			total("requeues_total", "Number of packets dequeued, not transmitted, and requeued."),
			total("overlimits_total", "Number of overlimit packets."),
			gauge("current_queue_length", "Number of packets currently in queue to be sent."),
			gauge("backlog", "Number of bytes currently in queue to be sent."),
		}}, nil
	}
}

func (c *qdisc) Families() []*text.Family { return c.families[:] }

func (c *qdisc) Update(context.Context) error {
	queues, err := c.queues()
	if err != nil {
		return err
	}
	c.left = 0
	for _, q := range queues {
		if q.Parent != 0 || !q.known { // one below another, whose packets are counted there
			continue
		}
		if c.filter.drops(q.IfaceName) {
			c.left++
			continue
		}
		labels := c.families[0].Labels(q.IfaceName, q.Kind)
		for i, v := range [...]uint64{q.Bytes, uint64(q.Packets), uint64(q.Drops), uint64(q.Requeues), uint64(q.Overlimits),
			uint64(q.Qlen), uint64(q.Backlog)} {
			c.families[i].Put(float64(v), labels)
		}
	}
	return nil
}

func (c *qdisc) queues() ([]queue, error) {
	if c.fixtures != "" {
		return readQueues(filepath.Join(c.fixtures, "results.json"))
	}
	own, err := c.host.sharesNetwork()
	if err != nil {
		return nil, err
	}
	if !own {
		return nil, errors.New("the host's queueing disciplines can only be asked for in its network (hostNetwork)")
	}
	return askQueues()
}

func readQueues(path string) ([]queue, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var queues []queue
	if err := json.Unmarshal(b, &queues); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for i := range queues {
		queues[i].known = true
	}
	return queues, nil
}

// sharesNetwork says whether process 1 has the same network as we have, for which alone netlink answers. The namespace's
// own file takes privileges to read; but each network has a table of its own, and so a file of its own, which is the same
// through any mount of procfs.
func (h Host) sharesNetwork() (bool, error) {
	host, err := fileNumber(h.initFile("net/dev").Path())
	if err != nil {
		return false, err
	}
	ours, err := fileNumber("/proc/self/net/dev")
	return host == ours, err
}

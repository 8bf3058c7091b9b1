package collector

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strconv"

	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

// tcpstat counts the host's TCP sockets by state. Netlink would answer for the reader's own network, so they are read
// from process 1's tables, which can be long: they are read in pieces and never held in memory.
type tcpstat struct {
	tcp, tcp6 string // paths
	reader    *bufio.Reader
	count     tcpCount
	states    *text.Family
}

// tcpCount is how many sockets there are in each state, and what waits in their queues.
type tcpCount struct {
	sockets [16]uint64
	any     bool
	rx, tx  uint64
}

func declareTcpstat(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		return &tcpstat{
			tcp: h.initFile("net/tcp").Path(), tcp6: h.initFile("net/tcp6").Path(), reader: bufio.NewReaderSize(nil, 32<<10),
			states: text.Gauge("node_tcp_connection_states", "Number of connection states.", "state"),
		}, nil
	}
}

// tcpStates are the kernel's states, by number.
func tcpStates() [12]string {
	return [12]string{1: "established", "syn_sent", "syn_recv", "fin_wait1", "fin_wait2", "time_wait", "close", "close_wait", "last_ack",
		"listen", "closing"}
}

func (c *tcpstat) Families() []*text.Family { return []*text.Family{c.states} }

func (c *tcpstat) Update(ctx context.Context) error {
	c.count = tcpCount{}
	if err := c.read(ctx, c.tcp); err != nil {
		return err
	}
	if err := c.read(ctx, c.tcp6); err != nil && !errors.Is(err, fs.ErrNotExist) { // without IPv6 there is none
		return err
	}
	for state, name := range tcpStates() {
		if n := c.count.sockets[state]; n > 0 {
			c.states.Add(float64(n), name)
		}
	}
	if c.count.any {
		c.states.Add(float64(c.count.rx), "rx_queued_bytes")
		c.states.Add(float64(c.count.tx), "tx_queued_bytes")
	}
	return nil
}

func (c *tcpstat) read(ctx context.Context, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	c.reader.Reset(file)
	for n := 1; ; n++ {
		line, err := c.reader.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return ended(path, n, line)
		}
		if err == nil {
			err = ctx.Err() // nobody waits for the rest
		}
		if err == nil {
			err = c.line(n, line)
		}
		if err != nil {
			return fmt.Errorf("%s: line %d: %w", path, n, err)
		}
	}
}

// ended is nil where a file may end: after a line that is whole.
func ended(path string, n int, rest []byte) error {
	if len(rest) > 0 {
		return fmt.Errorf("%s: truncated: its last line has no end", path)
	}
	if n == 1 {
		return fmt.Errorf("%s: empty", path)
	}
	return nil
}

func (c *tcpstat) line(n int, line []byte) error {
	if n > 1 {
		return c.count.line(line)
	}
	if !bytes.Contains(line, []byte("local_address")) {
		return fmt.Errorf("%q is not the table's heading", bytes.TrimSpace(line))
	}
	return nil
}

// line reads "0: LOCAL REMOTE STATE TX:RX ...", where the numbers are hexadecimal.
func (t *tcpCount) line(line []byte) error {
	var fields [5][]byte
	for i := range fields {
		fields[i], line = scan.Field(line)
	}
	state, ok := hexadecimal(fields[3])
	if !ok || state == 0 || state >= uint64(len(t.sockets)) {
		return fmt.Errorf("%q is not a state", fields[3])
	}
	sent, received, _ := bytes.Cut(fields[4], []byte(":"))
	tx, okTx := hexadecimal(sent)
	rx, okRx := hexadecimal(received)
	if !okTx || !okRx {
		return fmt.Errorf("%q are not two queues", fields[4])
	}
	t.sockets[state]++
	t.any = true
	t.tx += tx
	t.rx += rx
	return nil
}

func hexadecimal(b []byte) (uint64, bool) {
	v, err := strconv.ParseUint(string(b), 16, 64)
	return v, err == nil
}

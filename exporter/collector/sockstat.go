package collector

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type sockstat struct {
	v4, v6   *held.File
	page     float64
	families []*text.Family          // those that this kernel has
	byName   map[string]*text.Family // by protocol_state
	key      []byte
}

func declareSockstat(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		return &sockstat{v4: h.initFile("net/sockstat"), v6: h.initFile("net/sockstat6"), page: float64(os.Getpagesize()),
			byName: map[string]*text.Family{}}, nil
	}
}

func (c *sockstat) Families() []*text.Family { return c.families }

func (c *sockstat) Update(context.Context) error { return errors.Join(c.read(c.v4), c.read(c.v6)) }

// read reads lines such as "TCP: inuse 4 orphan 0". A kernel without a protocol has no file for it.
func (c *sockstat) read(file *held.File) error {
	b, err := file.Lines()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for n := 1; len(b) > 0; n++ {
		var line []byte
		line, b = scan.Line(b)
		if err := c.line(line); err != nil {
			return fmt.Errorf("%s: line %d: %w", file.Path(), n, err)
		}
	}
	return nil
}

func (c *sockstat) line(line []byte) error {
	protocol, rest, ok := bytes.Cut(line, []byte(":"))
	if !ok {
		return fmt.Errorf("%q is not a protocol", line)
	}
	for {
		var state, field []byte
		if state, rest = scan.Field(rest); len(state) == 0 {
			return nil
		}
		field, rest = scan.Field(rest)
		v, ok := scan.Int(field)
		if !ok {
			return fmt.Errorf("%s: %s: %q is not a number", protocol, state, field)
		}
		c.family(protocol, state, "").Add(float64(v))
		if string(state) == "mem" { // in pages
			c.family(protocol, state, "_bytes").Add(float64(v) * c.page)
		}
	}
}

func (c *sockstat) family(protocol, state []byte, unit string) *text.Family {
	c.key = append(append(append(append(c.key[:0], protocol...), '_'), state...), unit...)
	if f, known := c.byName[string(c.key)]; known {
		return f
	}
	key := string(c.key)
	help := "Number of " + string(protocol) + " sockets in state " + string(state) + unit + "."
	if key == "sockets_used" {
		help = "Number of IPv4 sockets in use."
	}
	f := text.Gauge("node_sockstat_"+key, help)
	c.byName[key] = f
	c.families = append(c.families, f)
	return f
}

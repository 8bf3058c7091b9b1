package collector

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"regexp"
	"strings"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type netstat struct {
	wanted      *regexp.Regexp
	tables      []*held.File // heading and numbers, line by line
	snmp6       *held.File
	families    []*text.Family            // those that this kernel has
	headings    map[string][]*text.Family // by the heading's line: a family a column, nil for what is not wanted
	snmp6Fields map[string]*text.Family   // by name; nil for what is not wanted
}

func declareNetstat(flags *flag.FlagSet) factory {
	fields := flags.String("collector.netstat.fields", "^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)|Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)|Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$",
		"Regexp of fields to return for netstat collector.")
	return func(h Host, _ *slog.Logger) (Collector, error) {
		wanted, err := regexp.Compile(*fields)
		if err != nil {
			return nil, fmt.Errorf("--collector.netstat.fields: %w", err)
		}
		return &netstat{
			wanted: wanted,
			tables: []*held.File{h.initFile("net/netstat"), h.initFile("net/snmp")}, snmp6: h.initFile("net/snmp6"),
			headings: map[string][]*text.Family{}, snmp6Fields: map[string]*text.Family{},
		}, nil
	}
}

func (c *netstat) Families() []*text.Family { return c.families }

func (c *netstat) Update(context.Context) error {
	var errs []error
	for _, table := range c.tables {
		errs = append(errs, c.readTable(table))
	}
	return errors.Join(append(errs, c.readSNMP6())...)
}

// readTable reads pairs of lines, "Tcp: InSegs OutSegs" and "Tcp: 12 34".
func (c *netstat) readTable(file *held.File) error {
	b, err := file.Lines()
	if err != nil {
		return err
	}
	for n := 2; len(b) > 0; n += 2 {
		var heading, values []byte
		heading, b = scan.Line(b)
		values, b = scan.Line(b)
		families, known := c.headings[string(heading)]
		if !known {
			if families, err = c.columns(string(heading)); err != nil {
				return fmt.Errorf("%s: line %d: %w", file.Path(), n-1, err)
			}
			c.headings[string(heading)] = families
		}
		if err := addRow(heading, values, families); err != nil {
			return fmt.Errorf("%s: line %d: %w", file.Path(), n, err)
		}
	}
	return nil
}

func (c *netstat) columns(heading string) ([]*text.Family, error) {
	protocol, names, ok := strings.Cut(heading, ":")
	if !ok || protocol == "" {
		return nil, fmt.Errorf("%q is not a table's heading", heading)
	}
	var families []*text.Family
	for _, name := range strings.Fields(names) {
		families = append(families, c.family(protocol, name))
	}
	return families, nil
}

// family is nil for what is not wanted.
func (c *netstat) family(protocol, name string) *text.Family {
	key := protocol + "_" + name
	if !c.wanted.MatchString(key) {
		return nil
	}
	f := text.Untyped("node_netstat_"+key, "Statistic "+protocol+name+".")
	c.families = append(c.families, f)
	return f
}

func addRow(heading, values []byte, families []*text.Family) error {
	protocol, _, _ := bytes.Cut(heading, []byte(":"))
	of, rest, _ := bytes.Cut(values, []byte(":"))
	if !bytes.Equal(of, protocol) {
		return fmt.Errorf("%q are not the numbers of %s", values, protocol)
	}
	for i, f := range families {
		var field []byte
		if field, rest = scan.Field(rest); f == nil && len(field) > 0 {
			continue
		}
		v, ok := scan.Int(field) // Tcp's MaxConn is -1
		if !ok {
			return fmt.Errorf("%s: column %d: %q is not a number", protocol, i+1, field)
		}
		f.Add(float64(v))
	}
	if more, _ := scan.Field(rest); len(more) > 0 {
		return fmt.Errorf("%s: more numbers than the %d names", protocol, len(families))
	}
	return nil
}

// readSNMP6 reads lines such as "Udp6InErrors 5". Without IPv6 there is no such file.
func (c *netstat) readSNMP6() error {
	b, err := c.snmp6.Lines()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for n := 1; len(b) > 0; n++ {
		var line []byte
		line, b = scan.Line(b)
		name, rest := scan.Field(line)
		f, known := c.snmp6Fields[string(name)]
		if !known {
			if protocol, field, ok := strings.Cut(string(name), "6"); ok && field != "" {
				f = c.family(protocol+"6", field)
			}
			c.snmp6Fields[string(name)] = f
		}
		if f == nil {
			continue
		}
		field, _ := scan.Field(rest)
		v, ok := scan.Uint(field)
		if !ok {
			return fmt.Errorf("%s: line %d: %s: %q is not a number", c.snmp6.Path(), n, name, field)
		}
		f.Add(float64(v))
	}
	return nil
}

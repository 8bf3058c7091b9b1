package collector

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"strings"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type meminfo struct {
	file     *held.File
	families []*text.Family
	byKey    map[string]*text.Family // by what stands before the colon
}

func declareMeminfo(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		c := &meminfo{file: h.procFile("meminfo"), byKey: map[string]*text.Family{}}
		for _, key := range meminfoKeys() {
			name := strings.NewReplacer("(", "_", ")", "").Replace(key)
			if !strings.HasPrefix(key, "HugePages_") { // a count
				name += "_bytes"
			}
			f := text.Gauge("node_memory_"+name, "Memory information field "+name+".")
			c.families = append(c.families, f)
			c.byKey[key] = f
		}
		return c, nil
	}
}

func (c *meminfo) Families() []*text.Family { return c.families }

func (c *meminfo) Update(context.Context) error {
	b, err := c.file.Lines()
	if err != nil {
		return err
	}
	n := 0
	for len(b) > 0 {
		var line []byte
		line, b = scan.Line(b)
		n++
		if err := c.line(line); err != nil {
			return fmt.Errorf("%s: line %d: %w", c.file.Path(), n, err)
		}
	}
	if c.byKey["MemTotal"].Empty() {
		return fmt.Errorf("%s: no MemTotal in it", c.file.Path())
	}
	return nil
}

// line reads "Key:  12 kB". The kernel writes kB after each size and nothing after a count, so a size without its unit is
// a line that was cut off.
func (c *meminfo) line(line []byte) error {
	key, rest, ok := bytes.Cut(line, []byte(":"))
	if !ok {
		return fmt.Errorf("%q has no value", line)
	}
	f := c.byKey[string(key)]
	if f == nil {
		return nil
	}
	field, rest := scan.Field(rest)
	v, ok := scan.Uint(field)
	if !ok {
		return fmt.Errorf("%s: %q is not a number", key, field)
	}
	if bytes.HasPrefix(key, []byte("HugePages_")) {
		f.Add(float64(v))
		return nil
	}
	if unit, _ := scan.Field(rest); string(unit) != "kB" {
		return fmt.Errorf("%s: no unit after %d", key, v)
	}
	f.Add(float64(v * 1024))
	return nil
}

// meminfoKeys are the lines that node_exporter has metrics for. What a newer kernel adds is not one of them until it
// has: a name that we made up would be another one later.
func meminfoKeys() []string {
	return strings.Fields(`Active Active(anon) Active(file) AnonHugePages AnonPages Bounce Buffers Cached CmaFree CmaTotal CommitLimit
		Committed_AS DirectMap1G DirectMap2M DirectMap4k Dirty HardwareCorrupted HugePages_Free HugePages_Rsvd HugePages_Surp
		HugePages_Total Hugepagesize Inactive Inactive(anon) Inactive(file) KernelStack Mapped MemAvailable MemFree MemTotal Mlocked
		NFS_Unstable PageTables Percpu SReclaimable SUnreclaim Shmem ShmemHugePages ShmemPmdMapped Slab SwapCached SwapFree SwapTotal
		Unevictable VmallocChunk VmallocTotal VmallocUsed Writeback WritebackTmp Zswap Zswapped`)
}

package collector

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type zoneinfo struct {
	file       *held.File
	families   []*text.Family
	values     map[string]*text.Family // by the kernel's name
	protection []*text.Family
	zones      held.Devices[text.Labels]
	zone       text.Labels // that the lines are about; empty before the first
}

func declareZoneinfo(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		c := &zoneinfo{file: h.procFile("zoneinfo"), values: map[string]*text.Family{}}
		add := func(kernels string, f *text.Family) {
			c.families = append(c.families, f)
			c.values[kernels] = f
		}
		for _, v := range zoneGauges() {
			add(v[0], text.Gauge("node_zoneinfo_"+v[1], v[2], "node", "zone"))
		}
		for _, v := range zoneCounters() {
			add(v[0], text.Counter("node_zoneinfo_"+v[0]+"_total", v[1], "node", "zone"))
		}
		return c, nil
	}
}

// zoneGauges are the kernel's name, ours and the help of what can go down.
func zoneGauges() [][3]string {
	return [][3]string{
		{"nr_free_pages", "nr_free_pages", "Total number of free pages in the zone"},
		{"min", "min_pages", "Zone watermark pages_min"},
		{"low", "low_pages", "Zone watermark pages_low"},
		{"high", "high_pages", "Zone watermark pages_high"},
		{"scanned", "scanned_pages", "Pages scanned since last reclaim"},
		{"spanned", "spanned_pages", "Total pages spanned by the zone, including holes"},
		{"present", "present_pages", "Physical pages existing within the zone"},
		{"managed", "managed_pages", "Present pages managed by the buddy system"},
		{"nr_active_anon", "nr_active_anon_pages", "Number of anonymous pages recently more used"},
		{"nr_inactive_anon", "nr_inactive_anon_pages", "Number of anonymous pages recently less used"},
		{"nr_isolated_anon", "nr_isolated_anon_pages", "Temporary isolated pages from anon lru"},
		{"nr_anon_pages", "nr_anon_pages", "Number of anonymous pages currently used by the system"},
		{"nr_anon_transparent_hugepages", "nr_anon_transparent_hugepages", "Number of anonymous transparent huge pages currently used by the system"},
		{"nr_active_file", "nr_active_file_pages", "Number of active pages with file-backing"},
		{"nr_inactive_file", "nr_inactive_file_pages", "Number of inactive pages with file-backing"},
		{"nr_isolated_file", "nr_isolated_file_pages", "Temporary isolated pages from file lru"},
		{"nr_file_pages", "nr_file_pages", "Number of file pages"},
		{"nr_slab_reclaimable", "nr_slab_reclaimable_pages", "Number of reclaimable slab pages"},
		{"nr_slab_unreclaimable", "nr_slab_unreclaimable_pages", "Number of unreclaimable slab pages"},
		{"nr_mlock_stack", "nr_mlock_stack_pages", "mlock()ed pages found and moved off LRU"},
		{"nr_kernel_stack", "nr_kernel_stacks", "Number of kernel stacks"},
		{"nr_mapped", "nr_mapped_pages", "Number of mapped pages"},
		{"nr_dirty", "nr_dirty_pages", "Number of dirty pages"},
		{"nr_writeback", "nr_writeback_pages", "Number of writeback pages"},
		{"nr_unevictable", "nr_unevictable_pages", "Number of unevictable pages"},
		{"nr_shmem", "nr_shmem_pages", "Number of shmem pages (included tmpfs/GEM pages)"},
	}
}

// zoneCounters are the kernel's name and the help of what only grows.
func zoneCounters() [][2]string {
	return [][2]string{
		{"nr_dirtied", "Page dirtyings since bootup"},
		{"nr_written", "Page writings since bootup"},
		{"numa_hit", "Allocated in intended node"},
		{"numa_miss", "Allocated in non intended node"},
		{"numa_foreign", "Was intended here, hit elsewhere"},
		{"numa_interleave", "Interleaver preferred this zone"},
		{"numa_local", "Allocation from local node"},
		{"numa_other", "Allocation from other node"},
	}
}

func (c *zoneinfo) Families() []*text.Family {
	return append(c.families[:len(c.families):len(c.families)], c.protection...)
}

func (c *zoneinfo) Update(context.Context) error {
	c.zone = ""
	defer c.zones.Sweep(nil)
	return eachLineUntil(c.file, wholeZone, c.line)
}

// wholeZone is true for the list that a zone without pages ends with.
func wholeZone(last []byte) bool { return bytes.HasSuffix(last, []byte(")")) }

// line reads the heading of a zone or one of its values. What a node has is written below its first zone, and said of it.
func (c *zoneinfo) line(_ int, line []byte) error {
	if bytes.HasPrefix(line, []byte("Node")) {
		if _, _, _, err := cutZone(line); err != nil {
			return err
		}
		c.zone = c.zones.Get(line, c.labels)
		return nil
	}
	if c.zone == "" {
		return errors.New("a value before the first zone")
	}
	name, rest := scan.Field(line)
	if string(name) == "protection:" {
		return c.protect(rest)
	}
	f := c.values[string(name)]
	if f == nil {
		return nil
	}
	field, _ := scan.Field(rest)
	v, ok := scan.Int(field)
	if !ok {
		return fmt.Errorf("%s: %q is not a number", name, field)
	}
	f.Put(float64(v), c.zone)
	return nil
}

func (c *zoneinfo) labels(heading string) text.Labels {
	node, zone, _, _ := cutZone([]byte(heading))
	return c.families[0].Labels(string(node), string(zone))
}

// protect reads a list such as (0, 2039, 31932), of any length.
func (c *zoneinfo) protect(list []byte) error {
	list = bytes.Trim(list, " ()")
	for i := 0; len(list) > 0; i++ {
		var field []byte
		field, list, _ = bytes.Cut(list, []byte(","))
		v, ok := scan.Int(bytes.TrimSpace(field))
		if !ok {
			return fmt.Errorf("protection: %q is not a number", field)
		}
		if i == len(c.protection) {
			n := strconv.Itoa(i)
			c.protection = append(c.protection, text.Gauge("node_zoneinfo_protection_"+n, "Protection array "+n+". field", "node", "zone"))
		}
		c.protection[i].Put(float64(v), c.zone)
	}
	return nil
}

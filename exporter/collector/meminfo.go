package collector

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/procfs"
)

type meminfo struct {
	host     Host
	procfs   procfs.FS
	families []family // one for each of meminfoRows
}

func declareMeminfo(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		proc, err := procfs.NewFS(h.Proc)
		if err != nil {
			return nil, fmt.Errorf("open procfs: %w", err)
		}
		c := &meminfo{host: h, procfs: proc}
		for _, row := range meminfoRows(procfs.Meminfo{}) {
			c.families = append(c.families, gauge("node_memory_"+row.name, "Memory information field "+row.name+"."))
		}
		return c, nil
	}
}

func (c *meminfo) Describe(ch chan<- *prometheus.Desc) { describe(ch, c.families...) }

func (c *meminfo) Collect(_ context.Context, ch chan<- prometheus.Metric) error {
	path := c.host.proc("meminfo")
	info, err := c.procfs.Meminfo()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if info.MemTotal == nil {
		return fmt.Errorf("%s: no MemTotal in it", path)
	}
	rows := meminfoRows(info)
	for _, row := range rows {
		if row.unitless() {
			return fmt.Errorf("%s: %s: no unit after %d", path, strings.TrimSuffix(row.name, "_bytes"), *row.raw)
		}
	}
	for i, row := range rows {
		if row.bytes != nil {
			c.families[i].send(ch, float64(*row.bytes))
		}
	}
	return nil
}

// meminfoRow is a line of /proc/meminfo: the number that is there, and the same in bytes. Both are nil where this kernel
// has no such line.
type meminfoRow struct {
	name       string
	raw, bytes *uint64
}

// unitless says that a size came without its unit, which the parser takes for bytes. The kernel writes kB after each, so
// the line was cut off.
func (r meminfoRow) unitless() bool {
	return strings.HasSuffix(r.name, "_bytes") && r.raw != nil && *r.raw != 0 && *r.raw == *r.bytes
}

// meminfoRows are the lines that node_exporter has metrics for, all of them at once: it is a table.
func meminfoRows(m procfs.Meminfo) []meminfoRow {
	return []meminfoRow{
		{"Active_bytes", m.Active, m.ActiveBytes},
		{"Active_anon_bytes", m.ActiveAnon, m.ActiveAnonBytes},
		{"Active_file_bytes", m.ActiveFile, m.ActiveFileBytes},
		{"AnonHugePages_bytes", m.AnonHugePages, m.AnonHugePagesBytes},
		{"AnonPages_bytes", m.AnonPages, m.AnonPagesBytes},
		{"Bounce_bytes", m.Bounce, m.BounceBytes},
		{"Buffers_bytes", m.Buffers, m.BuffersBytes},
		{"Cached_bytes", m.Cached, m.CachedBytes},
		{"CmaFree_bytes", m.CmaFree, m.CmaFreeBytes},
		{"CmaTotal_bytes", m.CmaTotal, m.CmaTotalBytes},
		{"CommitLimit_bytes", m.CommitLimit, m.CommitLimitBytes},
		{"Committed_AS_bytes", m.CommittedAS, m.CommittedASBytes},
		{"DirectMap1G_bytes", m.DirectMap1G, m.DirectMap1GBytes},
		{"DirectMap2M_bytes", m.DirectMap2M, m.DirectMap2MBytes},
		{"DirectMap4k_bytes", m.DirectMap4k, m.DirectMap4kBytes},
		{"Dirty_bytes", m.Dirty, m.DirtyBytes},
		{"HardwareCorrupted_bytes", m.HardwareCorrupted, m.HardwareCorruptedBytes},
		{"Hugepagesize_bytes", m.Hugepagesize, m.HugepagesizeBytes},
		{"Inactive_bytes", m.Inactive, m.InactiveBytes},
		{"Inactive_anon_bytes", m.InactiveAnon, m.InactiveAnonBytes},
		{"Inactive_file_bytes", m.InactiveFile, m.InactiveFileBytes},
		{"KernelStack_bytes", m.KernelStack, m.KernelStackBytes},
		{"Mapped_bytes", m.Mapped, m.MappedBytes},
		{"MemAvailable_bytes", m.MemAvailable, m.MemAvailableBytes},
		{"MemFree_bytes", m.MemFree, m.MemFreeBytes},
		{"MemTotal_bytes", m.MemTotal, m.MemTotalBytes},
		{"Mlocked_bytes", m.Mlocked, m.MlockedBytes},
		{"NFS_Unstable_bytes", m.NFSUnstable, m.NFSUnstableBytes},
		{"PageTables_bytes", m.PageTables, m.PageTablesBytes},
		{"Percpu_bytes", m.Percpu, m.PercpuBytes},
		{"SReclaimable_bytes", m.SReclaimable, m.SReclaimableBytes},
		{"SUnreclaim_bytes", m.SUnreclaim, m.SUnreclaimBytes},
		{"Shmem_bytes", m.Shmem, m.ShmemBytes},
		{"ShmemHugePages_bytes", m.ShmemHugePages, m.ShmemHugePagesBytes},
		{"ShmemPmdMapped_bytes", m.ShmemPmdMapped, m.ShmemPmdMappedBytes},
		{"Slab_bytes", m.Slab, m.SlabBytes},
		{"SwapCached_bytes", m.SwapCached, m.SwapCachedBytes},
		{"SwapFree_bytes", m.SwapFree, m.SwapFreeBytes},
		{"SwapTotal_bytes", m.SwapTotal, m.SwapTotalBytes},
		{"Unevictable_bytes", m.Unevictable, m.UnevictableBytes},
		{"VmallocChunk_bytes", m.VmallocChunk, m.VmallocChunkBytes},
		{"VmallocTotal_bytes", m.VmallocTotal, m.VmallocTotalBytes},
		{"VmallocUsed_bytes", m.VmallocUsed, m.VmallocUsedBytes},
		{"Writeback_bytes", m.Writeback, m.WritebackBytes},
		{"WritebackTmp_bytes", m.WritebackTmp, m.WritebackTmpBytes},
		{"Zswap_bytes", m.Zswap, m.ZswapBytes},
		{"Zswapped_bytes", m.Zswapped, m.ZswappedBytes},
		{"HugePages_Free", m.HugePagesFree, m.HugePagesFree},
		{"HugePages_Rsvd", m.HugePagesRsvd, m.HugePagesRsvd},
		{"HugePages_Surp", m.HugePagesSurp, m.HugePagesSurp},
		{"HugePages_Total", m.HugePagesTotal, m.HugePagesTotal},
	}
}

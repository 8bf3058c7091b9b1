package collector

import (
	"context"
	"flag"
	"log/slog"

	"github.com/hearth-monitoring/hearth/exporter/text"
)

// nfsd is the server's side.
type nfsd struct {
	table    rpcTable
	families []*text.Family
}

func declareNFSd(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		c := &nfsd{}
		c.table.File = h.initFile("net/rpc/nfsd")
		c.table.lines = c.serverLines()
		calls := c.total("requests_total", "Total number NFSd Requests by method and protocol.", "proto", "method")
		for name, line := range nfsdCalls(calls) {
			c.table.lines[name] = line
		}
		return c, nil
	}
}

func (c *nfsd) Families() []*text.Family { return c.families }

func (c *nfsd) Update(context.Context) error { return c.table.read() }

func (c *nfsd) keep(f *text.Family) *text.Family {
	c.families = append(c.families, f)
	return f
}

func (c *nfsd) total(name, help string, labels ...string) *text.Family {
	return c.keep(text.Counter("node_nfsd_"+name, help, labels...))
}

// serverLines are those of the server as a whole.
func (c *nfsd) serverLines() map[string]rpcLine {
	total := func(name, help string) rpcColumn { return rpcColumn{c.total(name, help), ""} }
	gauge := func(name, help string) rpcColumn { return rpcColumn{c.keep(text.Gauge("node_nfsd_"+name, help)), ""} }
	packets := c.total("packets_total", "Total NFSd network packets (sent+received) by protocol type.", "proto")
	bad := c.total("rpc_errors_total", "Total number of NFSd RPC errors by error type.", "error")
	none := rpcColumn{}
	return map[string]rpcLine{
		"rc": rpcNumbers(
			total("reply_cache_hits_total", "Total number of NFSd Reply Cache hits (client lost server response)."),
			total("reply_cache_misses_total", "Total number of NFSd Reply Cache an operation that requires caching (idempotent)."),
			total("reply_cache_nocache_total", "Total number of NFSd Reply Cache non-idempotent operations (rename/delete/…)."),
		),
		"fh": rpcNumbers(total("file_handles_stale_total", "Total number of NFSd stale file handles")),
		"io": rpcNumbers(
			total("disk_bytes_read_total", "Total NFSd bytes read."),
			total("disk_bytes_written_total", "Total NFSd bytes written."),
		),
		"th": rpcNumbers(gauge("server_threads", "Total number of NFSd kernel threads that are running.")),
		"ra": rpcNumbers(
			gauge("read_ahead_cache_size_blocks", "How large the read ahead cache is in blocks."),
			none, none, none, none, none, none, none, none, none, none, // how deep a hit was, in tenths
			total("read_ahead_cache_not_found_total", "Total number of NFSd read ahead cache not found."),
		),
		"net": rpcNumbers(
			none,
			rpcColumn{packets, packets.Labels("udp")},
			rpcColumn{packets, packets.Labels("tcp")},
			total("connections_total", "Total number of NFSd TCP connections."),
		),
		"rpc": rpcNumbers(
			total("server_rpcs_total", "Total number of NFSd RPCs."),
			none,
			rpcColumn{bad, bad.Labels("fmt")},
			rpcColumn{bad, bad.Labels("auth")},
			rpcColumn{bad, bad.Labels("cInt")},
		),
	}
}

// nfsdCalls are the lines that count calls, by version of the protocol.
func nfsdCalls(calls *text.Family) map[string]rpcLine {
	return map[string]rpcLine{
		"proc2": rpcCalls(calls, "2", "- GetAttr SetAttr Root Lookup ReadLink Read WrCache Write Create Remove Rename Link SymLink MkDir "+
			"RmDir ReadDir FsStat", 18),
		"proc3": rpcCalls(calls, "3", "- GetAttr SetAttr Lookup Access ReadLink Read Write Create MkDir SymLink MkNod Remove RmDir Rename "+
			"Link ReadDir ReadDirPlus FsStat FsInfo PathConf Commit", 22),
		// RelLockOwner, the last, came with Linux 2.6.
		"proc4ops": rpcCalls(calls, "4", "- - - Access Close Commit Create DelegPurge DelegReturn GetAttr GetFH Link Lock Lockt Locku Lookup "+
			"LookupRoot Nverify Open OpenAttr OpenConfirm OpenDgrd PutFH - - Read ReadDir ReadLink Remove Rename "+
			"Renew RestoreFH SaveFH SecInfo SetAttr SetClientID SetClientIDConfirm Verify Write RelLockOwner", 39),
		"wdeleg_getattr": rpcNumbers(rpcColumn{calls, calls.Labels("4", "WdelegGetattr")}),
	}
}

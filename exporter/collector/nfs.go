package collector

import (
	"context"
	"flag"
	"log/slog"

	"github.com/hearth-monitoring/hearth/exporter/text"
)

// nfs is the client's side.
type nfs struct {
	table    rpcTable
	families []*text.Family
}

func declareNFS(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		c := &nfs{}
		total := func(name, help string, labels ...string) *text.Family {
			f := text.Counter("node_nfs_"+name, help, labels...)
			c.families = append(c.families, f)
			return f
		}
		packets := total("packets_total", "Total NFSd network packets (sent+received) by protocol type.", "protocol")
		calls := total("requests_total", "Number of NFS procedures invoked.", "proto", "method")
		c.table.File = h.initFile("net/rpc/nfs")
		c.table.lines = map[string]rpcLine{
			"net": rpcNumbers(
				rpcColumn{},
				rpcColumn{packets, packets.Labels("udp")},
				rpcColumn{packets, packets.Labels("tcp")},
				rpcColumn{total("connections_total", "Total number of NFSd TCP connections."), ""},
			),
			"rpc": rpcNumbers(
				rpcColumn{total("rpcs_total", "Total number of RPCs performed."), ""},
				rpcColumn{total("rpc_retransmissions_total", "Number of RPC transmissions performed."), ""},
				rpcColumn{total("rpc_authentication_refreshes_total", "Number of RPC authentication refreshes performed."), ""},
			),
			"proc2": rpcCalls(calls, "2", "Null GetAttr SetAttr Root Lookup ReadLink Read WrCache Write Create Remove Rename Link SymLink MkDir "+
				"RmDir ReadDir FsStat", 18),
			"proc3": rpcCalls(calls, "3", "Null GetAttr SetAttr Lookup Access ReadLink Read Write Create MkDir SymLink MkNod Remove RmDir "+
				"Rename Link ReadDir ReadDirPlus FsStat FsInfo PathConf Commit", 22),
			"proc4": rpcCalls(calls, "4", "Null Read Write Commit Open OpenConfirm OpenNoattr OpenDowngrade Close Setattr FsInfo Renew "+
				"SetClientID SetClientIDConfirm Lock Lockt Locku Access Getattr Lookup LookupRoot Remove Rename Link "+
				"Symlink Create Pathconf StatFs ReadLink ReadDir ServerCaps DelegReturn GetACL SetACL FsLocations "+
				"ReleaseLockowner Secinfo FsidPresent ExchangeID CreateSession DestroySession Sequence GetLeaseTime "+
				"ReclaimComplete GetDeviceInfo LayoutGet LayoutCommit LayoutReturn SecinfoNoName TestStateID "+
				"FreeStateID GetDeviceList BindConnToSession DestroyClientID Seek Allocate DeAllocate LayoutStats "+
				"Clone", 0),
		}
		return c, nil
	}
}

func (c *nfs) Families() []*text.Family { return c.families }

func (c *nfs) Update(context.Context) error { return c.table.read() }

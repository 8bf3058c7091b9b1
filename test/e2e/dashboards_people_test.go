package e2e

import (
	"fmt"
	"strings"
)

// peopleFind asks for each series that people's own rules and dashboards select, by the names and labels that these use.
func (g *ground) peopleFind(server prometheus) {
	a := newAsked(g.t, server, absentHere)
	for _, s := range peopleSelect() {
		a.ask(s, s, "")
	}
	a.settle()
}

// peopleSelect are the series that are selected by
//
//   - the node-mixin: its recording rules, alerts and dashboards (docs/node-mixin in node_exporter's repository), as
//     kube-prometheus sets its selectors: job="node-exporter", fstype!="", mountpoint!="", device!="";
//   - Node Exporter Full, number 1860 of the dashboards on grafana.com (prometheus/node-exporter-full.json in
//     github.com/rfmoz/grafana-dashboards), which asks for instance and job;
//   - whoever uses what the node-mixin records: the names of its recording rules.
//
// Only the names and labels are theirs.
func peopleSelect() []string {
	var out []string
	add := func(prefix, suffix, names, matchers string) {
		out = append(out, named(prefix, suffix, names, matchers)...)
	}
	const node, device = `instance!=""`, `instance!="",device!=""`
	// The node-mixin's selectors.
	add("node_filesystem_", "", "avail_bytes size_bytes files files_free readonly", `fstype!="",mountpoint!="",device!=""`)
	add("node_network_", "_total", "receive_errs transmit_errs receive_packets transmit_packets receive_bytes transmit_bytes receive_drop transmit_drop", `device!="lo"`)
	add("node_network_", "", "up mtu_bytes speed_bytes transmit_queue_length carrier info", device)
	add("node_", "", "nf_conntrack_entries nf_conntrack_entries_limit textfile_scrape_error md_disks_required bonding_slaves bonding_active edac_correctable_errors_total edac_uncorrectable_errors_total", node)
	add("node_", "", "systemd_units", `state="failed"`)
	add("node_cpu_", "", "seconds_total", `mode=~"idle|iowait|steal"`)
	add("node_", "", "uname_info", `sysname!="Darwin",nodename!="",release!="",machine!="",version!=""`)
	// What it records.
	add("instance:node_", "", "num_cpu:sum cpu_utilisation:rate5m load1_per_cpu:ratio memory_utilisation:ratio vmstat_pgmajfault:rate5m "+
		"network_receive_bytes_excluding_lo:rate5m network_transmit_bytes_excluding_lo:rate5m network_receive_drop_excluding_lo:rate5m "+
		"network_transmit_drop_excluding_lo:rate5m", node)
	add("instance_device:node_disk_", "", "io_time_seconds:rate5m io_time_weighted_seconds:rate5m", device)
	return append(out, exporterFull()...)
}

// exporterFull are those of Node Exporter Full, in its own order.
func exporterFull() []string {
	var out []string
	add := func(prefix, suffix, names, matchers string) {
		out = append(out, named(prefix, suffix, names, matchers)...)
	}
	const node, device = `instance!=""`, `instance!="",device!=""`
	add("node_pressure_", "_seconds_total", "cpu_waiting memory_waiting memory_stalled io_waiting io_stalled irq_stalled", node)
	for _, mode := range strings.Fields("idle user system nice iowait irq softirq steal") {
		add("node_cpu_", "", "seconds_total", `mode="`+mode+`"`)
	}
	add("node_cpu_", "", "guest_seconds_total", `mode="user"`)
	add("node_", "", "load1 load5 load15 boot_time_seconds time_seconds", node)
	add("node_memory_", "_bytes", "MemTotal MemFree MemAvailable Buffers Cached SwapTotal SwapFree SwapCached SReclaimable SUnreclaim Slab PageTables "+
		"Active Inactive Active_anon Inactive_anon Active_file Inactive_file Writeback WritebackTmp Dirty Mapped Shmem ShmemHugePages ShmemPmdMapped "+
		"VmallocUsed VmallocTotal VmallocChunk AnonHugePages AnonPages CommitLimit Committed_AS KernelStack Bounce Hugepagesize DirectMap1G DirectMap2M "+
		"DirectMap4k Unevictable Mlocked NFS_Unstable HardwareCorrupted Percpu", node)
	add("node_memory_HugePages_", "", "Total Free Rsvd Surp", node)
	add("node_vmstat_", "", "pgpgin pgpgout pswpin pswpout pgfault pgmajfault oom_kill", node)
	add("node_filesystem_", "", "free_bytes device_error", `device!~"rootfs"`)
	add("node_filesystem_", "", "size_bytes avail_bytes", `mountpoint="/",fstype!="rootfs"`)
	add("node_network_", "_total", "receive_multicast receive_fifo transmit_fifo receive_compressed transmit_compressed receive_frame transmit_carrier transmit_colls", device)
	add("node_", "", "arp_entries", device)
	add("node_timex_", "", "estimated_error_seconds offset_seconds maxerror_seconds sync_status frequency_adjustment_ratio loop_time_constant tick_seconds tai_offset_seconds", node)
	add("node_", "", "procs_blocked procs_running forks_total context_switches_total intr_total entropy_available_bits", node)
	add("node_processes_", "", "pids max_processes threads max_threads", node)
	add("node_processes_", "", "state", `state!=""`)
	add("node_schedstat_", "_total", "running_seconds waiting_seconds timeslices", `cpu!=""`)
	add("node_", "", "interrupts_total", `cpu!="",type!="",info!=""`)
	add("node_cpu_", "", "scaling_frequency_hertz scaling_frequency_min_hertz scaling_frequency_max_hertz core_throttles_total", `cpu!=""`)
	add("node_hwmon_", "", "temp_celsius temp_crit_celsius temp_crit_alarm_celsius temp_max_celsius fan_rpm", `chip!="",sensor!=""`)
	add("node_hwmon_", "", "chip_names", `chip!="",chip_name!=""`)
	add("node_cooling_device_", "", "cur_state max_state", `name!="",type!=""`)
	add("node_power_supply_", "", "online", `power_supply!=""`)
	add("node_systemd_", "", "units", `state="active"`)
	add("node_systemd_", "", "socket_accepted_connections_total", `name!=""`)
	add("node_disk_", "_total", "reads_completed writes_completed read_bytes written_bytes read_time_seconds write_time_seconds io_time_seconds io_time_weighted_seconds "+
		"reads_merged writes_merged discards_completed discards_merged", device)
	add("node_disk_", "", "io_now", device)
	add("node_filefd_", "", "allocated maximum", node)
	add("node_softnet_", "_total", "processed dropped times_squeezed", `cpu!=""`)
	add("node_sockstat_", "", "TCP_alloc TCP_inuse TCP_mem TCP_mem_bytes TCP_orphan TCP_tw UDP_inuse UDP_mem UDP_mem_bytes UDPLITE_inuse FRAG_inuse FRAG_memory RAW_inuse sockets_used", node)
	add("node_netstat_", "", "Ip_Forwarding IpExt_InOctets IpExt_OutOctets Icmp_InMsgs Icmp_OutMsgs Icmp_InErrors Udp_InDatagrams Udp_OutDatagrams Udp_InErrors Udp_NoPorts "+
		"Udp_RcvbufErrors Udp_SndbufErrors UdpLite_InErrors Tcp_InSegs Tcp_OutSegs Tcp_RetransSegs Tcp_InErrs Tcp_OutRsts Tcp_CurrEstab Tcp_ActiveOpens Tcp_PassiveOpens "+
		"TcpExt_ListenOverflows TcpExt_ListenDrops TcpExt_TCPSynRetrans TcpExt_SyncookiesFailed TcpExt_SyncookiesRecv TcpExt_SyncookiesSent TcpExt_TCPOFOQueue TcpExt_TCPRcvQDrop", node)
	add("node_", "", "tcp_connection_states", `state="established"`)
	add("node_scrape_collector_", "", "duration_seconds success", `collector!=""`)
	add("node_", "", "os_info", `pretty_name!=""`)
	add("process_", "", "open_fds max_fds cpu_seconds_total resident_memory_bytes virtual_memory_bytes start_time_seconds", node)
	return out
}

// named are series of metrics that begin and end alike.
func named(prefix, suffix, names, matchers string) []string {
	var out []string
	for name := range strings.FieldsSeq(names) {
		out = append(out, fmt.Sprintf(`%s%s%s{job="node-exporter",%s}`, prefix, name, suffix, matchers))
	}
	return out
}

package dashboards

// node is one node by the USE method: of each resource how much is used, how much waits for it, and what went wrong.
func node() board {
	return board{
		uid: "hearth-node", title: "Node",
		answers: "What is scarce on this node? Of each resource: utilisation, saturation, errors.",
		variables: []variable{
			choice(), cluster("node_uname_info"), values("job", "Job", `node_uname_info{cluster=~"$cluster"}`),
			one("instance", "Node", `node_uname_info{job=~"$job",cluster=~"$cluster"}`),
		},
		match: `job=~"$job",cluster=~"$cluster",instance="$instance"`,
		rows: []row{
			{"Now", nodeNow()}, {"CPU", nodeCPU()}, {"Memory", nodeMemory()}, {"Disks", nodeDisks()},
			{"Network", nodeNetwork()}, {"What runs and who watches", nodeSystem()},
		},
	}
}

func nodeNow() []panel {
	return []panel{
		number("Exporter", "Whether the last scrape was answered.", count, query(`up{MATCH}`, "up")).
			colored(levels("red", 1.0, "green")).words(map[string]mapped{"0": {Text: "silent", Color: "red"}, "1": {Text: "answers", Color: "green", Index: 1}}),
		number("Up since", "When the kernel was started.", since, query(`node_boot_time_seconds{MATCH} * 1000`, "boot")),
		number("CPU", "Share of time in which the CPUs did something, over five minutes.", ratio,
			query(`instance:node_cpu_utilisation:rate5m{MATCH}`, "CPU")).colored(fullAt(0.8, 0.9)),
		number("Memory", "Share that the kernel could not give to somebody else.", ratio,
			query(`instance:node_memory_utilisation:ratio{MATCH}`, "memory")).colored(fullAt(0.8, 0.95)),
		number("Fullest file system", "Whichever is closest to its end.", ratio,
			query(`max(1 - node_filesystem_avail_bytes{MATCH,fstype!=""} / (node_filesystem_size_bytes{MATCH,fstype!=""} > 0))`, "full")).colored(fullAt(0.8, 0.95)),
		number("Kernel", "What runs there.", count, query(`node_uname_info{MATCH}`, "{{release}}")).name(),
	}
}

func nodeCPU() []panel {
	return []panel{
		graph("Utilisation by mode", "Of all CPUs together. iowait is time in which there was nothing to do but to wait for a disk; steal is what the hypervisor gave to somebody else.", ratio,
			query(`sum by (mode) (rate(node_cpu_seconds_total{MATCH,mode!="idle"}[$__rate_interval])) / scalar(count(node_cpu_seconds_total{MATCH,mode="idle"}))`, "{{mode}}")).
			stacked().upToOne(),
		graph("Saturation: load", "Tasks that run or wait, beside the number of CPUs: what is above that line waits.", count,
			query(`node_load1{MATCH}`, "1 minute"), query(`node_load5{MATCH}`, "5 minutes"), query(`node_load15{MATCH}`, "15 minutes"),
			query(`instance:node_num_cpu:sum{MATCH}`, "CPUs")),
		graph("Saturation: pressure", "Share of time in which somebody could not go on for want of CPU, memory or disk (the kernel's pressure stall information).", ratio,
			query(`rate(node_pressure_cpu_waiting_seconds_total{MATCH}[$__rate_interval])`, "CPU"),
			query(`rate(node_pressure_memory_waiting_seconds_total{MATCH}[$__rate_interval])`, "memory"),
			query(`rate(node_pressure_io_waiting_seconds_total{MATCH}[$__rate_interval])`, "disk")).limit(fullAt(0.2, 0.5)),
		graph("Each CPU", "One that is full while the others idle is a task that uses only one, or interrupts that all go to one.", ratio,
			query(`1 - rate(node_cpu_seconds_total{MATCH,mode="idle"}[$__rate_interval])`, "CPU {{cpu}}")).upToOne().sized(12, 7),
		graph("Switches and interrupts", "What keeps CPUs busy without doing work.", perSec,
			query(`rate(node_context_switches_total{MATCH}[$__rate_interval])`, "context switches"),
			query(`rate(node_intr_total{MATCH}[$__rate_interval])`, "interrupts")).sized(12, 7),
	}
}

func nodeMemory() []panel {
	return []panel{
		graph("Utilisation", "Used is what only its owner can give back. Buffers and cache are given to whoever needs them.", bytesIEC,
			query(`node_memory_MemTotal_bytes{MATCH} - node_memory_MemFree_bytes{MATCH} - node_memory_Buffers_bytes{MATCH} - node_memory_Cached_bytes{MATCH} - node_memory_SReclaimable_bytes{MATCH}`, "used"),
			query(`node_memory_Buffers_bytes{MATCH}`, "buffers"),
			query(`node_memory_Cached_bytes{MATCH} + node_memory_SReclaimable_bytes{MATCH}`, "cache"),
			query(`node_memory_MemFree_bytes{MATCH}`, "free")).stacked(),
		graph("Saturation: pages from disk", "Pages that had to be read again, or were swapped: memory is short.", perSec,
			query(`rate(node_vmstat_pgmajfault{MATCH}[$__rate_interval])`, "major faults"),
			query(`rate(node_vmstat_pswpin{MATCH}[$__rate_interval])`, "swapped in"),
			query(`rate(node_vmstat_pswpout{MATCH}[$__rate_interval])`, "swapped out")),
		graph("Errors: processes killed", "By the kernel, because there was no memory left for them.", count,
			query(`increase(node_vmstat_oom_kill{MATCH}[$__rate_interval])`, "killed")).limit(anyIsBad()),
	}
}

func nodeDisks() []panel {
	const full = `1 - node_filesystem_avail_bytes{MATCH,fstype!=""} / (node_filesystem_size_bytes{MATCH,fstype!=""} > 0)`
	return []panel{
		graph("Utilisation", "Share of time in which a disk had something to do. For disks that do many things at once, 100 % is not the end.", ratio,
			query(`instance_device:node_disk_io_time_seconds:rate5m{MATCH}`, "{{device}}")).upToOne(),
		graph("Saturation: requests that wait", "The average queue of each disk.", count,
			query(`instance_device:node_disk_io_time_weighted_seconds:rate5m{MATCH}`, "{{device}}")),
		graph("Time of a request", "From when it is handed to the disk until it is done, on average.", seconds,
			query(`rate(node_disk_read_time_seconds_total{MATCH}[$__rate_interval]) / (rate(node_disk_reads_completed_total{MATCH}[$__rate_interval]) > 0)`, "{{device}} read"),
			query(`rate(node_disk_write_time_seconds_total{MATCH}[$__rate_interval]) / (rate(node_disk_writes_completed_total{MATCH}[$__rate_interval]) > 0)`, "{{device}} write")),
		graph("Read and written", "By each disk.", perByte,
			query(`rate(node_disk_read_bytes_total{MATCH}[$__rate_interval])`, "{{device}} read"),
			query(`rate(node_disk_written_bytes_total{MATCH}[$__rate_interval])`, "{{device}} written")),
		graph("File systems", "How full each is.", ratio, query(full, "{{mountpoint}}")).upToOne().limit(fullAt(0.8, 0.95)),
		graph("Inodes", "How many of the files that a file system can hold it holds. It can be full while there is space.", ratio,
			query(`1 - node_filesystem_files_free{MATCH,fstype!=""} / (node_filesystem_files{MATCH,fstype!=""} > 0)`, "{{mountpoint}}")).upToOne().limit(fullAt(0.8, 0.95)),
		table("File systems", "What is mounted where. Not writable is what the kernel took away after an error, or what was mounted so.",
			[]column{
				{from: "mountpoint", title: "Mounted at"}, {from: "device", title: "Device"}, {from: "fstype", title: "Type"},
				{from: "Value #A", title: "Used", unit: ratio, limits: fullAt(0.8, 0.95)},
				{from: "Value #B", title: "Available", unit: bytesIEC}, {from: "Value #C", title: "Size", unit: bytesIEC},
				{from: "Value #D", title: "Not writable", unit: count},
			},
			query(`max by (mountpoint, device, fstype) (`+full+`)`, ""),
			query(`max by (mountpoint, device, fstype) (node_filesystem_avail_bytes{MATCH,fstype!=""})`, ""),
			query(`max by (mountpoint, device, fstype) (node_filesystem_size_bytes{MATCH,fstype!=""})`, ""),
			query(`max by (mountpoint, device, fstype) (node_filesystem_readonly{MATCH,fstype!=""})`, "")).sized(24, 7),
	}
}

func nodeNetwork() []panel {
	return []panel{
		graph("Utilisation", "What each interface but lo receives, and sends (below zero).", perByte,
			query(`rate(node_network_receive_bytes_total{MATCH,device!="lo"}[$__rate_interval])`, "{{device}} received"),
			query(`-rate(node_network_transmit_bytes_total{MATCH,device!="lo"}[$__rate_interval])`, "{{device}} sent")).signed(),
		graph("Saturation: packets dropped", "Because nobody took them in time.", perSec,
			query(`rate(node_network_receive_drop_total{MATCH,device!="lo"}[$__rate_interval])`, "{{device}} received"),
			query(`rate(node_network_transmit_drop_total{MATCH,device!="lo"}[$__rate_interval])`, "{{device}} sent")),
		graph("Errors", "Packets that were broken: cable, driver or switch.", perSec,
			query(`rate(node_network_receive_errs_total{MATCH,device!="lo"}[$__rate_interval])`, "{{device}} received"),
			query(`rate(node_network_transmit_errs_total{MATCH,device!="lo"}[$__rate_interval])`, "{{device}} sent")).limit(levels("green", 1.0, "red")),
		graph("TCP retransmissions", "Share of segments that had to be sent again. Above one in a hundred something on the way loses them.", ratio,
			query(`rate(node_netstat_Tcp_RetransSegs{MATCH}[$__rate_interval]) / (rate(node_netstat_Tcp_OutSegs{MATCH}[$__rate_interval]) > 0)`, "sent again")).limit(fullAt(0.01, 0.05)),
		graph("TCP sockets", "In use, and those that wait for their end.", count,
			query(`node_sockstat_TCP_inuse{MATCH}`, "in use"), query(`node_sockstat_TCP_tw{MATCH}`, "time-wait"), query(`node_sockstat_TCP_orphan{MATCH}`, "orphaned")),
		graph("Connections tracked", "Share of the kernel's table: when it is full, new connections are dropped. Only an exporter on the host's network sees it.", ratio,
			query(`node_nf_conntrack_entries{MATCH} / (node_nf_conntrack_entries_limit{MATCH} > 0)`, "tracked")).upToOne().limit(fullAt(0.75, 0.9)),
	}
}

func nodeSystem() []panel {
	return []panel{
		graph("Processes", "Runnable, and blocked by a disk or a lock in the kernel.", count,
			query(`node_procs_running{MATCH}`, "runnable"), query(`node_procs_blocked{MATCH}`, "blocked")),
		graph("File descriptors", "Share of those that the kernel hands out.", ratio,
			query(`node_filefd_allocated{MATCH} / node_filefd_maximum{MATCH}`, "open")).limit(fullAt(0.8, 0.9)),
		graph("Temperature", "Of the sensors that the hardware has.", "celsius",
			query(`node_hwmon_temp_celsius{MATCH}`, "{{chip}} {{sensor}}")),
		graph("Clock", "How far the clock is from its source, as the kernel estimates it. Certificates, leases and logs depend on it.", seconds,
			query(`node_timex_offset_seconds{MATCH}`, "offset"), query(`node_timex_maxerror_seconds{MATCH}`, "largest error")).signed(),
		graph("Time of a scrape", "Of each collector of the exporter.", seconds,
			query(`topk(10, node_scrape_collector_duration_seconds{MATCH})`, "{{collector}}")),
		number("Collectors that fail", "What they collect is missing; the exporter's log says why.", count,
			query(`sum(node_scrape_collector_success{MATCH} == bool 0)`, "failing")).colored(anyIsBad()).sized(8, 7),
	}
}

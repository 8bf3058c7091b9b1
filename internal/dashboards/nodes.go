package dashboards

// nodes is the fleet: which node needs somebody to look at it. Each leads on to one node.
func nodes() board {
	const node = "/d/hearth-node?var-instance=${__value.text}&${datasource:queryparam}&${cluster:queryparam}&${job:queryparam}&${__url_time_range}"
	open := &fieldLink{Title: "Look at this node", URL: node}
	return board{
		uid: "hearth-nodes", title: "Nodes",
		answers: "Which node needs somebody to look at it? Utilisation and saturation of all nodes, from the recording rules of config/monitoring.",
		variables: []variable{
			choice(), cluster("node_uname_info"), values("job", "Job", "node_uname_info"),
			values("instance", "Node", `node_uname_info{job=~"$job",cluster=~"$cluster"}`),
		},
		match: `job=~"$job",cluster=~"$cluster",instance=~"$instance"`,
		rows:  []row{{"Now", nodesNow(open)}, {"Utilisation", nodesUsed()}, {"Saturation and errors", nodesWaiting()}},
	}
}

func nodesNow(open *fieldLink) []panel {
	return []panel{
		number("Nodes scraped", "Nodes whose exporter answered the last scrape.", count,
			query(`sum(up{MATCH} == bool 1)`, "up")),
		number("Nodes silent", "Nodes whose exporter did not answer: the node, its network or the exporter is down.", count,
			query(`sum(up{MATCH} == bool 0)`, "down")).colored(anyIsBad()),
		number("CPUs", "Of all nodes together.", count,
			query(`sum(instance:node_num_cpu:sum{MATCH})`, "CPUs")),
		number("CPU used", "Of all CPUs together. Above 80 % a node that fails leaves more than the others can take.", ratio,
			query(`sum(instance:node_cpu_utilisation:rate5m{MATCH} * instance:node_num_cpu:sum{MATCH}) / sum(instance:node_num_cpu:sum{MATCH})`, "CPU")).
			colored(fullAt(0.8, 0.9)),
		number("Memory used", "Of all memory together, without what the kernel would give back.", ratio,
			query(`1 - sum(node_memory_MemAvailable_bytes{MATCH}) / sum(node_memory_MemTotal_bytes{MATCH})`, "memory")).
			colored(fullAt(0.8, 0.9)),
		number("Alerts of nodes", "Alerts that fire and name a node.", count,
			query(`sum(ALERTS{alertstate="firing",alertname!="Watchdog",MATCH}) or vector(0)`, "firing")).colored(anyIsBad()),
		table("Nodes", "The first look: sort by what is scarce, then click on the node.",
			[]column{
				{from: "instance", title: "Node", link: open},
				{from: "Value #A", title: "CPU", unit: ratio, limits: fullAt(0.8, 0.9)},
				{from: "Value #B", title: "Load per CPU", unit: count, limits: fullAt(1, 2)},
				{from: "Value #C", title: "Memory", unit: ratio, limits: fullAt(0.8, 0.95)},
				{from: "Value #D", title: "Fullest file system", unit: ratio, limits: fullAt(0.8, 0.95)},
				{from: "Value #E", title: "Busiest disk", unit: ratio, limits: fullAt(0.8, 0.95)},
				{from: "Value #F", title: "Up since", unit: since},
			},
			query(`max by (instance) (instance:node_cpu_utilisation:rate5m{MATCH})`, ""),
			query(`max by (instance) (instance:node_load1_per_cpu:ratio{MATCH})`, ""),
			query(`max by (instance) (instance:node_memory_utilisation:ratio{MATCH})`, ""),
			query(`max by (instance) (1 - node_filesystem_avail_bytes{MATCH,fstype!=""} / (node_filesystem_size_bytes{MATCH,fstype!=""} > 0))`, ""),
			query(`max by (instance) (instance_device:node_disk_io_time_seconds:rate5m{MATCH})`, ""),
			query(`max by (instance) (node_boot_time_seconds{MATCH}) * 1000`, ""),
		),
	}
}

func nodesUsed() []panel {
	return []panel{
		graph("CPU", "Share of time in which the CPUs did something.", ratio,
			query(`instance:node_cpu_utilisation:rate5m{MATCH}`, "{{instance}}")).upToOne().limit(fullAt(0.8, 0.9)),
		graph("Memory", "Share of memory that the kernel could not give to somebody else.", ratio,
			query(`instance:node_memory_utilisation:ratio{MATCH}`, "{{instance}}")).upToOne().limit(fullAt(0.8, 0.95)),
		graph("Disks", "Share of time in which a disk had something to do; the busiest of each node.", ratio,
			query(`max by (instance) (instance_device:node_disk_io_time_seconds:rate5m{MATCH})`, "{{instance}}")).upToOne(),
		graph("Received", "Of all interfaces but lo.", perByte,
			query(`instance:node_network_receive_bytes_excluding_lo:rate5m{MATCH}`, "{{instance}}")),
		graph("Sent", "Of all interfaces but lo.", perByte,
			query(`instance:node_network_transmit_bytes_excluding_lo:rate5m{MATCH}`, "{{instance}}")),
		graph("Fullest file system", "Of each node. Where the line goes up steadily, NodeFilesystemFillsUp tells a day before the end.", ratio,
			query(`max by (instance) (1 - node_filesystem_avail_bytes{MATCH,fstype!=""} / (node_filesystem_size_bytes{MATCH,fstype!=""} > 0))`, "{{instance}}")).
			upToOne().limit(fullAt(0.8, 0.95)),
	}
}

func nodesWaiting() []panel {
	return []panel{
		graph("Load per CPU", "Tasks that run or wait, for each CPU. Above 1 some of them wait.", count,
			query(`instance:node_load1_per_cpu:ratio{MATCH}`, "{{instance}}")).limit(fullAt(1, 2)),
		graph("Page faults from disk", "Pages that had to be read again because memory was short.", perSec,
			query(`instance:node_vmstat_pgmajfault:rate5m{MATCH}`, "{{instance}}")),
		graph("Requests waiting for disks", "The average queue of the most loaded disk of each node.", count,
			query(`max by (instance) (instance_device:node_disk_io_time_weighted_seconds:rate5m{MATCH})`, "{{instance}}")),
		graph("Packets dropped", "By the kernel, because nobody took them in time; of all interfaces but lo.", perSec,
			query(`instance:node_network_receive_drop_excluding_lo:rate5m{MATCH}`, "{{instance}} received"),
			query(`instance:node_network_transmit_drop_excluding_lo:rate5m{MATCH}`, "{{instance}} sent")),
		graph("Collectors that fail", "Of the exporters: what they collect is missing on these nodes.", count,
			query(`sum by (instance) (node_scrape_collector_success{MATCH} == bool 0)`, "{{instance}}")).limit(anyIsBad()),
	}
}

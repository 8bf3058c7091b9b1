package dashboards

// prometheus is about the servers themselves: do they keep up, and will they have room tomorrow?
func prometheus() board {
	return board{
		uid: "hearth-prometheus", title: "Prometheus",
		answers: "Do the Prometheus servers keep up with scraping, rules, queries and alerts, and how long will their room last?",
		variables: []variable{
			choice(), cluster("prometheus_build_info"), values("job", "Job", `prometheus_build_info{cluster=~"$cluster"}`),
			values("instance", "Server", `prometheus_build_info{job=~"$job",cluster=~"$cluster"}`),
		},
		match: `job=~"$job",cluster=~"$cluster",instance=~"$instance"`,
		rows: []row{
			{"Now", prometheusNow()}, {"Scraping", prometheusScrapes()}, {"Storage", prometheusStorage()},
			{"Rules, queries and alerts", prometheusRules()}, {"The process", process("{{instance}}")},
		},
	}
}

func prometheusNow() []panel {
	return []panel{
		number("Servers", "That answered their own last scrape.", count, query(`sum(up{MATCH})`, "up")),
		number("Targets down", "Of all jobs, by the servers that this Prometheus is.", count,
			query(`count(up{cluster=~"$cluster"} == 0) or vector(0)`, "down")).colored(anyIsBad()),
		number("Series", "In memory, of all servers together.", count, query(`sum(prometheus_tsdb_head_series{MATCH})`, "series")),
		number("Samples a second", "Taken in, of all servers together.", perSec, query(`sum(rate(prometheus_tsdb_head_samples_appended_total{MATCH}[5m]))`, "samples")),
		number("Configuration", "Whether the newest configuration was accepted. If not, the last good one goes on; the PrometheusServer's status says why.", count,
			query(`min(prometheus_config_last_reload_successful{MATCH})`, "loaded")).colored(levels("red", 1.0, "green")).
			words(map[string]mapped{"0": {Text: "refused", Color: "red"}, "1": {Text: "loaded", Color: "green", Index: 1}}),
		number("Rules that fail", "Evaluations that ended in an error in the last hour.", count,
			query(`sum(increase(prometheus_rule_evaluation_failures_total{MATCH}[1h]))`, "failed")).colored(anyIsBad()),
	}
}

func prometheusScrapes() []panel {
	return []panel{
		graph("Targets down", "By job.", count, query(`count by (job) (up{cluster=~"$cluster"} == 0)`, "{{job}}")).none("none"),
		graph("Slowest jobs", "How long the slowest target of a job takes to answer. What comes close to the scrape timeout will be lost.", seconds,
			query(`topk(10, max by (job) (scrape_duration_seconds{cluster=~"$cluster"}))`, "{{job}}")),
		graph("Samples of a scrape", "The jobs with the most.", count,
			query(`topk(10, sum by (job) (scrape_samples_post_metric_relabeling{cluster=~"$cluster"}))`, "{{job}}")),
		graph("Series that begin", "By job. Series that begin all the time cost memory: look for a label that changes, as an address or an id.", perSec,
			query(`topk(10, sum by (job) (sum_over_time(scrape_series_added{cluster=~"$cluster"}[10m])) / 600)`, "{{job}}")),
		graph("Samples refused", "Out of order, doubled, or of a scrape beyond its limit: they are lost.", perSec,
			query(`rate(prometheus_target_scrapes_sample_out_of_order_total{MATCH}[$__rate_interval])`, "{{instance}} out of order"),
			query(`rate(prometheus_target_scrapes_sample_duplicate_timestamp_total{MATCH}[$__rate_interval])`, "{{instance}} doubled"),
			query(`rate(prometheus_target_scrapes_exceeded_sample_limit_total{MATCH}[$__rate_interval])`, "{{instance}} scrapes beyond sample_limit")),
		graph("Between two scrapes", "The 99th percentile, for each interval that is configured. More than that means a server that is too busy to scrape in time.", seconds,
			query(`prometheus_target_interval_length_seconds{MATCH,quantile="0.99"}`, "{{instance}} {{interval}}")),
	}
}

func prometheusStorage() []panel {
	return []panel{
		graph("Disk", "Blocks, and what has not become a block yet, beside the limit at which the oldest go.", bytesIEC,
			query(`prometheus_tsdb_storage_blocks_bytes{MATCH}`, "{{instance}} blocks"),
			query(`prometheus_tsdb_wal_storage_size_bytes{MATCH} + prometheus_tsdb_head_chunks_storage_size_bytes{MATCH}`, "{{instance}} head"),
			query(`prometheus_tsdb_retention_limit_bytes{MATCH} > 0`, "{{instance}} limit")),
		graph("How far back", "The age of the oldest sample: what retention really leaves.", seconds,
			query(`time() - prometheus_tsdb_lowest_timestamp_seconds{MATCH}`, "{{instance}}")),
		graph("Samples taken in", "By each server.", perSec, query(`rate(prometheus_tsdb_head_samples_appended_total{MATCH}[$__rate_interval])`, "{{instance}}")),
		graph("Series in memory", "Each takes some kilobytes: what grows here grows below in memory.", count, query(`prometheus_tsdb_head_series{MATCH}`, "{{instance}}")),
		graph("Series that come and go", "Created and removed. Many more than there are targets that start means churn.", perSec,
			query(`rate(prometheus_tsdb_head_series_created_total{MATCH}[$__rate_interval])`, "{{instance}} created"),
			query(`rate(prometheus_tsdb_head_series_removed_total{MATCH}[$__rate_interval])`, "{{instance}} removed")),
		graph("Storage failures", "Compactions and checkpoints that failed, and damage found in the log. Each needs somebody to read the server's own log.", count,
			query(`increase(prometheus_tsdb_compactions_failed_total{MATCH}[1h])`, "{{instance}} compactions"),
			query(`increase(prometheus_tsdb_checkpoint_creations_failed_total{MATCH}[1h])`, "{{instance}} checkpoints"),
			query(`increase(prometheus_tsdb_wal_corruptions_total{MATCH}[1h])`, "{{instance}} damage")).limit(anyIsBad()),
	}
}

func prometheusRules() []panel {
	return []panel{
		graph("Slowest rule groups", "Share of their interval that the evaluation takes. Above 1 evaluations are missed.", ratio,
			query(`topk(10, prometheus_rule_group_last_duration_seconds{MATCH} / prometheus_rule_group_interval_seconds{MATCH})`, "{{rule_group}}")).limit(fullAt(0.5, 1)),
		graph("Rules that fail or are missed", "A rule that fails does not alert: the AlertRule's status has its error.", count,
			query(`sum by (instance) (increase(prometheus_rule_evaluation_failures_total{MATCH}[$__rate_interval]))`, "{{instance}} failed"),
			query(`sum by (instance) (increase(prometheus_rule_group_iterations_missed_total{MATCH}[$__rate_interval]))`, "{{instance}} missed")).limit(anyIsBad()),
		graph("Time of a query", "The 99th percentile, by what it was spent on.", seconds,
			query(`prometheus_engine_query_duration_seconds{MATCH,quantile="0.99"}`, "{{instance}} {{slice}}")),
		graph("Requests", "To the HTTP API, by answer.", perSec,
			query(`sum by (code) (rate(prometheus_http_requests_total{MATCH}[$__rate_interval]))`, "{{code}}")),
		graph("Alerts handed on", "To each Alertmanager, and those that it did not take.", perSec,
			query(`rate(prometheus_notifications_sent_total{MATCH}[$__rate_interval])`, "{{alertmanager}}"),
			query(`rate(prometheus_notifications_errors_total{MATCH}[$__rate_interval])`, "{{alertmanager}} errors")),
		graph("Alerts that wait or are lost", "The queue towards the Alertmanagers: when it is full, alerts are dropped.", count,
			query(`sum by (instance) (prometheus_notifications_queue_length{MATCH})`, "{{instance}} wait"),
			query(`sum by (instance) (increase(prometheus_notifications_dropped_total{MATCH}[$__rate_interval]))`, "{{instance}} dropped")),
	}
}

// process is what a program itself needs, of any that is written in Go and says so.
func process(legend string) []panel {
	return []panel{
		graph("CPU", "In CPUs.", count, query(`rate(process_cpu_seconds_total{MATCH}[$__rate_interval])`, legend)),
		graph("Memory", "Resident, and of that what Go's heap has in use.", bytesIEC,
			query(`process_resident_memory_bytes{MATCH}`, legend+" resident"), query(`go_memstats_heap_inuse_bytes{MATCH}`, legend+" heap")),
		graph("Goroutines", "A number that only grows is a leak.", count, query(`go_goroutines{MATCH}`, legend)),
	}
}

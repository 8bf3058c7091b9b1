package dashboards

// hearth is the operator: what is declared, does it become what runs, and how quickly?
func hearth() board {
	return board{
		uid: "hearth-operator", title: "Hearth",
		answers: "Does what is declared become what runs, and how quickly? The operator as it sees itself; it has to be a target (spec.targets.operator).",
		variables: []variable{
			choice(), cluster("hearth_rule_apply_to_loaded_seconds_count"),
			values("job", "Job", `hearth_rule_apply_to_loaded_seconds_count{cluster=~"$cluster"}`),
			values("instance", "Instance", `hearth_rule_apply_to_loaded_seconds_count{job=~"$job",cluster=~"$cluster"}`),
		},
		match: `job=~"$job",cluster=~"$cluster",instance=~"$instance"`,
		rows: []row{
			{"Now", hearthNow()}, {"From apply to loaded", hearthLoaded()}, {"Reconciles", hearthReconciles()},
			{"Kubernetes and the webhook", hearthRequests()}, {"The process", process("{{pod}}")},
		},
	}
}

func hearthNow() []panel {
	return []panel{
		number("Leader", "Replicas that hold the lease: always one.", count,
			query(`sum(leader_election_master_status{MATCH})`, "leads")).colored(levels("red", 1.0, "green", 2.0, "red")),
		number("Replicas", "Of the operator that answer.", count, query(`sum(up{MATCH})`, "up")),
		number("Apply to loaded, 99th percentile", "Of the last hour: from the edit of an AlertRule until every server that selects it has loaded it. A second is the promise.", seconds,
			query(`hearth:rule_apply_to_loaded_seconds:p99_1h`, "p99")).colored(fullAt(1, 3)).none("no edit in the last hour"),
		number("Edits loaded", "In the last hour.", count, query(`sum(increase(hearth_rule_apply_to_loaded_seconds_count{MATCH}[1h]))`, "edits")),
		number("Reconciles that fail", "In the last hour. What cannot work is no failure but a status.", count,
			query(`sum(increase(controller_runtime_reconcile_errors_total{MATCH}[1h]))`, "failed")).colored(levels("green", 1.0, "orange", 50.0, "red")),
		number("Waiting", "Objects that wait to be reconciled.", count, query(`sum(workqueue_depth{MATCH})`, "wait")).colored(levels("green", 50.0, "orange", 500.0, "red")),
	}
}

func hearthLoaded() []panel {
	return []panel{
		heat("Apply to loaded", "Each edit of an AlertRule, by how long it took until every server had loaded it.", seconds,
			query(`sum by (le) (increase(hearth_rule_apply_to_loaded_seconds_bucket{MATCH}[$__rate_interval]))`, "{{le}}")),
		graph("Apply to loaded", "Half of the edits are quicker than the first line, all but one in a hundred quicker than the last.", seconds,
			query(`histogram_quantile(0.5, sum by (le) (increase(hearth_rule_apply_to_loaded_seconds_bucket{MATCH}[1h])))`, "50 %"),
			query(`histogram_quantile(0.9, sum by (le) (increase(hearth_rule_apply_to_loaded_seconds_bucket{MATCH}[1h])))`, "90 %"),
			query(`histogram_quantile(0.99, sum by (le) (increase(hearth_rule_apply_to_loaded_seconds_bucket{MATCH}[1h])))`, "99 %")).limit(levels("green", 1.0, "red")).sized(12, 8),
	}
}

func hearthReconciles() []panel {
	return []panel{
		graph("Reconciles", "By controller. A stack that nobody changes is reconciled hardly ever.", perSec,
			query(`sum by (controller) (rate(controller_runtime_reconcile_total{MATCH}[$__rate_interval]))`, "{{controller}}")),
		graph("Failed", "By controller. The operator's log and the status of the object say why; it is tried again.", perSec,
			query(`sum by (controller) (rate(controller_runtime_reconcile_errors_total{MATCH}[$__rate_interval]))`, "{{controller}}")),
		graph("Time of a reconcile", "The 99th percentile, by controller.", seconds,
			query(`histogram_quantile(0.99, sum by (le, controller) (rate(controller_runtime_reconcile_time_seconds_bucket{MATCH}[$__rate_interval])))`, "{{controller}}")),
		graph("Waiting", "Objects that wait to be reconciled, by controller.", count,
			query(`sum by (name) (workqueue_depth{MATCH})`, "{{name}}")),
		graph("Time in the queue", "The 99th percentile, by controller.", seconds,
			query(`histogram_quantile(0.99, sum by (le, name) (rate(workqueue_queue_duration_seconds_bucket{MATCH}[$__rate_interval])))`, "{{name}}")),
		graph("Tried again", "Because it failed, by controller.", perSec,
			query(`sum by (name) (rate(workqueue_retries_total{MATCH}[$__rate_interval]))`, "{{name}}")),
	}
}

func hearthRequests() []panel {
	return []panel{
		graph("Requests to the API server", "By method. Doing nothing takes hardly any.", perSec,
			query(`sum by (method) (rate(rest_client_requests_total{MATCH}[$__rate_interval]))`, "{{method}}")),
		graph("Requests refused", "409 is somebody who was quicker, 429 an API server that is busy, 403 a right that is missing.", perSec,
			query(`sum by (code) (rate(rest_client_requests_total{MATCH,code!~"2.."}[$__rate_interval]))`, "{{code}}")).none("none"),
		graph("Webhook", "Requests, by what was asked about and by the answer. Where it does not answer, the API server goes on without it.", perSec,
			query(`sum by (webhook, code) (rate(controller_runtime_webhook_requests_total{MATCH}[$__rate_interval]))`, "{{webhook}} {{code}}")).none("none"),
		graph("Time of the webhook", "The 99th percentile. It is given three seconds; unit tests of AlertRules take the most.", seconds,
			query(`histogram_quantile(0.99, sum by (le, webhook) (rate(controller_runtime_webhook_latency_seconds_bucket{MATCH}[$__rate_interval])))`, "{{webhook}}")).
			none("none").limit(fullAt(1, 3)),
	}
}

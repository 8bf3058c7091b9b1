package dashboards

// alerts is about what fires, and whether anybody hears of it.
func alerts() board {
	const firing = `ALERTS{alertstate="firing",cluster=~"$cluster",severity=~"$severity"}`
	return board{
		uid: "hearth-alerts", title: "Alerts",
		answers: "What fires, since when, and did it reach anybody?",
		variables: []variable{
			choice(), cluster("ALERTS"), values("severity", "Severity", "ALERTS"),
			values("job", "Alertmanagers", "alertmanager_build_info"),
		},
		match: `job=~"$job",cluster=~"$cluster"`,
		rows: []row{
			{"What fires", []panel{
				number("Critical", "Somebody has to act now.", count,
					query(`count(ALERTS{alertstate="firing",cluster=~"$cluster",severity="critical"}) or vector(0)`, "critical")).colored(anyIsBad()),
				number("Warning", "Somebody has to act soon.", count,
					query(`count(ALERTS{alertstate="firing",cluster=~"$cluster",severity="warning"}) or vector(0)`, "warning")).colored(levels("green", 1.0, "orange")),
				number("Pending", "Would fire if it stays so.", count,
					query(`count(ALERTS{alertstate="pending",cluster=~"$cluster",severity=~"$severity"}) or vector(0)`, "pending")),
				number("Watchdog", "Fires always, and goes the way that all alerts go. Silence is not good news where it is missing.", count,
					query(`count(ALERTS{alertstate="firing",alertname="Watchdog",cluster=~"$cluster"}) or vector(0)`, "watchdog")).
					colored(levels("red", 1.0, "green")).words(map[string]mapped{"0": {Text: "missing", Color: "red"}}),
				number("Silenced or inhibited", "In the Alertmanagers: they fire, and nobody is told.", count,
					query(`max(alertmanager_alerts{MATCH,state="suppressed"})`, "suppressed")).colored(levels("green", 1.0, "orange")),
				number("Notifications lost", "In the last hour, of all Alertmanagers: nobody got them.", count,
					query(`sum(increase(alertmanager_notifications_failed_total{MATCH}[1h]))`, "failed")).colored(anyIsBad()),
				table("Firing", "Every alert that fires, and since when. hearth_alertrule is the AlertRule that it comes from, whose status says where it goes.",
					[]column{
						{from: "alertname", title: "Alert"}, {from: "severity", title: "Severity"}, {from: "Value #A", title: "Since", unit: since},
						{from: "hearth_alertrule", title: "AlertRule"}, {from: "namespace", title: "Namespace"}, {from: "instance", title: "Instance"}, {from: "job", title: "Job"},
					},
					query(`min without (alertstate) (ALERTS_FOR_STATE{cluster=~"$cluster",severity=~"$severity"} and ignoring (alertstate) `+firing+`) * 1000`, ""),
				).without("__name__", "alertstate"),
				graph("Firing over time", "By name.", count, query(`count by (alertname) (`+firing+`)`, "{{alertname}}")).stacked().sized(12, 8),
				graph("Firing by severity", "What is none pages nobody.", count, query(`count by (severity) (`+firing+`)`, "{{severity}}")).stacked().sized(12, 8),
			}},
			{"From Prometheus to the Alertmanagers", alertsSent()},
			{"From the Alertmanagers to people", alertsTold()},
		},
	}
}

func alertsSent() []panel {
	return []panel{
		graph("Handed on", "By each Prometheus to each Alertmanager. Alerts that go on firing are handed on again and again.", perSec,
			query(`sum by (alertmanager) (rate(prometheus_notifications_sent_total{cluster=~"$cluster"}[$__rate_interval]))`, "{{alertmanager}}")),
		graph("Not taken", "Share that an Alertmanager did not take. While another one takes them, nothing is lost.", ratio,
			query(`sum by (alertmanager) (rate(prometheus_notifications_errors_total{cluster=~"$cluster"}[$__rate_interval])) / (sum by (alertmanager) (rate(prometheus_notifications_sent_total{cluster=~"$cluster"}[$__rate_interval])) > 0)`, "{{alertmanager}}")).
			limit(levels("green", 0.01, "red")),
		graph("Received", "By the Alertmanagers, and those that made no sense to them.", perSec,
			query(`sum by (status) (rate(alertmanager_alerts_received_total{MATCH}[$__rate_interval]))`, "{{status}}"),
			query(`sum(rate(alertmanager_alerts_invalid_total{MATCH}[$__rate_interval]))`, "invalid")),
	}
}

func alertsTold() []panel {
	return []panel{
		graph("Notifications", "That were sent, by receiver. Each of three Alertmanagers may send; only one does.", count,
			query(`sum by (receiver_name, integration) (increase(alertmanager_notifications_total{MATCH}[$__rate_interval]))`, "{{receiver_name}} {{integration}}")).none("none"),
		graph("Notifications that failed", "By receiver and reason. status.alertmanager.failing of the PrometheusServer has the receiver's own words.", count,
			query(`sum by (receiver_name, integration, reason) (increase(alertmanager_notifications_failed_total{MATCH}[$__rate_interval])) > 0`, "{{receiver_name}} {{integration}} {{reason}}")).none("none").limit(anyIsBad()),
		graph("How long a receiver takes", "The 99th percentile of a request to it.", seconds,
			query(`histogram_quantile(0.99, sum by (le, receiver_name, integration) (rate(alertmanager_notification_latency_seconds_bucket{MATCH}[$__rate_interval])))`, "{{receiver_name}} {{integration}}")).none("none"),
		graph("Alerts held", "By each Alertmanager: active are told, suppressed are silenced or inhibited. All of a set hold the same.", count,
			query(`sum by (instance, state) (alertmanager_alerts{MATCH})`, "{{instance}} {{state}}")),
		graph("Silences", "That somebody has set.", count, query(`max by (state) (alertmanager_silences{MATCH})`, "{{state}}")),
		graph("Members of the cluster", "As each Alertmanager counts them. Where they do not find each other, alerts are told more than once.", count,
			query(`alertmanager_cluster_members{MATCH}`, "{{instance}}")),
	}
}

package server

import (
	"net/url"
	"strings"

	"github.com/hearth-monitoring/hearth/internal/replica"
)

// watchdogFile is where the operator's own alert comes from; its rule is not counted among the users'.
const watchdogFile = "/" + replica.WatchdogFile + ";"

// sending follows how a Prometheus sends its alerts, by its own counters.
type sending struct {
	// sent and failed are as last seen, by the address of an Alertmanager.
	sent, failed map[string]float64
	// refused are those that did not take the last alerts.
	refused map[string]bool
}

func newSending() *sending { return &sending{refused: map[string]bool{}} }

// isWatchdog says that an alert is the operator's own: every other one has the label of its AlertRule.
func (a alert) isWatchdog() bool {
	return a.Labels.AlertName == replica.WatchdogAlert && a.Labels.AlertRule == ""
}

// judge compares the counters with those seen before. An Alertmanager that gets an alert anew every minute or so is heard of
// again within that time.
func (s *sending) judge(c counters, alerting *replica.Alerting) {
	for address, sent := range c.sent {
		sent, failed := sent-s.sent[address], c.failed[address]-s.failed[address]
		if sent < 0 || failed < 0 { // another process, which counts from 0
			sent, failed = c.sent[address], c.failed[address]
		}
		// Some versions count what failed among what was sent as well.
		if sent > 0 || failed > 0 {
			s.refused[address] = failed > 0 && failed >= sent
		}
	}
	s.sent, s.failed = c.sent, c.failed
	for address, refused := range s.refused {
		if _, there := c.sent[address]; !there {
			delete(s.refused, address)
		} else if refused {
			alerting.Unreachable = append(alerting.Unreachable, hostOf(address))
		}
	}
}

// hostOf is the part of an address that says which it is, and can hold no password.
func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return u.Host
	}
	return "(an address that cannot be read)"
}

// counters are the metrics that are compared with those of the look before.
type counters struct {
	// failures of evaluations, by group, where there are any.
	failures map[string]float64
	// sent and failed alerts, by the address of an Alertmanager.
	sent, failed map[string]float64
	// remotes are the queues of samples to be sent, by name, and newest is the time of the newest sample there is.
	remotes map[string]*remoteCounts
	newest  float64
	// discovered targets, by job.
	discovered map[string]int
}

func newCounters() counters {
	return counters{failures: map[string]float64{}, sent: map[string]float64{}, failed: map[string]float64{}, discovered: map[string]int{}, remotes: map[string]*remoteCounts{}}
}

// counted are the names of the metrics that are read: with ten thousand groups of rules, all of them are a hundred thousand
// lines.
func counted() []string {
	out := []string{"prometheus_rule_group_rules", failuresMetric, "prometheus_notifications_sent_total", "prometheus_notifications_errors_total",
		headMetric, agentHeadMetric, "prometheus_notifications_alertmanagers_discovered", newestMetric, discoveredMetric}
	for name := range remoteMetrics() {
		out = append(out, remotePrefix+name)
	}
	return out
}

// The number of series in memory, of a server and of an agent.
const (
	headMetric      = "prometheus_tsdb_head_series"
	agentHeadMetric = "prometheus_agent_active_series"
)

// metric takes one line of the server's own metrics.
func (c *counters) metric(line string, f *Facts) {
	name, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "{")
	switch name {
	case "prometheus_rule_group_rules":
		if !strings.Contains(rest, watchdogFile) {
			f.Rules += int(sampleValue(line))
		}
	case failuresMetric:
		if n := sampleValue(line); n > 0 {
			c.failures[labelsOf(rest)["rule_group"]] = n
		}
	case discoveredMetric:
		if labels := labelsOf(rest); labels["name"] == "scrape" {
			c.discovered[labels["config"]] = int(sampleValue(line))
		}
	case "prometheus_notifications_sent_total":
		c.sent[labelsOf(rest)["alertmanager"]] = sampleValue(line)
	case "prometheus_notifications_errors_total":
		c.failed[labelsOf(rest)["alertmanager"]] = sampleValue(line)
	default:
		if strings.HasPrefix(name, remotePrefix) && rest != "" {
			c.remoteMetric(name, rest, line)
			return
		}
		c.total(line, f)
	}
}

// total takes one line of a metric without labels.
func (c *counters) total(line string, f *Facts) {
	switch name, _, _ := strings.Cut(line, " "); name {
	case newestMetric:
		c.newest = sampleValue(line)
	case headMetric, agentHeadMetric:
		f.HeadSeries = int64(sampleValue(line))
	case "prometheus_notifications_alertmanagers_discovered":
		if f.Alerting != nil {
			f.Alerting.Alertmanagers = int(sampleValue(line))
		}
	}
}

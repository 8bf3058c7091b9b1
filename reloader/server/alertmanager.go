package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hearth-monitoring/hearth/internal/replica"
)

// Alertmanager is the Kind of an Alertmanager. Ready, Instance and Facts are asked by one goroutine, in this order: its
// metrics are read once for all three.
type Alertmanager struct {
	*Client
	sight *sight
}

var _ Kind = Alertmanager{}

// NewAlertmanager makes the Kind of the Alertmanager that a client asks.
func NewAlertmanager(c *Client) Alertmanager {
	return Alertmanager{Client: c, sight: &sight{
		attempts: map[attempt]attempts{}, failing: map[attempt]replica.Failing{}, watchdogs: map[watchdogSource]time.Time{},
	}}
}

// sight is what was last seen.
type sight struct {
	instance string
	// settled is true once this process has found its mesh. Asking costs it the text of its whole configuration.
	settled bool
	facts   Facts
	// attempts are the counters of notifications as last seen, and failing what they said last.
	attempts map[attempt]attempts
	failing  map[attempt]replica.Failing
	// watchdogs is when a server's alert last arrived.
	watchdogs map[watchdogSource]time.Time
}

// watchdogSource is who sends one.
type watchdogSource struct{ server, shard string }

// attempt is a way of notifying somebody.
type attempt struct{ receiver, integration string }

type attempts struct {
	all    float64
	failed map[string]float64 // by reason
}

func (a attempts) failures() float64 {
	sum := 0.0
	for _, n := range a.failed {
		sum += n
	}
	return sum
}

// Ready is nil when the server says that it is ready and, with others, has found them: before that it would send what
// another one has sent already.
func (a Alertmanager) Ready(ctx context.Context) error {
	if err := a.Client.Ready(ctx); err != nil {
		return err
	}
	if err := a.readMetrics(ctx); err != nil {
		return err
	}
	if a.sight.settled {
		return nil
	}
	body, err := a.get(ctx, "api/v2/status", nil, maxList)
	if err != nil {
		return err
	}
	defer body.Close()
	var status struct{ Cluster struct{ Status string } }
	if err := json.NewDecoder(body).Decode(&status); err != nil {
		return fmt.Errorf("status: %w", err)
	}
	if status.Cluster.Status == "settling" {
		return errors.New("it is looking for the other replicas")
	}
	a.sight.settled = true
	return nil
}

// Instance is when the process started.
func (a Alertmanager) Instance(context.Context) (string, error) {
	if a.sight.instance == "" {
		return "", errors.New("its metrics have no process_start_time_seconds")
	}
	return a.sight.instance, nil
}

// Facts are those of the metrics that Ready read, and the watchdogs.
func (a Alertmanager) Facts(ctx context.Context) (Facts, error) {
	alerts, err := a.readWatchdogs(ctx)
	if err != nil {
		return Facts{}, err
	}
	f := a.sight.facts
	known := *f.Alertmanager
	known.Watchdogs = a.sight.watch(alerts, time.Now())
	// The operator's own are no alerts that anybody has to see to. They were counted a moment ago, with all others.
	for _, alert := range alerts {
		switch {
		case alert.operators() && alert.Status.State == "suppressed":
			known.Suppressed = max(0, known.Suppressed-1)
		case alert.operators():
			known.Active = max(0, known.Active-1)
		}
	}
	known.Failing = slices.Collect(maps.Values(a.sight.failing))
	f.Alertmanager = &known
	return f, nil
}

// readMetrics takes over what the metrics say, all at once or not at all.
func (a Alertmanager) readMetrics(ctx context.Context) error {
	body, err := a.get(ctx, "metrics", nil, maxList)
	if err != nil {
		return err
	}
	defer body.Close()
	seen := page{facts: Facts{Alertmanager: &replica.Alertmanager{Members: 1}}, attempts: map[attempt]attempts{}}
	lines := bufio.NewReaderSize(body, 64<<10)
	for {
		line, err := lines.ReadSlice('\n')
		seen.take(string(line))
		switch {
		case errors.Is(err, bufio.ErrBufferFull): // none of ours is that long
		case errors.Is(err, io.EOF):
			a.sight.takeOver(seen)
			return nil
		case err != nil:
			return fmt.Errorf("metrics: %w", err)
		}
	}
}

// page is a page of metrics.
type page struct {
	instance string
	facts    Facts
	attempts map[attempt]attempts
}

func (p *page) take(line string) {
	name, rest, _ := strings.Cut(line, "{")
	if !strings.Contains(line, "{") {
		name, rest, _ = strings.Cut(line, " ")
	}
	am := p.facts.Alertmanager
	switch name {
	case "process_start_time_seconds":
		p.instance = strings.TrimSpace(rest)
	case "alertmanager_build_info":
		p.facts.Version = labelsOf(rest)["version"]
	case "alertmanager_cluster_members":
		am.Members = int(sampleValue(line))
	case "alertmanager_alerts":
		switch labelsOf(rest)["state"] {
		case "active":
			am.Active = int(sampleValue(line))
		case "suppressed":
			am.Suppressed = int(sampleValue(line))
		}
	case "alertmanager_notifications_total", "alertmanager_notifications_failed_total":
		p.count(name, labelsOf(rest), sampleValue(line))
	}
}

// count adds a counter of notifications to those of its receiver's integration. Only failures have a reason, and they are
// among all as well: two counters of one attempt, which come in any order.
func (p *page) count(name string, labels map[string]string, value float64) {
	key := attempt{receiver: labels["receiver_name"], integration: labels["integration"]}
	n := p.attempts[key]
	if reason, failed := labels["reason"]; failed {
		if n.failed == nil {
			n.failed = map[string]float64{}
		}
		n.failed[reason] += value
	} else if name == "alertmanager_notifications_total" {
		n.all += value
	}
	p.attempts[key] = n
}

// takeOver compares the counters with those seen before. They count from 0 again when the process or, with the names of
// receivers in them, the configuration is another.
func (s *sight) takeOver(p page) {
	if p.instance != s.instance {
		s.instance, s.settled = p.instance, false
		clear(s.attempts)
	}
	for key, now := range p.attempts {
		before, known := s.attempts[key]
		if now.all < before.all {
			before = attempts{}
		}
		// Of counters that were not followed so far nobody knows what came last, unless nothing ever succeeded.
		if now.all > before.all && (known || now.failures() == now.all) {
			s.judge(key, before, now)
		}
	}
	maps.DeleteFunc(s.failing, func(key attempt, _ replica.Failing) bool {
		_, there := p.attempts[key]
		return !there
	})
	s.attempts, s.facts = p.attempts, p.facts
}

func (s *sight) judge(key attempt, before, now attempts) {
	failed, reason := 0.0, ""
	for _, r := range slices.Sorted(maps.Keys(now.failed)) {
		if grown := now.failed[r] - before.failed[r]; grown > 0 {
			failed, reason = failed+grown, r
		}
	}
	if failed == 0 {
		delete(s.failing, key)
		return
	}
	s.failing[key] = replica.Failing{
		Receiver: key.receiver, Integration: key.integration, Reason: reason, Failed: s.failing[key].Failed + int64(failed),
	}
}

// readWatchdogs asks for the alerts named Watchdog. One that is not there any more was there before, or never was.
func (a Alertmanager) readWatchdogs(ctx context.Context) ([]watchdogAlert, error) {
	query := url.Values{"filter": {`alertname="` + replica.WatchdogAlert + `"`}}
	body, err := a.get(ctx, "api/v2/alerts", query, maxList)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	var alerts []watchdogAlert
	if err := json.NewDecoder(body).Decode(&alerts); err != nil {
		return nil, fmt.Errorf("alerts: %w", err)
	}
	return alerts, nil
}

type watchdogAlert struct {
	Labels    map[string]string
	Status    struct{ State string }
	UpdatedAt time.Time
	EndsAt    time.Time
}

// operators says whether it is the operator's own, and not a tenant's of the same name: that one has the label of its
// AlertRule.
func (w watchdogAlert) operators() bool {
	return w.Labels["prometheus"] != "" && w.Labels["severity"] == "none" && w.Labels["hearth_alertrule"] == ""
}

const (
	// lateBy is the share of an alert's validity after which it is late. Prometheus makes an alert valid for four times the
	// interval at which it sends it, so this is two and a half of them: two lost requests are nobody's business.
	lateBy = 0.625
	// forgotten is how long a server that sends no watchdog any more is named.
	forgotten = 24 * time.Hour
)

func (s *sight) watch(alerts []watchdogAlert, now time.Time) []replica.Watchdog {
	arriving := map[watchdogSource]bool{}
	for _, alert := range alerts {
		from := watchdogSource{alert.Labels["prometheus"], alert.Labels["shard"]}
		if alert.UpdatedAt.After(s.watchdogs[from]) {
			s.watchdogs[from] = alert.UpdatedAt
		}
		late := time.Duration(lateBy * float64(alert.EndsAt.Sub(alert.UpdatedAt)))
		arriving[from] = arriving[from] || now.Sub(alert.UpdatedAt) < late
	}
	var out []replica.Watchdog
	for from, last := range s.watchdogs {
		w := replica.Watchdog{Server: from.server, Shard: from.shard, Arriving: arriving[from]}
		if !w.Arriving {
			w.LastSeen = last.Unix()
		}
		if now.Sub(last) > forgotten {
			delete(s.watchdogs, from)
			continue
		}
		out = append(out, w)
	}
	return out
}

// labelsOf reads name="value",...} as Prometheus writes it. Of a line that is not so, what could be read.
func labelsOf(text string) map[string]string {
	out := map[string]string{}
	for {
		name, rest, ok := strings.Cut(text, `="`)
		if !ok {
			return out
		}
		var value strings.Builder
		i := 0
		for ; i < len(rest) && rest[i] != '"'; i++ {
			if rest[i] == '\\' && i+1 < len(rest) {
				i++
				if rest[i] == 'n' {
					value.WriteByte('\n')
					continue
				}
			}
			value.WriteByte(rest[i])
		}
		out[strings.TrimLeft(name, ",")] = value.String()
		if i >= len(rest) {
			return out
		}
		text = rest[i+1:]
		if !strings.HasPrefix(text, ",") {
			return out
		}
	}
}

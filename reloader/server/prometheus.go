package server

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hearth-monitoring/hearth/internal/replica"
)

// Prometheus is the Kind of a Prometheus server.
type Prometheus struct {
	*Client
	evaluation *evaluation
	sending    *sending
	missing    *missing
	remotes    *remotes
	process    *process
	// agent is true for one that neither answers queries nor evaluates rules.
	agent bool
}

var _ Kind = Prometheus{}

// process is the one that answered last, and over which of the prober's connections.
type process struct {
	connection int64
	started    string
}

// NewPrometheus is the Prometheus that a client reaches, and that loads the rule files of a directory; if that is empty, it is
// not said which metrics they lack.
func NewPrometheus(c *Client, rules string) Prometheus {
	return Prometheus{Client: c, evaluation: newEvaluation(), sending: newSending(), missing: newMissing(rules), remotes: newRemotes(), process: new(process)}
}

// NewAgent is the Prometheus in agent mode that a client reaches.
func NewAgent(c *Client) Prometheus {
	p := NewPrometheus(c, "")
	p.agent = true
	return p
}

// Instance is when the process started that answered Ready last. It is asked once for each connection: to say that, Prometheus
// gathers all its metrics, which takes it more than a second with a hundred thousand rules.
func (p Prometheus) Instance(ctx context.Context) (string, error) {
	const path = "api/v1/status/runtimeinfo"
	if p.process.started != "" && p.process.connection == p.connections.Load() {
		return p.process.started, nil
	}
	text, err := p.probe(ctx, path)
	if err != nil {
		return "", err
	}
	var info struct{ Data struct{ StartTime string } }
	if err := json.Unmarshal(text, &info); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	if info.Data.StartTime == "" {
		return "", errors.New("runtimeinfo has no startTime")
	}
	*p.process = process{p.connections.Load(), info.Data.StartTime}
	return info.Data.StartTime, nil
}

// Facts asks for everything, or nothing: half an answer would look like targets or rules that went away.
func (p Prometheus) Facts(ctx context.Context) (Facts, error) {
	var f Facts
	var build struct{ Version string }
	if err := p.data(ctx, "api/v1/status/buildinfo", &build); err != nil {
		return Facts{}, err
	}
	f.Version = build.Version
	var err error
	var scrape time.Duration
	if f.Jobs, scrape, err = p.jobs(ctx); err != nil {
		return Facts{}, err
	}
	if p.agent {
		counted, err := p.metrics(ctx, &f)
		if err != nil {
			return Facts{}, err
		}
		f.Remotes, f.Jobs = p.remotes.judge(counted), withDropped(f.Jobs, counted.discovered)
		return f, nil
	}
	if err := p.alertsAndRules(ctx, &f, scrape); err != nil {
		return Facts{}, err
	}
	return f, nil
}

// alertsAndRules is what only a server has to say, and what both have in their metrics.
func (p Prometheus) alertsAndRules(ctx context.Context, f *Facts, scrape time.Duration) error {
	f.Alerting = &replica.Alerting{}
	rules := map[string]*replica.AlertRule{}
	if err := p.alerts(ctx, f, rules); err != nil {
		return err
	}
	counted, err := p.metrics(ctx, f)
	if err != nil {
		return err
	}
	f.Remotes = p.remotes.judge(counted)
	f.Jobs = withDropped(f.Jobs, counted.discovered)
	p.sending.judge(counted, f.Alerting)
	if f.PrometheusRules, err = p.look(ctx, counted.failures, rules); err != nil {
		return err
	}
	f.MetricsKnown = p.lacking(ctx, scrape, rules)
	for _, r := range rules {
		f.AlertRules = append(f.AlertRules, *r)
	}
	slices.SortFunc(f.AlertRules, func(a, b replica.AlertRule) int { return cmp.Compare(a.Name, b.Name) })
	return nil
}

func (p Prometheus) data(ctx context.Context, path string, into any) error {
	body, err := p.get(ctx, path, nil, maxAnswer)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(&struct{ Data any }{into}); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// alert is what is read of an alert: its state, and the AlertRule that it is of, which the operator puts on it as a label.
type alert struct {
	State  string
	Labels struct {
		AlertName string `json:"alertname"`
		AlertRule string `json:"hearth_alertrule"`
	}
}

func (p Prometheus) alerts(ctx context.Context, f *Facts, rules map[string]*replica.AlertRule) error {
	body, err := p.get(ctx, "api/v1/alerts", nil, maxList)
	if err != nil {
		return err
	}
	defer body.Close()
	err = eachElement(body, "alerts", func(a alert) {
		if a.isWatchdog() {
			f.Alerting.Watchdog = a.State == "firing"
			return
		}
		var rule replica.AlertRule // of nobody
		of := &rule
		if a.Labels.AlertRule != "" {
			of = entryOf(rules, a.Labels.AlertRule)
		}
		switch a.State {
		case "firing":
			f.Firing++
			of.Firing++
		case "pending":
			f.Pending++
			of.Pending++
		}
	})
	if err != nil {
		return fmt.Errorf("alerts: %w", err)
	}
	return nil
}

// metrics reads the server's own metrics for what no API gives as a number: the rules it evaluates, its series, how often
// the rules of a group failed, and what became of the alerts it sent.
func (p Prometheus) metrics(ctx context.Context, f *Facts) (counters, error) {
	// A server that doesn't know the parameter answers with everything, which takes both sides longer and comes to the same.
	body, err := p.get(ctx, "metrics", url.Values{"name[]": counted()}, maxList)
	if err != nil {
		return counters{}, err
	}
	defer body.Close()
	c := newCounters()
	lines := bufio.NewReaderSize(body, 64<<10)
	for {
		line, err := lines.ReadSlice('\n')
		if bytes.HasPrefix(line, []byte("prometheus_")) {
			c.metric(string(line), f)
		}
		// A line longer than the buffer is none of ours; its rest is read as if it were another, and isn't either.
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return c, nil
		case err != nil:
			return counters{}, fmt.Errorf("metrics: %w", err)
		}
	}
}

// sampleValue is what comes after the last space: the server writes its own metrics without timestamps.
func sampleValue(line string) float64 {
	line = strings.TrimSpace(line)
	v, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
	if err != nil {
		return 0
	}
	return v
}

// eachElement reads {"status":...,"data":{"<field>":[...]}} element by element: ten thousand targets are never in memory
// at once.
func eachElement[T any](r io.Reader, field string, each func(T)) error {
	d := json.NewDecoder(r)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("the answer has no %s", field)
		}
		if err != nil {
			return err
		}
		if token != field {
			continue
		}
		if token, err = d.Token(); err != nil {
			return err
		}
		if token == nil {
			return nil
		}
		if token == json.Delim('[') {
			break
		}
	}
	for d.More() {
		var v T
		if err := d.Decode(&v); err != nil {
			return err
		}
		each(v)
	}
	return nil
}

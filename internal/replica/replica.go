// Package replica is the document that the reloader of each replica serves and the operator reads: what is published to
// that replica, what its server says it has loaded, and how the server is doing. Types and encoding, nothing else.
package replica

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// MaxError bounds Report.Error, in bytes.
	MaxError = 2 << 10
	// MaxJobError bounds Job.LastError, in bytes.
	MaxJobError = 512
	// MaxJobs bounds Report.Jobs.
	MaxJobs = 10_000
	// MaxJobErrors is of how many of them LastError is told.
	MaxJobErrors = 1000
	// MaxAlertRules bounds Report.AlertRules.
	MaxAlertRules = 20_000
	// MaxRuleError bounds AlertRule.Error, in bytes.
	MaxRuleError = 512
	// MaxRuleErrors is how many of those errors are told in full.
	MaxRuleErrors = 500
	// MaxMissing bounds each text of AlertRule.Missing, in bytes.
	MaxMissing = 256
	// MaxRulesMissing is of how many AlertRules those are told.
	MaxRulesMissing = 2000
	// MaxPrometheusRules bounds Report.PrometheusRules.
	MaxPrometheusRules = 100
	// MaxReport bounds what Decode accepts, in bytes.
	MaxReport = 4 << 20

	// PrometheusRulePrefix begins the name of a rule file of a PrometheusRule: an AlertRule of the same name has one too.
	PrometheusRulePrefix = "_prometheusrule_"

	// Port is where the reloader serves the report.
	Port = 9091
	// PortName is that port's name in the pod.
	PortName = "reloader"
	// Path is the report's.
	Path = "/v1/report"
	// ParamAfter is the query parameter with the ETag that the caller has.
	ParamAfter = "after"
	// ParamWait is the one with the time, a Go duration, for which the answer may be held back while that is the current.
	ParamWait = "wait"
)

// Report is one replica's state. Facts about the server (Version to Storage) are those of its last answer: while Ready is
// false they may be of the past.
type Report struct {
	// Published is the newest revision that the reloader has seen, 0 when none.
	Published int64 `json:"published"`
	// Loaded is the revision that the running server process acknowledged, 0 when none or when that is not yet known.
	Loaded int64 `json:"loaded"`
	// LoadedHash is the manifest hash of the loaded revision.
	LoadedHash string `json:"loadedHash,omitempty"`
	// Error is why Published is not loaded, in the server's own words where it has any. Empty when it is.
	Error string `json:"error,omitempty"`
	// Ready is true while the server says it is and Loaded is known.
	Ready bool `json:"ready"`
	// ReadyReason is why Ready is false.
	ReadyReason string `json:"readyReason,omitempty"`
	// Version is the server's.
	Version string `json:"version,omitempty"`
	// Rules is how many rules the server says it evaluates.
	Rules int `json:"rules"`
	// Firing and Pending count alerts, not alerting rules.
	Firing  int `json:"firing"`
	Pending int `json:"pending"`
	// Jobs are the scrape pools that have targets, or had some if all had not been dropped, by name.
	Jobs []Job `json:"jobs,omitempty"`
	// AlertRules are those that have something to tell, by name: alerts, or evaluations that fail. Of any other there is
	// nothing of the kind.
	AlertRules []AlertRule `json:"alertRules,omitempty"`
	// PrometheusRules are those whose evaluation fails, in the same way.
	PrometheusRules []AlertRule `json:"prometheusRules,omitempty"`
	// MetricsKnown is true once it is known which metrics AlertRules lack: a server that was just started has had no time to
	// scrape them.
	MetricsKnown bool `json:"metricsKnown,omitempty"`
	// Alerting is how the alerts of a Prometheus leave it.
	Alerting *Alerting `json:"alerting,omitempty"`
	// Storage is how full the server is.
	Storage Storage `json:"storage"`
	// Secrets that the reloader was told to read, by namespace and name.
	Secrets []Secret `json:"secrets,omitempty"`
	// Mounted are Secrets of the pod's own namespace that the server needs and can start without.
	Mounted []Secret `json:"mounted,omitempty"`
	// Remotes are where a Prometheus sends its samples.
	Remotes []Remote `json:"remotes,omitempty"`
	// Alertmanager is there when the server is one.
	Alertmanager *Alertmanager `json:"alertmanager,omitempty"`
}

// AlertRule is what the server says of one AlertRule.
type AlertRule struct {
	// Name is <namespace>/<name>.
	Name string `json:"name"`
	// Firing and Pending count its alerts.
	Firing  int `json:"firing,omitempty"`
	Pending int `json:"pending,omitempty"`
	// Error is why the last evaluation of one of its rules failed, with the rule. Empty when it did not.
	Error string `json:"error,omitempty"`
	// Missing are its rules that can't return anything, each with the metrics of which there are no series.
	Missing []string `json:"missing,omitempty"`
}

// Alerting is how the alerts of a Prometheus leave it.
type Alerting struct {
	// Watchdog is true while the operator's own WatchdogAlert fires. It is not among the alerts that are counted.
	Watchdog bool `json:"watchdog"`
	// Alertmanagers are how many addresses it sends to, and Unreachable those that did not take the last alerts, by name.
	Alertmanagers int      `json:"alertmanagers"`
	Unreachable   []string `json:"unreachable,omitempty"`
}

// MaxUnreachable bounds Alerting.Unreachable.
const MaxUnreachable = 16

// normal is a sorted and bounded copy.
func (a *Alerting) normal() *Alerting {
	if a == nil {
		return nil
	}
	out := *a
	out.Unreachable = slices.Sorted(slices.Values(a.Unreachable))
	out.Unreachable = out.Unreachable[:min(len(out.Unreachable), MaxUnreachable)]
	return &out
}

// Job is one scrape pool.
type Job struct {
	Name    string `json:"name"`
	Up      int    `json:"up"`
	Down    int    `json:"down"`
	Unknown int    `json:"unknown"`
	// LastError is one example of what is wrong, with its target.
	LastError string `json:"lastError,omitempty"`
	// Dropped is, of a job without a target, how many were discovered and dropped by its relabelling, rounded to two digits.
	Dropped int `json:"dropped,omitempty"`
}

// Targets is how many the job has.
func (j Job) Targets() int { return j.Up + j.Down + j.Unknown }

// Storage is how full the server is.
type Storage struct {
	// HeadSeries is the number of series in memory, rounded to two digits: the exact one differs with every scrape, and a
	// report that is never the same twice would wake the operator for nothing.
	HeadSeries int64 `json:"headSeries"`
}

// Normalize sorts and bounds the report in place, so that the same facts always give the same document.
func (r *Report) Normalize() {
	r.Error = Bound(r.Error, MaxError)
	r.ReadyReason = Bound(r.ReadyReason, MaxError)
	r.Storage.HeadSeries = round(r.Storage.HeadSeries)
	slices.SortFunc(r.Jobs, func(a, b Job) int { return cmp.Compare(a.Name, b.Name) })
	r.normalizeJobs()
	r.normalizeRules()
	r.Secrets, r.Mounted = normalSecrets(r.Secrets), normalSecrets(r.Mounted)
	r.Remotes = normalRemotes(r.Remotes)
	r.Alerting = r.Alerting.normal()
	r.Alertmanager = r.Alertmanager.normal()
}

// normalizeJobs bounds what is told of jobs.
func (r *Report) normalizeJobs() {
	r.Jobs = r.Jobs[:min(len(r.Jobs), MaxJobs)]
	told := 0
	for i := range r.Jobs {
		j := &r.Jobs[i]
		if j.Dropped = int(round(int64(j.Dropped))); j.LastError == "" {
			continue
		}
		if told++; told > MaxJobErrors {
			j.LastError = "the server's own page of targets says why"
		}
		j.LastError = Bound(j.LastError, MaxJobError)
	}
}

// normalizeRules sorts and bounds AlertRules. What is too much to tell in full is told in short.
func (r *Report) normalizeRules() {
	slices.SortFunc(r.AlertRules, func(a, b AlertRule) int { return cmp.Compare(a.Name, b.Name) })
	if len(r.AlertRules) > MaxAlertRules {
		r.AlertRules = r.AlertRules[:MaxAlertRules]
	}
	slices.SortFunc(r.PrometheusRules, func(a, b AlertRule) int { return cmp.Compare(a.Name, b.Name) })
	r.PrometheusRules = r.PrometheusRules[:min(len(r.PrometheusRules), MaxPrometheusRules)]
	for i := range r.PrometheusRules {
		r.PrometheusRules[i].Error = Bound(r.PrometheusRules[i].Error, MaxRuleError)
	}
	told, missing := 0, 0
	for i := range r.AlertRules {
		if missing += min(len(r.AlertRules[i].Missing), 1); missing > MaxRulesMissing {
			r.AlertRules[i].Missing = nil
		}
		r.AlertRules[i].Missing = bounded(r.AlertRules[i].Missing, MaxMissing)
		if rule := &r.AlertRules[i]; rule.Error != "" {
			if told++; told > MaxRuleErrors {
				rule.Error = "its evaluation fails; the server's own page of rules says why"
			}
			rule.Error = Bound(rule.Error, MaxRuleError)
		}
	}
}

// bounded are texts of at most n bytes. What is bounded already is returned as it is.
func bounded(texts []string, n int) []string {
	for i, text := range texts {
		if Bound(text, n) != text {
			texts = slices.Clone(texts)
			texts[i] = Bound(text, n)
		}
	}
	return texts
}

// Encode is the document. Call Normalize first.
func (r Report) Encode() ([]byte, error) { return json.Marshal(r) }

// Decode reads a document. It is bounded by the caller, with MaxReport; fields it does not know are left alone, because
// a replica's reloader may be newer than the operator while one of them is upgraded.
func Decode(text []byte) (Report, error) {
	var r Report
	if err := json.Unmarshal(text, &r); err != nil {
		return Report{}, fmt.Errorf("report: %w", err)
	}
	r.Normalize()
	return r, nil
}

// Fingerprint is the same for two reports if and only if they say the same. It is the report's ETag, without the quotes.
func (r Report) Fingerprint() string {
	r.Jobs, r.AlertRules, r.Secrets = slices.Clone(r.Jobs), slices.Clone(r.AlertRules), slices.Clone(r.Secrets)
	r.Mounted, r.Remotes = slices.Clone(r.Mounted), slices.Clone(r.Remotes)
	r.PrometheusRules = slices.Clone(r.PrometheusRules)
	r.Normalize()
	// A struct of numbers, booleans and strings always encodes.
	text, _ := r.Encode()
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// Bound cuts text to at most n bytes, between characters, and shows that it did.
func Bound(text string, n int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= n {
		return text
	}
	const mark = "…"
	end := n - len(mark)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + mark
}

func round(n int64) int64 {
	unit := int64(1)
	for n/unit >= 100 {
		unit *= 10
	}
	// Cut off rather than rounded: rounding twice would not be rounding once.
	return n / unit * unit
}

package server

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/replica"
)

// When the names of the metrics are asked for, and from when on one that is not among them is missing. A metric that was
// just named by a rule, and every one of a server that was just started, gets the time of a few scrapes to appear.
const (
	namesScrapes  = 2 // scrapes between two looks
	namesSoonest  = 10 * time.Second
	namesLatest   = time.Minute
	namesShare    = 200 // how much longer than the look took it is not repeated
	graceScrapes  = 5
	graceSoonest  = 30 * time.Second
	maxRulesNamed = 8 // of one AlertRule
)

// missing follows which metrics that the loaded rules need have no series. It keeps the names that are needed and not what
// each of a hundred thousand rules needs: where a name is missing, the files say whose it is.
type missing struct {
	dir string // of the rule files

	instance string
	watched  time.Time // since when this process of the server is looked at
	version  string    // of the rule files, as last read
	looked   time.Time
	next     time.Time

	needed  map[string]time.Time // when each was last there, or first needed
	records map[string]bool
	absent  []string
	rules   map[string][]string // by AlertRule, what each of its rules lacks
	known   bool
}

// newMissing follows the rule files below dir; empty: nobody asks.
func newMissing(dir string) *missing {
	return &missing{dir: dir, needed: map[string]time.Time{}}
}

// lacking adds what the AlertRules lack, and says whether that is known. It is advice: if it can't be had, everything else
// about the server is still told.
func (p Prometheus) lacking(ctx context.Context, scrape time.Duration, into map[string]*replica.AlertRule) bool {
	m := p.missing
	if m.dir == "" {
		return false
	}
	if m.due(time.Now()) {
		if err := p.lookForMetrics(ctx, scrape); err != nil {
			m.known = false
		}
	}
	for rule, lacks := range m.rules {
		entryOf(into, rule).Missing = lacks
	}
	return m.known
}

func (p Prometheus) lookForMetrics(ctx context.Context, scrape time.Duration) error {
	m, began := p.missing, time.Now()
	defer func() { m.plan(began, time.Now(), scrape) }()
	instance, err := p.Instance(ctx)
	if err != nil {
		return err
	}
	changed, err := m.read(instance, began)
	if err != nil {
		return err
	}
	if len(m.needed) > 0 {
		if err := p.metricNames(ctx, began, func(name string) {
			if _, needed := m.needed[name]; needed {
				m.needed[name] = began
			}
		}); err != nil {
			return err
		}
	}
	return m.judge(began, max(graceSoonest, graceScrapes*scrape), changed)
}

// metricNames has each name that series have had in the time that counts. Only what is needed of them is kept.
func (p Prometheus) metricNames(ctx context.Context, now time.Time, each func(string)) error {
	start := strconv.FormatInt(now.Add(-bundle.NeedsWindow).Unix(), 10)
	body, err := p.get(ctx, "api/v1/label/__name__/values", url.Values{"start": {start}}, maxList)
	if err != nil {
		return err
	}
	defer body.Close()
	return eachElement(body, "data", each)
}

// due says whether to look: regularly, and sooner when other rules were loaded.
func (m *missing) due(now time.Time) bool {
	if !now.Before(m.next) {
		return true
	}
	return now.Sub(m.looked) >= namesSoonest && m.filesVersion() != m.version
}

func (m *missing) plan(began, now time.Time, scrape time.Duration) {
	m.looked = began
	m.next = now.Add(max(min(max(namesScrapes*scrape, namesSoonest), namesLatest), namesShare*now.Sub(began)))
}

// filesVersion names what is loaded: each revision has a directory of its own.
func (m *missing) filesVersion() string {
	target, _ := filepath.EvalSymlinks(m.dir)
	return target
}

// read takes up which metrics the loaded rules need and write, if it is not known, and says whether that was so.
func (m *missing) read(instance string, now time.Time) (bool, error) {
	if m.instance != instance {
		m.instance, m.watched, m.version = instance, now, ""
		clear(m.needed)
	}
	version := m.filesVersion()
	if version == m.version && version != "" {
		return false, nil
	}
	needed, records := map[string]time.Time{}, map[string]bool{}
	err := m.files(func(_ string, n bundle.Needs) {
		for _, name := range n.Records {
			records[strings.Clone(name)] = true
		}
		for _, r := range n.Rules {
			for _, name := range slices.Concat(r.Metrics...) {
				if _, ok := needed[name]; ok {
					continue
				}
				since, ok := m.needed[name]
				if !ok {
					since = now
				}
				needed[strings.Clone(name)] = since
			}
		}
	})
	if err != nil {
		return false, err
	}
	m.version, m.needed, m.records = version, needed, records
	return true, nil
}

// files has what each rule file says of its needs.
func (m *missing) files(each func(rule string, n bundle.Needs)) error {
	entries, err := os.ReadDir(m.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // there are no rules
	}
	if err != nil {
		return err
	}
	lines := bufio.NewReader(nil)
	for _, e := range entries {
		line, err := firstLine(filepath.Join(m.dir, e.Name()), lines)
		if err != nil {
			return err
		}
		if n := bundle.NeedsOf(line); len(n.Rules) > 0 || len(n.Records) > 0 {
			rule, foreign := ruleOfGroup(e.Name())
			if foreign {
				rule = "" // whom to tell of them there is not
			}
			each(rule, n)
		}
	}
	return nil
}

func firstLine(path string, lines *bufio.Reader) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	lines.Reset(f)
	// A file without a line end is no rule file of ours, and says nothing.
	line, _ := lines.ReadBytes('\n')
	return line, nil
}

// judge says which metrics are missing and, if that or the files changed, which rules lack them.
func (m *missing) judge(now time.Time, grace time.Duration, changed bool) error {
	m.known = now.Sub(m.watched) >= grace
	var absent []string
	for name, seen := range m.needed {
		if now.Sub(seen) >= grace && !m.records[name] && !ofPrometheus(name) {
			absent = append(absent, name)
		}
	}
	slices.Sort(absent)
	if !changed && slices.Equal(absent, m.absent) {
		return nil
	}
	m.absent, m.rules = absent, map[string][]string{}
	if len(absent) == 0 {
		return nil
	}
	return m.files(func(rule string, n bundle.Needs) {
		if lacks := m.lacking(n); len(lacks) > 0 && rule != "" {
			m.rules[rule] = lacks
		}
	})
}

// lacking are the rules of a file that lack something, each with what it is.
func (m *missing) lacking(n bundle.Needs) []string {
	var out []string
	for _, r := range n.Rules {
		if metrics := m.lacks(r.Metrics); len(metrics) > 0 {
			out = append(out, oneLine(replica.LacksText(r.Rule, metrics)))
		}
	}
	if more := len(out) - maxRulesNamed; more > 0 {
		out = append(out[:maxRulesNamed], "and "+strconv.Itoa(more)+" more")
	}
	return out
}

// oneLine is a text without line ends, which names may have.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// ofPrometheus are the series that a server makes of its alerts, while there are any.
func ofPrometheus(name string) bool { return name == "ALERTS" || name == "ALERTS_FOR_STATE" }

// lacks names the metrics that are needed and all missing.
func (m *missing) lacks(needs [][]string) []string {
	var out []string
	for _, oneOf := range needs {
		if !slices.ContainsFunc(oneOf, m.there) {
			out = append(out, strings.Join(oneOf, " or "))
		}
	}
	return out
}

func (m *missing) there(name string) bool {
	_, absent := slices.BinarySearch(m.absent, name)
	return !absent
}

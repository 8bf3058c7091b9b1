package server

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hearth-monitoring/hearth/internal/replica"
)

// discoveredMetric counts, for each job, what its discovery has found, before any of it is relabelled.
const discoveredMetric = "prometheus_sd_discovered_targets"

type target struct {
	ScrapePool string
	ScrapeURL  string
	Health     string
	LastError  string

	ScrapeInterval string
}

// jobs are the scrape pools, and the longest time between two scrapes of a target.
func (p Prometheus) jobs(ctx context.Context) ([]replica.Job, time.Duration, error) {
	body, err := p.get(ctx, "api/v1/targets", url.Values{"state": {"active"}}, maxList)
	if err != nil {
		return nil, 0, err
	}
	defer body.Close()
	var longest time.Duration
	jobs := map[string]*replica.Job{}
	example := map[string]string{}
	err = eachElement(body, "activeTargets", func(t target) {
		j := jobs[t.ScrapePool]
		if j == nil {
			j = &replica.Job{Name: t.ScrapePool}
			jobs[t.ScrapePool] = j
		}
		// Prometheus writes it in units that both sides know; one that it wouldn't is left out.
		if interval, err := time.ParseDuration(t.ScrapeInterval); err == nil {
			longest = max(longest, interval)
		}
		switch t.Health {
		case "up":
			j.Up++
		case "down":
			j.Down++
		default:
			j.Unknown++
		}
		// The first by address, so that the example stays the same while it is true.
		if seen, ok := example[j.Name]; t.LastError != "" && (!ok || t.ScrapeURL < seen) {
			example[j.Name] = t.ScrapeURL
			j.LastError = targetError(t)
		}
	})
	if err != nil {
		return nil, 0, fmt.Errorf("targets: %w", err)
	}
	list := make([]replica.Job, 0, len(jobs))
	for _, j := range jobs {
		list = append(list, *j)
	}
	slices.SortFunc(list, func(a, b replica.Job) int { return cmp.Compare(a.Name, b.Name) })
	return list, longest, nil
}

// withDropped adds the jobs of which something was discovered and no target is left. With the list of what was dropped
// Prometheus would also say what, of all jobs together: in a large cluster that is a hundred times what is scraped.
func withDropped(jobs []replica.Job, discovered map[string]int) []replica.Job {
	for _, j := range jobs {
		delete(discovered, j.Name)
	}
	for name, n := range discovered {
		if n > 0 {
			jobs = append(jobs, replica.Job{Name: name, Dropped: n})
		}
	}
	slices.SortFunc(jobs, func(a, b replica.Job) int { return cmp.Compare(a.Name, b.Name) })
	return jobs
}

// targetError names the target without what its address may carry in secret: parameters and a user.
func targetError(t target) string {
	address := "(an address that cannot be read)"
	if u, err := url.Parse(t.ScrapeURL); err == nil {
		u.User, u.RawQuery, u.Fragment = nil, "", ""
		address = u.String()
	}
	text := strings.ReplaceAll(t.LastError, t.ScrapeURL, address)
	return address + ": " + withoutSourcePort(quotedQuery.ReplaceAllString(text, "$1"))
}

// Compiled once and never changed.
var (
	sourcePort  = regexp.MustCompile(`(read|write|dial) (tcp|udp) (\S+):\d+->`)
	quotedQuery = regexp.MustCompile(`("https?://[^"?]*)\?[^"]*`)
)

// withoutSourcePort drops the one part of a network error that differs each time, so that the same trouble reads the same.
func withoutSourcePort(text string) string { return sourcePort.ReplaceAllString(text, "$1 $2 $3->") }

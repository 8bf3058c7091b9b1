package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hearth-monitoring/hearth/test/peer"
)

// exporter is one that runs.
type exporter struct {
	*peer.Exporter
	client *http.Client

	cpu, user, sys float64 // ms of all measured scrapes
	scrapes        int     // that were measured
	asked          int     // all
	plain, zipped  int     // bytes of an answer
}

func start(ctx context.Context, binary string, flags []string) (*exporter, error) {
	e, err := peer.Start(ctx, binary, flags...)
	if err != nil {
		return nil, err
	}
	return &exporter{Exporter: e, client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableCompression: true}}}, nil
}

// get scrapes with the headers that Prometheus 3 sends.
func (e *exporter) get(ctx context.Context) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.URL, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2")
	r.Header.Set("Accept-Encoding", "gzip")
	r.Header.Set("User-Agent", "Prometheus/3.15.0")
	r.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", "10")
	answer, err := e.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Encoding") != "gzip" {
		return nil, fmt.Errorf("%s, encoding %q", answer.Status, answer.Header.Get("Content-Encoding"))
	}
	return io.ReadAll(answer.Body)
}

// scrape scrapes n times, and counts them if it is for real.
func (e *exporter) scrape(ctx context.Context, n int, counts bool) error {
	cpu, user, sys, err := e.times()
	if err != nil {
		return err
	}
	var body []byte
	for range n {
		if body, err = e.get(ctx); err != nil {
			return err
		}
	}
	e.asked += n
	cpuAfter, userAfter, sysAfter, err := e.times()
	if err != nil {
		return err
	}
	if counts {
		e.cpu, e.user, e.sys, e.scrapes = e.cpu+cpuAfter-cpu, e.user+userAfter-user, e.sys+sysAfter-sys, e.scrapes+n
		return nil
	}
	return e.check(body)
}

// check refuses an answer without the host's series: it would be cheap.
func (e *exporter) check(body []byte) error {
	unzipped, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return err
	}
	text, err := io.ReadAll(unzipped)
	if err != nil {
		return err
	}
	e.plain, e.zipped = len(text), len(body)
	for _, collector := range strings.Fields(common) {
		if want := fmt.Sprintf("node_scrape_collector_success{collector=%q} 1\n", collector); !strings.Contains(string(text), want) {
			return fmt.Errorf("no %s%s", want, e.Log())
		}
	}
	return nil
}

func (e *exporter) perScrape() float64 { return e.cpu / float64(e.scrapes) }

// memory is the resident memory after so many scrapes in all, and then after 40 at the same time.
func (e *exporter) memory(ctx context.Context, scrapes int) (string, error) {
	if scrapes == 0 {
		return "-", nil
	}
	if err := e.scrape(ctx, max(scrapes-e.asked, 0), false); err != nil && e.asked < scrapes {
		return "", err
	}
	after := e.resident()
	const parallel = 40
	errs := make([]error, parallel)
	var wg sync.WaitGroup
	for i := range parallel {
		wg.Go(func() { _, errs[i] = e.get(ctx) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%.1f, %.1f", after, e.resident()), nil
}

// times are the milliseconds that the process has run: all of it to the nanosecond, from the scheduler's count for each
// thread, and how it divides, in ticks of 10 ms.
func (e *exporter) times() (cpu, user, sys float64, err error) {
	dir := fmt.Sprintf("/proc/%d", e.PID)
	tasks, err := filepath.Glob(dir + "/task/*/schedstat")
	if err != nil {
		return 0, 0, 0, err
	}
	if len(tasks) == 0 {
		return 0, 0, 0, fmt.Errorf("no %s/task/*/schedstat", dir)
	}
	for _, task := range tasks {
		b, err := os.ReadFile(task)
		if err != nil {
			return 0, 0, 0, err
		}
		first, _, _ := strings.Cut(string(b), " ")
		ns, err := strconv.ParseFloat(first, 64)
		if err != nil {
			return 0, 0, 0, fmt.Errorf("%s: %w", task, err)
		}
		cpu += ns / 1e6
	}
	b, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return 0, 0, 0, err
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	const utime, stime, tick = 11, 12, 10
	u, errUser := strconv.ParseFloat(fields[utime], 64)
	s, errSys := strconv.ParseFloat(fields[stime], 64)
	if errUser != nil || errSys != nil {
		return 0, 0, 0, fmt.Errorf("%s/stat: %q", dir, b)
	}
	if cpu == 0 { // a kernel without schedstat
		cpu = (u + s) * tick
	}
	return cpu, u * tick, s * tick, nil
}

// resident is the process's resident memory in MB.
func (e *exporter) resident() float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", e.PID))
	if err != nil {
		return 0
	}
	pages, err := strconv.ParseFloat(strings.Fields(string(b))[1], 64)
	if err != nil {
		return 0
	}
	return pages * float64(os.Getpagesize()) / 1e6
}

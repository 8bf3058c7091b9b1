package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// exporter is one that runs.
type exporter struct {
	cmd    *exec.Cmd
	log    *bytes.Buffer
	url    string
	client *http.Client

	cpu, user, sys float64 // ms of all measured scrapes
	scrapes        int
	plain, zipped  int // bytes of an answer
}

func start(ctx context.Context, binary string, flags []string) (*exporter, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	e := &exporter{url: "http://" + address + "/metrics", log: &bytes.Buffer{},
		client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableCompression: true}}}
	e.cmd = exec.CommandContext(ctx, binary, append(flags, "--web.listen-address="+address)...)
	e.cmd.Stderr = e.log
	if err := e.cmd.Start(); err != nil {
		return nil, err
	}
	for range 100 {
		if _, err = e.get(ctx); err == nil {
			return e, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	e.stop()
	return nil, fmt.Errorf("%s does not answer: %w\n%s", binary, err, e.log)
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}

func (e *exporter) stop() {
	_ = e.cmd.Process.Kill()
	_ = e.cmd.Wait()
}

// get scrapes with the headers that Prometheus 3 sends.
func (e *exporter) get(ctx context.Context) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url, nil)
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
	defer func() { _ = answer.Body.Close() }()
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

// check refuses an answer in which a collector failed: it would be cheap.
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
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "node_scrape_collector_success") && !strings.HasSuffix(line, " 1\n") {
			return fmt.Errorf("%s: %s%s", e.cmd.Path, line, e.log)
		}
	}
	return nil
}

func (e *exporter) perScrape() float64 { return e.cpu / float64(e.scrapes) }

// times are the milliseconds that the process has run: all of it to the nanosecond, from the scheduler's count for each
// thread, and how it divides, in ticks of 10 ms.
func (e *exporter) times() (cpu, user, sys float64, err error) {
	dir := fmt.Sprintf("/proc/%d", e.cmd.Process.Pid)
	tasks, err := filepath.Glob(dir + "/task/*/schedstat")
	if err != nil || len(tasks) == 0 {
		return 0, 0, 0, fmt.Errorf("no %s/task/*/schedstat (%v)", dir, err)
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
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", e.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	pages, err := strconv.ParseFloat(strings.Fields(string(b))[1], 64)
	if err != nil {
		return 0
	}
	return pages * float64(os.Getpagesize()) / 1e6
}

package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// asExporter makes the test binary the exporter itself, with these flags, so that a test can look at a process of its own.
const asExporter = "EXPORTER_RUN"

func TestMain(m *testing.M) {
	flags := os.Getenv(asExporter)
	if flags == "" {
		os.Exit(m.Run())
	}
	if err := run(context.Background(), strings.Fields(flags), os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// TestMemory scrapes a process with all defaults a thousand times, and then forty times at once. The bar is 16 MB and
// 24 MB, and test/bench measures against it; a test binary has more in it, and a machine may have more to say, so that the
// bounds here are for what grows with each scrape.
func TestMemory(t *testing.T) {
	const after, parallel, most, mostParallel = 1000, 40, 24, 36
	address, pid := startProcess(t)
	if _, err := resident(pid); err != nil {
		t.Skip("the resident memory can't be measured here: ", err)
	}
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: parallel}}
	defer client.CloseIdleConnections()
	scrape := func() error {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/metrics", nil)
		if err != nil {
			return err
		}
		r.Header.Set("Accept-Encoding", "gzip")
		answer, err := client.Do(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if n, err := io.Copy(io.Discard, answer.Body); err != nil || n < 1000 || answer.StatusCode != http.StatusOK {
			return fmt.Errorf("%s, %d bytes, error %w", answer.Status, n, err)
		}
		return nil
	}
	for range after {
		if err := scrape(); err != nil {
			t.Fatal(err)
		}
	}
	first, err := resident(pid)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range parallel {
		wg.Go(func() {
			if err := scrape(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	second, err := resident(pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.1f MB after %d scrapes, %.1f MB after %d at once", first, after, second, parallel)
	if first > most || second > mostParallel {
		t.Errorf("at most %d MB and %d MB wanted", most, mostParallel)
	}
}

// startProcess runs the exporter in a process of its own until the test is over.
func startProcess(t *testing.T) (address string, pid int) {
	t.Helper()
	address = freeAddress(t)
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0]) //nolint:gosec // this test
	cmd.Env = append(os.Environ(), asExporter+"=--web.disable-exporter-metrics --web.listen-address="+address)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for range 600 {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
			return address, cmd.Process.Pid
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the exporter does not answer")
	return "", 0
}

// freeAddress is one for a process that is about to start: not one that the kernel gives to whoever asks for any, of whom there
// are many while tests run.
func freeAddress(t *testing.T) string {
	t.Helper()
	var err error
	for range 100 {
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))); err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal(err)
	return ""
}

// resident is the resident memory of a process in MB.
func resident(pid int) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0, fmt.Errorf("statm is %q", b)
	}
	pages, err := strconv.ParseFloat(fields[1], 64)
	return pages * float64(os.Getpagesize()) / 1e6, err
}

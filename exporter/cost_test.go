package main

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
)

// common are the collectors that nearly every node has something for, as they are measured in test/bench.
func common() []string {
	return []string{"--collector.disable-defaults", "--collector.cpu", "--collector.diskstats", "--collector.filefd",
		"--collector.filesystem", "--collector.loadavg", "--collector.meminfo", "--collector.netclass", "--collector.netdev",
		"--collector.netstat", "--collector.sockstat", "--collector.stat", "--collector.time", "--collector.uname", "--collector.vmstat"}
}

// TestAllocations scrapes this machine over a connection as Prometheus does, and counts what the whole answer allocates:
// the server's part, which is about a third of it, and ours.
func TestAllocations(t *testing.T) {
	const most = 300
	cases := map[string][]string{"common collectors": common(), "default collectors": nil}
	if told := os.Getenv("EXPORTER_FLAGS"); told != "" { // by test/bench, which has nodes of all sizes
		cases["as told"] = strings.Fields(told)
	}
	for name, args := range cases {
		t.Run(name, func(t *testing.T) {
			o, err := parse(append(args, "--web.disable-exporter-metrics", "--collector.timeout=30s"), io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			n := testing.AllocsPerRun(50, connect(t, o))
			t.Logf("%v allocations a scrape", n)
			if n > most {
				t.Errorf("at most %v wanted", most)
			}
		})
	}
}

// connect serves what o asks for on loopback and returns a function that scrapes it and allocates next to nothing itself.
func connect(t *testing.T, o *options) func() {
	t.Helper()
	config, err := newConfiguration(nil, o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	handler, err := newHandler(config, o.handler, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := newServer(handler)
	go func() { _ = server.Serve(listener) }()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		_ = server.Close()
	})
	request := []byte("GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain\r\nAccept-Encoding: gzip\r\nX-Prometheus-Scrape-Timeout-Seconds: 10\r\n\r\n")
	reader := bufio.NewReader(conn)
	return func() {
		if _, err := conn.Write(request); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Encoding") != "gzip" {
			t.Fatalf("%s, %v", answer.Status, answer.Header)
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
	}
}

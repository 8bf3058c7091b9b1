package collector

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestFaultsFIFO puts a FIFO that nobody writes to in the place of each collector's first file. Whoever waits for it is
// given up, once, and is well again when it has its answer and the file is back.
func TestFaultsFIFO(t *testing.T) {
	h := newFaultHost(t)
	for _, l := range list() {
		if _, none := fileless()[l.name]; none {
			continue
		}
		t.Run(l.name, func(t *testing.T) {
			set := h.alone(t, &bytes.Buffer{}, l.name)
			path := filepath.Join(h.dir, h.opened(t, func() { scraped(t, set, l.name) })[0])
			was := readFile(t, path)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := unix.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			// Long enough that on a machine with other things to do nobody is late who does not wait for the FIFO.
			set = h.alone(t, &log, l.name, "--collector.timeout=250ms")
			scraped(t, set, l.name)
			descriptors := count(t, "/proc/self/fd") // with the files that it holds
			begin := time.Now()
			for range 20 {
				scraped(t, set, l.name)
			}
			if took := time.Since(begin); took > 20*250*time.Millisecond {
				t.Errorf("20 scrapes took %s", took)
			}
			eventually(t, "no more descriptors than before", func() bool { return count(t, "/proc/self/fd") <= descriptors+10 })
			if n := strings.Count(log.String(), "collector failed"); n > 2 { // stuck, or refused at once, perhaps first one and then the other
				t.Errorf("logged %d times:\n%s", n, &log)
			}
			fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0) // whoever waits for a writer has one
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			writeFile(t, path, string(was))
			_ = unix.Close(fd)
			eventually(t, "it works again", func() bool {
				return successes(scraped(t, set, l.name))[l.name] == "1"
			})
		})
	}
}

func count(t *testing.T, dir string) int {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// TestSystemdFaults has no bus, one that never answers, and one that speaks something else.
func TestSystemdFaults(t *testing.T) {
	root := t.TempDir()
	socket := filepath.Join(root, "run/dbus/system_bus_socket")
	var log bytes.Buffer
	set := newTestSet(t, &log, "--collector.disable-defaults", "--collector.systemd", "--path.rootfs="+root, "--collector.timeout=500ms")
	fails := func(message string) {
		t.Helper()
		got := scraped(t, set, "systemd")
		if successes(got)["systemd"] != "0" || len(samples(got)) > 0 || !strings.Contains(log.String(), message) {
			t.Errorf("want %q and no samples:\n%s\n%s", message, got, &log)
		}
		log.Reset()
	}
	fails(socket + ": connect: no such file")
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	before := runtime.NumGoroutine()
	fails("no answer before its deadline")
	for range 10 {
		scraped(t, set, "systemd")
	}
	if log.Len() > 0 {
		t.Errorf("it said something else, though nothing changed:\n%s", &log)
	}
	eventually(t, "no more goroutines than before", func() bool { return runtime.NumGoroutine() <= before+5 })
	log.Reset()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			_ = conn.Close()
		}
	}()
	eventually(t, "it says what is wrong", func() bool {
		scraped(t, set, "systemd")
		return strings.Contains(log.String(), socket+": ")
	})
}

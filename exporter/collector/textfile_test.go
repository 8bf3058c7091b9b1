package collector

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func newTextfile(t *testing.T, dirs ...string) Collector {
	t.Helper()
	var args []string
	for _, dir := range dirs {
		args = append(args, "--collector.textfile.directory="+dir)
	}
	return newTestSet(t, &bytes.Buffer{}, args...).seats["textfile"].Collector
}

func TestTextfileGolden(t *testing.T) {
	then := time.Unix(1700000000, 500)
	for _, name := range []string{"a.prom", "b.prom"} {
		if err := os.Chtimes(filepath.Join("testdata/textfile", name), then, then); err != nil {
			t.Fatal(err)
		}
	}
	c := newTextfile(t, "testdata/text*", "testdata/textfile")
	said, err := updated(t.Context(), t, c)
	if err != nil {
		t.Fatal(err)
	}
	compareGolden(t, "textfile", said)
}

// TestTextfileBroken has a good file and a bad one. The good one is said whatever is wrong with the other.
func TestTextfileBroken(t *testing.T) {
	const good = "# HELP good It is.\n# TYPE good gauge\ngood{from=\"a\"} 1\n"
	for name, c := range map[string]struct{ b, message, said string }{
		"garbage":       {"x\x00y 1\n", "b.prom: text format parsing error in line 1", ""},
		"not a value":   {"\nbad one\n", "b.prom: text format parsing error in line 2", ""},
		"cut off":       {"bad 1\nworse", "b.prom: text format parsing error in line 2", ""},
		"timestamp":     {"bad 1 1700000000000\n", "b.prom: bad has a timestamp", ""},
		"UTF-8 name":    {"{\"bäd\"} 1\n", "b.prom:", ""},
		"another help":  {"# HELP good It isn't.\n# TYPE good gauge\ngood{from=\"b\"} 2\nother 3\n", "b.prom: good has another help than in", "other 3"},
		"another type":  {"# TYPE good counter\ngood{from=\"b\"} 2\nother 3\n", "b.prom: good is a counter, and in", "other 3"},
		"said twice":    {"# TYPE good gauge\ngood{from=\"a\",more=\"\"} 2\nother 3\n", `good{from="a"} is there twice`, "other 3"},
		"same quantile": {"# TYPE q summary\nq{quantile=\"1\"} 2\nq{quantile=\"1\"} 3\nq_sum 1\nq_count 1\nother 3\n", `q{quantile="1"} is there twice`, "other 3"},
		"same _count":   {"# TYPE q summary\nq_sum 1\nq_count 1\n# TYPE q_count counter\nq_count 3\n", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeFile(t, filepath.Join(dir, "a.prom"), good)
			writeFile(t, filepath.Join(dir, "b.prom"), c.b)
			collector := newTextfile(t, dir)
			for range 2 {
				said, err := updated(t.Context(), t, collector)
				if err == nil || !strings.Contains(err.Error(), c.message) {
					t.Errorf("error %v, want %q", err, c.message)
				}
				for _, want := range []string{"good{from=\"a\"} 1\n", "node_textfile_scrape_error 1\n", c.said} {
					if !strings.Contains(said, want) {
						t.Errorf("no %q in:\n%s", want, said)
					}
				}
				if strings.Contains(said, "bad") || c.said == "" && c.message != "" && strings.Contains(said, `b.prom"`) {
					t.Errorf("the bad file is there:\n%s", said)
				}
			}
		})
	}
}

// TestTextfileChanges writes, replaces and removes a file between scrapes, also within one tick of the clock.
func TestTextfileChanges(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.prom")
	c := newTextfile(t, dir)
	for _, step := range []struct {
		do      func()
		has     string
		hasMade string
	}{
		{func() {}, "node_textfile_scrape_error 0\n", ""},
		{func() { writeFile(t, path, "a 1\n") }, "\na 1\n", "node_textfile_mtime_seconds"},
		{func() { writeFile(t, path, "a 2\n") }, "\na 2\n", "node_textfile_mtime_seconds"},
		{func() { writeFile(t, path+"~", "a 3\n"); _ = os.Rename(path+"~", path) }, "\na 3\n", "Metric read from " + path},
		{func() { writeFile(t, path, "a x\n") }, "node_textfile_scrape_error 1\n", ""},
		{func() { _ = os.Remove(path) }, "node_textfile_scrape_error 0\n", ""},
		{func() { _ = os.RemoveAll(dir) }, "node_textfile_scrape_error 1\n", ""},
	} {
		step.do()
		said, err := updated(t.Context(), t, c)
		if (err != nil) != strings.Contains(said, "error 1\n") || !strings.Contains(said, step.has) || !strings.Contains(said, step.hasMade) {
			t.Errorf("error %v, want %q and %q in:\n%s", err, step.has, step.hasMade, said)
		}
	}
}

// TestTextfileIsKept reads old files once.
func TestTextfileIsKept(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "a.prom"), "a 1\n")
	c := newTextfile(t, dir).(*textfile)
	first, err := updated(t.Context(), t, c)
	if err != nil {
		t.Fatal(err)
	}
	c.fresh = c.fresh.Add(time.Hour) // as if the file had been old when it was read
	if c.same(c.list()) != true {
		t.Error("an unchanged file is read again")
	}
	second, err := updated(t.Context(), t, c)
	if err != nil || first != second {
		t.Errorf("error %v:\n%s\nthen:\n%s", err, first, second)
	}
}

// TestTextfileFIFO does not wait for whoever should write.
func TestTextfileFIFO(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mkfifo(filepath.Join(dir, "a.prom"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := updated(t.Context(), t, newTextfile(t, dir)); err == nil || !strings.Contains(err.Error(), "a.prom: not a regular file") {
		t.Errorf("error %v", err)
	}
	if _, err := openRegular(filepath.Join(dir, "a.prom")); err == nil {
		t.Error("a FIFO was opened")
	}
}

// TestTextfileCollides has a file that says again what the exporter says: that alone is left out, as long as the exporter
// says it, and the scrape stays sound.
func TestTextfileCollides(t *testing.T) {
	host, dir := t.TempDir(), t.TempDir()
	copyHost(t, host)
	path := filepath.Join(dir, "a.prom")
	writeFile(t, path, `# HELP node_load1 Mine.
# TYPE node_load1 counter
node_load1 7
node_memory_MemFree_bytes{mine="1"} 7
go_threads 7
# TYPE node_load histogram
node_load_bucket{le="+Inf"} 7
node_load_sum 7
node_load_count 7
node_scrape_collector_success{collector="loadavg"} 7
mine 7
`)
	var log bytes.Buffer
	set := newTestSet(t, &log, hostArgs(host, "--collector.textfile.directory="+dir)...)
	others := []byte("# HELP go_threads Number of OS threads created.\n# TYPE go_threads gauge\ngo_threads 3\n")
	var got string
	for range 3 {
		got = normal(t, set.Run(set.Names(), 0).AppendTo(others)) // which refuses a metric or a heading that is there twice
	}
	for _, want := range []string{"node_load1 0.", "go_threads 3\n", "node_load_count 7\n", "\nmine 7\n", "node_textfile_scrape_error 1\n",
		`node_scrape_collector_success{collector="textfile"} 0`, `node_scrape_collector_success{collector="loadavg"} 1`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	for _, want := range []string{"node_load1", "node_memory_MemFree_bytes", "go_threads", "node_scrape_collector_success"} {
		if n := strings.Count(log.String(), path+": "+want+" is "); n != 1 {
			t.Errorf("%s is logged %d times:\n%s", want, n, &log)
		}
	}
	if got := scraped(t, set, "textfile"); !strings.Contains(got, `node_memory_MemFree_bytes{mine="1"} 7`) {
		t.Errorf("nobody else says it in this scrape, and still it is left out:\n%s", got)
	}
}

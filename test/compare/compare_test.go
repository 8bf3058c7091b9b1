package compare

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	before = `# TYPE bytes_total counter
bytes_total{device="a"} 100
bytes_total{device="b"} 7
bytes_total{device="gone"} 1
# TYPE free gauge
free 1000
# TYPE mtu gauge
mtu 1500
# TYPE segments untyped
segments 10
`
	after = `# TYPE bytes_total counter
bytes_total{device="a"} 200
bytes_total{device="b"} 7
# TYPE free gauge
free 1100
# TYPE mtu gauge
mtu 1500
# TYPE segments untyped
segments 12
`
)

func TestBetween(t *testing.T) {
	for name, c := range map[string]struct {
		change   []string // of what is right
		problems []string
	}{
		"right":          {nil, nil},
		"on the edge":    {[]string{"} 150", "} 200"}, nil},
		"a moving gauge": {[]string{"free 1050", "free 900"}, nil},
		"still there":    {[]string{"# TYPE free", "bytes_total{device=\"gone\"} 1\n# TYPE free"}, nil},
		"counter before": {[]string{"} 150", "} 99"}, []string{`bytes_total{device="a"}: 100 before, 200 after, ours 99 in between`}},
		"counter after":  {[]string{"} 150", "} 201"}, []string{`bytes_total{device="a"}: 100 before, 200 after, ours 201 in between`}},
		"other unit":     {[]string{"free 1050", "free 1.05"}, []string{`free{}: 1000 before, 1100 after, ours 1.05 in between`}},
		"gauge":          {[]string{"1500", "1501"}, []string{`mtu{}: 1500 before, 1500 after, ours 1501 in between`}},
		"untyped":        {[]string{"segments 11", "segments 13"}, []string{`segments{}: 10 before, 12 after, ours 13 in between`}},
		"type":           {[]string{"bytes_total counter", "bytes_total gauge"}, []string{`bytes_total: a COUNTER, ours a GAUGE`}},
		"label":          {[]string{`"b"`, `"c"`}, []string{`bytes_total{device="b"}: missing, 7 before and 7 after`, `bytes_total{device="c"}: extra, 7`}},
		"family":         {[]string{"mtu", "mtu_bytes"}, []string{`mtu{}: missing, 1500 before and 1500 after`, `mtu_bytes{}: extra, 1500`}},
	} {
		t.Run(name, func(t *testing.T) {
			ours := strings.NewReplacer("bytes_total{device=\"gone\"} 1\n", "", "} 100", "} 150", "free 1000", "free 1050", "segments 10", "segments 11").Replace(before)
			if c.change != nil {
				ours = strings.NewReplacer(c.change...).Replace(ours)
			}
			got := Between(read(t, before), read(t, ours), read(t, after))
			if diff := cmp.Diff(c.problems, got.Problems); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestLive asks until it is content, and holds against ours only what was wrong each time.
func TestLive(t *testing.T) {
	always := func(body string) func() ([]byte, error) {
		return func() ([]byte, error) { return []byte(body), nil }
	}
	asked := 0
	const passing = "go_goroutines 1\nnode_scrape_collector_success{collector=\"a\"} 0\nnode_processes_state{state=\"R\"} 1\n"
	flaky := func() ([]byte, error) {
		asked++
		return []byte(strings.NewReplacer("1500", []string{"1", "1500", "2"}[asked%3], `"b"`, `"c"`).Replace(before)), nil
	}
	r, err := Live(4, always(before+passing), flaky)
	want := []string{`bytes_total{device="b"}: missing, 7 before and 7 after`, `bytes_total{device="c"}: extra, 7`}
	if diff := cmp.Diff(want, r.Problems); diff != "" || err != nil || asked != 4 {
		t.Errorf("asked %d times, error %v (-want +got):\n%s", asked, err, diff)
	}
	if r, err = Live(4, always(before), always(before)); err != nil || len(r.Problems) > 0 || r.Families != 4 || r.Series != 6 || r.Equal != 6 {
		t.Errorf("%+v, error %v", r, err)
	}
}

func TestGolden(t *testing.T) {
	golden := Family{"COUNTER", map[string]float64{`{a="1"}`: 1, `{a="2"}`: 21.650000000000002, `{a="3"}`: 3}}
	ours := Family{"GAUGE", map[string]float64{`{a="1"}`: 2, `{a="2"}`: 21.65, `{a="4"}`: 4}}
	want := []string{`x is a COUNTER, ours a GAUGE`, `x{a="1"} is 1, ours 2`, `x{a="3"} 3 is missing`, `x{a="4"} 4 is extra`}
	if diff := cmp.Diff(want, Golden("x", golden, ours)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func read(t *testing.T, body string) map[string]Family {
	t.Helper()
	families, err := Read(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return families
}

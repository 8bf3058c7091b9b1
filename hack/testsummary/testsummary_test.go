package main

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// cases are what go test -json says, cut down to what is read, and what should come of it.
var cases = map[string]struct {
	events string
	want   result
}{
	"leaves are counted": {
		events: `
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestA/x"}
{"Action":"run","Package":"p","Test":"TestA/y"}
{"Action":"pass","Package":"p","Test":"TestA/x"}
{"Action":"pass","Package":"p","Test":"TestA/y"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"pass","Package":"p","Test":"TestB"}
{"Action":"pass","Package":"p"}`,
		want: result{Passed: 3},
	},
	"a failed subtest is one failure": {
		events: `
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestA/x"}
{"Action":"run","Package":"p","Test":"TestA/y"}
{"Action":"fail","Package":"p","Test":"TestA/x"}
{"Action":"pass","Package":"p","Test":"TestA/y"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}`,
		want: result{Passed: 1, Failed: 1, Failures: []string{"p TestA/x"}},
	},
	"a test that fails beside its subtests": {
		events: `
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestA/x"}
{"Action":"pass","Package":"p","Test":"TestA/x"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}`,
		want: result{Passed: 1, Failed: 1, Failures: []string{"p TestA"}},
	},
	"a skip keeps its reason": {
		events: `
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:7: needs a cluster: make up\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}
{"Action":"skip","Package":"no-test-files"}`,
		want: result{Skipped: 1, Skips: []skip{{Test: "p TestA", Reason: "needs a cluster: make up"}}},
	},
	"what does not build is a failure": {
		events: `
{"ImportPath":"p [p.test]","Action":"build-output","Output":"# p\n"}
{"ImportPath":"p [p.test]","Action":"build-fail"}
{"Action":"start","Package":"p"}
{"Action":"fail","Package":"p","FailedBuild":"p [p.test]"}`,
		want: result{Failed: 1, Failures: []string{"p"}},
	},
	"a test that never ended is a failure": {
		events: `
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"panic: oh\n"}
{"Action":"fail","Package":"p"}`,
		want: result{Failed: 1, Failures: []string{"p TestA"}},
	},
}

func TestResult(t *testing.T) {
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var shown bytes.Buffer
			tally := newTally()
			follow(&shown, tally, lines(strings.NewReader(strings.TrimSpace(c.events))))
			if got := tally.result(); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v\nwant %+v", got, c.want)
			}
			for _, f := range c.want.Failures {
				if !strings.Contains(shown.String(), strings.Fields(f)[0]) {
					t.Errorf("%s was not shown:\n%s", f, &shown)
				}
			}
		})
	}
}

func TestReport(t *testing.T) {
	dir := t.TempDir()
	if err := write(dir+"/unit.json", result{Passed: 7, Skipped: 1, Skips: []skip{{Test: "p TestA", Reason: "needs root"}}}); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := report(&out, dir, []string{"unit"}); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); !strings.HasSuffix(s, "\n7 passed, 0 failed, 1 skipped\n") || !strings.Contains(s, "skipped: p TestA: needs root") {
		t.Errorf("got\n%s", s)
	}

	out.Reset()
	if err := report(&out, dir, []string{"unit", "e2e"}); !errors.Is(err, errFailed) {
		t.Errorf("a part that left no result: got error %v", err)
	}
	if s := out.String(); !strings.HasSuffix(s, "\n7 passed, 1 failed, 1 skipped\n") {
		t.Errorf("got\n%s", s)
	}
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	if err := run(&out, dir, "ok", []string{"echo", `{"Action":"pass","Package":"p","Test":"TestA"}`}); err != nil {
		t.Errorf("got %v", err)
	}
	if err := run(&out, dir, "silent", []string{"true"}); !errors.Is(err, errFailed) {
		t.Errorf("a part that ran no test: got error %v", err)
	}
	if err := run(&out, dir, "broken", []string{"false"}); !errors.Is(err, errFailed) {
		t.Errorf("a command that failed: got error %v", err)
	}
	results, err := read(dir, []string{"ok", "silent", "broken"})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{0, 1, 1} {
		if results[i].Failed != want {
			t.Errorf("result %d: got %+v", i, results[i])
		}
	}
}

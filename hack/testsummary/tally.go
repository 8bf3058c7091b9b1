package main

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// event is a line of go test -json (go doc test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Elapsed    float64
	Output     string
}

// result is what became of one part.
type result struct {
	Part     string        `json:"part,omitempty"`
	Passed   int           `json:"passed"`
	Failed   int           `json:"failed"`
	Skipped  int           `json:"skipped"`
	Took     time.Duration `json:"took"`
	Failures []string      `json:"failures,omitempty"`
	Second   []string      `json:"second,omitempty"` // tests that failed, and passed in a second run
	Skips    []skip        `json:"skips,omitempty"`
}

// skip is a test that did not run, and why.
type skip struct {
	Test   string `json:"test"`
	Reason string `json:"reason"`
}

// testID names a test; its test is empty for a package as a whole.
type testID struct{ pkg, test string }

func (id testID) String() string {
	if id.test == "" {
		return id.pkg
	}
	return id.pkg + " " + id.test
}

// outcome is what is known of a test.
type outcome struct {
	action string // run, pass, fail or skip
	output []string
}

// tally keeps what the events say.
type tally struct {
	tests map[testID]*outcome
}

func newTally() *tally { return &tally{tests: map[testID]*outcome{}} }

func (t *tally) add(e event) {
	id := testID{pkg: e.Package, test: e.Test}
	if e.Action == "build-output" || e.Action == "build-fail" {
		// "pkg [pkg.test]" is the test variant of pkg.
		id.pkg, _, _ = strings.Cut(e.ImportPath, " ")
	}
	o := t.tests[id]
	if o == nil {
		o = &outcome{action: "run"}
		t.tests[id] = o
	}
	switch e.Action {
	case "output", "build-output":
		o.output = append(o.output, e.Output)
	case "pass", "fail", "skip":
		o.action = e.Action
	case "build-fail":
		o.action = "fail"
	}
}

// result counts tests and subtests where they are leaves. A test with subtests, or a package, adds a failure of its own
// only if it failed although nothing inside it did.
func (t *tally) result() result {
	parent, broken := t.insides()
	var r result
	for _, id := range slices.SortedFunc(maps.Keys(t.tests), compareIDs) {
		o := t.tests[id]
		switch {
		case o.failed():
			if !broken[id] {
				r.Failed++
				r.Failures = append(r.Failures, id.String())
			}
		case id.test == "":
		case o.action == "skip":
			r.Skipped++
			r.Skips = append(r.Skips, skip{Test: id.String(), Reason: o.reason()})
		case !parent[id]:
			r.Passed++
		}
	}
	return r
}

// insides says which tests and packages have tests inside them, and which have a failure inside them.
func (t *tally) insides() (parent, broken map[testID]bool) {
	parent, broken = map[testID]bool{}, map[testID]bool{}
	for id, o := range t.tests {
		for p, ok := id.parent(); ok; p, ok = p.parent() {
			parent[p] = true
			broken[p] = broken[p] || o.failed()
		}
	}
	return parent, broken
}

// failed says whether the test failed or, like after a panic, never ended. A package ends with an event of its own.
func (o *outcome) failed() bool { return o.action == "fail" || o.action == "run" }

// reason is what the test said before it was skipped.
func (o *outcome) reason() string {
	position := regexp.MustCompile(`^\S+\.go:\d+: `)
	var said []string
	for _, line := range o.output {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") {
			continue
		}
		said = append(said, position.ReplaceAllString(line, ""))
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, " ")
}

// parent of TestA/x/y is TestA/x, of TestA its package.
func (id testID) parent() (testID, bool) {
	if id.test == "" {
		return testID{}, false
	}
	if i := strings.LastIndex(id.test, "/"); i >= 0 {
		return testID{pkg: id.pkg, test: id.test[:i]}, true
	}
	return testID{pkg: id.pkg}, true
}

func compareIDs(a, b testID) int {
	if c := strings.Compare(a.pkg, b.pkg); c != 0 {
		return c
	}
	return strings.Compare(a.test, b.test)
}

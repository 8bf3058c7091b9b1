package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// mostAgain is how many failed tests are worth a second run. More of them are no accident.
const mostAgain = 2

// again runs the tests that failed once more, alone, if they are few and nothing else went wrong. What they do then counts,
// but those that pass are named in the result and in the last line: tests with real processes share a machine with whoever is
// there, and one that fails once in a hundred runs is to be mended, but is no reason to hold up what it does not test.
func again(w io.Writer, t *tally, args []string) ([]string, error) {
	failed := t.worthASecondRun()
	at := slices.Index(args, "-json")
	if len(failed) == 0 || at < 0 {
		return nil, nil
	}
	names := make([]string, len(failed))
	for i, id := range failed {
		names[i] = regexp.QuoteMeta(id.test)
	}
	fmt.Fprintf(w, "  once more, alone: %s\n", strings.Join(names, ", "))
	args = slices.Insert(slices.Clone(args), at+1, "-count=1", "-run=^("+strings.Join(names, "|")+")$")
	second := newTally()
	if err := execute(w, second, args); err != nil && !exited(err) {
		return nil, err
	}
	var passed []string
	for _, id := range failed {
		t.replace(id, second)
		if !t.tests[id].failed() {
			passed = append(passed, id.String())
		}
	}
	return passed, nil
}

// worthASecondRun returns the top-level tests that failed, or none if there are too many, or if a test never ended or a
// package is broken, since then others did not run at all.
func (t *tally) worthASecondRun() []testID {
	var failed []testID
	_, broken := t.insides()
	for id, o := range t.tests {
		switch {
		case !o.failed():
		case o.action == "run", id.test == "" && !broken[id]:
			return nil
		case id.test != "" && !strings.Contains(id.test, "/"):
			failed = append(failed, id)
		}
	}
	if len(failed) > mostAgain {
		return nil
	}
	slices.SortFunc(failed, compareIDs)
	return failed
}

// replace takes a top-level test and everything inside it from a second run; its package has failed only if others have.
// A test that the second run did not get to stays as it was.
func (t *tally) replace(id testID, second *tally) {
	if second.tests[id] == nil {
		return
	}
	inside := func(other testID, _ *outcome) bool {
		return other.pkg == id.pkg && (other.test == id.test || strings.HasPrefix(other.test, id.test+"/"))
	}
	maps.DeleteFunc(t.tests, inside)
	for other, o := range second.tests {
		if inside(other, o) {
			t.tests[other] = o
		}
	}
	if _, broken := t.insides(); !broken[testID{pkg: id.pkg}] {
		t.tests[testID{pkg: id.pkg}].action = cmp.Or(second.tests[testID{pkg: id.pkg}], &outcome{action: "fail"}).action
	}
}

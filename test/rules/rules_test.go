// Package rules runs the checks and the unit tests of AlertRules and those of promtool on the same cases, and compares the
// verdicts and what is said about failures.
//
// A case is one file: groups and tests, as they are pasted below spec of an AlertRule. promtool gets the groups as a rule
// file and the rest as a test file, word for word.
package rules

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/rules"
	"github.com/hearth-monitoring/hearth/ruletest"
)

// wantCases is how many cases there are at least.
const wantCases = 98

// The verdicts on a case.
const (
	pass       = "pass"       // loaded
	refused    = "refused"    // promtool check rules fails, ours are problems
	duplicates = "duplicates" // both find duplicate rules
	fail       = "fail"       // promtool test rules fails, ours are failures
)

func TestVerdictsArePromtools(t *testing.T) {
	promtool, err := filepath.Abs("../../bin/promtool")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(promtool); err != nil {
		t.Fatalf("there is no promtool to compare with; build it with: make test-rules (%v)", err)
	}
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < wantCases {
		t.Errorf("%d cases, want at least %d", len(files), wantCases)
	}
	got := map[string]int{}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			c := read(t, file)
			ours, oursText := judge(t, c)
			theirs, theirsText := ask(t, promtool, c)
			if ours != c.want {
				t.Errorf("ours is %s, want %s:\n%s", ours, c.want, strings.Join(oursText, "\n"))
			}
			if theirs != ours && c.differs == "" {
				t.Errorf("promtool says %s, ours is %s\n-- promtool:\n%s\n-- ours:\n%s", theirs, ours, theirsText, strings.Join(oursText, "\n"))
			}
			if theirs == ours && c.differs != "" {
				t.Errorf("both say %s, and the case says that they differ: %s", ours, c.differs)
			}
			if ours == fail && theirs == fail {
				c.compareTexts(t, oursText, theirsText)
			}
			got[ours]++
		})
	}
	for _, verdict := range []string{pass, refused, duplicates, fail} {
		t.Logf("%3d cases with the verdict %s", got[verdict], verdict)
		if got[verdict] == 0 {
			t.Errorf("no case has the verdict %s", verdict)
		}
	}
}

// testCase is what a file says.
type testCase struct {
	want, differs string

	// says is what we say where a test itself is malformed: promtool speaks of lines of a file that it made up.
	says         string
	spec         v1alpha1.AlertRuleSpec
	rules, tests []byte
}

var (
	wantLine    = regexp.MustCompile(`(?m)^# want: (\w+)$`)
	differsLine = regexp.MustCompile(`(?m)^# differs: (.+)$`)
	saysLine    = regexp.MustCompile(`(?m)^# says: (.+)$`)
	// YAML has numbers that JSON has not: in an object they are strings.
	noNumber = regexp.MustCompile(`value: (-?)\.(inf|nan)`)
)

func read(t *testing.T, file string) testCase {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := wantLine.FindSubmatch(text)
	if want == nil {
		t.Fatal("the file has no line # want:")
	}
	c := testCase{want: string(want[1])}
	if differs := differsLine.FindSubmatch(text); differs != nil {
		c.differs = string(differs[1])
	}
	if says := saysLine.FindSubmatch(text); says != nil {
		c.says = string(says[1])
	}
	if err := sigsyaml.UnmarshalStrict(noNumber.ReplaceAll(text, []byte(`value: "$1$2"`)), &c.spec); err != nil {
		t.Fatal(err)
	}
	var parts map[string]yaml.Node
	if err := yaml.Unmarshal(text, &parts); err != nil {
		t.Fatal(err)
	}
	c.rules = document(t, map[string]yaml.Node{"groups": parts["groups"]})
	rest := maps.Clone(parts)
	delete(rest, "groups")
	rest["rule_files"] = yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: "rules.yaml"}}}
	c.tests = document(t, rest)
	return c
}

func document(t *testing.T, parts map[string]yaml.Node) []byte {
	t.Helper()
	text, err := yaml.Marshal(parts)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// judge is our verdict.
func judge(t *testing.T, c testCase) (string, []string) {
	ar := &v1alpha1.AlertRule{Spec: c.spec}
	ar.Namespace, ar.Name = "monitoring", "case"
	v := rules.Judge(ar)
	if len(v.Problems) > 0 {
		return refused, v.Problems
	}
	result := ruletest.Run(t.Context(), ar, ruletest.Limits{})
	if result.Passed != (result.Failed == 0) || result.Passed != (len(result.Failures) == 0) || result.Tests != len(c.spec.Tests) {
		t.Errorf("the result contradicts itself: %+v", result)
	}
	if !result.Passed {
		return fail, result.Failures
	}
	if slices.ContainsFunc(v.Warnings, func(w string) bool { return strings.Contains(w, "can't be told apart") }) {
		return duplicates, v.Warnings
	}
	return pass, nil
}

// ask is promtool's verdict, and what it says.
func ask(t *testing.T, promtool string, c testCase) (string, string) {
	dir := t.TempDir()
	for name, text := range map[string][]byte{"rules.yaml": c.rules, "tests.yaml": c.tests} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	checked, text := promtoolRun(t, dir, promtool, "check", "rules", "rules.yaml")
	if !checked {
		return refused, text
	}
	if strings.Contains(text, "duplicate rule(s) found") {
		return duplicates, text
	}
	if tested, text := promtoolRun(t, dir, promtool, "test", "rules", "tests.yaml"); !tested {
		return fail, text
	}
	return pass, text
}

func promtoolRun(t *testing.T, dir, program string, args ...string) (bool, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = dir
	var errs bytes.Buffer
	cmd.Stderr = &errs
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return err == nil, errs.String()
}

var (
	oursPrefix   = regexp.MustCompile(`^spec\.(tests\[\d+\]( \([^)]*\))?|[a-z_]+): `)
	theirsPrefix = regexp.MustCompile(`(?m)^ +(name: .*,|FAILED:)$`)
)

// compareTexts compares what is said about failures, but for the layout.
func (c testCase) compareTexts(t *testing.T, ours []string, theirs string) {
	t.Helper()
	if c.says != "" {
		if len(ours) != 1 || ours[0] != c.says {
			t.Errorf("-- ours:\n%s\n-- want:\n%s", strings.Join(ours, "\n"), c.says)
		}
		return
	}
	var said []string
	for _, text := range ours {
		said = append(said, strings.Fields(oursPrefix.ReplaceAllString(text, ""))...)
	}
	theirs = theirsPrefix.ReplaceAllString(theirs, "")
	if a, b := strings.Join(said, " "), strings.Join(strings.Fields(theirs), " "); a != b {
		t.Errorf("the texts differ:\n-- promtool:\n%s\n-- ours:\n%s", b, a)
	}
}

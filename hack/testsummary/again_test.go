package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ends is how go test ends when something failed.
const ends = "exit 1"

// TestAgain runs a command that says one thing the first time and another thing when it is asked for single tests.
func TestAgain(t *testing.T) {
	const (
		pass   = `{"Action":"pass","Package":"p","Test":"TestA"}`
		fail   = `{"Action":"fail","Package":"p","Test":"TestA"}`
		sub    = `{"Action":"fail","Package":"p","Test":"TestA/x"}`
		subOK  = `{"Action":"pass","Package":"p","Test":"TestA/x"}`
		other  = `{"Action":"pass","Package":"p","Test":"TestB"}`
		broken = `{"Action":"fail","Package":"p"}`
		fine   = `{"Action":"pass","Package":"p"}`
	)
	three := strings.NewReplacer("TestA", "TestC").Replace(fail) + "\n" + strings.NewReplacer("TestA", "TestD").Replace(fail) + "\n" + fail
	for name, c := range map[string]struct {
		first, second []string
		want          result
		runs          int
	}{
		"passes then":            {[]string{sub, fail, other, broken, ends}, []string{subOK, pass, fine}, result{Passed: 2, Second: []string{"p TestA"}}, 2},
		"fails again":            {[]string{sub, fail, other, broken, ends}, []string{sub, fail, broken, ends}, result{Passed: 1, Failed: 1, Failures: []string{"p TestA/x"}}, 2},
		"does not run again":     {[]string{fail, other, broken, ends}, []string{broken, ends}, result{Passed: 1, Failed: 1, Failures: []string{"p TestA"}}, 2},
		"passes, then is broken": {[]string{fail, other, broken, ends}, []string{pass, broken, ends}, result{Passed: 2, Failed: 1, Failures: []string{"p"}, Second: []string{"p TestA"}}, 2},
		"nothing failed":         {[]string{pass, other, fine}, nil, result{Passed: 2}, 1},
		"too many":               {[]string{three, other, broken, ends}, nil, result{Passed: 1, Failed: 3, Failures: []string{"p TestA", "p TestC", "p TestD"}}, 1},
		"one never ended": {[]string{fail, `{"Action":"run","Package":"p","Test":"TestB"}`, broken, ends}, nil,
			result{Failed: 2, Failures: []string{"p TestA", "p TestB"}}, 1},
		"a package of its own": {[]string{fail, broken, `{"Action":"fail","Package":"q"}`, ends}, nil, result{Failed: 2, Failures: []string{"p TestA", "q"}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			command := filepath.Join(dir, "test.sh")
			writeScript(t, command, filepath.Join(dir, "runs"), c.first, c.second)
			var out bytes.Buffer
			err := run(&out, dir, "part", []string{"sh", command, "-json", "./..."})
			results, readErr := read(dir, []string{"part"})
			if readErr != nil {
				t.Fatal(readErr)
			}
			got := results[0]
			got.Part, got.Took = "", 0
			if diff := cmp.Diff(c.want, got); diff != "" || (err != nil) != (c.want.Failed > 0) {
				t.Errorf("error %v (-want +got):\n%s\n%s", err, diff, &out)
			}
			runs, readErr := os.ReadFile(filepath.Join(dir, "runs"))
			if n := strings.Count(string(runs), "\n"); n != c.runs || readErr != nil {
				t.Errorf("%d runs, want %d, error %v:\n%s", n, c.runs, readErr, runs)
			}
			out.Reset()
			_ = report(&out, dir, []string{"part"})
			if told := strings.Contains(out.String(), "FAILED ONCE"); told != (c.want.Second != nil) {
				t.Errorf("the report:\n%s", &out)
			}
		})
	}
}

// writeScript writes a shell script that says first, or second if it is asked for TestA alone, and notes each run in a file.
func writeScript(t *testing.T, file, runs string, first, second []string) {
	t.Helper()
	said := func(lines []string) string {
		var b strings.Builder
		for line := range strings.SplitSeq(strings.Join(lines, "\n"), "\n") {
			if line != ends {
				line = "echo '" + line + "'"
			}
			b.WriteString(line + "\n")
		}
		return b.String()
	}
	body := fmt.Sprintf("echo \"$@\" >> %s\nif [ \"$3\" = -run='^(TestA)$' ]; then\n:\n%selse\n%sfi\n", runs, said(second), said(first))
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
}

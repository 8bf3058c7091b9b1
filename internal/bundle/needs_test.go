package bundle_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hearth-monitoring/hearth/internal/bundle"
)

func TestNeedsAreOneLine(t *testing.T) {
	n := bundle.Needs{
		Rules:   []bundle.RuleNeeds{{Rule: "spec.groups[a\nb].rules[0] (A)", Metrics: [][]string{{"x"}, {"y", "größe \"z\""}}}},
		Records: []string{"a:b"},
	}
	line := n.Line()
	for i, b := range line {
		if b == '\n' && i != len(line)-1 || b == '\r' {
			t.Fatalf("%q is more than one line", line)
		}
	}
	if diff := cmp.Diff(n, bundle.NeedsOf(line)); line[0] != '#' || diff != "" {
		t.Errorf("%s: -want +got:\n%s", line, diff)
	}
	if line := (bundle.Needs{}).Line(); line != nil {
		t.Errorf("nothing is said in %q", line)
	}
	for _, text := range []string{"", "groups:", "# needs ", "# needs {", "# needs []", "# needs {\"rules\":1}"} {
		if diff := cmp.Diff(bundle.Needs{}, bundle.NeedsOf([]byte(text))); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

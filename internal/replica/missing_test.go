package replica

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMissingInBoth: what one replica has is not missing, metric by metric, whatever else the other lacks.
func TestMissingInBoth(t *testing.T) {
	lacks := func(rule string, metrics ...string) string { return LacksText(rule, metrics) }
	for name, c := range map[string]struct{ a, b, want []string }{
		"nothing":              {nil, []string{lacks("r", "x")}, nil},
		"the same":             {[]string{lacks("r", "x", "y")}, []string{lacks("r", "x", "y")}, []string{"r: x, y"}},
		"one of two":           {[]string{lacks("r", "x", "y")}, []string{lacks("r", "x")}, []string{"r: x"}},
		"each lacks another":   {[]string{lacks("r", "x")}, []string{lacks("r", "y")}, nil},
		"another rule":         {[]string{lacks("q", "x"), lacks("r", "x")}, []string{lacks("r", "x")}, []string{"r: x"}},
		"a colon in the name":  {[]string{lacks(`rule "a: b"`, "x", "y")}, []string{lacks(`rule "a: b"`, "y")}, []string{`rule "a: b": y`}},
		"one of several do":    {[]string{lacks("r", "x or y")}, []string{lacks("r", "x or y", "z")}, []string{"r: x or y"}},
		"more than are named":  {[]string{lacks("r", "x"), "and 2 more"}, []string{lacks("r", "x"), "and 2 more"}, []string{"r: x", "and 2 more"}},
		"not as many as there": {[]string{lacks("r", "x"), "and 2 more"}, []string{lacks("r", "x"), "and 3 more"}, []string{"r: x"}},
	} {
		if diff := cmp.Diff(c.want, MissingInBoth(c.a, c.b)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

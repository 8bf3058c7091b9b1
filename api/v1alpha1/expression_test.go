package v1alpha1

import (
	"encoding/json"
	"testing"
)

func TestExpressionTakesStringsAndNumbers(t *testing.T) {
	for text, want := range map[string]Expression{
		`"up == 0"`:    "up == 0",
		`"a \"b\""`:    `a "b"`,
		`1`:            "1",
		`4294967296`:   "4294967296", // more than an int32, which IntOrString would refuse
		`-1.5e300`:     "-1.5e300",
		`"4294967296"`: "4294967296",
	} {
		var got Expression
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: got %q, %v", text, got, err)
		}
	}
	for _, text := range []string{`true`, `{}`, `[]`} {
		var got Expression
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s: taken as %q", text, got)
		}
	}
}

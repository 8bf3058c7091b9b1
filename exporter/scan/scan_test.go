package scan

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFields(t *testing.T) {
	rest := []byte("  cpu0 1\t22  \nintr 5\n\nlast")
	var got [][]string
	for len(rest) > 0 {
		var line []byte
		line, rest = Line(rest)
		var fields []string
		for {
			var f []byte
			if f, line = Field(line); len(f) == 0 {
				break
			}
			fields = append(fields, string(f))
		}
		got = append(got, fields)
	}
	if diff := cmp.Diff([][]string{{"cpu0", "1", "22"}, {"intr", "5"}, nil, {"last"}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestNumbers holds the readers to strconv's.
func TestNumbers(t *testing.T) {
	texts := []string{"", "0", "-0", "7", "-7", "+7", "18446744073709551615", "18446744073709551616", "99999999999999999999", "9223372036854775807",
		"9223372036854775808", "1x", "x", " 1", "1 ", "0x10", ".", "1.", ".5", "1.5", "1.5.5", "123456789012.125", "1e3", "0.1", "0.30000000000000004"}
	random := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		texts = append(texts, strconv.FormatUint(random.Uint64N(1_000_000), 10)+"."+strconv.FormatUint(random.Uint64N(100_000), 10))
	}
	for _, s := range texts {
		u, uErr := strconv.ParseUint(s, 10, 64)
		if got, ok := Uint([]byte(s)); ok != (uErr == nil) || ok && got != u {
			t.Errorf("Uint(%q) = %d, %t; strconv %d, %v", s, got, ok, u, uErr)
		}
		f, fErr := strconv.ParseFloat(s, 64)
		if got, ok := Float([]byte(s)); ok != (fErr == nil) || ok && got != f {
			t.Errorf("Float(%q) = %v, %t; strconv %v, %v", s, got, ok, f, fErr)
		}
		i, iErr := strconv.ParseInt(s, 10, 64)
		if got, ok := Int([]byte(s)); s != "+7" && (ok != (iErr == nil) || ok && got != i) {
			t.Errorf("Int(%q) = %d, %t; strconv %d, %v", s, got, ok, i, iErr)
		}
	}
	for s, want := range map[string]float64{"0x1003": 0x1003, "-1": -1, "12": 12} {
		if got, ok := Number([]byte(s)); !ok || got != want {
			t.Errorf("Number(%q) = %v, %t", s, got, ok)
		}
	}
}

func TestUints(t *testing.T) {
	var values [2]uint64
	if n, bad := Uints([]byte(" 1 2 3"), values[:]); n != 3 || bad != nil || values != [2]uint64{1, 2} {
		t.Errorf("%d %q %v", n, bad, values)
	}
	if n, bad := Uints([]byte("1 x"), values[:]); n != 1 || string(bad) != "x" {
		t.Errorf("%d %q", n, bad)
	}
}

package e2e

import (
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNumbered: one scrape that is missing is found, wherever it is; one that failed, and another process, are none.
func TestNumbered(t *testing.T) {
	const lost, failed = -1, -2
	for name, c := range map[string]struct {
		numbers []int // one for each scrape, one second after the other; lost: neither it nor its up arrived; failed: only its up
		want    []life
		missing bool
	}{
		"none":                    {numbers: nil},
		"all":                     {numbers: []int{0, 1, 2}, want: []life{{2, 3}}},
		"two processes":           {numbers: []int{0, 1, 2, 0, 1}, want: []life{{2, 3}, {1, 5}}},
		"three, two short":        {numbers: []int{0, 0, 0}, want: []life{{0, 1}, {0, 2}, {0, 3}}},
		"failed, served":          {numbers: []int{0, failed, 2}, want: []life{{2, 3}}},
		"failed, never served":    {numbers: []int{0, failed, 1}, want: []life{{1, 3}}},
		"first failed":            {numbers: []int{failed, 1, 2}, want: []life{{2, 3}}},
		"lost":                    {numbers: []int{0, lost, 2}, missing: true},
		"first lost":              {numbers: []int{lost, 1, 2}, missing: true},
		"first of the next lost":  {numbers: []int{0, 1, 2, lost, 1}, missing: true},
		"lost beside failed ones": {numbers: []int{0, failed, lost, 3, 4}, missing: true},
	} {
		t.Run(name, func(t *testing.T) {
			var up, counts []point
			for i, n := range c.numbers {
				at := float64(i + 1)
				if n != lost {
					up = append(up, point{at, "1"})
				}
				if n >= 0 {
					counts = append(counts, point{at, strconv.Itoa(n)})
				}
			}
			got, err := numbered(up, counts)
			if c.missing != (err != nil) {
				t.Fatalf("missing: %v", err)
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(life{})); err == nil && diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

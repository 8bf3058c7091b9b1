package cluster

import (
	"testing"
	"time"
)

// A second at each tenth of which a millisecond of CPU was used, and ten at the one with the write.
func TestSplit(t *testing.T) {
	began := time.Now()
	at := func(seconds float64) time.Time { return began.Add(time.Duration(seconds * float64(time.Second))) }
	m := &meter{}
	cpu := 0.0
	for i := range 101 {
		m.readings = append(m.readings, reading{at(float64(i) / 10), cpu})
		cpu += 0.001
		if i == 50 {
			cpu += 0.009
		}
	}
	for _, c := range []struct {
		name         string
		from, to     float64
		writes       []float64
		worked, rest share
	}{
		{"nothing is written", 0, 10, nil, share{}, share{10, 0.109}},
		{"one write", 0, 10, []float64{5.05}, share{1.6, 0.025}, share{8.4, 0.084}},
		{"two writes at once", 0, 10, []float64{5.05, 5.06}, share{1.6, 0.025}, share{8.4, 0.084}},
		{"two writes whose times overlap", 0, 10, []float64{4.05, 5.05}, share{2.6, 0.035}, share{7.4, 0.074}},
		{"a write elsewhere", 0, 10, []float64{1.05}, share{1.6, 0.016}, share{8.4, 0.093}},
		{"not all of the time", 4.95, 7.05, []float64{5.05}, share{1.1, 0.02}, share{0.9, 0.009}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var writes []time.Time
			for _, w := range c.writes {
				writes = append(writes, at(w))
			}
			worked, rest := m.split(at(c.from), at(c.to), writes)
			if !worked.near(c.worked) || !rest.near(c.rest) {
				t.Errorf("worked %+v, rest %+v; want %+v and %+v", worked, rest, c.worked, c.rest)
			}
		})
	}
}

func (s share) near(want share) bool {
	return max(s.seconds-want.seconds, want.seconds-s.seconds, s.cpu-want.cpu, want.cpu-s.cpu) < 1e-6
}

package collector

import (
	"io"
	"testing"
)

// BenchmarkCollectors runs each collector on this machine.
func BenchmarkCollectors(b *testing.B) {
	set := newTestSet(b, io.Discard)
	for _, name := range set.Names() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			seat := set.seats[name]
			for b.Loop() {
				seat.keep(seat.run(b.Context()))
			}
		})
	}
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			buf = set.Run(set.Names(), 0).AppendTo(buf[:0])
		}
	})
}

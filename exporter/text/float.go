package text

import (
	"math"
	"strconv"
)

// exact is the range in which a float64 holds every integer.
const exact = 1 << 53

// appendFloat writes v so that reading it gives v again. Nearly all that a host says is an integer or has at most three
// decimals (ticks of 10 ms, milliseconds), and those are written digit by digit, ten times as fast as the general case.
func appendFloat(b []byte, v float64) []byte {
	if v > -exact && v < exact {
		if n := int64(v); float64(n) == v && (n != 0 || !math.Signbit(v)) {
			return strconv.AppendInt(b, n, 10)
		}
		// Division rounds to the nearest float64, as a parser does: if it gives v back, these decimals are v.
		if n := int64(math.RoundToEven(v * 1000)); n != 0 && n > -exact && n < exact && float64(n)/1000 == v {
			return appendThousandths(b, n)
		}
	}
	return strconv.AppendFloat(b, v, 'g', -1, 64)
}

// appendThousandths writes n/1000 without the zeros at its end. n is not a multiple of 1000: that is an integer.
func appendThousandths(b []byte, n int64) []byte {
	if n < 0 {
		b, n = append(b, '-'), -n
	}
	b = strconv.AppendInt(b, n/1000, 10)
	rest := n % 1000
	b = append(b, '.', byte('0'+rest/100))
	if rest%100 != 0 {
		b = append(b, byte('0'+rest/10%10))
	}
	if rest%10 != 0 {
		b = append(b, byte('0'+rest%10))
	}
	return b
}

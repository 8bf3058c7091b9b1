// Package scan parses what the kernel writes, in place: lines, fields and numbers are cut out of the bytes that were read
// and nothing is copied. What it returns is valid for as long as those bytes are.
package scan

import (
	"bytes"
	"strconv"
)

// Line cuts the first line off b, without its end.
func Line(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return b, nil
	}
	return b[:i], b[i+1:]
}

// Field cuts the first field off b: what stands between spaces or tabs. It is empty when there is none left.
func Field(b []byte) (field, rest []byte) {
	start := 0
	for start < len(b) && space(b[start]) {
		start++
	}
	end := start
	for end < len(b) && !space(b[end]) {
		end++
	}
	return b[start:end], b[end:]
}

func space(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// Uint reads a decimal number of digits only; ok is false for anything else, also for what does not fit.
func Uint(b []byte) (value uint64, ok bool) {
	if len(b) == 0 || len(b) > 20 {
		return 0, false
	}
	for _, c := range b {
		digit := uint64(c - '0')
		if digit > 9 || value > (1<<64-1-digit)/10 {
			return 0, false
		}
		value = value*10 + digit
	}
	return value, true
}

// Int reads a decimal number that may have a sign.
func Int(b []byte) (value int64, ok bool) {
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	u, ok := Uint(b)
	if !ok || u > 1<<63-1 {
		return 0, false
	}
	if negative {
		return -int64(u), true
	}
	return int64(u), true
}

// Number reads a number as C's %i does: decimal, or hexadecimal after 0x, with or without a sign.
func Number(b []byte) (value float64, ok bool) {
	if n, ok := Int(b); ok {
		return float64(n), true
	}
	if digits, hex := bytes.CutPrefix(b, []byte("0x")); hex {
		u, err := strconv.ParseUint(string(digits), 16, 64)
		return float64(u), err == nil
	}
	return 0, false
}

// Float reads a number such as 0.25. Up to 15 digits it needs no more than a division, which rounds as a parser does.
func Float(b []byte) (value float64, ok bool) {
	whole, decimals, _ := bytes.Cut(b, []byte("."))
	if len(decimals) > 0 && len(whole)+len(decimals) <= 15 {
		w, okWhole := Uint(whole)
		d, okDecimals := Uint(decimals)
		if okWhole && okDecimals {
			scale := uint64(1)
			for range decimals {
				scale *= 10
			}
			return float64(w*scale+d) / float64(scale), true
		}
	}
	value, err := strconv.ParseFloat(string(b), 64)
	return value, err == nil
}

// Uints reads the fields of b as numbers into values, which it fills from the start, and returns how many there are. bad
// is the first field that is no number. Fields beyond the room in values are counted but not read.
func Uints(b []byte, values []uint64) (n int, bad []byte) {
	for {
		var field []byte
		if field, b = Field(b); len(field) == 0 {
			return n, nil
		}
		v, ok := Uint(field)
		if !ok {
			return n, field
		}
		if n < len(values) {
			values[n] = v
		}
		n++
	}
}

package collector

import (
	"bytes"
	"fmt"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/scan"
)

// eachLine reads the file and gives take its lines, numbered from 1. It ends with the first that take refuses, and the
// error names it.
func eachLine(file *held.File, take func(n int, line []byte) error) error {
	b, err := file.Lines()
	if err != nil {
		return err
	}
	return takeLines(file, b, take)
}

// eachLineUntil is eachLine for a file whose last line need not end in a newline where whole says that nothing of it can
// be missing: copies of the kernel's files tend to lose it.
func eachLineUntil(file *held.File, whole func(last []byte) bool, take func(n int, line []byte) error) error {
	b, err := file.Read()
	if err != nil {
		return err
	}
	if last := b[bytes.LastIndexByte(b, '\n')+1:]; len(last) == 0 || !whole(last) {
		return eachLine(file, take)
	}
	return takeLines(file, b, take)
}

func takeLines(file *held.File, b []byte, take func(n int, line []byte) error) error {
	for n := 1; len(b) > 0; n++ {
		var line []byte
		line, b = scan.Line(b)
		if err := take(n, line); err != nil {
			return fmt.Errorf("%s: line %d: %w", file.Path(), n, err)
		}
	}
	return nil
}

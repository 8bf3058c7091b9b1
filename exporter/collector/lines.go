package collector

import (
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
	for n := 1; len(b) > 0; n++ {
		var line []byte
		line, b = scan.Line(b)
		if err := take(n, line); err != nil {
			return fmt.Errorf("%s: line %d: %w", file.Path(), n, err)
		}
	}
	return nil
}

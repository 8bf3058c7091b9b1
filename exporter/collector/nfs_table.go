package collector

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/scan"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

// An rpcTable is a file of /proc/net/rpc, in which each line is a name and its numbers.
type rpcTable struct {
	*held.File
	lines map[string]rpcLine
	seen  []float64 // of the line that is being read
}

// An rpcLine says what a line's numbers are.
type rpcLine struct {
	columns []rpcColumn
	counted bool // the first number says how many follow
	fewest  int  // columns; what an older kernel doesn't have after them, nobody called: it counts as zero
}

// An rpcColumn is where a number goes: nowhere if it has no family.
type rpcColumn struct {
	*text.Family
	label text.Labels
}

// rpcNumbers is a line of which each column is known; nil is a number without a metric.
func rpcNumbers(columns ...rpcColumn) rpcLine { return rpcLine{columns: columns, fewest: len(columns)} }

// rpcCalls is a line that counts calls by procedure: names in the order of their numbers, "-" for one without a metric.
func rpcCalls(f *text.Family, proto, names string, fewest int) rpcLine {
	line := rpcLine{counted: true, fewest: fewest}
	for _, method := range strings.Fields(names) {
		column := rpcColumn{}
		if method != "-" {
			column = rpcColumn{f, f.Labels(proto, method)}
		}
		line.columns = append(line.columns, column)
	}
	return line
}

// read adds what the file says. Without that part of the kernel there is no such file.
func (t *rpcTable) read() error {
	b, err := t.Lines()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for n := 1; len(b) > 0; n++ {
		var line []byte
		line, b = scan.Line(b)
		name, rest := scan.Field(line)
		known, ok := t.lines[string(name)]
		if !ok { // of a newer kernel
			continue
		}
		if err := t.readLine(known, rest); err != nil {
			return fmt.Errorf("%s: line %d: %s: %w", t.Path(), n, name, err)
		}
	}
	return nil
}

func (t *rpcTable) readLine(line rpcLine, rest []byte) error {
	announced := uint64(0)
	if line.counted {
		var field []byte
		var ok bool
		field, rest = scan.Field(rest)
		if announced, ok = scan.Uint(field); !ok {
			return fmt.Errorf("%q is not a number", field)
		}
	}
	t.seen = t.seen[:0]
	for len(t.seen) < len(line.columns) { // what comes after is of a newer kernel
		var field []byte
		if field, rest = scan.Field(rest); len(field) == 0 {
			break
		}
		v, ok := scan.Uint(field)
		if !ok {
			return fmt.Errorf("%q is not a number", field)
		}
		t.seen = append(t.seen, float64(v))
	}
	if n := len(t.seen); n < line.fewest {
		return fmt.Errorf("%d numbers, %d wanted", n, line.fewest)
	}
	if n := min(announced, uint64(len(line.columns))); line.counted && uint64(len(t.seen)) != n {
		return fmt.Errorf("%d numbers follow, not %d", len(t.seen), announced)
	}
	t.addLine(line)
	return nil
}

// addLine says the columns that were seen, and zero for those that an older kernel lacks.
func (t *rpcTable) addLine(line rpcLine) {
	for i, column := range line.columns {
		if column.Family == nil {
			continue
		}
		v := 0.0
		if i < len(t.seen) {
			v = t.seen[i]
		}
		column.Put(v, column.label)
	}
}

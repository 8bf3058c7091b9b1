package conformance

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// unpack reads a ttar archive, the text format in which node_exporter's module keeps its sysfs: paths, modes, links, and
// content line by line.
func unpack(archive, into string) error {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	path := ""
	for n := 1; lines.Scan(); n++ {
		key, value, _ := strings.Cut(lines.Text(), ": ")
		if strings.HasPrefix(key, "#") {
			continue
		}
		if err := entry(lines, into, &path, key, value); err != nil {
			return fmt.Errorf("%s: near line %d: %w", archive, n, err)
		}
	}
	return lines.Err()
}

// entry reads one line of an entry, and after Lines those of its content.
func entry(lines *bufio.Scanner, into string, path *string, key, value string) error {
	switch key {
	case "Path":
		*path = filepath.Join(into, value)
		return os.MkdirAll(filepath.Dir(*path), 0o755)
	case "Directory":
		return os.MkdirAll(filepath.Join(into, value), 0o755)
	case "SymlinkTo":
		return os.Symlink(value, *path)
	case "Lines":
		n, err := strconv.Atoi(value)
		if err != nil {
			return err
		}
		return os.WriteFile(*path, []byte(content(lines, n)), 0o644)
	}
	return nil // the mode: what a test reads, it may read
}

// content reads n lines. EOF at the end of the last says that it has no newline, and a zero byte is spelled out; a
// backslash before either means the word itself.
func content(lines *bufio.Scanner, n int) string {
	var b strings.Builder
	for i := range n {
		if !lines.Scan() {
			break
		}
		line := lines.Text()
		end := "\n"
		if i == n-1 && strings.HasSuffix(line, "EOF") && !strings.HasSuffix(line, `\EOF`) {
			line, end = strings.TrimSuffix(line, "EOF"), ""
		}
		line = strings.NewReplacer(`\NULLBYTE`, "NULLBYTE", "NULLBYTE", "\x00", `\EOF`, "EOF").Replace(line)
		b.WriteString(line + end)
	}
	return b.String()
}

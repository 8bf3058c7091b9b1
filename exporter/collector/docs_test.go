package collector

import (
	"strings"
	"testing"
)

// TestDocs keeps the example of docs/exporter.md what is compiled and tested.
func TestDocs(t *testing.T) {
	page := string(readFile(t, "../../docs/exporter.md"))
	if !strings.Contains(page, "```go\n"+string(readFile(t, "filefd.go"))+"```\n") {
		t.Error("docs/exporter.md shows another filefd.go than there is")
	}
}

package conformance

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hearth-monitoring/hearth/test/compare"
	"github.com/hearth-monitoring/hearth/test/peer"
)

// TestTextfile reads the directories of node_exporter's own test of its textfile collector, each against its golden output:
// all families equal, none missing, none extra. Of the times of the files, which are the module cache's, the number counts.
func TestTextfile(t *testing.T) {
	module, err := peer.Dir(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fixtures := filepath.Join(module, "collector/fixtures/textfile")
	goldens, err := filepath.Glob(fixtures + "/*.out")
	if err != nil || len(goldens) < 14 {
		t.Fatalf("%d golden files below %s (%v)", len(goldens), fixtures, err)
	}
	binary, err := peer.BuildOurs(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range goldens {
		name := strings.TrimSuffix(filepath.Base(path), ".out")
		t.Run(name, func(t *testing.T) {
			directory := filepath.Join(fixtures, name)
			if name == "glob_extra_dimension" {
				directory = filepath.Join(fixtures, "*_extra_dimension")
			}
			e := run(t, binary, "--collector.disable-defaults", "--web.disable-exporter-metrics", "--collector.textfile",
				"--collector.textfile.directory="+directory)
			golden, ours := readGolden(t, path), scrape(t, e, "textfile")
			for _, family := range slices.Sorted(maps.Keys(ours)) {
				if _, ok := golden[family]; !ok && !variable().MatchString(family) {
					t.Errorf("%s is extra", family)
				}
			}
			samples := 0
			for _, family := range slices.Sorted(maps.Keys(golden)) {
				samples += len(golden[family].Samples)
				if family == "node_textfile_mtime_seconds" {
					if got, want := len(ours[family].Samples), len(golden[family].Samples); got != want {
						t.Errorf("%s has %d samples, want %d", family, got, want)
					}
					continue
				}
				for _, diff := range compare.Golden(family, golden[family], ours[family]) {
					t.Error(diff)
				}
			}
			t.Logf("%d families, %d samples", len(golden), samples)
		})
	}
}

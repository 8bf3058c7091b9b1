package stack_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/stack/stacktest"
)

// TestBadSpecs has each testdata/bad/*.yaml refused with exactly the errors that its "# want:" lines begin.
func TestBadSpecs(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no bad specs: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			declared, err := stacktest.Read(os.DirFS("../../config/crd"), text)
			if err != nil {
				t.Fatal(err)
			}
			want := wanted(string(text))
			got := messages(refusals(declared))
			compare(t, want, got)
			for range 20 {
				if again := messages(refusals(declared)); !slices.Equal(got, again) {
					t.Fatalf("the errors are not always the same ones in the same order, so the status would never rest:\n%q\n%q", got, again)
				}
			}
		})
	}
}

// compare holds each error to the text it is wanted to begin with.
func compare(t *testing.T, want, got []string) {
	t.Helper()
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(got):
			t.Errorf("no error %q", want[i])
		case i >= len(want):
			t.Errorf("error without a want line: %s", got[i])
		case !strings.HasPrefix(got[i], want[i]):
			t.Errorf("got  %s\nwant %s", got[i], want[i])
		}
	}
}

func wanted(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if want, ok := strings.CutPrefix(line, "# want: "); ok {
			out = append(out, strings.TrimSpace(want))
		}
	}
	return out
}

func refusals(d stacktest.Declared) field.ErrorList {
	var out field.ErrorList
	for i := range d.Servers {
		_, errs := stack.Resolve(d.Inputs(&d.Servers[i]))
		out = append(out, errs...)
	}
	for i := range d.NodeExporters {
		_, errs := stack.ResolveExporter(d.ExporterInputs(&d.NodeExporters[i]))
		out = append(out, errs...)
	}
	return out
}

func messages(errs field.ErrorList) []string {
	out := make([]string, len(errs))
	for i, err := range errs {
		out[i] = err.Error()
	}
	return out
}

package manifests_test

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the files beside each in.yaml from what is rendered now")

// TestCases compares what each testdata/<case>/in.yaml becomes with the files beside it. A new case is a folder with an
// in.yaml; go test ./internal/manifests -update writes the rest.
func TestCases(t *testing.T) {
	forEachCase(t, func(t *testing.T, c testCase) {
		got := c.files(t)
		if *update {
			c.rewrite(t, got)
		}
		if diff := cmp.Diff(c.stored(t), got); diff != "" {
			t.Errorf("what is rendered differs from what is stored (-stored +rendered); if that is meant, run with -update:\n%s", diff)
		}
	})
}

// stored are the files beside in.yaml, by path.
func (c testCase) stored(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	dir := os.DirFS(c.dir)
	err := fs.WalkDir(dir, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path == "in.yaml" {
			return err
		}
		text, err := fs.ReadFile(dir, path)
		out[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (c testCase) rewrite(t *testing.T, files map[string]string) {
	t.Helper()
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() == "in.yaml" {
			continue
		}
		if err := os.RemoveAll(filepath.Join(c.dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range files {
		path := filepath.Join(c.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

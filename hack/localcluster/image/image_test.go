package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	s, err := Parse("hearth:dev=bin/hearth,bin/exporter:/usr/bin/exporter")
	if err != nil {
		t.Fatal(err)
	}
	want := []File{{"bin/hearth", "/hearth"}, {"bin/exporter", "/usr/bin/exporter"}}
	if s.Ref != "hearth:dev" || s.Entry != "/hearth" || !slices.Equal(s.Files, want) || s.User != defaultUser {
		t.Errorf("got %+v", s)
	}
	for _, bad := range []string{
		"hearth:dev", "hearth:dev=", "hearth=bin/x", "Hearth:dev=bin/x", "hearth:dev=bin/x,", "hearth:dev=bin/x:rel",
		"hearth:dev=bin/x:/../y", "hearth:dev=a/x,b/x", "hearth:=x", "hearth:dev=x:/",
	} {
		if s, err := Parse(bad); err == nil {
			t.Errorf("%q: got %+v, want an error", bad, s)
		}
	}
}

func TestWriteIsDeterministicAndComplete(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "program")
	if err := os.WriteFile(file, []byte("binary"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Parse("x/y:1=" + file + ":/usr/bin/program")
	if err != nil {
		t.Fatal(err)
	}
	first, err := Write(s, filepath.Join(dir, "1.tar"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	second, err := Write(s, filepath.Join(dir, "2.tar"))
	if err != nil {
		t.Fatal(err)
	}
	a, b := read(t, filepath.Join(dir, "1.tar")), read(t, filepath.Join(dir, "2.tar"))
	if first != second || !bytes.Equal(a, b) {
		t.Errorf("the same file gave %s and %s", first, second)
	}
	files := untar(t, a)
	if !strings.Contains(files["manifest.json"], `"x/y:1"`) || !strings.Contains(files[first+".json"], `"/usr/bin/program"`) {
		t.Errorf("manifest %s\nconfiguration %s", files["manifest.json"], files[first+".json"])
	}
	layer := untar(t, []byte(files["layer.tar"]))
	for name, want := range map[string]string{"usr/bin/program": "binary", "tmp/": "", "usr/bin/": "", "etc/group": "root:x:0:\nnonroot:x:65532:\n"} {
		if got, there := layer[name]; !there || got != want {
			t.Errorf("%s: got %q (there: %v), want %q", name, got, there, want)
		}
	}
	if !strings.Contains(layer["etc/passwd"], "nonroot:x:65532:65532:") {
		t.Errorf("etc/passwd: %q", layer["etc/passwd"])
	}
}

func TestWriteOfAMissingFile(t *testing.T) {
	_, err := Write(Spec{Ref: "x:1", Files: []File{{"/nosuch", "/x"}}}, filepath.Join(t.TempDir(), "x.tar"))
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "x:1") {
		t.Errorf("got %v", err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func untar(t *testing.T, b []byte) map[string]string {
	t.Helper()
	files := map[string]string{}
	for r := tar.NewReader(bytes.NewReader(b)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = string(content)
	}
}

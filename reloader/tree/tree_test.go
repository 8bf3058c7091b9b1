package tree

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hearth-monitoring/hearth/internal/bundle"
)

func published(t *testing.T, prev *bundle.Manifest, config, rules map[string][]byte) (Revision, map[string][]byte) {
	t.Helper()
	m, objects, err := bundle.Publish(prev, "p", config, rules, len(rules))
	if err != nil {
		t.Fatal(err)
	}
	return Revision{UID: "u", Manifest: m}, objects
}

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, map[string]string{"POD_NAME": "main-0"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "current", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestStore(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if !s.Current().None() || !s.Good().None() {
		t.Error("an empty directory has a revision")
	}
	config := map[string][]byte{"prometheus.yml": []byte("replica: $(POD_NAME) $(OTHER)")}
	one, objects := published(t, nil, config, map[string][]byte{"a.yaml": []byte("$(POD_NAME)"), "sub/b.yaml": []byte("b")})
	must(t, s.Write(one, objects), s.Use(one), s.Acknowledge(one))
	if got := content(t, dir, "prometheus.yml"); got != "replica: main-0 $(OTHER)" {
		t.Errorf("root file: %q", got)
	}
	if got := content(t, dir, "rules/a.yaml"); got != "$(POD_NAME)" {
		t.Errorf("a rule file was expanded: %q", got)
	}

	two, objects := published(t, &one.Manifest, config, map[string][]byte{"a.yaml": []byte("edited"), "sub/b.yaml": []byte("b")})
	missing := s.Missing(two.Manifest)
	if len(missing) != 1 || missing[0].Name != "p-rules-0" {
		t.Fatalf("missing: %v", missing)
	}
	must(t, s.Write(two, map[string][]byte{"p-rules-0": objects["p-rules-0"]}), s.Use(two))
	if got := content(t, dir, "rules/a.yaml") + content(t, dir, "prometheus.yml"); got != "editedreplica: main-0 $(OTHER)" {
		t.Errorf("second tree: %q", got)
	}

	// Killed between swap and answer: the next run starts from what the server acknowledged.
	must(t, os.Mkdir(filepath.Join(dir, ".new-left"), 0o755))
	s = open(t, dir)
	if !s.Current().Same(one) || !s.Good().Same(one) || content(t, dir, "rules/a.yaml") != "$(POD_NAME)" {
		t.Error("not back at the good revision")
	}
	entries, err := os.ReadDir(dir)
	must(t, err)
	if len(entries) != 3 {
		t.Errorf("left behind: %v", entries)
	}
	if err := s.Use(two); err == nil {
		t.Error("used a revision that was swept")
	}
}

func TestWriteRefusesAFileInTwoParts(t *testing.T) {
	s := open(t, t.TempDir())
	one, objects := published(t, nil, map[string][]byte{"a": []byte("1")}, nil)
	packed, err := bundle.Pack(map[string][]byte{"a": []byte("2")})
	must(t, err)
	objects["p-rules-0"] = packed
	if err := s.Write(one, objects); err == nil || !strings.Contains(err.Error(), "p-rules-0") {
		t.Errorf("got %v", err)
	}
	must(t, s.Sweep())
	if entries, _ := os.ReadDir(s.dir); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestWriteTheSameContentOfARecreatedObject(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	one, objects := published(t, nil, map[string][]byte{"a": []byte("1")}, nil)
	must(t, s.Write(one, objects), s.Use(one))
	again := one
	again.UID = "other"
	must(t, s.Write(again, nil))
	if !s.Current().Same(again) || !open(t, dir).Current().Same(again) || content(t, dir, "a") != "1" {
		t.Error("the note does not say which object it was")
	}
}

func TestSupersedes(t *testing.T) {
	rev := func(uid string, n int64, hash string) Revision {
		return Revision{UID: uid, Manifest: bundle.Manifest{Revision: n, Hash: hash}}
	}
	for _, c := range []struct {
		r, o Revision
		want bool
	}{
		{Revision{}, rev("u", 1, "a"), false},
		{rev("u", 1, "a"), Revision{}, true},
		{rev("u", 2, "a"), rev("u", 1, "b"), true},
		{rev("u", 1, "a"), rev("u", 2, "b"), false},
		{rev("u", 1, "a"), rev("u", 1, "a"), false},
		{rev("u", 1, "b"), rev("u", 1, "a"), true},
		{rev("v", 1, "a"), rev("u", 9, "b"), true},
	} {
		if got := c.r.Supersedes(c.o); got != c.want {
			t.Errorf("%+v supersedes %+v: %v", c.r, c.o, got)
		}
	}
}

package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
	if len(entries) != 4 { // current, good, what they lead to, and the spare
		t.Errorf("left behind: %v", entries)
	}
	if err := s.Use(two); err == nil {
		t.Error("used a revision that was swept")
	}
}

// TestManyRevisions publishes rules that come, change and go, in more and fewer buckets, to a store that takes some revisions, leaves some
// out, goes back from some and is opened anew at times. Whatever it made a tree of, the tree has these files and no others.
func TestManyRevisions(t *testing.T) {
	for seed := range uint64(5) {
		random := rand.New(rand.NewPCG(seed, 0))
		dir := t.TempDir()
		s := open(t, dir)
		rules, last := map[string][]byte{}, (*bundle.Manifest)(nil)
		for i := range 15 {
			for range random.IntN(60) {
				name := fmt.Sprintf("rule-%d.yaml", random.IntN(200))
				if delete(rules, name); random.IntN(3) > 0 {
					rules[name] = noise(random)
				}
			}
			rev, objects := published(t, last, map[string][]byte{"prometheus.yml": fmt.Append(nil, i)}, rules)
			last = &rev.Manifest
			if random.IntN(8) == 0 {
				continue // the reloader was busy
			}
			missing := map[string][]byte{}
			for _, o := range s.Missing(rev.Manifest) {
				missing[o.Name] = objects[o.Name]
			}
			must(t, s.Write(rev, missing), s.Use(rev))
			if diff := cmp.Diff(texts(rules), ruleFiles(t, dir)); diff != "" || content(t, dir, "prometheus.yml") != strconv.Itoa(i) {
				t.Fatalf("seed %d, revision %d: prometheus.yml %q, rules (-want +got):\n%s", seed, i, content(t, dir, "prometheus.yml"), diff)
			}
			switch good := s.Good(); {
			case random.IntN(5) == 0 && !good.None(): // refused
				must(t, s.Use(good))
			default:
				must(t, s.Acknowledge(rev))
			}
			must(t, s.Sweep(rev))
			if random.IntN(3) == 0 {
				left := random.IntN(300) // until something else is to be done
				must(t, s.Spare(func() bool { left--; return left < 0 }))
			}
			if random.IntN(10) == 0 {
				s = open(t, dir)
			}
		}
	}
}

// noise is up to 1 KiB that does not compress: enough for the number of buckets to change.
func noise(random *rand.Rand) []byte {
	text := make([]byte, random.IntN(1<<10))
	for i := range text {
		text[i] = byte(random.Uint32())
	}
	return text
}

func texts(files map[string][]byte) map[string]string {
	texts := map[string]string{}
	for name, text := range files {
		texts[name] = string(text)
	}
	return texts
}

func ruleFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	root := filepath.Join(dir, "current", bundle.RulesDir)
	entries, err := os.ReadDir(root)
	if !errors.Is(err, fs.ErrNotExist) {
		must(t, err)
	}
	files := map[string]string{}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(root, e.Name()))
		must(t, err)
		files[e.Name()] = string(text)
	}
	return files
}

// TestSpare sees what each edit does to a store, from the first on: the files of the other buckets stay where they are.
func TestSpare(t *testing.T) {
	for _, left := range []int{0, 2, 100, 1000} {
		t.Run(fmt.Sprintf("%d files before something else is to be done", left), func(t *testing.T) { spare(t, left) })
	}
}

func spare(t *testing.T, left int) {
	dir := t.TempDir()
	s := open(t, dir)
	rules := map[string][]byte{}
	for i := range 200 {
		rules[fmt.Sprintf("rule-%d.yaml", i)] = []byte("one")
	}
	var last *bundle.Manifest
	var next os.FileInfo
	for i := range 4 {
		rules["rule-7.yaml"] = fmt.Appendf(nil, "edit %d", i)
		rev, objects := published(t, last, map[string][]byte{"prometheus.yml": nil}, rules)
		last = &rev.Manifest
		missing := map[string][]byte{}
		for _, o := range s.Missing(rev.Manifest) {
			missing[o.Name] = objects[o.Name]
		}
		must(t, s.Write(rev, missing), s.Use(rev), s.Acknowledge(rev), s.Sweep(), s.Spare(func() bool { left--; return left < 0 }))
		if diff := cmp.Diff(texts(rules), ruleFiles(t, dir)); diff != "" {
			t.Errorf("edit %d: rules (-want +got):\n%s", i, diff)
		}
		now, err := os.Stat(filepath.Join(dir, "current", bundle.RulesDir))
		must(t, err)
		if next != nil && !os.SameFile(next, now) {
			t.Errorf("edit %d made a new directory", i)
		}
		if next, err = os.Stat(filepath.Join(dir, spareDir, bundle.RulesDir)); left > 0 || i > 0 {
			must(t, err)
		}
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

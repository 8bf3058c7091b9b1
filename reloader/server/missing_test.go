package server

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hearth-monitoring/hearth/internal/bundle"
)

// looker looks at rule files of revisions at times of the test's.
type looker struct {
	*missing
	t        *testing.T
	dir      string
	revision int
	now      time.Time
}

func newLooker(t *testing.T) *looker {
	dir := t.TempDir()
	return &looker{missing: newMissing(filepath.Join(dir, "current", "rules")), t: t, dir: dir, now: time.Unix(1_000_000, 0)}
}

// load has these files loaded.
func (l *looker) load(files map[string]bundle.Needs) {
	l.t.Helper()
	l.revision++
	name := fmt.Sprint("rev-", l.revision)
	rules := filepath.Join(l.dir, name, "rules")
	if err := os.MkdirAll(rules, 0o700); err != nil {
		l.t.Fatal(err)
	}
	for file, n := range files {
		if err := os.WriteFile(filepath.Join(rules, file), append(n.Line(), "groups: []\n"...), 0o600); err != nil {
			l.t.Fatal(err)
		}
	}
	link := filepath.Join(l.dir, "new")
	if err := os.Symlink(name, link); err != nil {
		l.t.Fatal(err)
	}
	if err := os.Rename(link, filepath.Join(l.dir, "current")); err != nil {
		l.t.Fatal(err)
	}
}

// want is what is lacking after so long, if the server has series of these metrics.
func (l *looker) want(after time.Duration, instance string, have []string, want map[string][]string) {
	l.t.Helper()
	l.now = l.now.Add(after)
	changed, err := l.read(instance, l.now)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, name := range have {
		if _, needed := l.needed[name]; needed {
			l.needed[name] = l.now
		}
	}
	if err := l.judge(l.now, 30*time.Second, changed); err != nil {
		l.t.Fatal(err)
	}
	if len(l.rules) == 0 {
		l.rules = nil
	}
	if diff := cmp.Diff(want, l.rules); diff != "" {
		l.t.Errorf("revision %d at %s: -want +got:\n%s", l.revision, l.now.UTC(), diff)
	}
}

func oneRule(metrics ...[]string) bundle.Needs {
	return bundle.Needs{Rules: []bundle.RuleNeeds{{Rule: "r", Metrics: metrics}}}
}

func TestMissingMetrics(t *testing.T) {
	l := newLooker(t)
	l.want(0, "a", nil, nil) // before anything is loaded
	files := map[string]bundle.Needs{
		"t_a.yaml": oneRule([]string{"x"}, []string{"y", "z"}), "t_b.yaml": oneRule([]string{"x"}),
		"t_c.yaml": oneRule([]string{"ALERTS"}, []string{"rec:x"}), "t_d.yaml": {Records: []string{"rec:x"}},
	}
	l.load(files)
	l.want(0, "a", nil, nil)
	l.want(29*time.Second, "a", nil, nil) // it has had no time
	if l.known {
		t.Error("known after 29 seconds")
	}
	l.want(time.Second, "a", nil, map[string][]string{"t/a": {"r: x, y or z"}, "t/b": {"r: x"}})
	if !l.known {
		t.Error("not known after 30 seconds")
	}
	l.want(time.Second, "a", []string{"z"}, map[string][]string{"t/a": {"r: x"}, "t/b": {"r: x"}})
	l.want(time.Second, "a", []string{"x", "z"}, nil)
	l.want(29*time.Second, "a", nil, nil)
	// A rule that comes later has its own time, and one that goes is said nothing of.
	delete(files, "t_b.yaml")
	files["t_e.yaml"] = oneRule([]string{"new"})
	l.load(files)
	l.want(10*time.Second, "a", []string{"x", "z"}, nil)
	l.want(30*time.Second, "a", nil, map[string][]string{"t/a": {"r: x, y or z"}, "t/e": {"r: new"}})
	delete(files, "t_e.yaml")
	l.load(files)
	l.want(time.Second, "a", nil, map[string][]string{"t/a": {"r: x, y or z"}})
	delete(files, "t_d.yaml") // nobody records it any more
	l.load(files)
	l.want(time.Second, "a", nil, map[string][]string{"t/a": {"r: x, y or z"}, "t/c": {"r: rec:x"}})
	// Another process has its own time too.
	l.want(time.Second, "b", nil, nil)
	if l.known {
		t.Error("known of a server that was just started")
	}
}

func TestMissingMetricsOfManyRules(t *testing.T) {
	l := newLooker(t)
	var n bundle.Needs
	for i := range 100 {
		n.Rules = append(n.Rules, bundle.RuleNeeds{Rule: fmt.Sprintf("spec.groups[a\nb].rules[%d]", i), Metrics: [][]string{{"x"}}})
	}
	files := map[string]bundle.Needs{}
	for i := range 10_000 {
		files[fmt.Sprintf("t_%d.yaml", i)] = oneRule([]string{fmt.Sprint("m", i%100)})
	}
	files["t_a.yaml"] = n
	l.load(files)
	began := time.Now()
	l.want(0, "a", nil, nil)
	t.Logf("reading %d files: %s", len(files), time.Since(began))
	if len(l.needed) != 101 {
		t.Errorf("%d names are kept", len(l.needed))
	}
	l.now = l.now.Add(time.Minute)
	for name := range l.needed {
		if name != "x" {
			l.needed[name] = l.now
		}
	}
	l.want(0, "a", nil, map[string][]string{"t/a": {
		"spec.groups[a b].rules[0]: x", "spec.groups[a b].rules[1]: x", "spec.groups[a b].rules[2]: x", "spec.groups[a b].rules[3]: x",
		"spec.groups[a b].rules[4]: x", "spec.groups[a b].rules[5]: x", "spec.groups[a b].rules[6]: x", "spec.groups[a b].rules[7]: x", "and 92 more",
	}})
}

// The pace: not before it is time, sooner when other rules are loaded, later where a look takes long.
func TestMissingMetricsAreLookedForWithManners(t *testing.T) {
	l := newLooker(t)
	l.load(nil)
	if !l.due(l.now) {
		t.Error("the first look is not due")
	}
	l.want(0, "a", nil, nil)
	for scrape, want := range map[time.Duration]time.Duration{0: 10 * time.Second, 15 * time.Second: 30 * time.Second, time.Hour: time.Minute} {
		l.plan(l.now, l.now, scrape)
		if l.due(l.now.Add(want-time.Second)) || !l.due(l.now.Add(want)) {
			t.Errorf("scraped every %s: next look after %s", scrape, l.next.Sub(l.now))
		}
	}
	l.plan(l.now, l.now.Add(time.Second), 0)
	if l.due(l.now.Add(199 * time.Second)) {
		t.Error("a look that takes a second is repeated within 200")
	}
	l.load(nil)
	if l.due(l.now.Add(9*time.Second)) || !l.due(l.now.Add(10*time.Second)) {
		t.Error("other rules were loaded, and that is not looked at after ten seconds")
	}
}

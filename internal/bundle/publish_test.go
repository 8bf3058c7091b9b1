package bundle

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func publish(t *testing.T, p *Publisher, prev *Manifest, config, rules map[string][]byte) (Manifest, map[string][]byte) {
	t.Helper()
	m, objects, err := p.Publish(prev, "prometheus-main", config, Files(rules), len(rules))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Verify(objects); err != nil {
		t.Fatal(err)
	}
	text, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseManifest(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, back); diff != "" {
		t.Fatalf("parsed manifest differs:\n%s", diff)
	}
	return m, objects
}

func TestPublish(t *testing.T) {
	config := map[string][]byte{"prometheus.yml": []byte("global: {}\n")}
	rules := files(1, 50, 300)
	var p Publisher
	first, objects := publish(t, &p, nil, config, rules)
	if first.Revision != 1 || first.Buckets("prometheus-main") != 1 || first.Rules != 50 {
		t.Errorf("first: %+v", first)
	}
	got, err := Unpack(objects["prometheus-main-rules-0"])
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := got["rules/team-0_rule-0.yaml"]; !ok || len(got) != 50 {
		t.Errorf("%d files, not below rules/", len(got))
	}

	same, _ := publish(t, &p, &first, config, maps.Clone(rules))
	if diff := cmp.Diff(first, same); diff != "" {
		t.Errorf("the same content is another revision:\n%s", diff)
	}
	edited := maps.Clone(rules)
	edited["team-0_rule-0.yaml"] = []byte("other")
	second, _ := publish(t, &p, &first, config, edited)
	if second.Revision != 2 {
		t.Errorf("after an edit: revision %d", second.Revision)
	}
	if _, _, err := Publish(nil, "p", map[string][]byte{"rules/x": nil}, nil, 0); err == nil {
		t.Error("a config file in the rules' directory was published")
	}
}

func TestPublishRewritesOneBucket(t *testing.T) {
	rules := files(3, 2000, 1000)
	var p Publisher
	first, before := publish(t, &p, nil, nil, rules)
	edited := maps.Clone(rules)
	edited["team-0_rule-7.yaml"] = []byte("edited")
	_, after := publish(t, &p, &first, nil, edited)
	changed := 0
	for name := range before {
		if !bytes.Equal(before[name], after[name]) {
			changed++
		}
	}
	if n := first.Buckets("prometheus-main"); n != 128 || changed != 1 {
		t.Errorf("%d of %d objects changed", changed, n+1)
	}
	// A Publisher that remembers says the same as one that does not.
	_, fresh, err := Publish(&first, "prometheus-main", nil, edited, len(edited))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fresh, after); diff != "" {
		t.Errorf("memory changes the result:\n%s", diff)
	}
}

// TestPublishWhatHasChanged changes rule files at random, in any order: a Publisher that knows what it published publishes what one does that
// knows nothing.
func TestPublishWhatHasChanged(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var p Publisher
	var prev *Manifest
	rules := Files(files(3, 300, 400))
	for round := range 40 {
		rules = slices.Clone(rules)
		for range random.IntN(3) * random.IntN(20) {
			at := random.IntN(len(rules))
			f := File{Path: fmt.Sprintf("team-%d_rule.yaml", random.IntN(1000)), Content: NewContent(fmt.Append(nil, random.IntN(2))), Rules: -1}
			there := slices.ContainsFunc(rules, func(o File) bool { return o.Path == f.Path })
			switch {
			case random.IntN(3) == 0:
				rules = slices.Delete(rules, at, at+1)
			case random.IntN(3) == 0:
				rules[at].Content = f.Content
			case random.IntN(3) == 0: // another place in the order
				moved := rules[at]
				rules = append(slices.Delete(rules, at, at+1), moved)
			case !there:
				rules = slices.Insert(rules, at, f)
			}
		}
		got, objects, err := p.Publish(prev, "p", nil, rules, len(rules))
		if err != nil {
			t.Fatal(err)
		}
		want, fresh, err := new(Publisher).Publish(prev, "p", nil, rules, len(rules))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got) + cmp.Diff(fresh, objects); diff != "" {
			t.Fatalf("round %d, -fresh +got:\n%s", round, diff)
		}
		for _, f := range rules[:min(3, len(rules))] {
			if known, ok := p.File(f.Path); !ok || !known.same(f) {
				t.Fatalf("round %d: %s is %v, %t", round, f.Path, known, ok)
			}
		}
		prev = &got
	}
	twice := slices.Insert(slices.Clone(rules), 7, rules[9])
	if _, _, err := p.Publish(prev, "p", nil, twice, len(twice)); err == nil {
		t.Error("two files have the same path, and nobody says so")
	}
}

func TestPublishHysteresis(t *testing.T) {
	var p Publisher
	var prev *Manifest
	for _, step := range []struct{ rules, buckets int }{{100, 8}, {1500, 128}, {700, 128}, {1500, 128}, {400, 32}, {450, 32}, {10, 1}, {0, 1}, {2500, 256}} {
		m, _ := publish(t, &p, prev, nil, files(1, step.rules, 1000))
		if got := m.Buckets("prometheus-main"); got != step.buckets {
			t.Errorf("%d rules: %d buckets, want %d", step.rules, got, step.buckets)
		}
		prev = &m
	}
}

// A Publisher of another process goes on where the last one was: nothing is packed, and so nothing written, again.
func TestRememberWhatIsPublished(t *testing.T) {
	config, rules := map[string][]byte{"prometheus.yml": []byte("a")}, files(3, 300, 1000)
	first, before := publish(t, new(Publisher), nil, config, rules)
	// Packed by somebody else's gzip: the same content in other bytes.
	name := RulesName("prometheus-main", 1)
	texts, err := Unpack(before[name])
	if err != nil {
		t.Fatal(err)
	}
	before[name] = otherGzip(t, texts)
	first.Objects[2].SHA256 = Sum(before[name])
	first.Hash = hashOf(first.Objects)

	var p Publisher
	if _, ok := p.File("team-0_rule-0.yaml"); ok {
		t.Error("a file is there before anything was published")
	}
	p.Remember(&first, before)
	for _, when := range []string{"remembered", "published"} {
		f, ok := p.File("team-0_rule-7.yaml")
		if !ok {
			t.Fatalf("%s, but not there", when)
		}
		if text, err := f.Content.Text(); err != nil || !bytes.Equal(text, rules["team-0_rule-7.yaml"]) {
			t.Errorf("%s: %d bytes, %v", when, len(text), err)
		}
		if _, ok := p.File("nobody.yaml"); ok {
			t.Errorf("%s: a file that nobody published", when)
		}
		again, after := publish(t, &p, &first, config, rules)
		if diff := cmp.Diff(first, again); diff != "" {
			t.Errorf("another revision:\n%s", diff)
		}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Error("other bytes")
		}
	}
}

func otherGzip(t *testing.T, texts map[string][]byte) []byte {
	t.Helper()
	packed, err := Pack(texts)
	if err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	stored, err := gzip.NewWriterLevel(&out, gzip.NoCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(stored, io.LimitReader(zip, MaxUnpacked)); err != nil {
		t.Fatal(err)
	}
	if err := stored.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestVerifyAndParseRefuse(t *testing.T) {
	m, objects := publish(t, new(Publisher), nil, map[string][]byte{"a": []byte("1")}, nil)
	torn := maps.Clone(objects)
	torn["prometheus-main-files"] = []byte("newer")
	if err := m.Verify(torn); !errors.Is(err, ErrMismatch) {
		t.Errorf("torn parts: %v", err)
	}
	delete(torn, "prometheus-main-files")
	if err := m.Verify(torn); !errors.Is(err, ErrMismatch) {
		t.Errorf("missing part: %v", err)
	}
	text, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		"", "{}", strings.Replace(string(text), `"revision":1`, `"revision":0`, 1),
		strings.Replace(string(text), `main-files`, `main-other`, 1),
		strings.Replace(string(text), `main-files`, `main/../files`, 1),
		strings.Replace(string(text), m.Hash, strings.Repeat("0", 64), 1),
		strings.Replace(string(text), `prometheus-main-files`, `prometheus-main-rules-0`, 1),
	} {
		if _, err := ParseManifest([]byte(bad)); err == nil {
			t.Errorf("parsed %s", bad)
		}
	}
}

// manyRules are 10,000 rule files of 10 rules.
func manyRules() map[string][]byte {
	rules := map[string][]byte{}
	for i := range 10_000 {
		var text strings.Builder
		fmt.Fprintf(&text, "groups:\n- name: g%d\n  rules:\n", i)
		for j := range 10 {
			fmt.Fprintf(&text, "  - alert: A%d_%d\n    annotations:\n      description: 'Job {{ $labels.job }} of team %x answers {{ $value | humanizePercentage }} of its requests with an error.'\n"+
				"    expr: rate(http_requests_total{job=\"j%d\",code=~\"5..\"}[5m]) > 0.%d\n    for: 5m\n    labels: {severity: page, id: \"%x\"}\n", i, j, i*7919, i, j, i*7919+j*104729)
		}
		rules[fmt.Sprintf("ns-%d_rule-%d.yaml", i%100, i)] = []byte(text.String())
	}
	return rules
}

func BenchmarkPublishEdit(b *testing.B) {
	var p Publisher
	rules := Files(manyRules())
	m, _, err := p.Publish(nil, "p", nil, rules, 100_000)
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		n++
		rules = slices.Clone(rules)
		rules[7].Content = NewContent(fmt.Appendf(nil, "edit %d", n))
		if m, _, err = p.Publish(&m, "p", nil, rules, 100_000); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(m.Buckets("p")), "buckets")
}

func BenchmarkPublishNothing(b *testing.B) {
	var p Publisher
	rules := Files(manyRules())
	m, _, err := p.Publish(nil, "p", nil, rules, 100_000)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, _, err = p.Publish(&m, "p", nil, rules, 100_000); err != nil {
			b.Fatal(err)
		}
	}
}

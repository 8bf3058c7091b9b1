package replica

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestReportRoundTrip(t *testing.T) {
	want := Report{
		Published: 8, Loaded: 7, LoadedHash: "ab", Error: "loading groups failed", Ready: false, ReadyReason: "starting",
		Version: "3.15.0", Rules: 3, Firing: 1, Pending: 2,
		Jobs:    []Job{{Name: "b", Up: 1}, {Name: "a", Down: 1, LastError: "http://x: refused"}},
		Storage: Storage{HeadSeries: 12345},
	}
	want.Normalize()
	text, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decoded differs (-want +got):\n%s", diff)
	}
	if got.Jobs[0].Name != "a" || got.Storage.HeadSeries != 12000 {
		t.Errorf("not normalized: %+v", got)
	}
	if got.Fingerprint() != want.Fingerprint() {
		t.Error("fingerprints of equal reports differ")
	}
}

func TestFingerprint(t *testing.T) {
	a := Report{Jobs: []Job{{Name: "b"}, {Name: "a"}}, Storage: Storage{HeadSeries: 1234}}
	b := Report{Jobs: []Job{{Name: "a"}, {Name: "b"}}, Storage: Storage{HeadSeries: 1235}}
	if a.Fingerprint() != b.Fingerprint() {
		t.Error("order and noise change the fingerprint")
	}
	if a.Jobs[0].Name != "b" {
		t.Error("Fingerprint reordered its receiver")
	}
	b.Loaded = 1
	if a.Fingerprint() == b.Fingerprint() {
		t.Error("a change does not change the fingerprint")
	}
}

func TestMissingMetricsAreBounded(t *testing.T) {
	var r Report
	for i := range MaxRulesMissing + 10 {
		r.AlertRules = append(r.AlertRules, AlertRule{Name: fmt.Sprintf("a/%05d", i), Firing: 1, Missing: []string{strings.Repeat("x", 1000)}})
	}
	sent := r.AlertRules[0].Missing
	r.Normalize()
	told := 0
	for _, rule := range r.AlertRules {
		if len(rule.Missing) == 0 {
			continue
		}
		if told++; len(rule.Missing[0]) > MaxMissing {
			t.Errorf("%d bytes", len(rule.Missing[0]))
		}
	}
	text, err := r.Encode()
	if told != MaxRulesMissing || err != nil || len(text) > MaxReport || len(sent[0]) != 1000 {
		t.Errorf("%d are told in %d bytes, %v; the text that was given has %d bytes now", told, len(text), err, len(sent[0]))
	}
}

func TestBound(t *testing.T) {
	for n := 3; n < 40; n++ {
		got := Bound(strings.Repeat("aä€😀", 10), n)
		if len(got) > n || !utf8.ValidString(got) {
			t.Errorf("Bound to %d gives %d bytes: %q", n, len(got), got)
		}
	}
	if got := Bound("a\xffb", 10); got != "a\uFFFDb" {
		t.Errorf("invalid bytes kept: %q", got)
	}
	if got := Bound("short", 10); got != "short" {
		t.Errorf("short text changed: %q", got)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"published":1,"jobs":[{"name":"a"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Decode(text)
		if err != nil {
			return
		}
		again, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(again)
		if err != nil {
			t.Fatal(err)
		}
		if back.Fingerprint() != r.Fingerprint() {
			t.Errorf("%s: fingerprint changes on the way", text)
		}
	})
}

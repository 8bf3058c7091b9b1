package manifests_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/manifests"
	"github.com/hearth-monitoring/hearth/internal/promconfig"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// TestBuilderKeepsWhatIsTheSame: a ConfigMap of which nothing has changed is the very same object as before, any other a new
// one, and what is made with memories is what is made without.
func TestBuilderKeepsWhatIsTheSame(t *testing.T) {
	const base = "prometheus-main"
	previous := &bundle.Manifest{Revision: 1, Objects: []bundle.Object{{Name: bundle.FilesName(base)}, {Name: bundle.RulesName(base, 0)}, {Name: bundle.RulesName(base, 1)}}}
	files := func(rule string) promconfig.Files {
		t.Helper()
		rules := map[string][]byte{"a": []byte(rule), "b": []byte("b"), "c": []byte("c"), "d": []byte("d")}
		m, parts, err := bundle.Publish(previous, base, map[string][]byte{"prometheus.yml": []byte("global: {}")}, rules, len(rules))
		if err != nil {
			t.Fatal(err)
		}
		return promconfig.Files{Manifest: m, Parts: parts}
	}
	s := func(team string) *stack.Stack {
		return &stack.Stack{Name: "main", Namespace: "monitoring", Replicas: 1, Shards: 1, Names: stack.NamesOf("main"), Labels: map[string]string{"team": team}, Selector: map[string]string{}}
	}
	var b manifests.Builder
	build := func(s *stack.Stack, f promconfig.Files) map[string]*corev1.ConfigMap {
		t.Helper()
		out := map[string]*corev1.ConfigMap{}
		fresh, err := manifests.Server(s, f, nil)
		if err != nil {
			t.Fatal(err)
		}
		objects, err := b.Server(s, f, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(fresh, objects); diff != "" {
			t.Errorf("memories make a difference:\n%s", diff)
		}
		for _, o := range objects {
			if part, ok := o.(*corev1.ConfigMap); ok {
				out[part.Name] = part
			}
		}
		return out
	}
	kept := func(before, now map[string]*corev1.ConfigMap) map[string]bool {
		out := map[string]bool{}
		for name, o := range now {
			out[name] = before[name] == o
		}
		return out
	}
	one := build(s("a"), files("one"))
	again := build(s("a"), files("one"))
	if diff := cmp.Diff(map[string]bool{base + "-config": true, base + "-files": true, base + "-rules-0": true, base + "-rules-1": true}, kept(one, again)); diff != "" {
		t.Errorf("nothing has changed: %s", diff)
	}
	edited := kept(again, build(s("a"), files("another")))
	if edited[base+"-config"] || !edited[base+"-files"] || edited[base+"-rules-0"] == edited[base+"-rules-1"] {
		t.Errorf("one bucket has changed: %v", edited)
	}
	other := build(s("b"), files("one"))
	if diff := cmp.Diff(map[string]bool{base + "-config": false, base + "-files": false, base + "-rules-0": false, base + "-rules-1": false}, kept(one, other)); diff != "" {
		t.Errorf("the labels have changed: %s", diff)
	}
}

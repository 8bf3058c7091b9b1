package stack_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/rules"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

func alertRule(name, expr string) v1alpha1.AlertRule {
	return v1alpha1.AlertRule{
		ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: name, UID: "uid-of-", Generation: 1},
		Spec: v1alpha1.AlertRuleSpec{Groups: []v1alpha1.RuleGroup{{
			Name: "g", Rules: []v1alpha1.Rule{{Alert: "A", Expr: v1alpha1.Expression(expr)}},
		}}},
	}
}

// published resolves a server that selects everything in its namespace and publishes what it loads.
func published(t *testing.T, before stack.Published, all ...v1alpha1.AlertRule) (*stack.Stack, stack.Published) {
	t.Helper()
	s, errs := stack.Resolve(stack.Inputs{
		Server: &v1alpha1.PrometheusServer{
			ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "main"},
			Spec:       v1alpha1.PrometheusServerSpec{Rules: &v1alpha1.ObjectSelector{Selector: &metav1.LabelSelector{}}},
		},
		AlertRules: all,
		Published:  before,
	})
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	config := map[string][]byte{"prometheus.yml": []byte("global: {}")}
	manifest, parts, err := bundle.Publish(before.Manifest, s.Names.Base, config, s.Rules.Files, s.Rules.Count)
	if err != nil {
		t.Fatal(err)
	}
	return s, stack.Published{Manifest: &manifest, Parts: parts}
}

func TestAMistakeTakesNoAlertAway(t *testing.T) {
	first, before := published(t, stack.Published{}, alertRule("a", "up == 0"), alertRule("b", "up"))
	broken := alertRule("a", "up ==")
	broken.Generation = 2

	second, after := published(t, before, alertRule("b", "up"), broken)
	if diff := cmp.Diff(first.Rules.Files, second.Rules.Files); diff != "" {
		t.Errorf("the last good version is not kept (-before +after):\n%s", diff)
	}
	if second.Rules.Count != 2 || after.Manifest.Revision != before.Manifest.Revision {
		t.Errorf("%d rules in revision %d; nothing changed, so it should be 2 in revision %d", second.Rules.Count, after.Manifest.Revision, before.Manifest.Revision)
	}
	want := []stack.Verdict{
		{Namespace: "monitoring", Name: "a", UID: "uid-of-", Generation: 2, LastGood: true},
		{Namespace: "monitoring", Name: "b", UID: "uid-of-", Generation: 1},
	}
	if diff := cmp.Diff(want, second.Rules.Verdicts, cmpopts.IgnoreFields(stack.Verdict{}, "Problem")); diff != "" {
		t.Errorf("verdicts:\n%s", diff)
	}
	if got := second.Rules.Verdicts[0].Problem; !strings.HasPrefix(got, "spec.groups[g].rules[0] (A): could not parse expression") {
		t.Errorf("problem: %q", got)
	}

	// It is published again and again, not once.
	for range 3 {
		var s *stack.Stack
		s, after = published(t, after, broken, alertRule("b", "up"))
		if diff := cmp.Diff(first.Rules.Files, s.Rules.Files); diff != "" || after.Manifest.Revision != before.Manifest.Revision {
			t.Fatalf("the last good version gets lost on the way, in revision %d:\n%s", after.Manifest.Revision, diff)
		}
	}
}

func TestRulesLeave(t *testing.T) {
	_, before := published(t, stack.Published{}, alertRule("a", "up"), alertRule("b", "up"))
	deleted := alertRule("a", "up ==")
	deleted.DeletionTimestamp = &metav1.Time{}
	for name, left := range map[string][]v1alpha1.AlertRule{
		"gone":                   {alertRule("b", "up")},
		"being deleted, invalid": {deleted, alertRule("b", "up")},
	} {
		t.Run(name, func(t *testing.T) {
			s, after := published(t, before, left...)
			if got := paths(s.Rules.Files); !slices.Equal(got, []string{rules.Path("monitoring", "b")}) {
				t.Errorf("files %q", got)
			}
			if after.Manifest.Revision != before.Manifest.Revision+1 || len(s.Rules.Verdicts) != 1 {
				t.Errorf("revision %d after %d, verdicts %v", after.Manifest.Revision, before.Manifest.Revision, s.Rules.Verdicts)
			}
		})
	}
}

func TestARuleThatWasNeverGoodIsLeftOut(t *testing.T) {
	s, _ := published(t, stack.Published{}, alertRule("a", "up =="), alertRule("b", "up"))
	if got := paths(s.Rules.Files); !slices.Equal(got, []string{rules.Path("monitoring", "b")}) {
		t.Errorf("files %q", got)
	}
	if v := s.Rules.Verdicts[0]; v.LastGood || v.Problem == "" {
		t.Errorf("verdict %+v", v)
	}
}

// TestTheManifestSaysWhichPartCounts: while buckets are split or joined, a part that is no longer named has old files.
func TestTheManifestSaysWhichPartCounts(t *testing.T) {
	_, before := published(t, stack.Published{}, alertRule("a", "up == 2"))
	stale, err := bundle.Pack(map[string][]byte{bundle.RulesDir + "/" + rules.Path("monitoring", "a"): []byte("groups: [{name: stale}]")})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"prometheus-main-rules-00", "prometheus-main-rules-7"} {
		before.Parts[name] = stale
	}
	before.Parts["prometheus-main-rules-8"] = []byte("no archive")
	for range 10 {
		s, _ := published(t, before, alertRule("a", "up =="))
		if got := string(s.Rules.Files[rules.Path("monitoring", "a")]); !strings.Contains(got, "up == 2") {
			t.Fatalf("kept %q", got)
		}
	}
}

func paths(files map[string][]byte) []string {
	var out []string
	for path := range files {
		out = append(out, path)
	}
	slices.Sort(out)
	return out
}

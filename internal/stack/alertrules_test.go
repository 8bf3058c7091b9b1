package stack_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
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
	"github.com/hearth-monitoring/hearth/internal/stack/stacktest"
)

func alertRule(name, expr string) v1alpha1.AlertRule {
	return v1alpha1.AlertRule{
		ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: name, UID: "uid-of-", Generation: 1},
		Spec: v1alpha1.AlertRuleSpec{Groups: []v1alpha1.RuleGroup{{
			Name: "g", Rules: []v1alpha1.Rule{{Alert: "A", Expr: v1alpha1.Expression(expr)}},
		}}},
	}
}

// cluster is what there is of a server, as the operator's memory of it goes on from revision to revision.
type cluster struct {
	publisher bundle.Publisher
	manifest  *bundle.Manifest
	parts     map[string][]byte
}

// resolve resolves a server that selects everything in its namespace and publishes what it loads.
func (c *cluster) resolve(t *testing.T, all ...v1alpha1.AlertRule) *stack.Stack {
	t.Helper()
	return c.resolveJudged(t, stacktest.Judged(all))
}

func (c *cluster) resolveJudged(t *testing.T, all []*stack.AlertRule) *stack.Stack {
	t.Helper()
	published := map[string]bundle.File{}
	for _, ar := range all {
		if f, ok := c.publisher.File(rules.Path(ar.Namespace, ar.Name)); ok {
			published[f.Path] = f
		}
	}
	s, errs := stack.Resolve(stack.Inputs{
		Server: &v1alpha1.PrometheusServer{
			ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "main"},
			Spec:       v1alpha1.PrometheusServerSpec{Rules: &v1alpha1.ObjectSelector{Selector: &metav1.LabelSelector{}}},
		},
		AlertRules: all,
		Published:  stack.Published{Manifest: c.manifest, Rules: published},
	})
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	config := map[string][]byte{"prometheus.yml": []byte("global: {}")}
	manifest, parts, err := c.publisher.Publish(c.manifest, s.Names.Base, config, s.Rules.Files, s.Rules.Count)
	if err != nil {
		t.Fatal(err)
	}
	c.manifest, c.parts = &manifest, parts
	return s
}

// restarted is the cluster as another process finds it.
func (c *cluster) restarted() *cluster {
	out := &cluster{manifest: c.manifest, parts: c.parts}
	out.publisher.Remember(c.manifest, c.parts)
	return out
}

func texts(t *testing.T, s *stack.Stack) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, f := range s.Rules.Files {
		text, err := f.Content.Text()
		if err != nil {
			t.Fatal(err)
		}
		out[f.Path] = string(text)
	}
	return out
}

func TestAMistakeTakesNoAlertAway(t *testing.T) {
	var c cluster
	first := texts(t, c.resolve(t, alertRule("a", "up == 0"), alertRule("b", "up")))
	before := c.manifest.Revision
	broken := alertRule("a", "up ==")
	broken.Generation = 2

	second := c.resolve(t, alertRule("b", "up"), broken)
	if diff := cmp.Diff(first, texts(t, second)); diff != "" {
		t.Errorf("the last good version is not kept (-before +after):\n%s", diff)
	}
	if second.Rules.Count != 2 || c.manifest.Revision != before {
		t.Errorf("%d rules in revision %d; nothing changed, so it should be 2 in revision %d", second.Rules.Count, c.manifest.Revision, before)
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

	// It is published again and again, not once, and by another process too.
	for range 3 {
		c = *c.restarted()
		for range 2 {
			s := c.resolve(t, broken, alertRule("b", "up"))
			if diff := cmp.Diff(first, texts(t, s)); diff != "" || c.manifest.Revision != before || s.Rules.Count != 2 {
				t.Fatalf("the last good version gets lost on the way, in revision %d with %d rules:\n%s", c.manifest.Revision, s.Rules.Count, diff)
			}
		}
	}
}

// An operator that has just started has judged nothing yet. What is published stays, and it is the same revision.
func TestWhatIsNotJudgedYetStaysPublished(t *testing.T) {
	var c cluster
	first := texts(t, c.resolve(t, alertRule("a", "up == 0"), alertRule("b", "up")))
	all := stacktest.Judged([]v1alpha1.AlertRule{alertRule("a", "up == 0"), alertRule("b", "up"), alertRule("new", "up")})
	unjudged := slices.Clone(all)
	for i, ar := range all {
		of := *ar
		of.Judged, of.File = false, bundle.File{}
		unjudged[i] = &of
	}
	after := c.restarted()
	s := after.resolveJudged(t, unjudged)
	if diff := cmp.Diff(first, texts(t, s)); diff != "" || after.manifest.Revision != c.manifest.Revision || s.Rules.Count != 2 {
		t.Errorf("revision %d after %d, %d rules:\n%s", after.manifest.Revision, c.manifest.Revision, s.Rules.Count, diff)
	}
	for i, v := range s.Rules.Verdicts {
		if !v.Pending || v.Problem != "" || v.LastGood != (i < 2) {
			t.Errorf("verdict %+v", v)
		}
	}
	unjudged[0] = all[0] // judged, and found to be what is published
	if s = after.resolveJudged(t, unjudged); after.manifest.Revision != c.manifest.Revision || len(s.Rules.Files) != 2 {
		t.Errorf("revision %d after %d", after.manifest.Revision, c.manifest.Revision)
	}
	if s = after.resolveJudged(t, all); after.manifest.Revision != c.manifest.Revision+1 || len(s.Rules.Files) != 3 {
		t.Errorf("revision %d after %d", after.manifest.Revision, c.manifest.Revision)
	}
}

// TestOnlyWhatIsNewIsDecided changes AlertRules, and the labels of namespaces, at random: what Resolve makes with what it made before is
// what it makes without.
func TestOnlyWhatIsNewIsDecided(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	in := stack.Inputs{
		Server: &v1alpha1.PrometheusServer{
			ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "main"},
			Spec: v1alpha1.PrometheusServerSpec{
				Rules: &v1alpha1.ObjectSelector{
					Selector:          &metav1.LabelSelector{MatchLabels: map[string]string{"for": "main"}},
					NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"watched": "yes"}},
				},
				Tenancy: v1alpha1.Tenancy{EnforcedNamespaceLabel: "namespace", ExcludedNamespaces: []string{"n-0"}},
			},
		},
		Confined: &rules.Keeper{},
	}
	there := map[string]*stack.AlertRule{}
	for round := range 60 {
		for range random.IntN(4) {
			ar := anyRule(random, round)
			if delete(there, ar.Namespace+"/"+ar.Name); random.IntN(4) > 0 {
				there[ar.Namespace+"/"+ar.Name] = ar
			}
		}
		if round%7 == 0 {
			in.NamespaceLabels = map[string]map[string]string{}
			for i := range 3 {
				in.NamespaceLabels[fmt.Sprintf("n-%d", i)] = map[string]string{"watched": []string{"yes", "no"}[random.IntN(2)]}
			}
		}
		in.AlertRules = nil
		for _, name := range slices.Sorted(maps.Keys(there)) {
			in.AlertRules = append(in.AlertRules, there[name])
		}
		with, errs := stack.Resolve(in)
		alone := in
		alone.Before, alone.Confined = nil, nil
		without, more := stack.Resolve(alone)
		if errs = append(errs, more...); len(errs) > 0 {
			t.Fatal(errs.ToAggregate())
		}
		if diff := cmp.Diff(without.Rules, with.Rules, cmpopts.IgnoreUnexported(stack.Rules{}), cmp.AllowUnexported(bundle.Content{}), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("round %d: -without +with what was before:\n%s", round, diff)
		}
		in.Before = with
		in.Published.Rules = map[string]bundle.File{}
		for _, f := range with.Rules.Files {
			in.Published.Rules[f.Path] = f
		}
	}
}

// anyRule is an AlertRule of one of a few names that is selected or not, right or wrong, judged or not yet.
func anyRule(random *rand.Rand, generation int) *stack.AlertRule {
	ar := alertRule(fmt.Sprintf("r-%d", random.IntN(10)), []string{"up", "up == 0", "up =="}[random.IntN(3)])
	ar.Namespace, ar.Generation = fmt.Sprintf("n-%d", random.IntN(3)), int64(generation)
	ar.Labels = map[string]string{"for": []string{"main", "main", "other"}[random.IntN(3)]}
	out := stacktest.Judged([]v1alpha1.AlertRule{ar})[0]
	if random.IntN(5) == 0 {
		out.Judged, out.File, out.Problem = false, bundle.File{}, ""
	}
	return out
}

func TestRulesLeave(t *testing.T) {
	deleted := alertRule("a", "up ==")
	deleted.DeletionTimestamp = &metav1.Time{}
	for name, left := range map[string][]v1alpha1.AlertRule{
		"gone":                   {alertRule("b", "up")},
		"being deleted, invalid": {deleted, alertRule("b", "up")},
	} {
		t.Run(name, func(t *testing.T) {
			var c cluster
			c.resolve(t, alertRule("a", "up"), alertRule("b", "up"))
			before := c.manifest.Revision
			s := c.resolve(t, left...)
			if got := paths(s.Rules.Files); !slices.Equal(got, []string{rules.Path("monitoring", "b")}) {
				t.Errorf("files %q", got)
			}
			if c.manifest.Revision != before+1 || len(s.Rules.Verdicts) != 1 {
				t.Errorf("revision %d after %d, verdicts %v", c.manifest.Revision, before, s.Rules.Verdicts)
			}
		})
	}
}

func TestARuleThatWasNeverGoodIsLeftOut(t *testing.T) {
	s := new(cluster).resolve(t, alertRule("a", "up =="), alertRule("b", "up"))
	if got := paths(s.Rules.Files); !slices.Equal(got, []string{rules.Path("monitoring", "b")}) {
		t.Errorf("files %q", got)
	}
	if v := s.Rules.Verdicts[0]; v.LastGood || v.Problem == "" {
		t.Errorf("verdict %+v", v)
	}
}

// TestTheManifestSaysWhichPartCounts: while buckets are split or joined, a part that is no longer named has old files.
func TestTheManifestSaysWhichPartCounts(t *testing.T) {
	var c cluster
	c.resolve(t, alertRule("a", "up == 2"))
	stale, err := bundle.Pack(map[string][]byte{bundle.RulesDir + "/" + rules.Path("monitoring", "a"): []byte("groups: [{name: stale}]")})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"prometheus-main-rules-00", "prometheus-main-rules-7"} {
		c.parts[name] = stale
	}
	c.parts["prometheus-main-rules-8"] = []byte("no archive")
	for range 10 {
		s := c.restarted().resolve(t, alertRule("a", "up =="))
		if got := texts(t, s)[rules.Path("monitoring", "a")]; !strings.Contains(got, "up == 2") {
			t.Fatalf("kept %q", got)
		}
	}
}

// What was resolved before is taken over as it is.
func TestRulesThatDidNotChangeAreNotLookedAtAgain(t *testing.T) {
	var c cluster
	before := c.resolve(t, alertRule("a", "up")).Rules
	s, errs := stack.Resolve(stack.Inputs{
		Server: &v1alpha1.PrometheusServer{
			ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "main"},
			Spec:       v1alpha1.PrometheusServerSpec{Rules: &v1alpha1.ObjectSelector{Selector: &metav1.LabelSelector{}}},
		},
		Rules: &before,
	})
	if len(errs) > 0 || len(s.Rules.Files) != 1 || &s.Rules.Files[0] != &before.Files[0] {
		t.Errorf("%+v, %v", s.Rules, errs)
	}
}

func paths(files []bundle.File) []string {
	var out []string
	for _, f := range files {
		out = append(out, f.Path)
	}
	slices.Sort(out)
	return out
}

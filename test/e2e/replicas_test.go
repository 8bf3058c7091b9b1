package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// Replicas: two that can be told apart, one, none, one again.
func TestReplicas(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	ps := g.server()
	rule := g.rule("rule", record("e2e:answer", "vector(42)"))
	g.create(ps, rule)
	g.await(2*time.Minute, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	for _, n := range []int32{2, 1, 0, 1} {
		t.Run(strconv.Itoa(int(n)), func(t *testing.T) { g.in(t).scaled(ps, rule, n) })
	}
}

func (g *ground) scaled(ps *v1alpha1.PrometheusServer, rule *v1alpha1.AlertRule, n int32) {
	g.t.Helper()
	before := lives(g.pods(ps))
	start := time.Now()
	change(g, ps, func(ps *v1alpha1.PrometheusServer) { ps.Spec.Replicas = &n })
	reason := map[bool]string{true: v1alpha1.ReasonScaledToZero, false: v1alpha1.ReasonReady}[n == 0]
	c, _ := g.await(2*time.Minute, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, reason)
	g.t.Logf("after %s: %s; status.ready %s; %s", time.Since(start).Round(time.Millisecond), c.Message, ps.Status.Ready, text(ps.Status.Configuration))
	if want := fmt.Sprintf("%d/%d", n, n); ps.Status.Ready != want {
		g.t.Errorf("status.ready is %s, want %s", ps.Status.Ready, want)
	}
	_, budget := g.children()["PodDisruptionBudget/prometheus-main"]
	if budget != (n > 1) {
		g.t.Errorf("with %d replicas, there is a PodDisruptionBudget: %v", n, budget)
	}
	if n == 0 {
		g.await(30*time.Second, ps, v1alpha1.ConditionLoaded, metav1.ConditionFalse, v1alpha1.ReasonScaledToZero)
		return
	}
	g.await(30*time.Second, ps, v1alpha1.ConditionLoaded, metav1.ConditionTrue, "")
	g.await(30*time.Second, rule, v1alpha1.ConditionLoaded, metav1.ConditionTrue, "")
	// One that is no longer wanted may take a moment to end.
	eventually(g.t, 30*time.Second, func() error {
		if pods := g.pods(ps); len(pods) != int(n) {
			return fmt.Errorf("%d pods, want %d", len(pods), n)
		}
		return nil
	})
	seen := map[string]bool{}
	for name := range g.pods(ps) {
		var config struct{ YAML string }
		eventually(g.t, time.Minute, func() error {
			return throughPod(ps.Namespace, name).api(g.t.Context(), "/api/v1/status/config", nil, &config)
		})
		if !strings.Contains(config.YAML, "replica: "+name+"\n") || !strings.Contains(config.YAML, "prometheus: "+ps.Namespace+"/main\n") {
			g.t.Errorf("%s does not know itself:\n%s", name, config.YAML)
		}
		groups, err := throughPod(ps.Namespace, name).groups(g.t.Context())
		if _, ok := groups["rule-group"]; err != nil || !ok {
			g.t.Errorf("%s evaluates %v (%v)", name, groups, err)
		}
		seen[name] = true
	}
	for name, life := range lives(g.pods(ps)) {
		if was, ok := before[name]; ok && was != life {
			g.t.Errorf("%s was restarted or replaced: it was %s and is %s", name, was, life)
		}
	}
	g.t.Logf("external label replica, and the rule, on each of %v", seen)
}

// What is deleted leaves nothing, except the samples where they are to stay.
func TestDeletion(t *testing.T) {
	t.Parallel()
	for _, policy := range []v1alpha1.ClaimPolicy{v1alpha1.ClaimRetain, v1alpha1.ClaimDelete} {
		t.Run(string(policy), func(t *testing.T) {
			g := newGround(t)
			ps, ne, ar := g.full(func(ps *v1alpha1.PrometheusServer) { ps.Spec.Storage.WhenDeleted = policy })
			start := time.Now()
			for _, o := range []client.Object{ne, ps, ar} {
				must(t, kube.api.Delete(t.Context(), o))
			}
			want := ""
			if policy == v1alpha1.ClaimRetain {
				want = "PersistentVolumeClaim/data-prometheus-main-0"
			}
			// The garbage collector pauses while kinds come and go, as they do in TestMonitors.
			eventually(t, 3*time.Minute, func() error {
				left, err := g.list(append(slices.Clone(childKinds), otherKinds...), client.MatchingLabels{managedBy: "hearth"})
				if err != nil {
					return err
				}
				if got := strings.Join(names(left), " "); got != want {
					return fmt.Errorf("left: %s, want %q", got, want)
				}
				return nil
			})
			t.Logf("with whenDeleted %s, after %s there is left: %q", policy, time.Since(start).Round(100*time.Millisecond), want)
			for _, o := range []client.Object{ne, ps, ar} {
				g.gone(time.Minute, o)
			}
		})
	}
}

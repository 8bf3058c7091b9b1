package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// A claim grows below a Prometheus that goes on, and retention changes without a restart.
func TestStorage(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	ps := g.server()
	g.create(ps)
	g.await(2*time.Minute, ps, v1alpha1.ConditionTargetsHealthy, metav1.ConditionTrue, "")
	server := through(ps)
	first := server.value(t, `min_over_time(timestamp(up{job="prometheus"})[5m:1s])`).Value.float()
	before := lives(g.pods(ps))
	t.Logf("the first sample is of %s; %v", moment(first), before)

	t.Run("grows", func(t *testing.T) { g.in(t).grows(ps) })
	t.Run("shrinking is refused", func(t *testing.T) {
		g := g.in(t)
		must(t, g.get(ps))
		ps.Spec.Storage.Size = resource.MustParse("300Mi")
		err := kube.api.Update(t.Context(), ps)
		t.Log(err)
		if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "storage.size cannot shrink") {
			t.Errorf("shrinking was not refused with a reason")
		}
	})
	t.Run("retention", func(t *testing.T) {
		g := g.in(t)
		was := g.retention(server)
		change(g, ps, func(ps *v1alpha1.PrometheusServer) { ps.Spec.Retention.Time = "3d" })
		took := eventually(t, 15*time.Second, func() error {
			if now := g.retention(server); !strings.HasPrefix(now, "3d") {
				return fmt.Errorf("storageRetention is %s", now)
			}
			return nil
		})
		t.Logf("storageRetention was %s, is %s after %s", was, g.retention(server), took)
		g.await(10*time.Second, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	})
	if diff := cmp.Diff(before, lives(g.pods(ps))); diff != "" {
		t.Errorf("the pod was restarted or replaced:\n%s", diff)
	}
	old, err := server.query(t.Context(), fmt.Sprintf(`up{job="prometheus"} @ %f`, first+0.1))
	must(t, err)
	if len(old) != 1 || old[0].Value.float() != 1 {
		t.Errorf("the sample of %s is gone: %v", moment(first), old)
	}
	gaps := server.value(t, fmt.Sprintf(`max_over_time((time() - timestamp(up{job="prometheus"}))[%ds:1s])`, int(float64(time.Now().Unix())-first)))
	t.Logf("all samples since %s are there, the longest gap is %.1f s", moment(first), gaps.Value.float())
	if gaps.Value.float() > 10 {
		t.Errorf("nothing was scraped for %.1f s", gaps.Value.float())
	}
}

func moment(seconds float64) string {
	return time.UnixMilli(int64(seconds * 1000)).UTC().Format(time.TimeOnly)
}

// grows raises the size and waits for the claim, the StatefulSet and the status.
func (g *ground) grows(ps *v1alpha1.PrometheusServer) {
	g.t.Helper()
	size := resource.MustParse("512Mi")
	change(g, ps, func(ps *v1alpha1.PrometheusServer) { ps.Spec.Storage.Size = size })
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: ps.Namespace, Name: "data-prometheus-main-0"}}
	took := eventually(g.t, time.Minute, func() error {
		if err := g.get(claim); err != nil {
			return err
		}
		if capacity := claim.Status.Capacity[corev1.ResourceStorage]; capacity.Cmp(size) != 0 {
			return fmt.Errorf("the claim asks for %v and has %s", claim.Spec.Resources.Requests, capacity.String())
		}
		return nil
	})
	g.t.Logf("the claim has %s after %s", size.String(), took)
	set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: ps.Namespace, Name: "prometheus-main"}}
	took = eventually(g.t, time.Minute, func() error {
		if err := g.get(set); err != nil {
			return err
		}
		if has := set.Spec.VolumeClaimTemplates[0].Spec.Resources.Requests[corev1.ResourceStorage]; has.Cmp(size) != 0 {
			return fmt.Errorf("the StatefulSet still makes claims of %s", has.String())
		}
		return nil
	})
	g.t.Logf("the StatefulSet makes such claims after another %s", took)
	g.await(30*time.Second, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	eventually(g.t, 10*time.Second, func() error {
		if err := g.get(ps); err != nil {
			return err
		}
		if s := ps.Status.Storage; len(s) != 1 || s[0].Capacity == nil || s[0].Capacity.Cmp(size) != 0 {
			return fmt.Errorf("status.storage is %s", text(s))
		}
		return nil
	})
	g.t.Logf("status.storage %s", text(ps.Status.Storage))
}

func (g *ground) retention(server prometheus) string {
	g.t.Helper()
	var info struct{ StorageRetention string }
	eventually(g.t, 10*time.Second, func() error { return server.api(g.t.Context(), "/api/v1/status/runtimeinfo", nil, &info) })
	return info.StorageRetention
}

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
		g.await(5*time.Second, ps, v1alpha1.ConditionLoaded, metav1.ConditionFalse, v1alpha1.ReasonScaledToZero)
		return
	}
	g.await(10*time.Second, ps, v1alpha1.ConditionLoaded, metav1.ConditionTrue, "")
	g.await(10*time.Second, rule, v1alpha1.ConditionLoaded, metav1.ConditionTrue, "")
	seen := map[string]bool{}
	for name := range g.pods(ps) {
		var config struct{ YAML string }
		must(g.t, throughPod(ps.Namespace, name).api(g.t.Context(), "/api/v1/status/config", nil, &config))
		if !strings.Contains(config.YAML, "replica: "+name+"\n") || !strings.Contains(config.YAML, "prometheus: "+ps.Namespace+"/main\n") {
			g.t.Errorf("%s does not know itself:\n%s", name, config.YAML)
		}
		groups, err := throughPod(ps.Namespace, name).groups(g.t.Context())
		if _, ok := groups["rule-group"]; err != nil || !ok {
			g.t.Errorf("%s evaluates %v (%v)", name, groups, err)
		}
		seen[name] = true
	}
	g.t.Logf("external label replica, and the rule, on each of %v", seen)
	if len(seen) != int(n) {
		g.t.Errorf("pods are %v, want %d", seen, n)
	}
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
			eventually(t, time.Minute, func() error {
				left, err := g.list(append(append([]kind{}, childKinds...), otherKinds...), client.MatchingLabels{managedBy: "hearth"})
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
				g.gone(5*time.Second, o)
			}
		})
	}
}

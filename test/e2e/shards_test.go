package e2e

import (
	"context"
	"crypto/md5" //nolint:gosec // It is what Prometheus' hashmod goes by.
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// shardTargets are so many that it would take a coin that falls on the same side as many times for a shard to have none.
const shardTargets = 16

// TestShards: one, two, one again. Each target is one shard's and nobody else's, and what concerns shard 0 stays as it is: its
// pod, its samples. Rules are on both.
func TestShards(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	ps := g.server()
	// One process answers for all targets, and on a busy machine takes its time.
	ps.Spec.ScrapeInterval = "10s"
	ps.Spec.Targets = &v1alpha1.Targets{Annotations: &v1alpha1.AnnotationTargets{Pods: &v1alpha1.AnnotatedPods{}}}
	rule := g.rule("each", alert("Each", "vector(1)"), record("e2e:here", "count(up)"))
	pod := g.manyPorts()
	g.create(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: g.servers, Name: "text"}}, pod, ps, rule)
	g.await(2*time.Minute, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	g.awaitMessage(3*time.Minute, ps, v1alpha1.ConditionTargetsHealthy, fmt.Sprintf("%d/%d targets are up", shardTargets+2, shardTargets+2))
	first := lives(g.pods(ps))
	zero := throughPod(ps.Namespace, "prometheus-main-0")
	at := zero.value(t, `count(up{job="kubernetes-pods"} == 1) == `+strconv.Itoa(shardTargets)).Value
	then := strconv.FormatFloat(at[0].(float64), 'f', 3, 64)

	t.Run("out", func(t *testing.T) { g.in(t).twoShards(ps, rule, pod) })
	t.Run("in", func(t *testing.T) { g.in(t).oneShard(ps) })
	for name, life := range lives(g.pods(ps)) {
		if first[name] != life {
			t.Errorf("%s was restarted or replaced: it was %q and is %q", name, first[name], life)
		}
	}
	kept := 0
	eventually(t, time.Minute, func() error {
		var out struct{ Result []series }
		err := zero.api(t.Context(), "/api/v1/query", map[string]string{"query": `up{job="kubernetes-pods"}`, "time": then}, &out)
		if kept = len(out.Result); err == nil && kept != shardTargets {
			err = fmt.Errorf("of the moment before there were shards, shard 0 has samples of %d targets", kept)
		}
		return err
	})
	t.Logf("prometheus-main-0 ran all the time, and has its samples of %d targets", kept)
}

// twoShards has the server shared out, and looks at who has what.
func (g *ground) twoShards(ps *v1alpha1.PrometheusServer, rule *v1alpha1.AlertRule, pod *corev1.Pod) {
	g.t.Helper()
	start := time.Now()
	change(g, ps, func(ps *v1alpha1.PrometheusServer) { ps.Spec.Shards = ptr.To(int32(2)) })
	message, _ := g.awaitMessage(4*time.Minute, ps, v1alpha1.ConditionReady, "2 replicas in 2 shards, revision ", " loaded")
	g.t.Logf("after %s: %s; status.ready %s; %s", time.Since(start).Round(100*time.Millisecond), message, ps.Status.Ready, text(ps.Status.Configuration))
	if ps.Status.Ready != "2/2" || ps.Status.Configuration.Shards != 2 {
		g.t.Errorf("status.ready is %s, status.configuration.shards %d; want 2/2 and 2", ps.Status.Ready, ps.Status.Configuration.Shards)
	}
	must(g.t, g.get(pod))
	want := [2][]string{}
	for i := range shardTargets {
		address := fmt.Sprintf("%s:%d", pod.Status.PodIP, firstPort+i)
		sum := md5.Sum([]byte(address)) //nolint:gosec // As above.
		shard := binary.BigEndian.Uint64(sum[8:]) % 2
		want[shard] = append(want[shard], address)
	}
	for shard, name := range []string{"prometheus-main-0", "prometheus-main-shard-1-0"} {
		p := throughPod(ps.Namespace, name)
		slices.Sort(want[shard])
		eventually(g.t, 3*time.Minute, func() error {
			got, err := p.activeOf(g.t.Context(), "kubernetes-pods")
			if err == nil && !slices.Equal(got, want[shard]) {
				err = fmt.Errorf("shard %d has %v, want %v", shard, got, want[shard])
			}
			return err
		})
		if len(want[shard]) == 0 {
			g.t.Errorf("shard %d has no targets", shard)
		}
		g.shardKnowsItself(ps, p, shard)
	}
	g.t.Logf("of %d targets, shard 0 has %d and shard 1 the other %d", shardTargets, len(want[0]), len(want[1]))
	g.awaitMessage(3*time.Minute, ps, v1alpha1.ConditionTargetsHealthy, fmt.Sprintf("%d/%d targets are up", shardTargets+4, shardTargets+4))
	g.await(time.Minute, rule, v1alpha1.ConditionLoaded, metav1.ConditionTrue, "")
	// One on each. The AlertRule adds them up as well, but is told of a mere number once a minute.
	eventually(g.t, time.Minute, func() error {
		if err := g.get(ps); err != nil {
			return err
		}
		if ps.Status.Alerts == nil || ps.Status.Alerts.Firing != 2 {
			return fmt.Errorf("status.alerts is %+v, want one that fires on each shard", ps.Status.Alerts)
		}
		return nil
	})
}

// shardKnowsItself: its number is on what it sends, it evaluates the rules, and its Service asks nobody else.
func (g *ground) shardKnowsItself(ps *v1alpha1.PrometheusServer, p prometheus, shard int) {
	g.t.Helper()
	service := *ps
	if shard > 0 {
		service.Name += "-shard-" + strconv.Itoa(shard)
	}
	for who, asked := range map[string]prometheus{"the pod": p, "its Service": through(&service)} {
		eventually(g.t, time.Minute, func() error {
			var config struct{ YAML string }
			if err := asked.api(g.t.Context(), "/api/v1/status/config", nil, &config); err != nil {
				return err
			}
			if !strings.Contains(config.YAML, fmt.Sprintf("shard: %q\n", strconv.Itoa(shard))) {
				return fmt.Errorf("%s of shard %d does not say so:\n%.400s", who, shard, config.YAML)
			}
			groups, err := asked.groups(g.t.Context())
			if _, ok := groups["each-group"]; err == nil && !ok {
				err = fmt.Errorf("%s of shard %d evaluates %v", who, shard, slices.Collect(maps.Keys(groups)))
			}
			return err
		})
	}
}

// oneShard takes the second one away, which has to be said, and looks at what is left.
func (g *ground) oneShard(ps *v1alpha1.PrometheusServer) {
	g.t.Helper()
	eventually(g.t, time.Minute, func() error {
		must(g.t, g.get(ps))
		without := ps.DeepCopy()
		without.Spec.Shards = nil
		err := kube.api.Update(g.t.Context(), without)
		if err == nil {
			g.t.Fatal("that shards are left out was taken for one shard")
		}
		if !strings.Contains(err.Error(), "write shards: 1") {
			return err // somebody was quicker
		}
		g.t.Log(err)
		return nil
	})
	start := time.Now()
	change(g, ps, func(ps *v1alpha1.PrometheusServer) { ps.Spec.Shards = ptr.To(int32(1)) })
	message, _ := g.awaitMessage(4*time.Minute, ps, v1alpha1.ConditionReady, "1 replica, revision ", " loaded; the samples of shards that were removed are kept in data-prometheus-main-shard-1-0")
	g.t.Logf("after %s: %s", time.Since(start).Round(100*time.Millisecond), message)
	g.gone(time.Minute, &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: ps.Namespace, Name: "prometheus-main-shard-1"}})
	g.gone(time.Minute, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: ps.Namespace, Name: "prometheus-main-shard-1"}})
	eventually(g.t, 2*time.Minute, func() error {
		if pods := g.pods(ps); len(pods) != 1 {
			return fmt.Errorf("%d pods are left", len(pods))
		}
		return nil
	})
	must(g.t, g.get(&corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: ps.Namespace, Name: "data-prometheus-main-shard-1-0"}}))
	took := eventually(g.t, time.Minute, func() error {
		got, err := throughPod(ps.Namespace, "prometheus-main-0").activeOf(g.t.Context(), "kubernetes-pods")
		if err == nil && len(got) != shardTargets {
			err = fmt.Errorf("shard 0 has %d targets back, want %d", len(got), shardTargets)
		}
		return err
	})
	g.t.Logf("the claim stays, and shard 0 has all targets after another %s", took)
	g.awaitMessage(3*time.Minute, ps, v1alpha1.ConditionTargetsHealthy, fmt.Sprintf("%d/%d targets are up", shardTargets+2, shardTargets+2))
}

// firstPort is where manyPorts begins to listen.
const firstPort = 9201

// manyPorts is a pod that is shardTargets targets: one that is annotated without a port is one for each that it declares.
func (g *ground) manyPorts() *corev1.Pod {
	g.t.Helper()
	p := standIn(operatorPod(g.t.Context()).Spec.Containers[0].Image, firstPort)
	p.ObjectMeta = metav1.ObjectMeta{Namespace: g.servers, Name: "many", Annotations: map[string]string{"prometheus.io/scrape": "true"}}
	c := &p.Spec.Containers[0]
	for i := int32(1); i < shardTargets; i++ {
		c.Args = append(c.Args, fmt.Sprintf("--web.listen-address=:%d", firstPort+i))
		c.Ports = append(c.Ports, corev1.ContainerPort{ContainerPort: firstPort + i})
	}
	return p
}

// activeOf are the addresses of the targets of one job, in order.
func (p prometheus) activeOf(ctx context.Context, job string) ([]string, error) {
	var data struct {
		ActiveTargets []struct {
			ScrapePool string
			Labels     map[string]string
		}
	}
	if err := p.api(ctx, "/api/v1/targets", map[string]string{"state": "active", "scrapePool": job}, &data); err != nil {
		return nil, err
	}
	var out []string
	for _, target := range data.ActiveTargets {
		if target.ScrapePool == job {
			out = append(out, target.Labels["instance"])
		}
	}
	slices.Sort(out)
	return out, nil
}

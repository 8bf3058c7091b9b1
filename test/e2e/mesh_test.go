package e2e

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

const (
	// replicas of a mesh.
	members = 3
	// windows are alerts of a short life, one after the other.
	windows                   = 11
	windowEvery, windowLength = 6 * time.Second, 30 * time.Second
)

// One of three Alertmanagers is killed, and then all three are replaced, one after the other. Alerts that begin and end
// meanwhile are told, each of them.
func TestAlertsThroughMesh(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	needRoot(t)
	hook := newHook(t)
	ps := g.alerting(hook, members)
	t.Run("one killed", func(t *testing.T) {
		g := g.in(t)
		p := g.passage(hook, "Killed")
		p.begins(time.Second)
		// The one that has told of the last alert would tell of the next one.
		g.kill(ps.Namespace, g.sender(ps, hook.at("/team", "KilledEnds")[0].from), "alertmanager")
		p.declare()
		p.arrives()
		g.await(2*time.Minute, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
		p.within(members)
	})
	t.Run("rolling update", func(t *testing.T) { g.in(t).rolled(ps, hook) })
	t.Logf("what came:\n%s", hook)
}

// sender is the pod with this address, or the first: where addresses are translated, nobody can tell.
func (g *ground) sender(ps *v1alpha1.PrometheusServer, address string) string {
	g.t.Helper()
	for _, p := range g.alertmanagers(ps) {
		if p.Status.PodIP == address {
			return p.Name
		}
	}
	g.t.Logf("no Alertmanager has the address %s", address)
	return "alertmanager-main-0"
}

func (g *ground) alertmanagers(ps *v1alpha1.PrometheusServer) []corev1.Pod {
	g.t.Helper()
	var list corev1.PodList
	must(g.t, kube.api.List(g.t.Context(), &list, client.InNamespace(ps.Namespace), client.MatchingLabels{"app.kubernetes.io/name": "alertmanager"}))
	return list.Items
}

// rolled replaces all replicas while alerts come and go.
func (g *ground) rolled(ps *v1alpha1.PrometheusServer, hook *hook) {
	start := time.Now().Add(8 * time.Second).Round(time.Second)
	rule := g.toTeam("windows")
	for i := range windows {
		from := start.Add(time.Duration(i) * windowEvery).Unix()
		rule.Spec.Groups[0].Rules = append(rule.Spec.Groups[0].Rules, alert(windowName(i),
			fmt.Sprintf("vector(time()) >= %d and vector(time()) < %d", from, from+int64(windowLength.Seconds()))))
	}
	g.create(rule)
	g.await(time.Minute, rule, v1alpha1.ConditionLoaded, metav1.ConditionTrue, "")
	before := map[string]string{}
	for _, p := range g.alertmanagers(ps) {
		before[p.Name] = string(p.UID)
	}
	least := g.least(ps)
	change(g, ps, func(s *v1alpha1.PrometheusServer) {
		s.Spec.Alerting.Alertmanager.PodMetadata = &v1alpha1.PodMetadata{Annotations: map[string]string{"example.org/again": "1"}}
	})
	took := eventually(g.t, 6*time.Minute, func() error { return g.replaced(ps, before) })
	ready := least()
	g.t.Logf("all replaced after %s, never fewer than %d ready", took, ready)
	if ready < members-1 {
		g.t.Errorf("only %d Alertmanagers were ready at a time, want %d", ready, members-1)
	}
	for i := range windows {
		hook.awaitSaid(g.t, 3*time.Minute, "/team", windowName(i), "firing", "resolved")
	}
	most := 0
	for i := range windows {
		most = max(most, within(g.t, hook, windowName(i), members, "firing", "resolved"))
	}
	g.t.Logf("%d alerts came and went, each was told; the same at most %d times", windows, most)
}

func windowName(i int) string { return fmt.Sprintf("Window%02d", i) }

// replaced is nil once every pod is another than before, and ready.
func (g *ground) replaced(ps *v1alpha1.PrometheusServer, before map[string]string) error {
	set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: ps.Namespace, Name: "alertmanager-" + ps.Name}}
	if err := g.get(set); err != nil {
		return err
	}
	if set.Status.UpdatedReplicas != members || set.Status.ReadyReplicas != members || set.Status.ObservedGeneration != set.Generation {
		return fmt.Errorf("the StatefulSet is at %s", text(set.Status))
	}
	for _, p := range g.alertmanagers(ps) {
		if before[p.Name] == string(p.UID) {
			return fmt.Errorf("%s is the same pod", p.Name)
		}
	}
	return nil
}

// least follows the pods; its result ends that, and says how few were ready at the worst moment.
func (g *ground) least(ps *v1alpha1.PrometheusServer) func() int {
	g.t.Helper()
	worst, stop := members, make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-g.t.Context().Done():
				return
			case <-time.After(300 * time.Millisecond):
			}
			var list corev1.PodList
			if err := kube.api.List(g.t.Context(), &list, client.InNamespace(ps.Namespace), client.MatchingLabels{"app.kubernetes.io/name": "alertmanager"}); err != nil {
				continue
			}
			ready := 0
			for _, p := range list.Items {
				if p.DeletionTimestamp == nil && slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
					return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
				}) {
					ready++
				}
			}
			worst = min(worst, ready)
		}
	})
	return func() int {
		close(stop)
		group.Wait()
		return worst
	}
}

// within holds that each alert of a passage was told, and the same at most so many times.
func (p *passage) within(most int) {
	p.g.t.Helper()
	within(p.g.t, p.hook, p.name+"Ends", most, "firing", "resolved")
	within(p.g.t, p.hook, p.name+"Begins", most, "firing", "firing")
	within(p.g.t, p.hook, p.name+"Late", most, "firing", "firing")
}

// within returns how often the same was told of an alert. A replica that waits for its turn tells what it knew when it began to
// wait, so between the first and the last word there may be others.
func within(t *testing.T, hook *hook, alert string, most int, first, last string) int {
	t.Helper()
	var said []string
	eventually(t, time.Minute, func() error {
		if said = strings.Fields(hook.said("/team", alert)); len(said) == 0 || said[len(said)-1] != last {
			return fmt.Errorf("%s was told as %q, and not as %s in the end", alert, said, last)
		}
		return nil
	})
	often, times := 0, map[string]int{}
	for _, s := range said {
		times[s]++
		often = max(often, times[s])
	}
	if said[0] != first || often > most {
		t.Errorf("%s was told as %q, want it to begin with %s, and the same at most %d times", alert, said, first, most)
	}
	if other := hook.said("/default", alert); other != "" {
		t.Errorf("%s came to the server's receiver too, as %q", alert, other)
	}
	return often
}

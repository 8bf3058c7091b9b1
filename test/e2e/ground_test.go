package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// ground is what a test stands on: a namespace for servers and rules, and one for exporters, each with the Pod Security
// level that the README tells people to give it. Both go with the test.
type ground struct {
	t       *testing.T
	servers string
	nodes   string
}

func newGround(t *testing.T) *ground {
	t.Helper()
	needCluster(t)
	base := "e2e-" + strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(t.Name(), "Test"), "/", "-")) + "-" + rand.String(5)
	g := &ground{t: t, servers: base, nodes: base + "-nodes"}
	g.namespace(g.servers, "restricted")
	g.namespace(g.nodes, "privileged")
	g.followStatus()
	t.Cleanup(func() {
		if t.Failed() {
			g.explain()
		}
	})
	return g
}

func (g *ground) namespace(name, level string) {
	g.t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
		leftover: "true",
		// These tests declare what is wrong too, and look at what becomes of it; the webhook has a test of its own.
		"monitoring.hearth.dev/validate":     "false",
		"pod-security.kubernetes.io/enforce": level,
		"pod-security.kubernetes.io/warn":    level,
	}}}
	must(g.t, kube.api.Create(g.t.Context(), ns))
	// Without it no pod is taken, and it is made a moment later.
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "default"}}
	eventually(g.t, time.Minute, func() error { return g.get(account) })
	g.t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.WithoutCancel(g.t.Context()), 30*time.Second)
		defer stop()
		if err := kube.api.Delete(ctx, ns); client.IgnoreNotFound(err) != nil {
			g.t.Errorf("namespace %s is left: %v", name, err)
		}
	})
}

// exporter is a NodeExporter that a server of this ground selects.
func (g *ground) exporter() *v1alpha1.NodeExporter {
	return &v1alpha1.NodeExporter{ObjectMeta: metav1.ObjectMeta{Namespace: g.nodes, Name: "node"}}
}

// server is a small and quick PrometheusServer that selects every exporter and every rule of this ground.
func (g *ground) server() *v1alpha1.PrometheusServer {
	return &v1alpha1.PrometheusServer{
		ObjectMeta: metav1.ObjectMeta{Namespace: g.servers, Name: "main"},
		Spec: v1alpha1.PrometheusServerSpec{
			ScrapeInterval:     "2s",
			EvaluationInterval: "2s",
			Storage:            v1alpha1.Storage{Size: resource.MustParse("256Mi")},
			Targets: &v1alpha1.Targets{NodeExporters: &v1alpha1.ObjectSelector{
				Selector:          &metav1.LabelSelector{},
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: g.nodes}},
			}},
			Rules: &v1alpha1.ObjectSelector{Selector: &metav1.LabelSelector{}},
		},
	}
}

// rule is an AlertRule with one group of these rules.
func (g *ground) rule(name string, rules ...v1alpha1.Rule) *v1alpha1.AlertRule {
	return &v1alpha1.AlertRule{
		ObjectMeta: metav1.ObjectMeta{Namespace: g.servers, Name: name},
		Spec:       v1alpha1.AlertRuleSpec{Groups: []v1alpha1.RuleGroup{{Name: name + "-group", Rules: rules}}},
	}
}

func alert(name, expr string) v1alpha1.Rule {
	return v1alpha1.Rule{Alert: name, Expr: v1alpha1.Expression(expr)}
}

func record(name, expr string) v1alpha1.Rule {
	return v1alpha1.Rule{Record: name, Expr: v1alpha1.Expression(expr)}
}

func (g *ground) create(objects ...client.Object) {
	g.t.Helper()
	for _, o := range objects {
		must(g.t, kube.api.Create(g.t.Context(), o))
	}
}

// change reads the object anew, edits it and writes it, as often as somebody else is quicker.
func change[T client.Object](g *ground, object T, edit func(T)) {
	g.t.Helper()
	eventually(g.t, time.Minute, func() error {
		if err := g.get(object); err != nil {
			return err
		}
		edit(object)
		return kube.api.Update(g.t.Context(), object)
	})
}

func (g *ground) get(o client.Object) error {
	return kube.api.Get(g.t.Context(), client.ObjectKeyFromObject(o), o)
}

// gone waits until an object does not exist, or not the one that was there.
func (g *ground) gone(timeout time.Duration, o client.Object) time.Duration {
	g.t.Helper()
	uid := o.GetUID()
	return eventually(g.t, timeout, func() error {
		err := g.get(o)
		if err == nil && o.GetUID() == uid {
			return fmt.Errorf("%T %s is still there", o, o.GetName())
		}
		return client.IgnoreNotFound(err)
	})
}

// full makes a server, an exporter and a rule, and waits until all of it works.
func (g *ground) full(edit ...func(*v1alpha1.PrometheusServer)) (*v1alpha1.PrometheusServer, *v1alpha1.NodeExporter, *v1alpha1.AlertRule) {
	g.t.Helper()
	ps, ne := g.server(), g.exporter()
	ar := g.rule("watchdog", alert("Watchdog", "vector(1)"))
	for _, e := range edit {
		e(ps)
	}
	start := time.Now()
	g.create(ne, ps, ar)
	g.works(ps, ne, ar)
	g.t.Logf("from nothing to scraped and loaded in %s", time.Since(start).Round(100*time.Millisecond))
	return ps, ne, ar
}

// works waits until every condition of a stack is good and its one alert fires.
func (g *ground) works(ps *v1alpha1.PrometheusServer, ne *v1alpha1.NodeExporter, ar *v1alpha1.AlertRule) {
	g.t.Helper()
	for _, c := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionLoaded, v1alpha1.ConditionRulesAccepted, v1alpha1.ConditionTargetsHealthy} {
		g.await(2*time.Minute, ps, c, metav1.ConditionTrue, "")
	}
	for _, c := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionScraped} {
		g.await(time.Minute, ne, c, metav1.ConditionTrue, "")
	}
	for _, c := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionValid, v1alpha1.ConditionLoaded} {
		g.await(time.Minute, ar, c, metav1.ConditionTrue, "")
	}
	eventually(g.t, time.Minute, func() error {
		if err := g.get(ps); err != nil {
			return err
		}
		if ps.Status.Alerts == nil || ps.Status.Alerts.Firing < 1 {
			return fmt.Errorf("status.alerts is %+v, the Watchdog does not fire", ps.Status.Alerts)
		}
		return nil
	})
}

// pods are those of a server, by name.
func (g *ground) pods(ps *v1alpha1.PrometheusServer) map[string]corev1.Pod {
	g.t.Helper()
	var list corev1.PodList
	must(g.t, kube.api.List(g.t.Context(), &list, client.InNamespace(ps.Namespace), client.MatchingLabels{"monitoring.hearth.dev/server": ps.Name}))
	out := map[string]corev1.Pod{}
	for _, p := range list.Items {
		out[p.Name] = p
	}
	return out
}

// lives says which processes run: a restart, or another pod of the same name, makes it another text.
func lives(pods map[string]corev1.Pod) map[string]string {
	out := map[string]string{}
	for name, p := range pods {
		text := string(p.UID)
		for _, s := range append(p.Status.InitContainerStatuses, p.Status.ContainerStatuses...) {
			text += fmt.Sprintf(" %s:%d", s.Name, s.RestartCount)
		}
		out[name] = text
	}
	return out
}

package e2e

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/dashboards"
	"github.com/hearth-monitoring/hearth/internal/dashboards/dashboardtest"
)

// TestDashboards asks a real Prometheus everything that the dashboards and the shipped rules ask: of a server that pulls from all
// that there is here, and has loaded the rules. No query may fail, and none may have no answer, but for what is listed in
// dashboards_empty_test.go. Then it asks for the series that people's own dashboards and rules for node_exporter select.
func TestDashboards(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.reach("cluster")
	ps, shipped := g.watched(newHook(t)), g.shipped()
	ne := g.exporter()
	// Three of those that are off by default, for which Node Exporter Full asks as well.
	ne.Spec.Collectors = &v1alpha1.Collectors{Enable: []v1alpha1.CollectorName{"processes", "interrupts", "tcpstat"}}
	always := g.rule("always", v1alpha1.Rule{Alert: "Always", Expr: "vector(1)", Labels: map[string]string{"severity": "warning"}})
	g.create(append(g.stateMetrics(), ne, ps, always)...)
	for _, ar := range shipped {
		g.create(ar)
	}
	for _, c := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionTargetsHealthy, v1alpha1.ConditionRulesAccepted} {
		g.await(3*time.Minute, ps, c, metav1.ConditionTrue, "")
	}
	for _, ar := range shipped {
		g.await(time.Minute, ar, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	}
	server := through(ps)
	t.Run("panels", func(t *testing.T) { g.in(t).panelsAnswer(server) })
	t.Run("rules", func(t *testing.T) { g.in(t).rulesAnswer(server, shipped) })
	t.Run("node_exporter's", func(t *testing.T) { g.in(t).peopleFind(server) })
}

// watched is a server that pulls from everything that this cluster has, and whose alerts reach somebody.
func (g *ground) watched(hook *hook) *v1alpha1.PrometheusServer {
	ps := g.server()
	ps.Spec.Targets.Kubernetes = &v1alpha1.KubernetesTargets{
		APIServer: &v1alpha1.APIServerTargets{}, Kubelets: &v1alpha1.KubeletTargets{}, CoreDNS: &v1alpha1.CoreDNSTargets{},
		StateMetrics: &v1alpha1.StateMetrics{Shards: 1, NodeSelector: map[string]string{"no": "such"}},
	}
	ps.Spec.Targets.Operator = &v1alpha1.OperatorTargets{}
	ps.Spec.Alerting = &v1alpha1.Alerting{
		Alertmanager: &v1alpha1.Alertmanager{},
		Receivers:    []v1alpha1.Receiver{{Name: "all", Webhook: []v1alpha1.WebhookReceiver{{URL: v1alpha1.URL(hook.url + "/all")}}}},
		Route:        &v1alpha1.Route{Receiver: "all", Grouping: v1alpha1.Grouping{GroupWait: "1s", GroupInterval: "2s"}},
	}
	return ps
}

// stateMetrics stands in for kube-state-metrics, whose image can't be had here. What it tells is of this ground's server, so that
// it can be joined with what the kubelet tells, and of workloads that do not run as they should.
func (g *ground) stateMetrics() []client.Object {
	g.t.Helper()
	pod := fmt.Sprintf(`namespace=%q,pod="prometheus-main-0"`, g.servers)
	text := strings.NewReplacer("POD", pod, "NODE", kube.nodes[0]).Replace(`
kube_pod_container_resource_requests{POD,container="prometheus",resource="cpu",node="NODE"} 0.1
kube_pod_container_resource_requests{POD,container="prometheus",resource="memory",node="NODE"} 1e8
kube_pod_container_resource_limits{POD,container="prometheus",resource="memory",node="NODE"} 1e9
kube_pod_status_phase{POD,phase="Running"} 1
kube_pod_status_phase{POD,phase="Pending"} 0
kube_pod_status_ready{POD,condition="true"} 1
kube_pod_status_ready{POD,condition="false"} 0
kube_pod_container_status_restarts_total{POD,container="prometheus"} 0
kube_pod_container_status_waiting_reason{namespace="shop",pod="till",container="web",reason="CrashLoopBackOff"} 1
kube_deployment_spec_replicas{namespace="shop",deployment="till"} 2
kube_deployment_status_replicas_available{namespace="shop",deployment="till"} 1
kube_deployment_status_replicas_unavailable{namespace="shop",deployment="till"} 1
kube_statefulset_replicas{namespace="shop",statefulset="store"} 2
kube_statefulset_status_replicas_ready{namespace="shop",statefulset="store"} 1
kube_daemonset_status_desired_number_scheduled{namespace="shop",daemonset="guard"} 2
kube_daemonset_status_number_available{namespace="shop",daemonset="guard"} 1
kube_daemonset_status_number_unavailable{namespace="shop",daemonset="guard"} 1
kube_job_failed{namespace="shop",job_name="audit",condition="true"} 1
kube_node_status_condition{node="NODE",condition="Ready",status="true"} 1
kube_node_status_condition{node="NODE",condition="MemoryPressure",status="true"} 0
`)
	pods := standIn(operatorPod(g.t.Context()).Spec.Containers[0].Image, 8080, 8081)
	pods.ObjectMeta = metav1.ObjectMeta{Namespace: g.servers, Name: "state-metrics-stand-in", Labels: map[string]string{
		"app.kubernetes.io/name": "kube-state-metrics", "app.kubernetes.io/instance": "main",
		"monitoring.hearth.dev/state-metrics": "main", "monitoring.hearth.dev/shard": "0",
	}}
	return []client.Object{
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: g.servers, Name: "text"}, Data: map[string]string{"state.prom": text}}, pods,
	}
}

// shipped are the AlertRules of config/monitoring, for this ground.
func (g *ground) shipped() []*v1alpha1.AlertRule {
	g.t.Helper()
	files, err := filepath.Glob("../../config/monitoring/*.yaml")
	must(g.t, err)
	var out []*v1alpha1.AlertRule
	for _, file := range files {
		if filepath.Base(file) == "kustomization.yaml" {
			continue
		}
		text, err := os.ReadFile(file)
		must(g.t, err)
		ar := &v1alpha1.AlertRule{}
		must(g.t, yaml.UnmarshalStrict(text, ar))
		ar.Namespace = g.servers
		out = append(out, ar)
	}
	if len(out) == 0 {
		g.t.Fatal("config/monitoring has no rules")
	}
	return out
}

// panelsAnswer asks everything that Grafana would ask for each panel and variable.
func (g *ground) panelsAnswer(server prometheus) {
	a := newAsked(g.t, server, emptyPanels)
	for _, d := range dashboards.All() {
		queries, err := dashboardtest.Queries(d, map[string]string{"instance": kube.nodes[0]})
		must(g.t, err)
		for _, q := range queries {
			a.ask(d.UID+": "+q.Of, q.Expr, q.Label)
		}
		g.t.Logf("%-21s %3d queries", d.Title, len(queries))
	}
	a.settle()
}

// rulesAnswer asks for what each rule selects, and for what each records.
func (g *ground) rulesAnswer(server prometheus, all []*v1alpha1.AlertRule) {
	a := newAsked(g.t, server, emptyRules)
	for _, ar := range all {
		for _, group := range ar.Spec.Groups {
			for _, r := range group.Rules {
				for _, selector := range selectors(g.t, string(r.Expr)) {
					a.ask(ar.Name+": "+selector, selector, "")
				}
				if r.Record != "" {
					a.ask(ar.Name+": "+r.Record, r.Record, "")
				}
			}
		}
	}
	a.settle()
}

// selectors are those of an expression.
func selectors(t *testing.T, expr string) []string {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	must(t, err)
	found := map[string]bool{}
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		if v, ok := node.(*parser.VectorSelector); ok {
			found[v.String()] = true
		}
		return nil
	})
	return slices.Sorted(maps.Keys(found))
}

// expected says of a query why it may have no answer.
type expected struct {
	reason string
	kind   emptiness
}

// emptiness is what may be empty, and when.
type emptiness int

const (
	// never answered on this ground: an answer means that the entry is out of date.
	never emptiness = iota
	// sometimes: it depends on the machine, or on what else goes on in the cluster.
	sometimes
	// faults alone make it answer; the metrics that it asks for have to be there.
	faults
)

// asked collects queries, and asks until each has an answer that has to have one.
type asked struct {
	t       *testing.T
	server  prometheus
	empty   map[string]expected
	queries map[string]struct{ expr, label string }
}

func newAsked(t *testing.T, server prometheus, empty map[string]expected) *asked {
	return &asked{t: t, server: server, empty: empty, queries: map[string]struct{ expr, label string }{}}
}

func (a *asked) ask(name, expr, label string) {
	a.queries[name] = struct{ expr, label string }{expr, label}
}

// settle asks, the ones without an answer again for as long as samples may still be on their way. Those that may have none are
// asked in the end.
func (a *asked) settle() {
	a.t.Helper()
	var must, may []string
	for name := range a.queries {
		if _, ok := a.empty[name]; ok {
			may = append(may, name)
		} else {
			must = append(must, name)
		}
	}
	pending, last := must, must
	took := eventually(a.t, 3*time.Minute, func() error {
		var missing []string
		for name, n := range a.all(pending) {
			if n == 0 {
				missing = append(missing, name)
			}
		}
		if pending = missing; len(missing) == 0 {
			return nil
		}
		slices.Sort(missing)
		last = missing
		text := fmt.Sprintf("%d of %d queries have no answer:", len(missing), len(must))
		for _, name := range missing {
			text += "\n" + name + "\n  " + a.queries[name].expr
		}
		return errors.New(text)
	})
	answered := a.all(may)
	a.t.Logf("%d queries have an answer after %s, the last of them %v; %d may have none", len(must), took, last[:min(len(last), 5)], len(may))
	for _, name := range slices.Sorted(maps.Keys(a.empty)) {
		a.entry(name, a.empty[name], answered[name])
	}
}

// all asks several at a time how many series each of these has. An error is one that stays: the expression is wrong, or matches
// many where one is expected.
func (a *asked) all(names []string) map[string]int {
	out, next := map[string]int{}, make(chan string)
	var group sync.WaitGroup
	var mu sync.Mutex
	for range 4 {
		group.Go(func() {
			for name := range next {
				n, err := a.series(a.queries[name].expr, a.queries[name].label)
				if err != nil {
					a.t.Errorf("%s\n%s\n%v", name, a.queries[name].expr, err)
					n = 1
				}
				mu.Lock()
				out[name] = n
				mu.Unlock()
			}
		})
	}
	for _, name := range names {
		next <- name
	}
	close(next)
	group.Wait()
	return out
}

// entry holds the list itself.
func (a *asked) entry(name string, e expected, series int) {
	a.t.Helper()
	q, ok := a.queries[name]
	switch {
	case !ok:
		a.t.Errorf("nobody asks %q any more: take it off the list", name)
	case e.kind == never && series > 0:
		a.t.Errorf("%q has %d series, though %s: take it off the list", name, series, e.reason)
	case e.kind == faults:
		for _, selector := range selectors(a.t, q.expr) {
			metric, _, _ := strings.Cut(selector, "{")
			if n, err := a.series(metric, ""); err != nil || n == 0 {
				a.t.Errorf("%q asks for %s, of which there are no series at all (%v)", name, metric, err)
			}
		}
	}
	if series == 0 {
		a.t.Logf("no answer: %s (%s)", name, e.reason)
	}
}

// series is how many a query has; with a label, how many have a value of it.
func (a *asked) series(expr, label string) (int, error) {
	result, err := a.server.query(a.t.Context(), expr)
	n := 0
	for _, s := range result {
		if label == "" || s.Metric[label] != "" {
			n++
		}
	}
	return n, err
}

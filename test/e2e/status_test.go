package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// said is what the status of one of the three kinds has in common.
type said struct {
	kind       string
	generation int64
	conditions []metav1.Condition
	all        any
}

func saidOf(o client.Object) said {
	switch o := o.(type) {
	case *v1alpha1.PrometheusServer:
		return said{"prometheusserver", o.Status.ObservedGeneration, o.Status.Conditions, o.Status}
	case *v1alpha1.NodeExporter:
		return said{"nodeexporter", o.Status.ObservedGeneration, o.Status.Conditions, o.Status}
	case *v1alpha1.AlertRule:
		return said{"alertrule", o.Status.ObservedGeneration, o.Status.Conditions, o.Status}
	}
	panic(fmt.Sprintf("%T has no status", o))
}

// await waits until a condition speaks of the current generation and has this status and, unless it is empty, this reason.
// It returns the condition and how long it took.
func (g *ground) await(timeout time.Duration, o client.Object, kind string, status metav1.ConditionStatus, reason string) (metav1.Condition, time.Duration) {
	g.t.Helper()
	var found metav1.Condition
	took := eventually(g.t, timeout, func() error {
		if err := g.get(o); err != nil {
			return err
		}
		s := saidOf(o)
		c := meta.FindStatusCondition(s.conditions, kind)
		switch {
		case c == nil:
			return fmt.Errorf("%s %s has no condition %s yet", s.kind, o.GetName(), kind)
		case s.generation != o.GetGeneration() || c.ObservedGeneration != o.GetGeneration():
			return fmt.Errorf("%s %s is at generation %d, its status at %d", s.kind, o.GetName(), o.GetGeneration(), s.generation)
		case c.Status != status || reason != "" && c.Reason != reason:
			return fmt.Errorf("%s %s is %s=%s (%s: %s), want %s %s", s.kind, o.GetName(), kind, c.Status, c.Reason, c.Message, status, reason)
		}
		found = *c
		return nil
	})
	return found, took
}

// awaitMessage waits until a condition of the current generation says all of this.
func (g *ground) awaitMessage(timeout time.Duration, o client.Object, kind string, parts ...string) (string, time.Duration) {
	g.t.Helper()
	var message string
	took := eventually(g.t, timeout, func() error {
		if err := g.get(o); err != nil {
			return err
		}
		c := meta.FindStatusCondition(saidOf(o).conditions, kind)
		if c == nil || c.ObservedGeneration != o.GetGeneration() {
			return fmt.Errorf("%s is %+v, of generation %d", kind, c, o.GetGeneration())
		}
		for _, part := range parts {
			if !strings.Contains(c.Message, part) {
				return fmt.Errorf("%s=%s %s does not say %q: %s", kind, c.Status, c.Reason, part, c.Message)
			}
		}
		message = c.Message
		return nil
	})
	return message, took
}

// followStatus holds every version of every status in the ground's namespaces to kstatus, and prints how Ready turns.
func (g *ground) followStatus() {
	g.t.Helper()
	ctx, stop := context.WithCancel(g.t.Context())
	var followers sync.WaitGroup
	for _, namespace := range []string{g.servers, g.nodes} {
		for _, list := range []client.ObjectList{&v1alpha1.PrometheusServerList{}, &v1alpha1.NodeExporterList{}, &v1alpha1.AlertRuleList{}} {
			w, err := kube.api.Watch(ctx, list, client.InNamespace(namespace))
			must(g.t, err)
			followers.Go(func() { follow(g.t, w) })
		}
	}
	g.t.Cleanup(func() {
		stop()
		followers.Wait()
	})
}

func follow(t *testing.T, w watch.Interface) {
	defer w.Stop()
	before := map[string]said{}
	start := time.Now()
	for event := range w.ResultChan() {
		o, ok := event.Object.(client.Object)
		if !ok || event.Type == watch.Deleted {
			continue
		}
		now, was := saidOf(o), before[o.GetName()]
		before[o.GetName()] = now
		if text(now.all) == text(was.all) || now.generation == 0 {
			continue
		}
		// A status is written for the spec that is there, or it isn't written.
		if now.generation != o.GetGeneration() {
			t.Errorf("kstatus: %s %s at generation %d was given a status of generation %d", now.kind, o.GetName(), o.GetGeneration(), now.generation)
		}
		checkConditions(t, now, o)
		was1, now1 := meta.FindStatusCondition(was.conditions, v1alpha1.ConditionReady), meta.FindStatusCondition(now.conditions, v1alpha1.ConditionReady)
		if now1 != nil && (was1 == nil || was1.Status != now1.Status || was1.Message != now1.Message) {
			t.Logf("%5.1fs %s/%s Ready=%s %s: %s", time.Since(start).Seconds(), now.kind, o.GetName(), now1.Status, now1.Reason, now1.Message)
		}
	}
}

func checkConditions(t *testing.T, s said, o client.Object) {
	t.Helper()
	is := map[string]bool{}
	for _, c := range s.conditions {
		is[c.Type] = c.Status == metav1.ConditionTrue
		if c.Reason == "" || c.Message == "" {
			t.Errorf("kstatus: %s %s: condition %s=%s does not say why", s.kind, o.GetName(), c.Type, c.Status)
		}
		if c.ObservedGeneration != s.generation {
			t.Errorf("kstatus: %s %s: condition %s speaks of generation %d, the status of %d", s.kind, o.GetName(), c.Type, c.ObservedGeneration, s.generation)
		}
	}
	ready, reconciling, stalled := is[v1alpha1.ConditionReady], is[v1alpha1.ConditionReconciling], is[v1alpha1.ConditionStalled]
	if ready == (reconciling || stalled) || reconciling && stalled {
		t.Errorf("kstatus: %s %s is Ready=%v, Reconciling=%v and Stalled=%v", s.kind, o.GetName(), ready, reconciling, stalled)
	}
}

func text(v any) string {
	out, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(out)
}

// show prints a kind as kubectl get does.
func (g *ground) show(namespace, kinds string) {
	g.t.Helper()
	raw, err := kube.typed.CoreV1().RESTClient().Get().
		AbsPath("/apis/monitoring.hearth.dev/v1alpha1/namespaces", namespace, kinds).
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(g.t.Context())
	must(g.t, err)
	var table metav1.Table
	must(g.t, json.Unmarshal(raw, &table))
	var out bytes.Buffer
	w := tabwriter.NewWriter(&out, 0, 0, 3, ' ', 0)
	for i, row := range table.Rows {
		var heads, cells []string
		for j, column := range table.ColumnDefinitions {
			if column.Priority == 0 {
				heads = append(heads, strings.ToUpper(column.Name))
				cells = append(cells, fmt.Sprint(row.Cells[j]))
			}
		}
		if i == 0 {
			fmt.Fprintln(w, strings.Join(heads, "\t"))
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	must(g.t, w.Flush())
	g.t.Logf("kubectl get %s\n%s", kinds, out.String())
}

// explain prints what somebody needs to see whose test failed, before it is removed.
func (g *ground) explain() {
	ctx, stop := context.WithTimeout(context.WithoutCancel(g.t.Context()), 10*time.Second)
	defer stop()
	for _, namespace := range []string{g.servers, g.nodes} {
		var servers v1alpha1.PrometheusServerList
		var exporters v1alpha1.NodeExporterList
		var rules v1alpha1.AlertRuleList
		var pods corev1.PodList
		var events corev1.EventList
		for _, list := range []client.ObjectList{&servers, &exporters, &rules, &pods, &events} {
			if err := kube.api.List(ctx, list, client.InNamespace(namespace)); err != nil {
				g.t.Logf("list %T: %v", list, err)
			}
		}
		for i := range servers.Items {
			g.t.Logf("prometheusserver %s: %s", servers.Items[i].Name, text(servers.Items[i].Status))
		}
		for i := range exporters.Items {
			g.t.Logf("nodeexporter %s: %s", exporters.Items[i].Name, text(exporters.Items[i].Status))
		}
		for i := range rules.Items {
			g.t.Logf("alertrule %s: %s", rules.Items[i].Name, text(rules.Items[i].Status))
		}
		for i := range pods.Items {
			g.t.Logf("pod %s: %s", pods.Items[i].Name, text(pods.Items[i].Status))
		}
		for i := range events.Items {
			e := &events.Items[i]
			g.t.Logf("event %s %s/%s: %s", e.Reason, e.InvolvedObject.Kind, e.InvolvedObject.Name, e.Message)
		}
	}
	log, err := kube.typed.CoreV1().Pods(operatorNamespace).GetLogs(operatorPod(ctx).Name, &corev1.PodLogOptions{TailLines: ptr.To(int64(60))}).DoRaw(ctx)
	g.t.Logf("the operator's last words (%v):", err)
	for line := range strings.Lines(string(log)) {
		if !strings.Contains(line, `"Starting EventSource"`) {
			g.t.Log(strings.TrimSpace(line))
		}
	}
}

// operatorPod is the operator's pod, the empty one if there is none.
func operatorPod(ctx context.Context) corev1.Pod {
	var pods corev1.PodList
	if err := kube.api.List(ctx, &pods, client.InNamespace(operatorNamespace), client.MatchingLabels{"app.kubernetes.io/component": "operator"}); err != nil {
		return corev1.Pod{}
	}
	for _, p := range pods.Items {
		if p.DeletionTimestamp == nil {
			return p
		}
	}
	return corev1.Pod{}
}

package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/admission"
	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/monitors"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/test/upstream"
)

// installs has the kinds of monitors for a test.
func (c *cluster) installs(t *testing.T, kinds ...string) {
	t.Helper()
	for _, definition := range upstream.Definitions(t, "..", kinds...) {
		// That of another test may still be on its way out.
		eventually(t, func() error { return c.api.Create(t.Context(), definition.DeepCopy()) })
		t.Cleanup(func() { _ = c.api.Delete(context.WithoutCancel(t.Context()), definition) })
	}
}

// has creates an object of a kind that is served soon.
func (c *cluster) has(t *testing.T, o *unstructured.Unstructured, labels map[string]string) *unstructured.Unstructured {
	t.Helper()
	o.SetNamespace(c.namespace)
	o.SetLabels(labels)
	eventually(t, func() error { return c.api.Create(t.Context(), o) })
	return o
}

// nearest fails unless the status counts so many strays, and says this of one.
func (c *cluster) nearest(t *testing.T, count int32, name, text string) error {
	t.Helper()
	var ps v1alpha1.PrometheusServer
	if !c.get(t, "main", &ps) {
		return errors.New("no server")
	}
	if u := ps.Status.Unselected; u == nil && count == 0 {
		return nil
	} else if u != nil && u.Count == count {
		for _, n := range u.Nearest {
			if n.Name == name && strings.Contains(n.Message, text) {
				return nil
			}
		}
	}
	return fmt.Errorf("status.unselected: %+v", ps.Status.Unselected)
}

// What no server selects is told on the object and in the status of the server that comes closest, and no longer once it is
// selected. A kind that nobody selects is left in peace.
func TestStrays(t *testing.T) {
	c := newCluster(t, operator(t.Context()))
	c.installs(t, "servicemonitors", "podmonitors", "prometheusrules")
	stray := c.has(t, c.monitor(t, "ServiceMonitor", "stray", "{selector: {}, endpoints: [{port: a}]}"), map[string]string{"team": "web"})
	c.has(t, c.monitor(t, "ServiceMonitor", "taken", "{selector: {}, endpoints: [{port: a}]}"), map[string]string{"team": "infra"})
	c.has(t, c.monitor(t, "PodMonitor", "others", "{selector: {}, podMetricsEndpoints: [{port: a}]}"), nil)

	ps := &v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Name: "main"}}
	infra := &v1alpha1.ObjectSelector{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "infra"}}}
	ps.Spec.Targets = &v1alpha1.Targets{MonitorTargets: v1alpha1.MonitorTargets{ServiceMonitors: infra}}
	ps.Spec.PrometheusRules = infra
	c.create(t, ps)
	miss := "wants label team=infra; this has team=web"
	eventually(t, func() error {
		return errors.Join(c.nearest(t, 1, "stray", miss), c.told(t, "ServiceMonitor/stray", "server "+c.namespace+"/main "+miss))
	})
	c.has(t, prometheusRule("rules", "vector(1)"), nil)
	eventually(t, func() error {
		return errors.Join(c.nearest(t, 2, "rules", "this has no label team"), c.told(t, "PrometheusRule/rules", "wants label team=infra"))
	})
	must(t, c.api.Patch(t.Context(), stray, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"team":"infra"}}}`))))
	eventually(t, func() error { return c.nearest(t, 1, "rules", "no label team") })
	c.patch(t, ps, `{"spec":{"prometheusRules":null}}`)
	eventually(t, func() error { return c.nearest(t, 0, "", "") })

	var list corev1.EventList
	must(t, c.api.List(t.Context(), &list, client.InNamespace(c.namespace)))
	// The servers that other tests have left behind may have something to say as well.
	for _, e := range list.Items {
		if e.Reason == v1alpha1.ReasonNotSelected && strings.Contains(e.Message, "server "+c.namespace+"/main") && e.InvolvedObject.Name != "stray" && e.InvolvedObject.Name != "rules" {
			t.Errorf("%s is told: %s", e.InvolvedObject.Name, e.Message)
		}
	}
}

// Hundreds of objects that are meant for another operator are not told all at once, nor again by an operator that was restarted.
func TestStraysAreToldWithManners(t *testing.T) {
	now := time.Now()
	s := &strays{now: func() time.Time { return now }, looked: map[monitors.Kind]bool{}, told: map[types.UID]uint64{}}
	servers := []v1alpha1.PrometheusServer{{ObjectMeta: metav1.ObjectMeta{Namespace: "m", Name: "main", CreationTimestamp: metav1.NewTime(now.Add(-time.Hour))}}}
	servers[0].Spec.Targets = &v1alpha1.Targets{MonitorTargets: v1alpha1.MonitorTargets{
		ServiceMonitors: &v1alpha1.ObjectSelector{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}}}}
	finder := stack.NewFinder(servers, nil)
	var all []candidate
	for i := range 500 {
		all = append(all, candidate{foreignObject: foreignObject{monitors.ServiceMonitorKind, types.NamespacedName{Namespace: "x", Name: fmt.Sprint(i)}},
			uid: types.UID(fmt.Sprint(i)), created: now.Add(-time.Hour)})
	}
	take := func(want int) {
		t.Helper()
		told := map[types.UID]uint64{}
		if got := len(s.take(finder, all, map[types.NamespacedName]stack.Strays{}, told)); got != want {
			t.Errorf("%d of them are news, want %d", got, want)
		}
		s.told, s.looked[monitors.ServiceMonitorKind] = told, true
	}
	take(0) // they and the server were there before the operator began
	take(0)
	all[7].labels = map[string]string{"a": "c"}
	take(1)
	all[7].labels["d"] = "e" // it is missed by the same
	take(0)
	s.told = map[types.UID]uint64{}
	take(500)

	b := &budget{}
	told := 0
	for i := range 600 {
		if b.take(now.Add(time.Duration(i) * time.Second)) {
			told++
		}
	}
	if told < 120 || told > 130 { // 30, and one in six seconds for ten minutes
		t.Errorf("%d events in ten minutes", told)
	}
}

// TestTargetless: what is the matter is found in the cluster, for those jobs alone that have no target.
func TestTargetless(t *testing.T) {
	c := newCluster(t)
	c.installs(t, "servicemonitors", "podmonitors", "probes")
	dynamicClient, err := dynamic.NewForConfig(apiServer.config)
	must(t, err)
	look := &absentLook{client: c.api, monitors: NewMonitors(dynamicClient, nil, NewVerdicts(&admission.Recent{}))}
	must(t, c.api.Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: "web", Labels: map[string]string{"app": "web"}},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt32(80)}}},
	}))
	c.has(t, c.monitor(t, "ServiceMonitor", "web", "{selector: {matchLabels: {app: web}}, endpoints: [{port: http}, {port: metrics}]}"), nil)
	c.has(t, c.monitor(t, "ServiceMonitor", "typo", "{selector: {matchLabels: {app: wep}}, endpoints: [{port: http}]}"), nil)
	c.has(t, c.monitor(t, "PodMonitor", "pods", "{selector: {matchLabels: {app: web}}, podMetricsEndpoints: [{port: http}]}"), nil)
	c.has(t, c.monitor(t, "Probe", "pages", "{prober: {url: 'blackbox:9115'}, targets: {ingress: {selector: {}}}}"), nil)
	why := func(job, want string) {
		t.Helper()
		r, err := look.why(t.Context(), &absentJob{name: strings.ReplaceAll(job, "NS", c.namespace), in: stack.Places{Namespaces: []string{c.namespace}}})
		if err != nil || !strings.Contains(r.Text, want) || want == "" && r.Text != "" {
			t.Errorf("%s: %+v, %v; want %q", job, r, err, want)
		}
	}
	why("serviceMonitor/NS/web/0", "no pod has the labels of its selector, app=web")
	why("serviceMonitor/NS/web/1", "has no port named metrics, which spec.endpoints[1].port wants; it has http")
	why("serviceMonitor/NS/typo/0", "the nearest is "+c.namespace+"/web: it wants label app=wep; this has app=web")
	why("podMonitor/NS/pods/0", "there is no pod in namespace "+c.namespace)
	why("probe/NS/pages", "there is no Ingress in namespace")
	why("serviceMonitor/NS/gone/0", "")
	why("serviceMonitor/NS/web/2", "")
	why("nodeExporter/NS/node", "")
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: "web-0", Labels: map[string]string{"app": "web"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "none", Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 80}}}}}}
	must(t, c.api.Create(t.Context(), pod))
	why("serviceMonitor/NS/web/0", "has no endpoints: pod web-0 is pending")
	why("podMonitor/NS/pods/0", "none of the selected pods runs: pod "+c.namespace+"/web-0 is pending")
	pod.Status.Phase = corev1.PodRunning
	must(t, c.api.Status().Update(t.Context(), pod))
	why("podMonitor/NS/pods/0", "declares a port named http, which spec.podMetricsEndpoints[0].port wants; they declare web/80")
}

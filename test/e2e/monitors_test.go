package e2e

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/test/upstream"
)

// TestMonitors: what people have written for prometheus-operator is scraped, with the labels that they know, though its kinds
// come after the server. What one of the monitors does wrong, or what its Secret has, is trouble for no other.
func TestMonitors(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.reach("cluster")
	ps := g.server()
	selector := &v1alpha1.ObjectSelector{Selector: &metav1.LabelSelector{}, NamespaceSelector: ps.Spec.Targets.NodeExporters.NamespaceSelector}
	ps.Spec.Targets = &v1alpha1.Targets{MonitorTargets: v1alpha1.MonitorTargets{ServiceMonitors: selector, PodMonitors: selector}}
	g.create(append(g.monitored(), ps)...)
	// On a cluster that has the kinds already there is nothing to wait for.
	if g.mayInstall("servicemonitors", "podmonitors") {
		g.await(2*time.Minute, ps, v1alpha1.ConditionMonitorsAccepted, metav1.ConditionTrue, v1alpha1.ReasonAllAccepted)
		g.await(2*time.Minute, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
		g.install("servicemonitors", "podmonitors")
	}
	start := time.Now()
	g.monitors(monitorsOfTest)
	server := through(ps)
	t.Run("up", func(t *testing.T) {
		g := g.in(t)
		g.targetsAre(server, g.monitorTargets("pod", "web"))
		t.Logf("up %s after the kinds and the monitors were there", time.Since(start).Round(100*time.Millisecond))
	})
	t.Run("rejected", func(t *testing.T) { g.in(t).rejects(ps) })
	t.Run("granted", func(t *testing.T) { g.in(t).monitorGranted(ps, server) })
	t.Run("unfit", func(t *testing.T) { g.in(t).monitorUnfit(ps, server) })
	t.Run("removed", func(t *testing.T) {
		g := g.in(t)
		g.remove("ServiceMonitor", "web")
		took := g.targetsAre(server, g.monitorTargets("pod", "login"))
		t.Logf("the targets of a monitor are gone %s after it was deleted", took)
	})
	t.Run("tenancy", func(t *testing.T) { g.in(t).tenancy(ps) })
}

// monitorsOfTest: the last one has a regular expression that is none.
const monitorsOfTest = `
kind: ServiceMonitor
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  targetLabels: [team]
  podTargetLabels: [app]
  endpoints:
  - port: metrics
    relabelings: [{sourceLabels: [__meta_kubernetes_pod_label_app], targetLabel: component, replacement: the-$1}]
---
kind: PodMonitor
metadata: {name: pod}
spec:
  selector: {matchLabels: {app: web}}
  jobLabel: team
  podMetricsEndpoints: [{port: web}]
---
kind: ServiceMonitor
metadata: {name: malformed}
spec:
  selector: {matchLabels: {app: web}}
  endpoints: [{port: metrics}, {port: metrics, metricRelabelings: [{sourceLabels: [a], regex: "("}]}]
`

// loginMonitor has its targets asked with a password, and unfitMonitor with a CA that is none.
const (
	loginMonitor = `
kind: ServiceMonitor
metadata: {name: login}
spec:
  selector: {matchLabels: {app: login}}
  endpoints:
  - port: metrics
    basicAuth: {username: {name: login, key: user}, password: {name: login, key: pass}}
`
	unfitMonitor = `
kind: PodMonitor
metadata: {name: unfit}
spec:
  selector: {matchLabels: {app: none}}
  podMetricsEndpoints: [{port: web, scheme: https, tlsConfig: {ca: {secret: {name: ca, key: ca.crt}}}}]
`
)

// monitored are two pods with a Service each, one of which asks for a password.
func (g *ground) monitored() []client.Object {
	g.t.Helper()
	const password = "the-tenants-own-word"
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	must(g.t, err)
	out := []client.Object{
		&corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: g.nodes, Name: "text"},
			Data:       map[string]string{"web.yml": fmt.Sprintf("basic_auth_users: {ember: %q}\n", hash)},
		},
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: g.nodes, Name: "login"}, StringData: map[string]string{"user": "ember", "pass": password},
		},
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: g.nodes, Name: "ca"}, StringData: map[string]string{"ca.crt": "not a certificate"},
		},
	}
	image := operatorPod(g.t.Context()).Spec.Containers[0].Image
	for _, name := range []string{"web", "login"} {
		labels := map[string]string{"app": name, "team": "shop"}
		pod := standIn(image, 9102)
		pod.ObjectMeta = metav1.ObjectMeta{Namespace: g.nodes, Name: name, Labels: labels}
		if name == "login" {
			pod.Spec.Containers[0].Args = append(pod.Spec.Containers[0].Args, "--web.config.file=/text/web.yml")
		}
		out = append(out, pod, &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: g.nodes, Name: name, Labels: labels},
			Spec: corev1.ServiceSpec{
				Selector: map[string]string{"app": name},
				Ports:    []corev1.ServicePort{{Name: "metrics", Port: 80, TargetPort: intstr.FromInt32(9102)}},
			},
		})
	}
	return out
}

// monitorTargets is the table: by job and address, the labels of each target of these monitors.
func (g *ground) monitorTargets(monitors ...string) map[string]map[string]string {
	g.t.Helper()
	out := map[string]map[string]string{}
	for _, name := range monitors {
		pod, job := "web", "serviceMonitor/"
		labels := map[string]string{"job": name, "namespace": g.nodes, "container": "c0", "endpoint": "metrics", "service": name}
		switch name {
		case "web":
			labels["team"], labels["app"], labels["component"] = "shop", "web", "the-web"
		case "login":
			pod = "login"
		case "pod":
			job = "podMonitor/"
			delete(labels, "service")
			labels["job"], labels["endpoint"] = "shop", "web"
		}
		// What differs from run to run.
		labels["pod"] = pod
		if found := g.pod(pod); found != nil {
			labels["instance"] = found.Status.PodIP + ":9102"
		}
		out[job+g.nodes+"/"+name+"/0 "+labels["instance"]] = labels
	}
	return out
}

// rejects waits until the status says what is wrong with the one monitor, and only with that.
func (g *ground) rejects(ps *v1alpha1.PrometheusServer) {
	g.t.Helper()
	g.await(time.Minute, ps, v1alpha1.ConditionMonitorsAccepted, metav1.ConditionFalse, v1alpha1.ReasonMonitorsRejected)
	got := ps.Status.Monitors
	g.t.Logf("status.monitors: %+v", got)
	if got == nil || got.Selected != 3 || got.Rejected != 1 || len(got.Rejections) != 1 {
		g.t.Fatal("want 1 of 3 rejected")
	}
	rejection := got.Rejections[0]
	if want := "spec.endpoints[1]: "; !strings.HasPrefix(rejection.Message, want) {
		g.t.Errorf("the message does not begin with %q", want)
	}
	rejection.Message = ""
	want := v1alpha1.MonitorRejection{Kind: "ServiceMonitor", Namespace: g.nodes, Name: "malformed"}
	if diff := cmp.Diff(want, rejection); diff != "" {
		g.t.Errorf("which one (-want +got):\n%s", diff)
	}
	g.remove("ServiceMonitor", "malformed")
	g.await(time.Minute, ps, v1alpha1.ConditionMonitorsAccepted, metav1.ConditionTrue, v1alpha1.ReasonAllAccepted)
}

// monitorGranted: the target is asked without the password until somebody runs what the condition says.
func (g *ground) monitorGranted(ps *v1alpha1.PrometheusServer, server prometheus) {
	g.t.Helper()
	g.monitors(loginMonitor)
	commands := g.monitorCommands(ps, "login")
	down := eventually(g.t, time.Minute, func() error {
		result, err := server.query(g.t.Context(), `up{job="login"} == 0`)
		if err == nil && len(result) != 1 {
			err = fmt.Errorf("the target without its password is %v", result)
		}
		return err
	})
	g.t.Logf("refused after %s", down)
	for _, command := range commands {
		kubectl(g.t, strings.Fields(command)[1:]...)
	}
	g.t.Logf("up %s after the commands", g.targetsAre(server, g.monitorTargets("pod", "web", "login")))
	g.await(time.Minute, ps, v1alpha1.ConditionMonitorsAccepted, metav1.ConditionTrue, v1alpha1.ReasonAllAccepted)
}

// monitorUnfit has a monitor name as a CA what is none: Prometheus would refuse a configuration in which it finds that, with
// what everybody else declares.
func (g *ground) monitorUnfit(ps *v1alpha1.PrometheusServer, server prometheus) {
	g.t.Helper()
	g.monitors(unfitMonitor)
	for _, command := range g.monitorCommands(ps, "ca") {
		kubectl(g.t, strings.Fields(command)[1:]...)
	}
	message, took := g.awaitMessage(time.Minute, ps, v1alpha1.ConditionMonitorsAccepted, "its key ca.crt is no certificate in PEM")
	g.t.Logf("after %s: %s", took, message)
	// Prometheus looks at it when its job changes.
	before := g.lastReload(server)
	o := monitor("PodMonitor", "unfit", g.nodes)
	patch := `[{"op": "add", "path": "/spec/podMetricsEndpoints/0/path", "value": "/other"}]`
	must(g.t, kube.api.Patch(g.t.Context(), o, client.RawPatch(types.JSONPatchType, []byte(patch))))
	took = eventually(g.t, time.Minute, func() error {
		if last := g.lastReload(server); last <= before {
			return fmt.Errorf("Prometheus has not loaded anything since %f", last)
		}
		return nil
	})
	g.t.Logf("loaded %s after the monitor was changed", took)
	g.await(time.Minute, ps, v1alpha1.ConditionLoaded, metav1.ConditionTrue, "")
	g.targetsAre(server, g.monitorTargets("pod", "web", "login"))
}

// lastReload is when a server last took a configuration, by its own clock.
func (g *ground) lastReload(server prometheus) float64 {
	g.t.Helper()
	text, err := server.get(g.t.Context(), "/metrics", nil)
	must(g.t, err)
	const name = "prometheus_config_last_reload_success_timestamp_seconds "
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name); ok {
			last, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			must(g.t, err)
			return last
		}
	}
	g.t.Fatalf("Prometheus has no metric %s", name)
	return 0
}

// monitorCommands waits until the condition says that a Secret is not granted, and returns what it says to do.
func (g *ground) monitorCommands(ps *v1alpha1.PrometheusServer, secret string) []string {
	g.t.Helper()
	message, took := g.awaitMessage(time.Minute, ps, v1alpha1.ConditionMonitorsAccepted, "may not read the Secret "+secret+" of namespace "+g.nodes)
	commands := regexp.MustCompile(`(?m)^kubectl create .*$`).FindAllString(message, -1)
	g.t.Logf("after %s the condition says:\n%s", took, message)
	if len(commands) != 2 {
		g.t.Fatal("want two commands")
	}
	return commands
}

// monitors creates those that a text describes, as soon as the API server serves their kinds.
func (g *ground) monitors(text string) {
	g.t.Helper()
	for _, document := range strings.Split(text, "\n---\n") {
		o := &unstructured.Unstructured{}
		must(g.t, yaml.Unmarshal([]byte(document), &o.Object))
		if o.GetAPIVersion() == "" {
			o.SetAPIVersion("monitoring.coreos.com/v1")
		}
		o.SetNamespace(g.nodes)
		eventually(g.t, time.Minute, func() error {
			err := kube.api.Create(g.t.Context(), o.DeepCopy())
			if apierrors.IsAlreadyExists(err) {
				return nil // an earlier try's answer was lost
			}
			return err
		})
	}
}

func (g *ground) remove(kind, name string) {
	g.t.Helper()
	must(g.t, kube.api.Delete(g.t.Context(), monitor(kind, name, g.nodes)))
}

func monitor(kind, name, namespace string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion("monitoring.coreos.com/v1")
	o.SetKind(kind)
	o.SetNamespace(namespace)
	o.SetName(name)
	return o
}

// definitions are those of somebody else's kinds, without which nothing else here is tested.
func (g *ground) definitions(kinds ...string) []*unstructured.Unstructured {
	g.t.Helper()
	out := upstream.Definitions(g.t, "../..", kinds...)
	for _, d := range out {
		d.SetLabels(map[string]string{leftover: "true"})
	}
	return out
}

// mayInstall removes what an aborted run of this test left, and is false if the kinds are somebody's.
func (g *ground) mayInstall(kinds ...string) bool {
	g.t.Helper()
	for _, d := range g.definitions(kinds...) {
		err := g.get(d)
		switch {
		case apierrors.IsNotFound(err):
		case err == nil && d.GetLabels()[leftover] == "":
			g.t.Logf("%s is installed already, and stays", d.GetName())
			return false
		default:
			must(g.t, errors.Join(err, kube.api.Delete(g.t.Context(), d)))
			g.gone(2*time.Minute, d)
		}
	}
	return true
}

// install installs the kinds until the end of the test. With them goes every object of theirs.
func (g *ground) install(kinds ...string) {
	g.t.Helper()
	for _, d := range g.definitions(kinds...) {
		g.t.Cleanup(func() {
			ctx, stop := context.WithTimeout(context.WithoutCancel(g.t.Context()), 2*time.Minute)
			defer stop()
			err := kube.api.Delete(ctx, d)
			for err == nil && ctx.Err() == nil {
				time.Sleep(200 * time.Millisecond)
				err = kube.api.Get(ctx, client.ObjectKeyFromObject(d), d.DeepCopy())
			}
			if !apierrors.IsNotFound(err) {
				g.t.Errorf("%s is left: %v", d.GetName(), err)
			}
		})
		must(g.t, kube.api.Create(g.t.Context(), d))
	}
}

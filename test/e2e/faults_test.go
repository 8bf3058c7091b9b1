package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// What may be told twice or in part, by Alertmanager's own promises. A group is notified when its alerts change, and again
// when repeatInterval (here the default, four hours) is over. What was notified is in the notification log, which is on the
// claim: it is written every minute, and when the process ends in order. So killing anything but an Alertmanager repeats
// nothing, ending one in order repeats nothing, and killing one repeats at most what it had sent since it last wrote. What
// fires comes back to it within a minute, when Prometheus sends it anew; of a group that has ended by then the first alert to
// come back is told as resolved, which is the end of the group, and the others are not named. In a mesh each replica that
// does not know yet what another one has sent sends it too: at least once, and at most once by each.

// The operator is killed while alerts begin and end, and rules change. Not parallel: the other tests need the operator.
func TestAlertsWithoutOperator(t *testing.T) {
	g := newGround(t)
	hook := newHook(t)
	ps := g.alerting(hook, 1)
	p := g.passage(hook, "Operator")
	p.begins(time.Second)
	operator := operatorPod(t.Context())
	must(t, kube.api.Delete(t.Context(), &operator, client.GracePeriodSeconds(0)))
	p.declare()
	p.arrives()
	p.once()
	p.whole()
	g.await(time.Minute, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
}

// The reloaders and Prometheus are killed, one after the other, while alerts begin and end, and rules change.
func TestAlertsWithoutPrometheus(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	needRoot(t)
	hook := newHook(t)
	ps := g.alerting(hook, 1)
	var passed []*passage
	for _, fault := range []struct {
		name string
		ends time.Duration
		kill map[string]string
	}{
		{"Reloaders", time.Second, map[string]string{"prometheus-main-0": "reloader", "alertmanager-main-0": "reloader"}},
		// What a Prometheus that was killed knew of its alerts is gone: one that ends before another process has seen it fire
		// ends at the Alertmanager, four minutes after it was last sent. So here it ends later.
		{"Prometheus", 20 * time.Second, map[string]string{"prometheus-main-0": "prometheus"}},
	} {
		t.Run(fault.name, func(t *testing.T) {
			g := g.in(t)
			p := g.passage(hook, fault.name)
			p.begins(fault.ends)
			for pod, container := range fault.kill {
				g.kill(ps.Namespace, pod, container)
			}
			p.declare()
			p.arrives()
			g.await(time.Minute, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
			passed = append(passed, p)
			for _, p := range passed {
				p.in(t).once()
				p.in(t).whole()
			}
		})
	}
	t.Logf("what came:\n%s", hook)
}

// An Alertmanager ends in order, and then it is killed, while alerts begin and end, and rules change. Silences and the
// notification log outlive both.
func TestAlertsWithoutAlertmanager(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	needRoot(t)
	hook := newHook(t)
	ps := g.alerting(hook, 1)
	g.silence(ps, "Silenced")
	restart, killed := g.passage(hook, "Restart"), g.passage(hook, "Killed")
	g.create(g.rule("silenced", alert("Silenced", "vector(1)")))
	g.has(ps, 4, 1)

	t.Run("in order", func(t *testing.T) {
		g, p := g.in(t), restart.in(t)
		p.begins(time.Second)
		pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ps.Namespace, Name: "alertmanager-main-0"}}
		must(t, kube.api.Delete(t.Context(), &pod))
		p.declare()
		p.arrives()
		g.has(ps, 4, 1)
		p.once()
	})
	t.Run("killed", func(t *testing.T) {
		g, p := g.in(t), killed.in(t)
		g.written(ps.Namespace, "alertmanager-main-0", hook.last())
		p.begins(time.Second)
		g.kill(ps.Namespace, "alertmanager-main-0", "alertmanager")
		p.declare()
		p.arrives()
		// With all that fires back, it has had its chance to repeat itself.
		g.has(ps, 4, 1)
		time.Sleep(5 * time.Second)
		p.once()
		restart.in(t).once()
	})
	if hook.got("/team", "Silenced") || hook.got("/default", "Silenced") {
		t.Error("what is silenced was notified")
	}
	g.await(time.Minute, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	t.Logf("what came:\n%s", hook)
}

// alerting makes a server whose own Alertmanager tells a hook: at /team what an AlertRule of these tests sends there, and at
// /default all else.
func (g *ground) alerting(hook *hook, replicas int32) *v1alpha1.PrometheusServer {
	g.t.Helper()
	return g.alertingWith(hook, replicas, func(*v1alpha1.PrometheusServer) {})
}

func (g *ground) alertingWith(hook *hook, replicas int32, edit func(*v1alpha1.PrometheusServer)) *v1alpha1.PrometheusServer {
	g.t.Helper()
	at := func(name string) v1alpha1.Receiver {
		return v1alpha1.Receiver{Name: name, Webhook: []v1alpha1.WebhookReceiver{{URL: v1alpha1.URL(hook.url + "/" + name)}}}
	}
	ps := g.server()
	ps.Spec.Alerting = &v1alpha1.Alerting{
		Alertmanager: &v1alpha1.Alertmanager{Replicas: &replicas},
		Receivers:    []v1alpha1.Receiver{at("default"), at("team")},
		Route:        &v1alpha1.Route{Receiver: "default", Grouping: v1alpha1.Grouping{GroupWait: "1s", GroupInterval: "2s"}},
	}
	edit(ps)
	g.create(ps)
	g.await(4*time.Minute, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	return ps
}

// toTeam is a rule whose alerts go to /team.
func (g *ground) toTeam(name string, rules ...v1alpha1.Rule) *v1alpha1.AlertRule {
	rule := g.rule(name, rules...)
	rule.Spec.Notify = []v1alpha1.Notify{{Receiver: "team"}}
	return rule
}

// passage is what happens to alerts while something is down: one begins, two end, and one is declared.
type passage struct {
	g     *ground
	hook  *hook
	name  string
	rule  *v1alpha1.AlertRule
	fault time.Time
	// loads is how long it takes a change of the rule to be loaded.
	loads time.Duration
}

// passage declares the two that will end, and waits until they are notified.
func (g *ground) passage(hook *hook, name string) *passage {
	g.t.Helper()
	p := &passage{g: g, hook: hook, name: name, rule: g.toTeam(strings.ToLower(name), alert(name+"Ends", two))}
	g.create(p.rule)
	_, p.loads = g.await(time.Minute, p.rule, v1alpha1.ConditionLoaded, metav1.ConditionTrue, "")
	hook.awaitSaid(g.t, 3*time.Minute, "/team", name+"Ends", "firing")
	return p
}

// in is the same passage for another part of the test.
func (p *passage) in(t *testing.T) *passage {
	out := *p
	out.g = p.g.in(t)
	return &out
}

// begins returns a moment before another alert begins. The two end that long after it.
func (p *passage) begins(ends time.Duration) {
	p.g.t.Helper()
	// It has to be loaded by then, on a machine with other things to do as well: what is told before the fault may be told again.
	at := time.Now().Add(5*time.Second + 2*p.loads)
	change(p.g, p.rule, func(r *v1alpha1.AlertRule) {
		r.Spec.Groups[0].Rules = []v1alpha1.Rule{
			alert(p.name+"Ends", fmt.Sprintf("%s and on() (vector(time()) < %d)", two, at.Add(ends).Unix())),
			alert(p.name+"Begins", fmt.Sprintf("vector(time()) >= %d", at.Unix())),
		}
	})
	p.g.await(time.Minute, p.rule, v1alpha1.ConditionLoaded, metav1.ConditionTrue, "")
	time.Sleep(time.Until(at.Add(-time.Second)))
	p.fault = time.Now()
}

// declare declares one more alert.
func (p *passage) declare() {
	p.g.t.Helper()
	p.g.create(p.g.toTeam(strings.ToLower(p.name)+"-late", alert(p.name+"Late", "vector(1)")))
}

// arrives waits until everything that is to be told has been told.
func (p *passage) arrives() {
	p.g.t.Helper()
	for _, c := range []struct{ alert, status string }{{"Ends", "resolved"}, {"Begins", "firing"}, {"Late", "firing"}} {
		// Prometheus sends an alert anew after a minute: an Alertmanager that is back has to wait for that.
		p.hook.awaitSaid(p.g.t, 5*time.Minute, "/team", p.name+c.alert, c.status)
		p.g.t.Logf("%s%s %s %s after the fault", p.name, c.alert, c.status, time.Since(p.fault).Round(100*time.Millisecond))
	}
}

// once holds that each alert was notified once, and to its own receiver alone.
func (p *passage) once() {
	p.g.t.Helper()
	for alert, want := range map[string]string{"Ends": "firing resolved", "Begins": "firing", "Late": "firing"} {
		if got := p.hook.said("/team", p.name+alert); got != want {
			p.g.t.Errorf("%s%s was notified as %q, want %q", p.name, alert, got, want)
		}
		if got := p.hook.said("/default", p.name+alert); got != "" {
			p.g.t.Errorf("%s%s came to the server's receiver too, as %q", p.name, alert, got)
		}
	}
}

// whole holds that the two alerts that are one group came together.
func (p *passage) whole() {
	p.g.t.Helper()
	for _, n := range p.hook.at("/team", p.name+"Ends") {
		if len(n.Alerts) != 2 {
			p.g.t.Errorf("%sEnds was notified as %s with %d of its two alerts", p.name, n.Status, len(n.Alerts))
		}
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if !kube.here || os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root on the node's own machine can kill a process of a container that has no shell")
	}
}

// kill ends the process of a container, which can do nothing about it.
func (g *ground) kill(namespace, pod, container string) {
	g.t.Helper()
	pid := g.process(namespace, pod, container)
	must(g.t, syscall.Kill(pid, syscall.SIGKILL))
	g.t.Logf("killed %s of %s, process %d", container, pod, pid)
}

func (g *ground) process(namespace, pod, container string) int {
	g.t.Helper()
	var p corev1.Pod
	must(g.t, kube.api.Get(g.t.Context(), client.ObjectKey{Namespace: namespace, Name: pod}, &p))
	return process(g.t, string(p.UID), container)
}

// written waits until an Alertmanager has written down what it knew at a time: its silences and its notification log.
func (g *ground) written(namespace, pod string, at time.Time) {
	g.t.Helper()
	dir := filepath.Join("/proc", strconv.Itoa(g.process(namespace, pod, "alertmanager")), "root/alertmanager")
	took := eventually(g.t, 2*time.Minute, func() error {
		for _, name := range []string{"silences", "nflog"} {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil {
				return err
			}
			if info.ModTime().Before(at) {
				return fmt.Errorf("%s is of %s, the last notification of %s", name, info.ModTime(), at)
			}
		}
		return nil
	})
	g.t.Logf("on disk after %s", took)
}

// silence mutes the alerts of a name for an hour.
func (g *ground) silence(ps *v1alpha1.PrometheusServer, alert string) {
	g.t.Helper()
	now := time.Now()
	body, err := json.Marshal(map[string]any{
		"matchers":  []any{map[string]any{"name": "alertname", "value": alert, "isRegex": false, "isEqual": true}},
		"startsAt":  now.UTC(),
		"endsAt":    now.Add(time.Hour).UTC(),
		"createdBy": "e2e",
		"comment":   "a test",
	})
	must(g.t, err)
	// Who is behind the Service is known a moment after the server is Ready.
	eventually(g.t, time.Minute, func() error {
		_, err := answer(kube.typed.CoreV1().RESTClient().Post().Namespace(ps.Namespace).Resource("services").Name("alertmanager-"+ps.Name+":web").
			SubResource("proxy").Suffix("api/v2/silences").SetHeader("Content-Type", "application/json").Body(body).DoRaw(g.t.Context()))
		return err
	})
}

// has waits until the Alertmanager has that many alerts.
func (g *ground) has(ps *v1alpha1.PrometheusServer, active, suppressed int32) {
	g.t.Helper()
	eventually(g.t, 3*time.Minute, func() error {
		if err := g.get(ps); err != nil {
			return err
		}
		am := ps.Status.Alertmanager
		if am == nil || am.Alerts == nil || am.Alerts.Active != active || am.Alerts.Suppressed != suppressed {
			return fmt.Errorf("status.alertmanager is %s, want %d active and %d suppressed", text(am), active, suppressed)
		}
		return nil
	})
}

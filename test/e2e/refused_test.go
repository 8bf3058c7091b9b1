package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// What only the server itself can refuse: the operator reads no Secret, so it cannot see that what is named as a
// certificate is a password. Both servers say so in their own words, and go on with what they had.
func TestRefusedByTheServer(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	hook := newHook(t)
	g.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: g.servers, Name: "access"},
		StringData: map[string]string{"username": "hearth", "password": "not-a-certificate"}})
	ps := g.server()
	ps.Spec.Alerting = &v1alpha1.Alerting{
		Alertmanager: &v1alpha1.Alertmanager{},
		External:     []v1alpha1.ExternalAlertmanager{{URL: v1alpha1.URL(hook.url), BasicAuth: &v1alpha1.SecretName{SecretName: "access"}}},
		Receivers: []v1alpha1.Receiver{{Name: "team", Webhook: []v1alpha1.WebhookReceiver{{URL: v1alpha1.URL(hook.url + "/team"), HTTPConfig: &v1alpha1.HTTPConfig{
			Authorization: &v1alpha1.Authorization{Credentials: v1alpha1.SecretKey{Name: "access", Key: "password"}},
		}}}}},
		Route: &v1alpha1.Route{Receiver: "team", Grouping: v1alpha1.Grouping{GroupWait: "1s", GroupInterval: "2s"}},
	}
	g.create(ps, g.rule("first", alert("First", "vector(1)")))
	g.await(3*time.Minute, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	hook.await(t, "/team", "First")
	hook.await(t, alertsPath, "First")
	before, good := g.pods(ps), *ps.Spec.Alerting.DeepCopy()
	password := &v1alpha1.ClientTLS{CA: &v1alpha1.SecretKey{Name: "access", Key: "password"}}

	t.Run("Prometheus", func(t *testing.T) {
		g := g.in(t)
		late := g.refusedByPrometheus(ps, v1alpha1.ExternalAlertmanager{URL: "https://127.0.0.1:9/refused", TLS: password})
		change(g, ps, func(s *v1alpha1.PrometheusServer) { s.Spec.Alerting = good.DeepCopy() })
		g.await(time.Minute, late, v1alpha1.ConditionLoaded, metav1.ConditionTrue, "")
		g.await(time.Minute, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
		hook.await(t, "/team", "Late")
	})
	t.Run("Alertmanager", func(t *testing.T) {
		g := g.in(t)
		change(g, ps, func(s *v1alpha1.PrometheusServer) { s.Spec.Alerting.Receivers[0].Webhook[0].HTTPConfig.TLS = password })
		message, took := g.awaitMessage(time.Minute, ps, v1alpha1.ConditionAlertmanagerReady, "alertmanager-main-0", "goes on with revision", "unable to use specified CA cert file")
		t.Logf("after %s: %s", took, message)
		c, _ := g.await(time.Minute, ps, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAlertmanagerNotReady)
		g.secretless(c.Message)
		g.create(g.rule("later", alert("Later", "vector(1)")))
		hook.await(t, "/team", "Later")
		change(g, ps, func(s *v1alpha1.PrometheusServer) { s.Spec.Alerting = good.DeepCopy() })
		_, took = g.await(time.Minute, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
		t.Logf("mended %s after the edit", took)
	})
	// Not lives: Prometheus 3.15 may end itself when it looks for Alertmanagers after it has refused one of several, and comes
	// back with the last good configuration.
	for name, p := range g.pods(ps) {
		if p.UID != before[name].UID {
			t.Errorf("%s was replaced", name)
		}
	}
}

// refusedByPrometheus declares an Alertmanager that only Prometheus itself can refuse, and returns an AlertRule that has to wait
// for that to be put right.
func (g *ground) refusedByPrometheus(ps *v1alpha1.PrometheusServer, bad v1alpha1.ExternalAlertmanager) *v1alpha1.AlertRule {
	g.t.Helper()
	change(g, ps, func(s *v1alpha1.PrometheusServer) { s.Spec.Alerting.External = append(s.Spec.Alerting.External, bad) })
	message, took := g.awaitMessage(time.Minute, ps, v1alpha1.ConditionLoaded, "prometheus-main-0", "goes on with revision", "; its log has them: kubectl ")
	g.t.Logf("after %s: %s", took, message)
	// Prometheus itself says only that there are errors. So the condition says where to look, and there they are.
	_, command, _ := strings.Cut(message, "; its log has them: kubectl ")
	eventually(g.t, time.Minute, func() error {
		log := kubectl(g.t, strings.Fields(command)...)
		if !strings.Contains(log, "unable to use specified CA cert file") {
			return fmt.Errorf("the log does not say why:\n%s", log)
		}
		return nil
	})
	c, _ := g.await(time.Minute, ps, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonLoadFailed)
	g.secretless(c.Message)
	// Not before: the operator hears of rules and of servers in no certain order, and what comes first is loaded.
	late := g.rule("late", alert("Late", "vector(1)"))
	g.create(late)
	message, _ = g.awaitMessage(time.Minute, late, v1alpha1.ConditionReady, "cannot be loaded: the condition Loaded of PrometheusServer main says why")
	g.t.Logf("a rule meanwhile: %s", message)

	refused := time.Now()
	eventually(g.t, time.Minute, func() error {
		result, err := through(ps).query(g.t.Context(), `timestamp(ALERTS{alertname="First"})`)
		if err == nil && (len(result) != 1 || result[0].Value.float() < float64(refused.Unix())) {
			err = fmt.Errorf("the last good rule has not been evaluated since: %v", result)
		}
		return err
	})
	var config struct{ YAML string }
	eventually(g.t, time.Minute, func() error { return through(ps).api(g.t.Context(), "/api/v1/status/config", nil, &config) })
	if strings.Contains(config.YAML, "/refused") {
		g.t.Errorf("Prometheus runs what it refused:\n%s", config.YAML)
	}
	return late
}

func (g *ground) secretless(message string) {
	g.t.Helper()
	if strings.Contains(message, "not-a-certificate") {
		g.t.Errorf("the status has the content of a Secret: %s", message)
	}
}

package e2e

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// A server without an Alertmanager sends its alerts to that of another server, by its address and by its name, and to one
// that asks for a password.
func TestExternalAlertmanagers(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	hook := newHook(t)
	g.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: g.servers, Name: "access"},
		StringData: map[string]string{"username": "hearth", "password": "open"}})
	sender := g.server()
	sender.Name = "sender"
	elsewhere := v1alpha1.ExternalAlertmanager{URL: v1alpha1.URL(hook.url + "/elsewhere"), BasicAuth: &v1alpha1.SecretName{SecretName: "access"}}
	sender.Spec.Alerting = &v1alpha1.Alerting{External: []v1alpha1.ExternalAlertmanager{elsewhere,
		{PrometheusServer: &v1alpha1.ServerReference{Name: "main"}}}}
	g.create(sender)
	c, _ := g.await(time.Minute, sender, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAlertmanagerMissing)
	t.Log(c.Message)

	// The one that has the Alertmanager selects no rule.
	main := g.alertingWith(hook, 1, func(ps *v1alpha1.PrometheusServer) { ps.Spec.Rules = nil })
	g.await(2*time.Minute, sender, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	g.create(g.rule("name", alert("ByName", "vector(1)")))
	hook.await(t, "/default", "ByName")
	hook.await(t, "/elsewhere"+alertsPath, "ByName")
	if got := hook.at("/elsewhere"+alertsPath, "ByName")[0].authorization; got != "Basic aGVhcnRoOm9wZW4=" {
		t.Errorf("it came with %q, want the user and the password of the Secret", got)
	}

	change(g, sender, func(s *v1alpha1.PrometheusServer) {
		address := fmt.Sprintf("http://alertmanager-%s.%s.svc:9093/", main.Name, main.Namespace)
		// The other one stays: without its Secret the pod would be another one.
		s.Spec.Alerting.External = []v1alpha1.ExternalAlertmanager{elsewhere, {URL: v1alpha1.URL(address)}}
	})
	g.await(3*time.Minute, sender, v1alpha1.ConditionLoaded, metav1.ConditionTrue, "")
	g.create(g.rule("address", alert("ByAddress", "vector(1)")))
	hook.await(t, "/default", "ByAddress")
	hook.await(t, "/elsewhere"+alertsPath, "ByAddress")
	g.await(2*time.Minute, sender, v1alpha1.ConditionAlertPathHealthy, metav1.ConditionTrue, "")
	g.await(2*time.Minute, sender, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
}

package status_test

import (
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/status"
)

// TestGrafanaDeployment says of each state of a Grafana what is said of it.
func TestGrafanaDeployment(t *testing.T) {
	bound := claim("1Gi", new(resource.MustParse("1Gi")))
	unbound := claim("1Gi", nil)
	for name, c := range map[string]struct {
		observed status.GrafanaDeployment
		want     string
	}{
		"runs":    {status.GrafanaDeployment{Available: true}, "Ready: Grafana runs behind Service grafana-main, port 3000; kubectl -n monitoring get secret grafana-main-admin"},
		"no pod":  {status.GrafanaDeployment{}, "Progressing: no pod of Grafana is there yet (kubectl -n monitoring describe deployment grafana-main"},
		"waiting": {status.GrafanaDeployment{Pods: []status.Pod{{Name: "p", Waiting: "container grafana: ErrImagePull"}}}, "GrafanaNotReady: p is not ready: container grafana: ErrImagePull"},
		"without a claim": {status.GrafanaDeployment{Pods: []status.Pod{{Name: "p"}}},
			"Progressing: p is not ready: it is starting, which takes Secret grafana-main-admin and claim grafana-main, which is not there"},
		"unbound": {status.GrafanaDeployment{Pods: []status.Pod{{Name: "p"}}, Claim: &unbound},
			"Progressing: p is not ready: it is starting, which takes Secret grafana-main-admin and claim data-prometheus-main-0, which is not bound yet"},
		"starting":   {status.GrafanaDeployment{Pods: []status.Pod{{Name: "p"}}, Claim: &bound}, "Progressing: p is not ready: it is starting, which takes Secret grafana-main-admin (kubectl -n monitoring describe pod p"},
		"being left": {status.GrafanaDeployment{Pods: []status.Pod{{Name: "p", Ready: true}}, Claim: &bound}, "GrafanaNotReady: another pod of Grafana is on its way"},
	} {
		t.Run(name, func(t *testing.T) {
			c.observed.Namespace, c.observed.Name, c.observed.Port, c.observed.Secrets = "monitoring", "grafana-main", 3000, []string{"grafana-main-admin"}
			part := c.observed.Part()
			reason := part.Reason
			if part.OK {
				reason = "Ready"
			}
			if got := reason + ": " + part.Message; !strings.HasPrefix(got, c.want) || part.OK != c.observed.Available {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestGrafanaReady: a Grafana that is down takes nothing from the server's own readiness, and what is wrong is said first.
func TestGrafanaReady(t *testing.T) {
	good := status.GrafanaPart{Way: "sidecar", OK: true, Message: "is there"}
	bad := status.GrafanaFailed("deploy", errors.New("quota"))
	for name, c := range map[string]struct {
		parts    []status.GrafanaPart
		existing *status.ExistingGrafana
		want     *metav1.Condition
	}{
		"none": {},
		"good": {[]status.GrafanaPart{good}, nil, &metav1.Condition{Status: metav1.ConditionTrue, Reason: "Ready", Message: "sidecar: is there"}},
		"existing as well": {[]status.GrafanaPart{good}, &status.ExistingGrafana{Reason: "Unreachable", Message: "no answer"},
			&metav1.Condition{Status: metav1.ConditionFalse, Reason: "Unreachable", Message: "existing: no answer; sidecar: is there"}},
		"existing not asked": {[]status.GrafanaPart{good}, &status.ExistingGrafana{},
			&metav1.Condition{Status: metav1.ConditionUnknown, Reason: "Unknown", Message: "the existing Grafana has not answered yet"}},
		"both": {[]status.GrafanaPart{good, bad}, nil, &metav1.Condition{Status: metav1.ConditionFalse, Reason: "Retrying", Message: "deploy: quota; sidecar: is there"}},
	} {
		t.Run(name, func(t *testing.T) {
			now := status.OfServer(server(), &status.Server{Replicas: 1, Revision: 3, Updated: 1, Pods: []status.Pod{healthy(0)}, Grafana: c.parts, ExistingGrafana: c.existing}, nil)
			if !meta.IsStatusConditionTrue(now.Conditions, v1alpha1.ConditionReady) {
				t.Errorf("the server is not ready: %+v", now.Conditions)
			}
			got := meta.FindStatusCondition(now.Conditions, v1alpha1.ConditionGrafanaReady)
			if (got == nil) != (c.want == nil) || got != nil && (got.Status != c.want.Status || got.Reason != c.want.Reason || got.Message != c.want.Message) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

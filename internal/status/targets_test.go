package status

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// TestTargetsThatAreNotThere: a job without a target is none that Prometheus speaks of, so it is up to us to.
func TestTargetsThatAreNotThere(t *testing.T) {
	awaited := []stack.Awaited{{Job: "kubelet", Why: "there is no node"}, {Job: "kubernetes-pods", Optional: true, Why: "no pod is annotated"}}
	awaited = append(awaited, stack.Awaited{Job: "serviceMonitor/a/b/0", Idle: true, Why: "it is scaled down"})
	up := replica.Job{Name: "prometheus", Up: 1}
	for name, c := range map[string]struct {
		jobs     []replica.Job
		loaded   int64
		withheld []stack.Withheld
		status   metav1.ConditionStatus
		reason   string
		says     []string
		not      string
	}{
		"none of a job": {[]replica.Job{up}, 7, nil, metav1.ConditionFalse, v1alpha1.ReasonNoTargets, []string{"kubelet: no target found: there is no node"}, "annotated"},
		"none where none is needed": {[]replica.Job{up, {Name: "kubelet", Up: 1}}, 7, nil, metav1.ConditionTrue, v1alpha1.ReasonAllUp,
			[]string{"2/2 targets are up", "kubernetes-pods: no target found: no pod is annotated",
				"serviceMonitor/a/b/0: no target yet: it is scaled down"}, "kubelet"},
		"what was dropped is no target": {[]replica.Job{up, {Name: "kubelet", Dropped: 5}}, 7, nil, metav1.ConditionFalse, v1alpha1.ReasonNoTargets,
			[]string{"kubelet: no target found: there is no node"}, "annotated"},
		"nothing yet":    {nil, 6, nil, metav1.ConditionUnknown, "", []string{"before the server has loaded"}, "up"},
		"not loaded yet": {[]replica.Job{up}, 6, nil, metav1.ConditionTrue, v1alpha1.ReasonAllUp, []string{"1/1"}, "no target"},
		"down and none": {[]replica.Job{{Name: "apiserver", Down: 1, LastError: "refused"}}, 7, nil, metav1.ConditionFalse, v1alpha1.ReasonTargetsDown,
			[]string{"apiserver: 1 of 1 down: refused; kubelet: no target found"}, ""},
		"left out": {[]replica.Job{up, {Name: "kubelet", Up: 1}}, 7, []stack.Withheld{{Field: "spec.x", Why: "is left out"}}, metav1.ConditionFalse,
			v1alpha1.ReasonNotAllowed, []string{"spec.x is left out"}, "kubelet"},
		"certificate": {[]replica.Job{{Name: "kubelet", Down: 1, LastError: "tls: x509: certificate signed by unknown authority"}}, 7, nil, metav1.ConditionFalse,
			v1alpha1.ReasonTargetsDown, []string{"unknown authority", "insecureSkipVerify: true"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			out := OfServer(&v1alpha1.PrometheusServer{}, &Server{
				Replicas: 1, Revision: 7, Awaited: awaited, Withheld: c.withheld,
				Pods: []Pod{{Name: "p", Ready: true, Report: &replica.Report{Ready: true, Loaded: c.loaded, Jobs: c.jobs}}},
			}, nil)
			var got metav1.Condition
			for _, condition := range out.Conditions {
				if condition.Type == v1alpha1.ConditionTargetsHealthy {
					got = condition
				}
			}
			if got.Status != c.status || c.reason != "" && got.Reason != c.reason || c.not != "" && strings.Contains(got.Message, c.not) {
				t.Errorf("%+v, want %s %s, without %q", got, c.status, c.reason, c.not)
			}
			for _, text := range c.says {
				if !strings.Contains(got.Message, text) {
					t.Errorf("%q does not say %q", got.Message, text)
				}
			}
			t.Log(got.Message)
		})
	}
}

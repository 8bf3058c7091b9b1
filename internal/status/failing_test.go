package status

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/monitors"
	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// TestFailing: what cannot be evaluated is named once, whichever replica says so, and not without bound.
func TestFailing(t *testing.T) {
	report := &replica.Report{Ready: true, Loaded: 1, AlertRules: []replica.AlertRule{{Name: "a/fires", Firing: 1}, {Name: "a/same", Error: "boom"}},
		PrometheusRules: []replica.AlertRule{{Name: "a/same", Error: "bang"}}}
	out := OfServer(&v1alpha1.PrometheusServer{}, &Server{Replicas: 2, Revision: 1, Pods: []Pod{{Name: "p", Ready: true, Report: report}, {Name: "q", Ready: true, Report: report}}}, nil)
	want := []v1alpha1.Rejection{{Kind: "AlertRule", Namespace: "a", Name: "same", Message: "boom"}, {Kind: "PrometheusRule", Namespace: "a", Name: "same", Message: "bang"}}
	if diff := cmp.Diff(want, out.Rules.Failing); diff != "" {
		t.Error(diff)
	}
	for i := range 100 {
		report.AlertRules = append(report.AlertRules, replica.AlertRule{Name: fmt.Sprintf("b/%d", i), Error: "boom"})
	}
	if n := len(failing([]Pod{{Report: report}})); n != maxRulesFailing {
		t.Errorf("%d are named", n)
	}
}

// TestUnselected: until it is known what is not selected, the status says what it said.
func TestUnselected(t *testing.T) {
	ps := &v1alpha1.PrometheusServer{Status: v1alpha1.PrometheusServerStatus{Unselected: &v1alpha1.UnselectedStatus{Count: 3}}}
	if out := OfServer(ps, &Server{}, nil); out.Unselected == nil || out.Unselected.Count != 3 {
		t.Errorf("not known: %+v", out.Unselected)
	}
	if out := OfServer(ps, &Server{Strays: &stack.Strays{}}, nil); out.Unselected != nil {
		t.Errorf("none: %+v", out.Unselected)
	}
	stray := stack.Stray{Kind: monitors.ProbeKind, Namespace: "a", Name: "b", Miss: "wants label x"}
	out := OfServer(ps, &Server{Strays: &stack.Strays{Count: 7, Nearest: []stack.Stray{stray}}}, nil)
	want := &v1alpha1.UnselectedStatus{Count: 7, Nearest: []v1alpha1.MonitorRejection{{Kind: "Probe", Namespace: "a", Name: "b", Message: "wants label x"}}}
	if diff := cmp.Diff(want, out.Unselected); diff != "" {
		t.Error(diff)
	}
}

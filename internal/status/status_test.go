package status_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/status"
)

// reasoned is an error as controllers/ makes them.
type reasoned struct {
	text, reason string
	stalled      bool
}

func (e reasoned) Error() string  { return e.text }
func (e reasoned) Reason() string { return e.reason }
func (e reasoned) Stalled() bool  { return e.stalled }

var conflict error = reasoned{
	text:   `Service "prometheus-main" is not ours: rename it`,
	reason: v1alpha1.ReasonNameConflict, stalled: true,
}

// lines are conditions as tests write them: "Type Status Reason: message".
func lines(conditions []metav1.Condition) []string {
	out := make([]string, len(conditions))
	for i, c := range conditions {
		out[i] = fmt.Sprintf("%s %s %s: %s", c.Type, c.Status, c.Reason, c.Message)
	}
	return out
}

func wantConditions(t *testing.T, want []string, got []metav1.Condition) {
	t.Helper()
	if diff := cmp.Diff(want, lines(got)); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
	checkKstatus(t, got)
}

// checkKstatus holds conditions to what kstatus reads from them, and to what the API takes.
func checkKstatus(t *testing.T, conditions []metav1.Condition) {
	t.Helper()
	seen := map[string]metav1.Condition{}
	for _, c := range conditions {
		if _, ok := seen[c.Type]; ok {
			t.Errorf("%s is there twice", c.Type)
		}
		seen[c.Type] = c
		if c.Reason == "" || c.Message == "" || len(c.Message) > 32<<10 {
			t.Errorf("%s: reason %q, message of %d bytes", c.Type, c.Reason, len(c.Message))
		}
		if !c.LastTransitionTime.IsZero() || c.ObservedGeneration != 0 {
			t.Errorf("%s has a time or a generation, which are the writer's", c.Type)
		}
	}
	checkReady(t, seen)
}

// checkReady: Ready is True alone, or False with one of Reconciling and Stalled, which says the same.
func checkReady(t *testing.T, seen map[string]metav1.Condition) {
	t.Helper()
	ready := seen[v1alpha1.ConditionReady]
	var why []metav1.Condition
	for _, kind := range []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled} {
		if c, ok := seen[kind]; ok {
			why = append(why, c)
		}
	}
	want := map[metav1.ConditionStatus]int{metav1.ConditionTrue: 0, metav1.ConditionFalse: 1}
	if n, ok := want[ready.Status]; !ok || n != len(why) {
		t.Errorf("Ready is %q with %d of Reconciling and Stalled", ready.Status, len(why))
	}
	for _, c := range why {
		if c.Status != metav1.ConditionTrue || c.Reason != ready.Reason || c.Message != ready.Message {
			t.Errorf("%s is %s, %s: %s; Ready says %s: %s", c.Type, c.Status, c.Reason, c.Message, ready.Reason, ready.Message)
		}
	}
}

func TestMessagesAreBounded(t *testing.T) {
	err := reasoned{text: strings.Repeat("ä", 40<<10), reason: v1alpha1.ReasonRetrying}
	got := status.OfServer(&v1alpha1.PrometheusServer{}, nil, err)
	checkKstatus(t, got.Conditions)
	for _, c := range got.Conditions {
		if len(c.Message) > 2100 || !strings.HasSuffix(c.Message, "ä…") {
			t.Errorf("%d bytes that end in %q", len(c.Message), c.Message[len(c.Message)-8:])
		}
	}
}

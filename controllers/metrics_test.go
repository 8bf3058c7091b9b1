package controllers

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/hearth-monitoring/hearth/admission"
	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/status"
)

// TestApplyToLoaded counts each generation once, when it has arrived: one whose status was written while it was still on its
// way as well, since slow loads are what the histogram is for.
func TestApplyToLoaded(t *testing.T) {
	server := types.NamespacedName{Namespace: "monitoring", Name: "main"}
	ar := &v1alpha1.AlertRule{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "rule", UID: "1", Generation: 2}}
	r := &AlertRuleReconciler{Ledger: NewLedger(), Verdicts: NewVerdicts(&admission.Recent{}), Metrics: NewMetrics(prometheus.NewRegistry())}
	on := func(loaded bool) status.Rule {
		return status.Rule{Servers: []status.RuleServer{{Namespace: server.Namespace, Name: server.Name, Loaded: loaded}}}
	}
	began := time.Now()
	r.Verdicts.arrive(ar)
	r.measure(ar, on(false))
	if n, _ := counted(t, r.Metrics); n != 0 {
		t.Fatalf("%d were counted before they had arrived", n)
	}
	const pause = 30 * time.Millisecond
	time.Sleep(pause)
	r.Ledger.Set(t.Context(), server, []stack.Verdict{{Namespace: ar.Namespace, Name: ar.Name, UID: "1", Generation: 2}}, 5, 5)
	took := time.Since(began)
	for range 2 {
		r.measure(ar, on(true))
	}
	n, sum := counted(t, r.Metrics)
	t.Logf("%d counted, %.3f s", n, sum)
	if n != 1 || sum < pause.Seconds() || sum > took.Seconds() {
		t.Errorf("%d were counted, with %.3f s, want one with %s to %s", n, sum, pause, took)
	}
	// One that nobody takes is not waited for.
	r.Verdicts.arrive(ar)
	r.measure(ar, status.Rule{})
	r.measure(ar, on(true))
	if n, _ := counted(t, r.Metrics); n != 1 {
		t.Errorf("%d were counted, one of them after no server took it", n)
	}
}

func counted(t *testing.T, m *Metrics) (n uint64, sum float64) {
	t.Helper()
	var out dto.Metric
	if err := m.applyToLoaded.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Histogram.GetSampleCount(), out.Histogram.GetSampleSum()
}

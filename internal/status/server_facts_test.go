package status_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/internal/status"
)

// TestFactsOfTwoReplicas: rules and alerts are the same ones, so the most counts; of targets the worst counts.
func TestFactsOfTwoReplicas(t *testing.T) {
	first := with(0, func(p *status.Pod) {
		p.Report.Firing, p.Report.Pending, p.Report.Rules = 2, 0, 5
		p.Report.Jobs = []replica.Job{{Name: "prometheus", Up: 1}, {Name: "nodeExporter/n/a", Up: 3}, {Name: "nodeExporter/n/b", Up: 1, Down: 1, LastError: "refused"}}
	})
	second := with(1, func(p *status.Pod) {
		p.Report.Firing, p.Report.Pending, p.Report.Rules = 1, 4, 4
		p.Report.Jobs = []replica.Job{{Name: "prometheus", Up: 1}, {Name: "nodeExporter/n/a", Up: 1, Down: 1, Unknown: 1, LastError: "timeout"}, {Name: "nodeExporter/n/b", Up: 2}}
	})
	silent := status.Pod{Name: "prometheus-main-2"}
	past := with(3, func(p *status.Pod) { p.Report.Ready, p.Report.Firing, p.Report.ReadyReason = false, 99, "it stopped" })

	observed := status.Server{Replicas: 4, Revision: 3, Updated: 4, Pods: []status.Pod{first, second, silent, past}}
	got := status.OfServer(server(), &observed, nil)
	want := v1alpha1.PrometheusServerStatus{
		ObservedGeneration: generation, Ready: "3/4", Replicas: 4, ReadyReplicas: 3, Version: "3.15.0",
		Configuration: v1alpha1.ConfigurationStatus{Published: 3, Loaded: 0, Replicas: []v1alpha1.ReplicaStatus{
			{Pod: "prometheus-main-0", Loaded: 3}, {Pod: "prometheus-main-1", Loaded: 3}, {Pod: "prometheus-main-2"},
			{Pod: "prometheus-main-3", Loaded: 3, Message: "it stopped"},
		}},
		Rules:  v1alpha1.RulesStatus{Loaded: 5},
		Alerts: &v1alpha1.AlertsStatus{Firing: 2, Pending: 4},
		Targets: &v1alpha1.TargetsStatus{Summary: "3/6", Jobs: []v1alpha1.JobStatus{
			{Name: "nodeExporter/n/a", Up: 1, Down: 2, LastError: "timeout"},
			{Name: "nodeExporter/n/b", Up: 1, Down: 1, LastError: "refused"},
			{Name: "prometheus", Up: 1},
		}},
	}
	conditions := got.Conditions
	got.Conditions = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	checkKstatus(t, conditions)
	if observed.Loaded() != 0 {
		t.Errorf("loaded %d, though a replica has not said", observed.Loaded())
	}
	if text := lines(conditions)[3]; text != "TargetsHealthy False TargetsDown: nodeExporter/n/a: 2 of 3 down: timeout; nodeExporter/n/b: 1 of 2 down: refused" {
		t.Error(text)
	}
}

func TestManyJobs(t *testing.T) {
	pod := with(0, func(p *status.Pod) {
		for i := range 120 {
			p.Report.Jobs = append(p.Report.Jobs, replica.Job{Name: fmt.Sprintf("job-%03d", i), Up: 1})
		}
		for i := 115; i < 120; i++ {
			p.Report.Jobs[i+1].Down = 1
		}
	})
	got := status.OfServer(server(), &status.Server{Replicas: 1, Revision: 3, Updated: 1, Pods: []status.Pod{pod}}, nil)
	if n := len(got.Targets.Jobs); n != 100 || got.Targets.Summary != "121/126" {
		t.Errorf("%d jobs named, %s targets; the API takes 100 jobs and the summary counts all", n, got.Targets.Summary)
	}
	wantConditions(t, []string{
		"Ready True Ready: 1 replica, revision 3 loaded", loaded3,
		"TargetsHealthy False TargetsDown: job-115: 1 of 2 down: not scraped yet; job-116: 1 of 2 down: not scraped yet; job-117: 1 of 2 down: not scraped yet; and 2 jobs more",
		noRules,
	}, got.Conditions)
}

// TestFactsGoWithTheLastReadyReplica: nothing is said of targets and alerts while nobody knows; version and size are told
// from memory.
func TestFactsGoWithTheLastReadyReplica(t *testing.T) {
	ps := server()
	size := new(resource.MustParse("10Gi"))
	ps.Status = status.OfServer(ps, &status.Server{Replicas: 1, Revision: 3, Updated: 1, Pods: []status.Pod{healthy(0)}, Claims: []status.Claim{claim("10Gi", size)}}, nil)
	if ps.Status.Targets == nil || ps.Status.Alerts == nil || ps.Status.Rules.Loaded != 5 {
		t.Fatalf("%+v", ps.Status)
	}
	got := status.OfServer(ps, &status.Server{Replicas: 1, Revision: 3, Pods: []status.Pod{{Name: "prometheus-main-0"}}, Claims: []status.Claim{claim("10Gi", nil)}}, nil)
	if got.Targets != nil || got.Alerts != nil || got.Rules.Loaded != 0 || got.Version != "3.15.0" {
		t.Errorf("targets %v, alerts %v, %d rules, version %q", got.Targets, got.Alerts, got.Rules.Loaded, got.Version)
	}
	want := []v1alpha1.ClaimStatus{{Claim: "data-prometheus-main-0", Requested: *size}}
	if diff := cmp.Diff(want, got.Storage); diff != "" {
		t.Error(diff)
	}
}

package status_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/status"
)

const generation = 7

func server() *v1alpha1.PrometheusServer {
	return &v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "main", Generation: generation}}
}

// healthy is a replica that runs revision 3.
func healthy(i int) status.Pod {
	return status.Pod{Name: fmt.Sprintf("prometheus-main-%d", i), Ready: true, Report: &replica.Report{
		Published: 3, Loaded: 3, Ready: true, Version: "3.15.0", Rules: 5, Firing: 1,
		Jobs: []replica.Job{{Name: "prometheus", Up: 1}},
	}}
}

// with is a healthy replica that differs.
func with(i int, change func(*status.Pod)) status.Pod {
	p := healthy(i)
	change(&p)
	return p
}

func claim(requested string, capacity *resource.Quantity) status.Claim {
	return status.Claim{Name: "data-prometheus-main-0", Requested: resource.MustParse(requested), Capacity: capacity}
}

const (
	loaded3    = "Loaded True Loaded: every replica runs revision 3"
	allUp      = "TargetsHealthy True AllUp: 1/1 targets are up"
	noRules    = "RulesAccepted True AllAccepted: 0 AlertRules selected, none rejected"
	noneToSay  = "TargetsHealthy Unknown Unknown: no replica is ready, so nothing is known of the targets"
	notReady   = "Ready False Progressing: "
	inProgress = "Reconciling True Progressing: "
	refuses    = "prometheus-main-0 cannot load revision 3 and goes on with revision 2: rules/a.yaml: bad"
	logged     = "prometheus-main-0 cannot load revision 3 and goes on with revision 2: one or more errors occurred while applying the new configuration; " +
		"its log has them: kubectl -n monitoring logs prometheus-main-0 -c prometheus"
	hasNone = "prometheus-main-0 cannot load revision 3 and has no other: write: no space left on device"
)

type serverCase struct {
	observed status.Server
	err      error
	want     []string
}

// progressing are the conditions of a server that waits for one thing.
func progressing(what string, others ...string) []string {
	return append([]string{notReady + what, inProgress + what}, others...)
}

// loading are the conditions of a server whose replicas all run while a revision is on its way into them.
func loading(message string, rest ...string) []string {
	return append([]string{"Ready False Loading: " + message, "Reconciling True Loading: " + message}, rest...)
}

var serverCases = map[string]serverCase{
	"ready": {
		observed: status.Server{Replicas: 1, Revision: 3, Updated: 1, Pods: []status.Pod{healthy(0)}, Claims: []status.Claim{claim("10Gi", new(resource.MustParse("10Gi")))}},
		want:     []string{"Ready True Ready: 1 replica, revision 3 loaded", loaded3, allUp, noRules},
	},
	"scaled to zero": {
		observed: status.Server{Revision: 3},
		want: []string{"Ready True ScaledToZero: replicas is 0: nothing runs, the claims are kept",
			"Loaded False ScaledToZero: no pod runs", noneToSay, noRules},
	},
	"scaling down": {
		observed: status.Server{Replicas: 0, Revision: 3, Pods: []status.Pod{healthy(0)}},
		want:     progressing("1 pod too many, being stopped", loaded3, allUp, noRules),
	},
	"no pod yet": {
		observed: status.Server{Replicas: 2, Revision: 3},
		want: progressing("0 of 2 pods created (kubectl -n monitoring describe statefulset prometheus-main shows what is in the way)",
			"Loaded False Loading: no pod runs yet", noneToSay, noRules),
	},
	"loading": {
		observed: status.Server{Replicas: 2, Revision: 3, Updated: 2, Pods: []status.Pod{healthy(0), with(1, func(p *status.Pod) { p.Report.Loaded, p.Report.Published = 2, 2 })}},
		want:     loading("prometheus-main-1 is loading revision 3", "Loaded False Loading: revision 3 is loaded by 1 of 2 pods so far", allUp, noRules),
	},
	"load failed": {
		observed: status.Server{Replicas: 1, Revision: 3, Updated: 1, Pods: []status.Pod{with(0, func(p *status.Pod) {
			p.Report.Loaded, p.Report.Error = 2, "rules/a.yaml: bad"
		})}},
		want: []string{"Ready False LoadFailed: " + refuses, "Reconciling True LoadFailed: " + refuses,
			"Loaded False LoadFailed: " + refuses, allUp, noRules},
	},
	"load failed, and only the log says why": {
		observed: status.Server{Replicas: 1, Revision: 3, Updated: 1, Pods: []status.Pod{with(0, func(p *status.Pod) {
			p.Report.Loaded, p.Report.Error = 2, "one or more errors occurred while applying the new configuration"
		})}},
		want: []string{"Ready False LoadFailed: " + logged, "Reconciling True LoadFailed: " + logged,
			"Loaded False LoadFailed: " + logged, allUp, noRules},
	},
	"load failed from the start": {
		observed: status.Server{Replicas: 1, Revision: 3, Updated: 1, Pods: []status.Pod{with(0, func(p *status.Pod) {
			*p.Report = replica.Report{Published: 3, Error: "write: no space left on device", ReadyReason: "the server is not ready"}
			p.Ready = false
		})}},
		want: []string{"Ready False LoadFailed: " + hasNone, "Reconciling True LoadFailed: " + hasNone,
			"Loaded False LoadFailed: " + hasNone, noneToSay, noRules},
	},
	"an old error while a new revision is on its way": {
		observed: status.Server{Replicas: 1, Revision: 4, Updated: 1, Pods: []status.Pod{with(0, func(p *status.Pod) {
			p.Report.Loaded, p.Report.Error = 2, "rules/a.yaml: bad"
		})}},
		want: loading("prometheus-main-0 is loading revision 4", "Loaded False Loading: revision 4 is loaded by 0 of 1 pod so far", allUp, noRules),
	},
	"starting": {
		observed: status.Server{Replicas: 1, Revision: 3, Updated: 1, Pods: []status.Pod{{Name: "prometheus-main-0"}}},
		want: progressing("prometheus-main-0 is not ready: it is starting (kubectl -n monitoring describe pod prometheus-main-0 shows what it waits for)",
			"Loaded False Loading: revision 3 is loaded by 0 of 1 pod so far", noneToSay, noRules),
	},
	"a server that is not ready is not one that refuses": {
		observed: status.Server{Replicas: 1, Revision: 3, Updated: 1, Pods: []status.Pod{{Name: "prometheus-main-0", Report: &replica.Report{
			Published: 3, Error: "the server is not ready: connection refused", ReadyReason: "the server is not ready: connection refused",
		}}}},
		want: progressing("prometheus-main-0 is not ready: the server is not ready: connection refused",
			"Loaded False Loading: revision 3 is loaded by 0 of 1 pod so far", noneToSay, noRules),
	},
	"waiting, one of two": {
		observed: status.Server{Replicas: 2, Revision: 3, Updated: 2, Pods: []status.Pod{healthy(0), {Name: "prometheus-main-1", Waiting: "no node takes it: 0/1 nodes are available"}}},
		want: progressing("prometheus-main-1 is not ready: no node takes it: 0/1 nodes are available",
			"Loaded False Loading: revision 3 is loaded by 1 of 2 pods so far", allUp, noRules),
	},
	"silent": {
		observed: status.Server{Replicas: 1, Revision: 3, Updated: 1, Pods: []status.Pod{{Name: "prometheus-main-0", Ready: true}}},
		want: progressing("prometheus-main-0 is ready, but its reloader has not answered the operator yet (port 9091, which a NetworkPolicy must let through)",
			"Loaded False Loading: revision 3 is loaded by 0 of 1 pod so far", noneToSay, noRules),
	},
	"stopping, and ready until it has stopped": {
		observed: status.Server{Replicas: 1, Revision: 3, Updated: 1, Pods: []status.Pod{{Name: "prometheus-main-0", Ready: true, Waiting: "it is being stopped"}}},
		want: progressing("prometheus-main-0: it is being stopped",
			"Loaded False Loading: revision 3 is loaded by 0 of 1 pod so far", noneToSay, noRules),
	},
	"rolling out": {
		observed: status.Server{Replicas: 2, Revision: 3, Updated: 1, Pods: []status.Pod{healthy(0), healthy(1)}},
		want:     progressing("1 of 2 pods updated", loaded3, allUp, noRules),
	},
	"a claim grows": {
		observed: status.Server{Replicas: 1, Revision: 3, Updated: 1, Pods: []status.Pod{healthy(0)}, Claims: []status.Claim{claim("20Gi", new(resource.MustParse("10Gi")))}},
		want: progressing("claim data-prometheus-main-0 is growing from 10Gi to 20Gi (kubectl -n monitoring describe pvc data-prometheus-main-0 shows how far it is)",
			loaded3, allUp, noRules),
	},
	"several things at once": {
		observed: status.Server{Replicas: 3, Revision: 3, Updated: 1, Pods: []status.Pod{healthy(0), with(1, func(p *status.Pod) { p.Ready = false; p.Waiting = "it is being stopped" })}},
		want: progressing("2 of 3 pods created (kubectl -n monitoring describe statefulset prometheus-main shows what is in the way); prometheus-main-1 is not ready: it is being stopped",
			loaded3, allUp, noRules),
	},
	"an error beside what runs": {
		observed: status.Server{Replicas: 1, Revision: 3, Updated: 1, Pods: []status.Pod{healthy(0)}},
		err:      fmt.Errorf("apply: %w", errors.Join(errors.New("noise"), conflict)),
		want: []string{`Ready False NameConflict: Service "prometheus-main" is not ours: rename it`, `Stalled True NameConflict: Service "prometheus-main" is not ours: rename it`,
			loaded3, allUp, noRules},
	},
	"an error that passes": {
		observed: status.Server{Replicas: 1, Revision: 3, Updated: 1, Pods: []status.Pod{healthy(0)}},
		err:      errors.New("apply Service: connection refused"),
		want: []string{"Ready False Retrying: apply Service: connection refused", "Reconciling True Retrying: apply Service: connection refused",
			loaded3, allUp, noRules},
	},
}

func TestOfServer(t *testing.T) {
	for name, c := range serverCases {
		t.Run(name, func(t *testing.T) {
			got := status.OfServer(server(), &c.observed, c.err)
			wantConditions(t, c.want, got.Conditions)
			if got.ObservedGeneration != generation {
				t.Errorf("observedGeneration %d", got.ObservedGeneration)
			}
		})
	}
}

// TestWhatIsNotObservedStays: a spec that can't work stops nothing that runs.
func TestWhatIsNotObservedStays(t *testing.T) {
	ps := server()
	before := status.OfServer(ps, &status.Server{Replicas: 1, Revision: 3, Updated: 1, Pods: []status.Pod{healthy(0)}}, nil)
	ps.Status, ps.Generation = before, generation+1

	invalid := &status.Invalid{Err: errors.New(`spec.scrapeTimeout: Invalid value: "20s": must not be longer than scrapeInterval`)}
	after := status.OfServer(ps, nil, fmt.Errorf("resolve: %w", invalid))
	wantConditions(t, []string{
		`Ready False InvalidSpec: spec.scrapeTimeout: Invalid value: "20s": must not be longer than scrapeInterval`,
		`Stalled True InvalidSpec: spec.scrapeTimeout: Invalid value: "20s": must not be longer than scrapeInterval`,
		loaded3, allUp, noRules,
	}, after.Conditions)
	before.Conditions, after.Conditions = nil, nil
	before.ObservedGeneration++
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("what is known of before does not stay:\n%s", diff)
	}

	ps.Status = status.OfServer(ps, nil, invalid)
	wantConditions(t, []string{
		"Ready False Retrying: gather: timeout", "Reconciling True Retrying: gather: timeout", loaded3, allUp, noRules,
	}, status.OfServer(ps, nil, errors.New("gather: timeout")).Conditions)
}

// The cluster says nothing of a Secret that is missing, and the operator reads none.
func TestStartingTakesSecrets(t *testing.T) {
	ps := server()
	ps.Spec.Web = &v1alpha1.Web{TLS: &v1alpha1.WebTLS{SecretName: "cert"}, BasicAuth: &v1alpha1.SecretName{SecretName: "login"}}
	observed := status.Server{Replicas: 1, Revision: 3, Updated: 1, Pods: []status.Pod{{Name: "prometheus-main-0"}}}
	got := status.OfServer(ps, &observed, nil)
	wantConditions(t, progressing("prometheus-main-0 is not ready: it is starting, which takes "+
		`Secret "cert" with tls.crt and tls.key and Secret "login" with username and password `+
		"(kubectl -n monitoring describe pod prometheus-main-0 shows what it waits for)"), got.Conditions[:2])
}

func TestFirstErrorOfANewServer(t *testing.T) {
	got := status.OfServer(server(), nil, errors.New("gather: timeout"))
	wantConditions(t, []string{"Ready False Retrying: gather: timeout", "Reconciling True Retrying: gather: timeout"}, got.Conditions)
}

func TestRejectedRules(t *testing.T) {
	observed := status.Server{Replicas: 1, Revision: 3, Updated: 1, Pods: []status.Pod{healthy(0)}}
	observed.Verdicts = []stack.Verdict{{Namespace: "a", Name: "fine"}, {Namespace: "a", Name: "bad", Problem: "spec.groups[g]: no", LastGood: true}}
	got := status.OfServer(server(), &observed, nil)
	wantConditions(t, []string{"Ready True Ready: 1 replica, revision 3 loaded", loaded3, allUp,
		"RulesAccepted False RulesRejected: 1 of 2 selected AlertRules rejected: a/bad; status.rules.rejections says why"}, got.Conditions)
	want := v1alpha1.RulesStatus{Selected: 2, Rejected: 1, Loaded: 5, Rejections: []v1alpha1.Rejection{
		{Kind: "AlertRule", Namespace: "a", Name: "bad", Message: "spec.groups[g]: no (its last good version stays loaded)"},
	}}
	if diff := cmp.Diff(want, got.Rules); diff != "" {
		t.Error(diff)
	}

	observed.Verdicts = nil
	for i := range 30 {
		observed.Verdicts = append(observed.Verdicts, stack.Verdict{Namespace: "a", Name: fmt.Sprintf("bad-%02d", i), Problem: "no"})
	}
	got = status.OfServer(server(), &observed, nil)
	if got.Rules.Rejected != 30 || len(got.Rules.Rejections) != 20 {
		t.Errorf("%d rejected, %d named; the API takes 20", got.Rules.Rejected, len(got.Rules.Rejections))
	}
	wantConditions(t, []string{"RulesAccepted False RulesRejected: 30 of 30 selected AlertRules rejected: a/bad-00, a/bad-01, a/bad-02 and 27 more; status.rules.rejections says why",
		"Ready True Ready: 1 replica, revision 3 loaded"}, []metav1.Condition{got.Conditions[3], got.Conditions[0]})
}

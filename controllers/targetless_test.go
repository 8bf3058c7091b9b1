package controllers

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/monitors"
	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/status"
)

// jobless is a server with these jobs of monitors, and what its replica says.
func jobless(jobs []string, reported ...replica.Job) (*stack.Stack, *status.Server) {
	s := &stack.Stack{Exporters: []stack.ExporterTarget{{Namespace: "nodes", Name: "node"}}}
	for _, name := range jobs {
		s.Monitors.Jobs = append(s.Monitors.Jobs, monitors.Job{JobName: name})
	}
	return s, &status.Server{Replicas: 1, Revision: 7, Pods: []status.Pod{{Name: "p", Ready: true, Report: &replica.Report{Ready: true, Loaded: 7, Jobs: reported}}}}
}

// Nothing is said of a job that has only just lost its targets, and nothing is looked for where there are some.
func TestTargetlessLooksInTurn(t *testing.T) {
	now := time.Unix(0, 0)
	reason, failure := stack.Reason{Text: "typo"}, error(nil)
	var looked []string
	u := &targetless{now: func() time.Time { return now }, grace: absentGrace, woken: make(chan struct{}, 1), news: make(chan event.GenericEvent, 100),
		jobs: map[types.NamespacedName]map[string]*absentJob{}}
	u.look = func(_ context.Context, j *absentJob) (stack.Reason, error) {
		looked = append(looked, fmt.Sprintf("%s %d", j.name, j.in.Dropped))
		return reason, failure
	}
	turn := func() {
		for {
			server, job, _ := u.due()
			if job == nil {
				return
			}
			u.settle(t.Context(), server, job)
		}
	}
	say := func(want []stack.Awaited, wantLooked []string, jobs []string, reported ...replica.Job) {
		t.Helper()
		looked = nil
		s, o := jobless(jobs, reported...)
		u.of(mainServer, s, o, &v1alpha1.TargetsStatus{Jobs: []v1alpha1.JobStatus{{Name: "a", LastError: "no target yet: as before"}, {Name: "b", Down: 1, LastError: "refused"}}})
		turn()
		if diff := cmp.Diff(wantLooked, looked); diff != "" {
			t.Errorf("looked at %s: %s", now, diff)
		}
		if diff := cmp.Diff(want, u.of(mainServer, s, o, nil)); diff != "" {
			t.Errorf("at %s: %s", now, diff)
		}
	}
	node := replica.Job{Name: "nodeExporter/nodes/node", Up: 1}
	asBefore := stack.Awaited{Job: "a", Why: "as before", Idle: true}
	// What the status says stays, and what it says of targets that are down is nothing of the kind.
	say([]stack.Awaited{asBefore}, nil, []string{"a", "b", "c"}, node, replica.Job{Name: "b", Dropped: 3}, replica.Job{Name: "c", Up: 1})
	now = now.Add(absentGrace)
	typo := func(job string) stack.Awaited { return stack.Awaited{Job: job, Why: "typo"} }
	say([]stack.Awaited{typo("a"), typo("b")}, []string{"a 0", "b 3"}, []string{"a", "b", "c"}, node, replica.Job{Name: "b", Dropped: 3}, replica.Job{Name: "c", Up: 1})
	// One that has targets again is forgotten, and one that loses them has its time.
	say([]stack.Awaited{typo("b")}, nil, []string{"a", "b", "c"}, node, replica.Job{Name: "a", Down: 1})
	reason, failure = stack.Reason{}, errors.New("the API server is away")
	now = now.Add(absentAgain)
	say([]stack.Awaited{typo("b")}, []string{"c 0", "b 0"}, []string{"a", "b", "c"}, node, replica.Job{Name: "a", Down: 1})
	failure = nil
	now = now.Add(absentAgain)
	// Where all is well it takes longer until Prometheus is blamed.
	blamed := func(job string) stack.Awaited {
		return stack.Awaited{Job: job, Why: "what it selects is there, and Prometheus has not found it in any namespace: its log says why"}
	}
	say([]stack.Awaited{blamed("b"), blamed("c")}, []string{"b 0", "c 0"}, []string{"a", "b", "c"}, node, replica.Job{Name: "a", Down: 1})
	if u.forget(mainServer); len(u.jobs) != 0 {
		t.Error("a server that is gone is remembered")
	}
	ofExporter(t, u, func() { now = now.Add(absentGrace); turn() })
}

// ofExporter: an exporter is not looked for, because its own status says what is the matter.
func ofExporter(t *testing.T, u *targetless, wait func()) {
	t.Helper()
	s, o := jobless(nil)
	s.Exporters[0].Running = true
	u.of(mainServer, s, o, nil)
	wait()
	if got := u.of(mainServer, s, o, nil); len(got) != 1 || got[0] != s.Exporters[0].Awaited() {
		t.Errorf("%+v", got)
	}
	// While a revision is on its way nothing new is known.
	o.Revision++
	if got := u.of(mainServer, s, o, nil); len(got) != 1 {
		t.Errorf("%+v", got)
	}
}

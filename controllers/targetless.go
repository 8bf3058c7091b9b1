package controllers

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/status"
)

const (
	// absentGrace is how long a job may be without a target before anybody asks why: Prometheus looks for new ones only every
	// few seconds. absentSure is the time where all is there that there should be, and only Prometheus does not see it.
	absentGrace = 20 * time.Second
	absentSure  = 2 * time.Minute
	// absentAgain is when it is looked again why a job has no target, and absentPause the time between two looks. Each is a few
	// requests, and there may be a thousand such jobs: then each has its turn less often.
	absentAgain = time.Minute
	absentPause = time.Second
)

// targetless finds out why jobs have no targets. It looks in the cluster for those jobs alone, one after the other.
type targetless struct {
	client client.Reader // the API server, since little of what is looked at is in the caches
	look   func(context.Context, *absentJob) (stack.Reason, error)
	now    func() time.Time
	grace  time.Duration
	pause  time.Duration
	news   chan event.GenericEvent
	woken  chan struct{}

	mu   sync.Mutex
	jobs map[types.NamespacedName]map[string]*absentJob
}

// absentJob is a job that has no target.
type absentJob struct {
	name string
	// why is what is said of it if nothing has to be looked for.
	why *stack.Awaited
	in  stack.Places

	since, next time.Time
	// found is what is said of it, nil for nothing yet.
	found *stack.Awaited
}

func newTargetless(r *PrometheusServerReconciler) *targetless {
	t := &targetless{client: r.Reader, now: time.Now, grace: absentGrace, pause: absentPause,
		news: make(chan event.GenericEvent), woken: make(chan struct{}, 1), jobs: map[types.NamespacedName]map[string]*absentJob{}}
	t.look = func(ctx context.Context, j *absentJob) (stack.Reason, error) {
		return (&absentLook{client: r.Reader, monitors: r.Monitors}).why(ctx, j)
	}
	return t
}

// absent are the jobs of a server that have no target on any of its replicas. Ok is false while that can't be said.
func absent(s *stack.Stack, o *status.Server) (out []absentJob, ok bool) {
	up, dropped, ok := seenBy(o)
	if !ok {
		return nil, false
	}
	for _, e := range s.Exporters {
		if job := e.Job(); !up[job] {
			out = append(out, absentJob{name: job, why: new(e.Awaited())})
		}
	}
	for i := range s.Monitors.Jobs {
		job := &s.Monitors.Jobs[i]
		if up[job.JobName] {
			continue
		}
		in := stack.Places{Dropped: dropped[job.JobName]}
		if len(job.KubernetesSD) > 0 && job.KubernetesSD[0].Namespaces != nil {
			in.Namespaces = job.KubernetesSD[0].Namespaces.Names
		}
		out = append(out, absentJob{name: job.JobName, in: in})
	}
	return out, true
}

// seenBy says of each job whether a replica has a target of it, and how many targets were dropped where there is none.
func seenBy(o *status.Server) (up map[string]bool, dropped map[string]int, ok bool) {
	if len(o.Pods) == 0 || o.Loaded() != o.Revision {
		return nil, nil, false
	}
	up, dropped = map[string]bool{}, map[string]int{}
	for _, p := range o.Pods {
		// One that has as many as it may tell of has more.
		if !p.Report.Ready || len(p.Report.Jobs) >= replica.MaxJobs {
			return nil, nil, false
		}
		for _, j := range p.Report.Jobs {
			up[j.Name] = up[j.Name] || j.Targets() > 0
			dropped[j.Name] = max(dropped[j.Name], j.Dropped)
		}
	}
	return up, dropped, true
}

// of says of the jobs of a server that have no target why, as far as that is known. What the status says when the process begins
// stays until it is known better.
func (t *targetless) of(server types.NamespacedName, s *stack.Stack, o *status.Server, said *v1alpha1.TargetsStatus) []stack.Awaited {
	now, ok := absent(s, o)
	t.mu.Lock()
	defer t.mu.Unlock()
	before, known := t.jobs[server]
	if ok {
		t.jobs[server] = make(map[string]*absentJob, len(now))
		for _, j := range now {
			t.jobs[server][j.name] = t.entry(before[j.name], j)
		}
		if !known {
			seed(t.jobs[server], said)
		}
		if len(now) > 0 {
			poke(t.woken)
		}
	}
	var out []stack.Awaited
	for _, name := range slices.Sorted(maps.Keys(t.jobs[server])) {
		if found := t.jobs[server][name].found; found != nil {
			out = append(out, *found)
		}
	}
	return out
}

// entry is what is known of a job, with what is new about it.
func (t *targetless) entry(before *absentJob, now absentJob) *absentJob {
	if before == nil {
		now.since = t.now()
		now.next = now.since.Add(t.grace)
		return &now
	}
	before.why, before.in = now.why, now.in
	if before.found != nil && now.why != nil {
		before.found = now.why
	}
	return before
}

func seed(jobs map[string]*absentJob, said *v1alpha1.TargetsStatus) {
	if said == nil {
		return
	}
	for _, j := range said.Jobs {
		if a, ok := status.NoTarget(j); ok && jobs[j.Name] != nil {
			jobs[j.Name].found = &a
		}
	}
}

func (t *targetless) forget(server types.NamespacedName) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.jobs, server)
}

// Start looks at one job after the other, until ctx ends.
func (t *targetless) Start(ctx context.Context) error {
	for ctx.Err() == nil {
		server, job, wait := t.due()
		if job == nil {
			select {
			case <-ctx.Done():
			case <-t.woken:
			case <-time.After(wait):
			}
			continue
		}
		t.settle(ctx, server, job)
		sleep(ctx, t.pause)
	}
	return nil
}

// due is a copy of the job that has waited longest, or how long until there is one.
func (t *targetless) due() (types.NamespacedName, *absentJob, time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var whose types.NamespacedName
	var first *absentJob
	for server, jobs := range t.jobs {
		for _, j := range jobs {
			if first == nil || cmp.Or(j.next.Compare(first.next), strings.Compare(j.name, first.name)) < 0 {
				whose, first = server, j
			}
		}
	}
	if first == nil {
		return whose, nil, time.Hour
	}
	if wait := first.next.Sub(t.now()); wait > 0 {
		return whose, nil, wait
	}
	first.next = t.now().Add(absentAgain)
	job := *first
	return whose, &job, 0
}

// settle says why a job has no target, and has its server say so.
func (t *targetless) settle(ctx context.Context, server types.NamespacedName, job *absentJob) {
	found := job.why
	if found == nil {
		reason, err := t.look(ctx, job)
		if err != nil {
			if ctx.Err() == nil {
				ctrl.LoggerFrom(ctx).Error(err, "look why there is no target", "job", job.name)
			}
			return // what was known stays, and there is a next time
		}
		found = t.reasoned(job, reason)
	}
	if !t.take(server, job.name, found) {
		return
	}
	object := &v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Namespace: server.Namespace, Name: server.Name}}
	select {
	case t.news <- event.GenericEvent{Object: object}:
	case <-ctx.Done():
	}
}

// reasoned is what is said of a job for this reason, nil for nothing.
func (t *targetless) reasoned(job *absentJob, reason stack.Reason) *stack.Awaited {
	if reason.Text == "" && t.now().Sub(job.since) >= absentSure {
		reason = stack.Reason{Text: "what it selects is there, and Prometheus has not found it in " + job.in.String() + ": its log says why"}
	}
	if reason.Text == "" {
		return nil
	}
	return &stack.Awaited{Job: job.name, Why: reason.Text, Idle: reason.Idle}
}

// take notes what is said of a job, and says whether that is new. One that has targets by now is not said anything of.
func (t *targetless) take(server types.NamespacedName, job string, found *stack.Awaited) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.jobs[server][job]
	if now == nil {
		return false
	}
	before := now.found
	now.found = found
	if before == nil || found == nil {
		return before != found
	}
	return *before != *found
}

package controllers

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// podAddress is a loopback address that nothing else on the machine has a reason to use.
const podAddress = "127.77.77.1"

// reloader answers as a reloader does: at once if the caller's report is not the newest, and else when there is news.
type reloader struct {
	mu      sync.Mutex
	report  replica.Report
	news    chan struct{}
	waiting int
}

func (r *reloader) set(report replica.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report = report
	close(r.news)
	r.news = make(chan struct{})
}

func (r *reloader) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	news := r.news
	if req.URL.Query().Get(replica.ParamAfter) == r.report.Fingerprint() {
		r.waiting++
		r.mu.Unlock()
		select {
		case <-news:
		case <-req.Context().Done():
			return
		}
		r.mu.Lock()
	}
	defer r.mu.Unlock()
	text, _ := r.report.Encode()
	w.Header().Set("ETag", r.report.Fingerprint())
	_, _ = w.Write(text)
}

func serve(t *testing.T, handler http.Handler) *http.Server {
	t.Helper()
	var listening net.ListenConfig
	listener, err := listening.Listen(t.Context(), "tcp", net.JoinHostPort(podAddress, strconv.Itoa(replica.Port)))
	must(t, err)
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return server
}

func podAt(address string) corev1.Pod {
	return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "prometheus-main-0", UID: "pod"}, Status: corev1.PodStatus{PodIP: address}}
}

func pods(server types.NamespacedName) PodSet { return PodSet{Server: server, Part: prometheusPart} }

func TestReplicasFollowReports(t *testing.T) {
	pod := &reloader{news: make(chan struct{}), report: replica.Report{Published: 1}}
	server := serve(t, pod)
	main := types.NamespacedName{Namespace: "monitoring", Name: "main"}
	replicas := NewReplicas(t.Context())
	replicas.Track(pods(main), []corev1.Pod{podAt(podAddress)})

	told := func() {
		t.Helper()
		select {
		case e := <-replicas.Events():
			if e.Object.GetName() != main.Name || e.Object.GetNamespace() != main.Namespace {
				t.Errorf("told of %s/%s", e.Object.GetNamespace(), e.Object.GetName())
			}
		case <-time.After(time.Minute):
			t.Fatal("nobody was told")
		}
	}
	told()
	if r := replicas.Report("pod"); r == nil || r.Published != 1 {
		t.Errorf("first report: %+v", r)
	}
	pod.set(replica.Report{Published: 2})
	eventually(t, func() error {
		if n := replicas.Newest(pods(main)); n != 2 {
			return fmt.Errorf("newest is %d", n)
		}
		return nil
	})
	select {
	case <-replicas.Events():
		t.Error("told that a revision was seen, which is nothing to act on")
	case <-time.After(100 * time.Millisecond):
	}
	pod.set(replica.Report{Published: 2, Loaded: 2})
	told()
	if r := replicas.Report("pod"); r == nil || r.Loaded != 2 {
		t.Errorf("second report: %+v", r)
	}
	if newest := replicas.Newest(pods(main)); newest != 2 {
		t.Errorf("newest is %d", newest)
	}
	must(t, server.Close())
	told()
	if r := replicas.Report("pod"); r != nil {
		t.Errorf("a pod that does not answer still says %+v", r)
	}
}

func TestReplicasHoldOneRequest(t *testing.T) {
	pod := &reloader{news: make(chan struct{})}
	serve(t, pod)
	main := types.NamespacedName{Namespace: "monitoring", Name: "main"}
	replicas := NewReplicas(t.Context())
	for range 50 { // as many reconciles, one request
		replicas.Track(pods(main), []corev1.Pod{podAt(podAddress)})
	}
	<-replicas.Events()
	waiting := func() int {
		pod.mu.Lock()
		defer pod.mu.Unlock()
		return pod.waiting
	}
	eventually(t, func() error {
		if waiting() == 0 {
			return errors.New("no request is waiting")
		}
		return nil
	})
	time.Sleep(300 * time.Millisecond) // for those that must not come
	if n := waiting(); n != 1 {
		t.Errorf("%d requests are waiting", n)
	}
	replicas.Track(pods(main), nil)
	if r := replicas.Report("pod"); r != nil {
		t.Errorf("a pod that is gone still says %+v", r)
	}
}

// After a restore from a backup the cluster has an older manifest than the pods.
func TestRevisionsGoOnAboveWhatReplicasHave(t *testing.T) {
	c := newCluster(t)
	ps := c.owner(t, "main")
	r := &PrometheusServerReconciler{Client: c.manager.GetClient(), Reader: c.manager.GetAPIReader(), Replicas: NewReplicas(t.Context())}
	r.Replicas.pods["pod"] = &tracked{
		set: pods(types.NamespacedName{Namespace: c.namespace, Name: "main"}), report: &replica.Report{Published: 41, Loaded: 41},
	}
	published, err := r.published(t.Context(), ps, r.memory.of(client.ObjectKeyFromObject(ps), ps.UID))
	must(t, err)
	next, _, err := bundle.Publish(published, "prometheus-main", nil, nil, 0)
	must(t, err)
	if next.Revision != 42 {
		t.Errorf("published as revision %d", next.Revision)
	}
}

func TestLedgerTellsOfChangesOnly(t *testing.T) {
	ledger, server := NewLedger(), types.NamespacedName{Namespace: "monitoring", Name: "main"}
	rule := types.NamespacedName{Namespace: "team", Name: "rules"}
	expect := func(what string, events int, want Entry) {
		t.Helper()
		if n := len(ledger.events); n != events {
			t.Errorf("%s: %d events, want %d", what, n, events)
		}
		for range len(ledger.events) {
			if e := <-ledger.events; e.Object.(*v1alpha1.AlertRule).Name != rule.Name {
				t.Errorf("%s: told of %s", what, e.Object.GetName())
			}
		}
		got, _ := ledger.Of(server, rule)
		if got.Loaded == got.LoadedAt.IsZero() {
			t.Errorf("%s: %+v", what, got)
		}
		got.LoadedAt = time.Time{}
		if got != want {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	set := func(generation int64, problem string, revision, loaded int64) {
		ledger.Set(t.Context(), server, verdictsOf(rule, generation, problem), revision, loaded)
	}
	set(1, "", 5, 4)
	expect("published", 1, Entry{Generation: 1, Revision: 5})
	set(1, "", 5, 5)
	expect("loaded", 1, Entry{Generation: 1, Revision: 5, Loaded: true})
	set(1, "", 6, 5)
	expect("another rule was published", 0, Entry{Generation: 1, Revision: 5, Loaded: true})
	set(2, "bad", 6, 6)
	expect("a bad edit", 1, Entry{Generation: 2, Revision: 6, Problem: "bad", LastGood: true})
	set(3, "", 7, 6)
	expect("a good edit", 1, Entry{Generation: 3, Revision: 7})
	ledger.Refuse(t.Context(), server, true)
	ledger.Refuse(t.Context(), server, true)
	expect("the server refuses it", 1, Entry{Generation: 3, Revision: 7, Refused: true})
	set(3, "", 8, 8)
	ledger.Refuse(t.Context(), server, true)
	expect("loaded after all, and the next one is refused", 1, Entry{Generation: 3, Revision: 7, Loaded: true})
	ledger.Forget(t.Context(), server)
	expect("the server is gone", 1, Entry{})
}

func verdictsOf(rule types.NamespacedName, generation int64, problem string) []stack.Verdict {
	return []stack.Verdict{{Namespace: rule.Namespace, Name: rule.Name, Generation: generation, Problem: problem, LastGood: problem != ""}}
}

// An operator that has just started must not take back what the one before it found out.
func TestRulesStayLoadedOverARestart(t *testing.T) {
	server := &v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "main"}}
	rule := &v1alpha1.AlertRule{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "rules", Generation: 3}}
	rule.Status = v1alpha1.AlertRuleStatus{ObservedGeneration: 3, Servers: []v1alpha1.RuleServerStatus{
		{Namespace: "monitoring", Name: "main", Revision: 7, Loaded: true},
	}}
	r := &AlertRuleReconciler{Ledger: NewLedger()}
	if got := r.onServer(server, rule); !got.Loaded || got.Revision != 7 {
		t.Errorf("right after the start: %+v", got)
	}
	rule.Generation = 4
	if got := r.onServer(server, rule); got.Loaded {
		t.Errorf("a generation that nobody has judged: %+v", got)
	}
	rule.Generation = 3
	r.Ledger.Set(t.Context(), types.NamespacedName{Namespace: "monitoring", Name: "main"}, nil, 8, 8)
	if got := r.onServer(server, rule); got.Loaded {
		t.Errorf("the server is known not to have it: %+v", got)
	}
}

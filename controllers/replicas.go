package controllers

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/replica"
)

// How long a request for a report is held by the reloader, how long it may take beyond that, and how soon a pod that does
// not answer is asked again.
const (
	reportWait     = 50 * time.Second
	reportSlack    = 10 * time.Second
	reportRetryMin = 500 * time.Millisecond
	reportRetryMax = 10 * time.Second
)

// PodSet names the pods of one part of a PrometheusServer. Each part has a configuration of its own, with revisions of its
// own.
type PodSet struct {
	Server types.NamespacedName
	Part   string
}

// prometheusPart is the part that evaluates rules.
const prometheusPart = "prometheus"

func prometheusPods(ps *v1alpha1.PrometheusServer) PodSet {
	return PodSet{Server: client.ObjectKeyFromObject(ps), Part: prometheusPart}
}

// Replicas knows what the reloader of every pod reports. One request for each pod is always under way, and the reloader
// holds it until there is news: nothing is polled, and a reconcile finds the newest report without asking anybody.
type Replicas struct {
	ctx    context.Context
	http   *http.Client
	events chan event.GenericEvent

	mu   sync.Mutex
	pods map[types.UID]*tracked
}

type tracked struct {
	set    PodSet
	url    string
	stop   context.CancelFunc
	asked  bool // there was an answer, or none was to be had
	report *replica.Report
}

// NewReplicas follows reports until ctx ends.
func NewReplicas(ctx context.Context) *Replicas {
	return &Replicas{
		ctx:    ctx,
		http:   &http.Client{Timeout: reportWait + reportSlack, Transport: &http.Transport{MaxIdleConnsPerHost: 1, IdleConnTimeout: 2 * reportWait}},
		events: make(chan event.GenericEvent, 64),
		pods:   map[types.UID]*tracked{},
	}
}

// Events has a PrometheusServer whenever one of its pods reports something new.
func (r *Replicas) Events() <-chan event.GenericEvent { return r.events }

// Track follows exactly these pods of a set from now on.
func (r *Replicas) Track(set PodSet, pods []corev1.Pod) {
	r.mu.Lock()
	defer r.mu.Unlock()
	wanted := map[types.UID]bool{}
	for i := range pods {
		pod := &pods[i]
		if pod.Status.PodIP == "" || pod.DeletionTimestamp != nil {
			continue
		}
		wanted[pod.UID] = true
		address := "http://" + net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(replica.Port)) + replica.Path
		if known, ok := r.pods[pod.UID]; ok && known.url == address {
			continue
		} else if ok {
			known.stop()
		}
		r.follow(set, pod.UID, address)
	}
	for uid, t := range r.pods {
		if t.set == set && !wanted[uid] {
			t.stop()
			delete(r.pods, uid)
		}
	}
}

// Report is the newest report of a pod, nil while there is none.
func (r *Replicas) Report(pod types.UID) *replica.Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t, ok := r.pods[pod]; ok {
		return t.report
	}
	return nil
}

// Reports are the newest reports of a set's pods, of those that have one.
func (r *Replicas) Reports(set PodSet) []*replica.Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []*replica.Report
	for _, t := range r.pods {
		if t.set == set && t.report != nil {
			out = append(out, t.report)
		}
	}
	return out
}

// Asking is true while the first request to a pod is under way. A verdict on that pod would be a guess, and is not needed:
// the answer, or that there is none, comes as an event.
func (r *Replicas) Asking(pod types.UID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, ok := r.pods[pod]
	return ok && !t.asked
}

// Newest is the highest revision that a pod of a set has seen, 0 while none has reported.
func (r *Replicas) Newest(set PodSet) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	newest := int64(0)
	for _, t := range r.pods {
		if t.set == set && t.report != nil {
			newest = max(newest, t.report.Published, t.report.Loaded)
		}
	}
	return newest
}

// follow starts a request loop; r.mu is held.
func (r *Replicas) follow(set PodSet, pod types.UID, address string) {
	ctx, stop := context.WithCancel(r.ctx)
	t := &tracked{set: set, url: address, stop: stop}
	r.pods[pod] = t
	go r.loop(ctx, t)
}

func (r *Replicas) loop(ctx context.Context, t *tracked) {
	after, retry := "", reportRetryMin
	for ctx.Err() == nil {
		report, etag, err := r.ask(ctx, t.url, after)
		if err != nil {
			// A pod that doesn't answer says nothing, which is not the same as its last word.
			r.set(ctx, t, nil)
			after = ""
			sleep(ctx, retry)
			retry = min(2*retry, reportRetryMax)
			continue
		}
		retry = reportRetryMin
		if etag != after {
			after = etag
			r.set(ctx, t, report)
		}
	}
}

// ask returns the report as soon as it is another than the one with this ETag, or after reportWait.
func (r *Replicas) ask(ctx context.Context, address, after string) (*replica.Report, string, error) {
	query := url.Values{replica.ParamAfter: {after}, replica.ParamWait: {reportWait.String()}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"?"+query.Encode(), nil)
	if err != nil {
		return nil, "", err
	}
	resp, err := r.http.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, replica.MaxReport))
	if err != nil {
		return nil, "", err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, "", fmt.Errorf("%s answers %s", address, resp.Status)
	}
	report, err := replica.Decode(body)
	if err != nil {
		return nil, "", err
	}
	return &report, resp.Header.Get("ETag"), nil
}

// set remembers a report and has the server reconciled.
func (r *Replicas) set(ctx context.Context, t *tracked, report *replica.Report) {
	r.mu.Lock()
	news := (report != nil || t.report != nil || !t.asked) && !onlySeen(t.report, report)
	t.asked, t.report = true, report
	r.mu.Unlock()
	if !news {
		return
	}
	object := &v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Namespace: t.set.Server.Namespace, Name: t.set.Server.Name}}
	select {
	case r.events <- event.GenericEvent{Object: object}:
	case <-ctx.Done():
	}
}

// onlySeen says that all there is to tell is that the pod has seen a newer revision, as each does a moment after it was published.
// Nothing of a status depends on that while no revision was refused.
func onlySeen(before, now *replica.Report) bool {
	if before == nil || now == nil || before.Error != "" || now.Error != "" || now.Published < before.Published {
		return false
	}
	but := *now
	but.Published = before.Published
	return reflect.DeepEqual(*before, but)
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// scrapes is how often a Prometheus has scraped, less one for each target, and its targets are itself and its reloader: every scrape
// has its number. So it shows at a receiver whether some are missing, however slow the machine is.
const scrapes = "prometheus_target_interval_length_seconds_count"

// A server and an agent write to a server that comes later, and all of them are replaced, one after the other. Every sample
// that was scraped arrives.
func TestRemoteWrite(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	main, edge := g.writer("main"), g.writer("edge")
	edge.Spec.Mode = v1alpha1.ModeAgent
	g.create(main, edge)
	for _, ps := range []*v1alpha1.PrometheusServer{main, edge} {
		g.await(4*time.Minute, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
		c, _ := g.await(time.Minute, ps, v1alpha1.ConditionRemoteWriteHealthy, metav1.ConditionFalse, v1alpha1.ReasonNotTaken)
		t.Log(c.Message)
	}
	central := g.writer("central")
	central.Spec.RemoteWrite, central.Spec.RemoteWriteReceiver = nil, true
	g.create(central)
	g.await(4*time.Minute, central, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	for _, ps := range []*v1alpha1.PrometheusServer{main, edge} {
		c, took := g.await(4*time.Minute, ps, v1alpha1.ConditionRemoteWriteHealthy, metav1.ConditionTrue, v1alpha1.ReasonArriving)
		t.Logf("%s: %s, after %s", ps.Name, c.Message, took)
	}
	if edge.Status.Alerts != nil || edge.Status.Targets == nil || edge.Status.Targets.Summary != "2/2" {
		t.Errorf("the status of an agent has alerts %s and targets %s", text(edge.Status.Alerts), text(edge.Status.Targets))
	}

	g.replacedPods(central)
	for _, ps := range []*v1alpha1.PrometheusServer{main, edge} {
		g.arrived(central, ps, g.number(ps))
	}
	scraped, until := []int{g.number(main), g.number(edge)}, g.newest(main)
	// Whether what is scraped at the moment at which a process is told to end gets out is up to that moment.
	time.Sleep(time.Second)
	g.replacedPods(main, edge)
	for i, ps := range []*v1alpha1.PrometheusServer{main, edge} {
		g.arrived(central, ps, scraped[i], 3)
	}
	g.same(central, main, until)
}

// writer is a server that scrapes nothing but itself and its reloader, and writes to the server central.
func (g *ground) writer(name string) *v1alpha1.PrometheusServer {
	ps := g.server()
	ps.Name, ps.Spec.Targets, ps.Spec.Rules = name, nil, nil
	ps.Spec.RemoteWrite = []v1alpha1.RemoteWrite{{Name: "central", Server: &v1alpha1.ServerReference{Name: "central"}}}
	return ps
}

// replacedPods deletes the pod of each, and waits until there is another one that is ready.
func (g *ground) replacedPods(servers ...*v1alpha1.PrometheusServer) {
	g.t.Helper()
	var old []corev1.Pod
	for _, ps := range servers {
		pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ps.Namespace, Name: "prometheus-" + ps.Name + "-0"}}
		must(g.t, g.get(&pod))
		must(g.t, kube.api.Delete(g.t.Context(), &pod))
		old = append(old, pod)
	}
	for i := range old {
		took := eventually(g.t, 4*time.Minute, func() error {
			now := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: old[i].Namespace, Name: old[i].Name}}
			if err := g.get(&now); err != nil {
				return err
			}
			for _, c := range now.Status.Conditions {
				if now.UID != old[i].UID && c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
					return nil
				}
			}
			return fmt.Errorf("no other pod is ready: %s", text(now.Status.Conditions))
		})
		g.t.Logf("%s was replaced within %s", old[i].Name, took)
	}
}

// number is that of the newest scrape of a Prometheus, as it says itself.
func (g *ground) number(ps *v1alpha1.PrometheusServer) int {
	g.t.Helper()
	var out int
	pod := throughPod(ps.Namespace, "prometheus-"+ps.Name+"-0")
	eventually(g.t, time.Minute, func() error {
		body, err := pod.get(g.t.Context(), "/metrics", nil)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(body)) {
			if strings.HasPrefix(line, scrapes+"{") {
				out, err = strconv.Atoi(strings.TrimSpace(line[strings.LastIndexByte(line, ' '):]))
				return err
			}
		}
		return fmt.Errorf("it has no %s yet", scrapes)
	})
	return out
}

// arrived waits until the receiver has every scrape of a Prometheus up to these numbers, one for each of its processes.
func (g *ground) arrived(central, ps *v1alpha1.PrometheusServer, numbers ...int) {
	g.t.Helper()
	var lives []int
	took := eventually(g.t, 4*time.Minute, func() (err error) {
		found, err := through(central).query(g.t.Context(),
			fmt.Sprintf(`{__name__=~"up|%s",job=~"prometheus|hearth-reloader",prometheus=%q}[1h]`, scrapes, ps.Namespace+"/"+ps.Name))
		if err != nil {
			return err
		}
		byName := map[string][]point{}
		for _, s := range found {
			byName[s.Metric["__name__"]] = append(byName[s.Metric["__name__"]], s.Values...)
		}
		if lives, err = numbered(byName["up"], byName[scrapes]); err != nil {
			return fmt.Errorf("%s: %w", ps.Name, err)
		}
		if len(lives) != len(numbers) {
			return fmt.Errorf("%s: scrapes of %d processes have arrived, want %d", ps.Name, len(lives), len(numbers))
		}
		for i, n := range numbers {
			if lives[i] < n {
				return fmt.Errorf("%s: %d scrapes of process %d have arrived, want %d", ps.Name, lives[i], i, n)
			}
		}
		return nil
	})
	g.t.Logf("%s: every scrape of each process has arrived, up to %d; waited %s for %d", ps.Name, lives, took, numbers)
}

// numbered is the number of the newest scrape of each process, or which is missing. A scrape that failed has no number and is
// counted by its up.
//
// Of a target's first scrape and of two that coincide it is not to be told which number they are before or after. What is missing is
// missing from then on, though, and as long as the receiver is away each target is missed.
func numbered(up, counts []point) ([]int, error) {
	var lives []int
	after, before := 0.0, 0
	ahead, least := 0, 0 // of the numbers, by how much they are before the scrapes that have arrived
	for i, c := range counts {
		at, n := c.at(), int(c.float())
		scraped := 0
		for _, u := range up {
			if u.at() > after && u.at() <= at {
				scraped++
			}
		}
		switch {
		case i > 0 && n > before:
			ahead += n - before - scraped
			least = min(least, ahead)
			if ahead-least > 1 {
				return nil, fmt.Errorf("%d scrapes between number %d and number %d, at %s", scraped, before, n, moment(at))
			}
			lives[len(lives)-1] = n
		case scraped < n: // the first one of a target has no number
			return nil, fmt.Errorf("%d scrapes of a process until number %d, at %s", scraped, n, moment(at))
		default:
			lives, ahead, least = append(lives, n), 0, 0
		}
		after, before = at, n
	}
	return lives, nil
}

// newest is the time of the newest sample that a server has of itself.
func (g *ground) newest(ps *v1alpha1.PrometheusServer) float64 {
	g.t.Helper()
	return through(ps).value(g.t, `timestamp(up{job="prometheus"})`).Value.float()
}

// same holds that the receiver has each sample that the sender has itself, of a series of every scrape. The sender was told to
// end after it had scraped until a time; what it scraped then, until another process began, is left out.
func (g *ground) same(central, ps *v1alpha1.PrometheusServer, until float64) {
	g.t.Helper()
	series := fmt.Sprintf(`up{job="prometheus",instance=%q}`, ps.Namespace+"/"+ps.Name)
	began := through(ps).value(g.t, `process_start_time_seconds{job="prometheus"}`).Value.float()
	var said string
	eventually(g.t, time.Minute, func() error {
		came, err := samples(g.t.Context(), central, series)
		if err != nil {
			return err
		}
		kept, err := samples(g.t.Context(), ps, series)
		if err != nil {
			return err
		}
		newest, ends := came[len(came)-1].at(), 0
		leave := func(p point) bool {
			if p.at() > until && p.at() < began {
				ends++
				return true
			}
			return p.at() > newest
		}
		kept, came = slices.DeleteFunc(kept, leave), slices.DeleteFunc(came, leave)
		said = fmt.Sprintf("%d of %d samples until %s; %d on both sides together are of the moment in which the sender ended", len(came), len(kept), moment(newest), ends)
		if diff := cmp.Diff(kept, came); diff != "" {
			return fmt.Errorf("%s; the sender's and the receiver's (-kept +came):\n%s", said, diff)
		}
		return nil
	})
	g.t.Logf("the receiver has %s", said)
}

// samples are all that a server has of one series.
func samples(ctx context.Context, ps *v1alpha1.PrometheusServer, series string) ([]point, error) {
	found, err := through(ps).query(ctx, series+"[1h]")
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("%s has %d series %s", ps.Name, len(found), series)
	}
	if err != nil {
		return nil, err
	}
	return found[0].Values, nil
}

// at is when a sample is of.
func (p point) at() float64 {
	t, _ := p[0].(float64)
	return t
}

// remote takes what is written to it, from those who have the password.
type remote struct {
	url string

	mu            sync.Mutex
	took, refused int
}

func newRemote(t *testing.T) *remote {
	t.Helper()
	listener := listenForPods(t)
	r := &remote{url: "http://" + listener.Addr().String() + "/api/v1/write"}
	server := &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return r
}

func (r *remote) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	_, _ = io.Copy(io.Discard, req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if user, password, _ := req.BasicAuth(); user != "shop" || password != "open sesame" {
		r.refused++
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	r.took++
	w.WriteHeader(http.StatusNoContent)
}

// A Secret that comes late keeps nothing from starting, and what is to be sent waits for it.
func TestRemoteWriteSecret(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	remote := newRemote(t)
	ps := g.writer("main")
	ps.Spec.RemoteWrite = []v1alpha1.RemoteWrite{{Name: "cloud", URL: v1alpha1.URL(remote.url), HTTPConfig: v1alpha1.HTTPConfig{
		BasicAuth: &v1alpha1.ClientBasicAuth{Username: "shop", Password: v1alpha1.SecretKey{Name: "cloud", Key: "password"}},
	}}}
	g.create(ps)
	g.await(4*time.Minute, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	c, _ := g.await(time.Minute, ps, v1alpha1.ConditionRemoteWriteHealthy, metav1.ConditionFalse, v1alpha1.ReasonSecretsMissing)
	t.Log(c.Message)

	g.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: g.servers, Name: "cloud"}, StringData: map[string]string{"password": "open sesame"}})
	// The kubelet looks at a pod's volumes about once a minute, and when something about the pod changes.
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: g.servers, Name: "prometheus-main-0"}}
	change(g, pod, func(p *corev1.Pod) { p.Annotations["e2e"] = "look again" })
	c, took := g.await(5*time.Minute, ps, v1alpha1.ConditionRemoteWriteHealthy, metav1.ConditionTrue, v1alpha1.ReasonArriving)
	remote.mu.Lock()
	defer remote.mu.Unlock()
	t.Logf("%s, %s after there was a Secret; %d requests", c.Message, took, remote.took)
	if remote.took == 0 || remote.refused > 0 {
		t.Errorf("%d requests were taken, %d came without the password and are lost", remote.took, remote.refused)
	}
}

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// scrapes is how often the metrics of a reloader were read before, and nobody reads them but the Prometheus beside it: every scrape
// has its number. So it shows at a receiver whether one is missing, however slow the machine is.
const scrapes = "promhttp_metric_handler_requests_total"

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
		g.arrived(central, ps, g.scraped(ps))
	}
	scraped := []float64{g.scraped(main), g.scraped(edge)}
	// Whether what is scraped at the moment at which a process is told to end gets out is up to that moment.
	time.Sleep(time.Second)
	g.replacedPods(main, edge)
	for i, ps := range []*v1alpha1.PrometheusServer{main, edge} {
		g.arrived(central, ps, scraped[i], g.scraped(ps))
	}
	g.same(central, main, scraped[0])
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

// scraped is when a Prometheus has scraped its reloader last, as it says.
func (g *ground) scraped(ps *v1alpha1.PrometheusServer) float64 {
	g.t.Helper()
	var out float64
	pod := throughPod(ps.Namespace, "prometheus-"+ps.Name+"-0")
	eventually(g.t, time.Minute, func() error {
		body, err := pod.get(g.t.Context(), "/api/v1/targets", map[string]string{"scrapePool": "hearth-reloader"})
		if err != nil {
			return err
		}
		var said struct {
			Data struct {
				ActiveTargets []struct{ LastScrape time.Time }
			}
		}
		if err := json.Unmarshal(body, &said); err != nil {
			return err
		}
		if targets := said.Data.ActiveTargets; len(targets) != 1 || targets[0].LastScrape.IsZero() {
			return fmt.Errorf("it has not scraped its reloader yet: %s", body)
		}
		out = float64(said.Data.ActiveTargets[0].LastScrape.UnixMilli()) / 1000
		return nil
	})
	return out
}

// arrived waits until the receiver has every scrape of a Prometheus until these times, one for each of its processes.
func (g *ground) arrived(central, ps *v1alpha1.PrometheusServer, until ...float64) {
	g.t.Helper()
	var lives []life
	took := eventually(g.t, 4*time.Minute, func() (err error) {
		found, err := through(central).query(g.t.Context(),
			fmt.Sprintf(`{__name__=~"up|%s",code=~"200|",job="hearth-reloader",prometheus=%q}[1h]`, scrapes, ps.Namespace+"/"+ps.Name))
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
		if len(lives) != len(until) {
			return fmt.Errorf("%s: scrapes of %d processes have arrived, want %d", ps.Name, len(lives), len(until))
		}
		for i, at := range until {
			// A sample is of the moment for which the scrape was planned, which is a few milliseconds before it.
			if lives[i].newest < at-0.1 {
				return fmt.Errorf("%s: the scrapes of process %d have arrived until %s, want %s", ps.Name, i, moment(lives[i].newest), moment(at))
			}
		}
		return nil
	})
	for i, l := range lives {
		g.t.Logf("%s: every scrape of process %d has arrived, number 0 to %d, %s after it was looked for", ps.Name, i, l.number, took)
	}
}

// life is what has arrived of one process: the number and the time of its newest scrape.
type life struct {
	number int
	newest float64
}

// numbered are the processes of which scrapes have arrived, or which scrape is missing. One that failed may have had a number and has
// told none; that it failed is a sample of up.
func numbered(up, counts []point) ([]life, error) {
	var lives []life
	var last life
	for _, c := range counts {
		now := life{int(c.float()), c.at()}
		scraped := 0
		for _, u := range up {
			if u.at() > last.newest && u.at() <= now.newest {
				scraped++
			}
		}
		next := last.number + 1
		if len(lives) == 0 || now.number < next {
			lives, next = append(lives, now), 0
		}
		if now.number-next >= scraped {
			return nil, fmt.Errorf("%d scrapes until number %d, which is the first since number %d, at %s", scraped, now.number, next-1, moment(now.newest))
		}
		lives[len(lives)-1], last = now, now
	}
	return lives, nil
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

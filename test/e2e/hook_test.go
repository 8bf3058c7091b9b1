package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// hook is a receiver on this machine that keeps every notification that comes, by path.
type hook struct {
	url string

	mu   sync.Mutex
	came map[string][]notification
}

// notification is one request of an Alertmanager's webhook.
type notification struct {
	at time.Time
	// from is the address of who sent it.
	from string
	// authorization is the header, with which a test sees whether a credential came along.
	authorization string
	Status        string
	Alerts        []notified
}

// notified is an alert in a notification.
type notified struct {
	Status      string
	Labels      map[string]string
	Annotations map[string]string
	StartsAt    time.Time
}

// newHook listens where the cluster's pods find this machine, or skips the test.
func newHook(t *testing.T) *hook {
	t.Helper()
	listener := listenForPods(t)
	h := &hook{url: "http://" + listener.Addr().String(), came: map[string][]notification{}}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		if t.Failed() {
			t.Logf("what came to the receiver:\n%s", h)
		}
	})
	return h
}

// listenForPods listens where the cluster's pods find this machine, or skips the test.
func listenForPods(t *testing.T) net.Listener {
	t.Helper()
	if !kube.here {
		t.Skip("SKIPPED: the pods of this cluster can't reach a receiver on this machine")
	}
	// Nothing is sent: the kernel says which of our addresses the node would see.
	probe, err := net.Dial("udp", net.JoinHostPort(kube.address, "9"))
	must(t, err)
	host, _, err := net.SplitHostPort(probe.LocalAddr().String())
	must(t, err)
	must(t, probe.Close())
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	must(t, err)
	return listener
}

// alertsPath is where an Alertmanager takes alerts: so the hook can be one, too.
const alertsPath = "/api/v2/alerts"

func (h *hook) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	n := notification{at: time.Now(), authorization: r.Header.Get("Authorization")}
	var err error
	if n.from, _, err = net.SplitHostPort(r.RemoteAddr); err != nil {
		return
	}
	if strings.HasSuffix(r.URL.Path, alertsPath) {
		err = json.NewDecoder(r.Body).Decode(&n.Alerts)
	} else {
		err = json.NewDecoder(r.Body).Decode(&n)
	}
	if err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.came[r.URL.Path] = append(h.came[r.URL.Path], n)
}

// at are the notifications that came to a path and name this alert, in order.
func (h *hook) at(path, alert string) []notification {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []notification
	for _, n := range h.came[path] {
		if slices.ContainsFunc(n.Alerts, func(a notified) bool { return a.Labels["alertname"] == alert }) {
			out = append(out, n)
		}
	}
	return out
}

func (h *hook) got(path, alert string) bool { return len(h.at(path, alert)) > 0 }

// await waits for an alert. One that Prometheus could not send when it began is sent anew after a minute.
func (h *hook) await(t *testing.T, path, alert string) {
	t.Helper()
	eventually(t, 3*time.Minute, func() error {
		if h.got(path, alert) {
			return nil
		}
		return fmt.Errorf("%s did not come to %s; there came\n%s", alert, path, h)
	})
}

// said is what the notifications of an alert said of it, in order: "firing resolved" for one that came and went.
func (h *hook) said(path, alert string) string {
	var out []string
	for _, n := range h.at(path, alert) {
		out = append(out, n.Status)
	}
	return strings.Join(out, " ")
}

// awaitSaid waits until the notifications of an alert say this, among others perhaps: how often each came is another question.
func (h *hook) awaitSaid(t *testing.T, timeout time.Duration, path, alert string, want ...string) time.Duration {
	t.Helper()
	return eventually(t, timeout, func() error {
		said := strings.Fields(h.said(path, alert))
		for _, w := range want {
			if !slices.Contains(said, w) {
				return fmt.Errorf("%s did not come to %s as %s; there came\n%s", alert, path, w, h)
			}
		}
		return nil
	})
}

// last is when a notification came last, to any path.
func (h *hook) last() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	var last time.Time
	for _, all := range h.came {
		if at := all[len(all)-1].at; at.After(last) {
			last = at
		}
	}
	return last
}

// String has a line for each notification, in the order in which they came.
func (h *hook) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	type line struct {
		at   time.Time
		text string
	}
	var lines []line
	for path, all := range h.came {
		for _, n := range all {
			var alerts []string
			for _, a := range n.Alerts {
				alerts = append(alerts, a.Labels["alertname"]+a.Labels["a"]+":"+a.Status)
			}
			lines = append(lines, line{n.at, fmt.Sprintf("%s %s %s %s %v", n.at.Format("15:04:05.0"), n.from, path, n.Status, alerts)})
		}
	}
	slices.SortFunc(lines, func(a, b line) int { return a.at.Compare(b.at) })
	var out strings.Builder
	for _, l := range lines {
		out.WriteString(l.text + "\n")
	}
	return out.String()
}

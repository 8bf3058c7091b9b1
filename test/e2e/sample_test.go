package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// recordedForks is what the rule of TestOneSample records.
const recordedForks = "instance:node_forks:total"

// TestOneSample follows one sample all the way: the kernel counts processes, /proc says so, the exporter reads it, Prometheus
// scrapes and stores it, a recording rule copies it, an alert is raised by it, the route takes it to the Alertmanager and that to
// the receiver. The number is the same at each of them, and the times are in order.
func TestOneSample(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	hook := newHook(t)
	ne := g.exporter()
	g.create(ne)
	ps := g.alerting(hook, 1)
	g.await(2*time.Minute, ne, v1alpha1.ConditionScraped, metav1.ConditionTrue, "")
	kernel := followForks(t)

	// What was counted when this began is not enough, and what is started below is.
	limit := kernel.last().count + 200
	rule := g.toTeam("sample", record(recordedForks, "node_forks_total"), v1alpha1.Rule{
		Alert: "ManyForks", Expr: v1alpha1.Expression(fmt.Sprintf("%s > %d", recordedForks, limit)),
		Annotations: map[string]string{"counted": `{{ $value | printf "%.0f" }}`},
	})
	g.create(rule)
	g.await(time.Minute, rule, v1alpha1.ConditionLoaded, metav1.ConditionTrue, "")
	for kernel.last().count <= limit {
		must(t, exec.CommandContext(t.Context(), "/bin/true").Run())
		kernel.look(t)
	}
	hook.await(t, "/team", "ManyForks")
	told := hook.at("/team", "ManyForks")[0]
	g.follow(ps, ne, kernel, told, limit)
}

// follow goes the way back: from what the receiver was told to what the kernel had counted.
func (g *ground) follow(ps *v1alpha1.PrometheusServer, ne *v1alpha1.NodeExporter, kernel *forks, told notification, limit int) {
	g.t.Helper()
	alert := told.Alerts[0]
	value, err := strconv.Atoi(alert.Annotations["counted"])
	must(g.t, err)
	instance := alert.Labels["instance"]
	// Prometheus evaluates all rules of a group at one and the same time, which is when the alert began.
	evaluated := alert.StartsAt
	recorded := g.sampleAt(ps, recordedForks, instance, evaluated)
	scraped := g.sampleAt(ps, "node_forks_total", instance, evaluated)
	kernel.look(g.t)
	before, after := kernel.around(scraped.at)
	g.t.Logf("%-38s %-10s %s", "hop", "value", "when")
	for _, hop := range []struct {
		name  string
		value any
		at    time.Time
	}{
		{"/proc/stat, before the scrape", before.count, before.at},
		{"scraped from the exporter, in the TSDB", scraped.value, scraped.at},
		{"/proc/stat, after the scrape", after.count, after.at},
		{"recorded by the rule", recorded.value, recorded.at},
		{"the alert begins", value, alert.StartsAt},
		{"the receiver is told", alert.Annotations["counted"], told.at},
	} {
		g.t.Logf("%-38s %-10v %s", hop.name, hop.value, hop.at.UTC().Format("15:04:05.000"))
	}
	if scraped.value != value || recorded.value != value || value <= limit {
		g.t.Errorf("scraped %d, recorded %d, told %d, and the limit was %d", scraped.value, recorded.value, value, limit)
	}
	if scraped.value < before.count || scraped.value > after.count {
		g.t.Errorf("the kernel had counted between %d and %d", before.count, after.count)
	}
	if scraped.at.After(recorded.at) || recorded.at.After(told.at) || !recorded.at.Equal(evaluated.Truncate(time.Millisecond)) {
		g.t.Errorf("scraped at %s, recorded at %s, begun at %s, told at %s: not in this order", scraped.at, recorded.at, evaluated, told.at)
	}
	if alert.Labels["hearth_alertrule"] == "" || alert.Labels["job"] != "node-exporter" {
		g.t.Errorf("the alert has the labels %v", alert.Labels)
	}
	g.exporterSays(ne, kernel)
}

// exporterSays asks the exporter itself: what it says lies between two looks at /proc.
func (g *ground) exporterSays(ne *v1alpha1.NodeExporter, kernel *forks) {
	g.t.Helper()
	var pods corev1.PodList
	must(g.t, kube.api.List(g.t.Context(), &pods, client.InNamespace(ne.Namespace), client.MatchingLabels{"monitoring.hearth.dev/node-exporter": ne.Name}))
	low := kernel.look(g.t)
	body, err := scrapePod(g.t.Context(), pods.Items[0], nil)
	must(g.t, err)
	high := kernel.look(g.t)
	says, err := strconv.ParseFloat(number(exposition(g.t, body), "node_forks_total"), 64)
	must(g.t, err)
	g.t.Logf("asked itself, the exporter says %.0f, and /proc/stat %d before and %d after", says, low.count, high.count)
	if int(says) < low.count || int(says) > high.count {
		g.t.Errorf("the exporter says %.0f, and the kernel counts from %d to %d", says, low.count, high.count)
	}
}

// sample is a value and when it was taken.
type sample struct {
	at    time.Time
	value int
}

// sampleAt is the newest sample that a query at this time sees, with its own time.
func (g *ground) sampleAt(ps *v1alpha1.PrometheusServer, name, instance string, at time.Time) sample {
	g.t.Helper()
	var out sample
	eventually(g.t, 30*time.Second, func() error {
		expr := fmt.Sprintf(`%s{instance=%q}[1m] @ %.3f`, name, instance, float64(at.UnixMilli())/1000)
		result, err := through(ps).query(g.t.Context(), expr)
		if err == nil && (len(result) != 1 || len(result[0].Values) == 0) {
			err = fmt.Errorf("%s has %d results", expr, len(result))
		}
		if err != nil {
			return err
		}
		newest := result[0].Values[len(result[0].Values)-1]
		taken, _ := newest[0].(float64)
		out = sample{at: time.UnixMilli(int64(taken*1000 + 0.5)), value: int(newest.float())}
		return nil
	})
	return out
}

// forks is how many processes the kernel has counted, and when.
type forks struct {
	mu    sync.Mutex
	seen  []counted
	count func() (int, error)
}

type counted struct {
	at    time.Time
	count int
}

// followForks looks ten times a second for as long as the test goes on.
func followForks(t *testing.T) *forks {
	t.Helper()
	f := &forks{count: countForks}
	f.look(t)
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		for ctx.Err() == nil {
			if n, err := f.count(); err == nil {
				f.add(n)
			}
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	t.Cleanup(func() { stop(); group.Wait() })
	return f
}

func countForks() (int, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(stat) {
		if n, ok := strings.CutPrefix(string(line), "processes "); ok {
			return strconv.Atoi(strings.TrimSpace(n))
		}
	}
	return 0, fmt.Errorf("/proc/stat counts no processes")
}

func (f *forks) add(n int) counted {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := counted{time.Now(), n}
	f.seen = append(f.seen, c)
	return c
}

func (f *forks) look(t *testing.T) counted {
	t.Helper()
	n, err := f.count()
	must(t, err)
	return f.add(n)
}

func (f *forks) last() counted {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[len(f.seen)-1]
}

// around are the last look that was over when a scrape began, and one that began when it was surely over.
func (f *forks) around(at time.Time) (before, after counted) {
	f.mu.Lock()
	defer f.mu.Unlock()
	after = f.seen[len(f.seen)-1]
	for _, c := range f.seen {
		// Prometheus moves the time of a scrape by up to two milliseconds, so that times have the same distances.
		if c.at.Before(at.Add(-10 * time.Millisecond)) {
			before = c
		}
		if c.at.After(at.Add(3 * time.Second)) {
			return before, c
		}
	}
	return before, after
}

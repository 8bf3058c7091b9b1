// Package beside runs Hearth and prometheus-operator in one cluster, on the same objects: what docs/adopt.md says of that. It builds
// neither and is no part of make test, because the other operator takes minutes to compile; make test-beside runs it.
package beside

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The pods of the two servers.
const (
	theirPod = "prometheus-theirs-0"
	ourPod   = "prometheus-theirs-hearth-0"
)

// The steps are those of docs/adopt.md, and each begins where the one before it ended.
func TestBeside(t *testing.T) {
	s := newStage(t)
	s.install(t)
	s.peer(t)
	start := time.Now()
	s.declare(t, "world.yaml")
	eventually(t, 5*time.Minute, func() error { return s.scrapes(t, theirPod, 4) })
	t.Logf("prometheus-operator's Prometheus scrapes after %s", time.Since(start).Round(time.Second))
	w := s.watch(t)
	quiet(t, w)
	before := w.without(hearth)

	declared := s.adopt(t)
	eventually(t, 5*time.Minute, func() error { return s.scrapes(t, ourPod, 4) })
	s.ready(t)
	s.same(t)
	quiet(t, w)
	if diff := cmp.Diff(before, w.without(hearth)); diff != "" {
		t.Errorf("Hearth beside it has changed what was there (-before +after):\n%s", diff)
	}
	w.separate(t)

	steps := []struct {
		name string
		step func(*testing.T)
	}{
		{"edit", func(t *testing.T) { s.edit(t, w) }},
		{"alerts", s.alerts},
		{"without Hearth's", func(t *testing.T) { s.withoutOurs(t, w, declared) }},
		{"without the other one's", func(t *testing.T) { s.withoutTheirs(t, w) }},
	}
	for _, step := range steps {
		if !t.Run(step.name, step.step) {
			return
		}
	}
}

// adopt does what people would: look at the report, run the commands that it names, apply what it prints.
func (s *stage) adopt(t *testing.T) string {
	t.Helper()
	t.Logf("kubectl hearth adopt -n %s\n%s", s.servers, s.shell(t, "kubectl hearth adopt -n "+s.servers))
	declared := s.shell(t, "kubectl hearth adopt -o yaml -n "+s.servers)
	for _, command := range regexp.MustCompile(`(?m)^# needs: (.*)$`).FindAllStringSubmatch(declared, -1) {
		t.Logf("%s: %s", command[1], s.shell(t, command[1]))
	}
	t.Logf("kubectl hearth adopt -o yaml -n %[1]s | kubectl apply -f -: %[2]s", s.servers,
		s.shell(t, "kubectl hearth adopt -o yaml -n "+s.servers+" | kubectl apply -f -"))
	return declared
}

// ready waits until Hearth says that its server is, and that its targets are up.
func (s *stage) ready(t *testing.T) {
	t.Helper()
	for _, condition := range []string{"Ready", "MonitorsAccepted", "RulesAccepted", "TargetsHealthy"} {
		s.shell(t, fmt.Sprintf("kubectl wait -n %s --for=condition=%s --timeout=180s prometheusserver/theirs-hearth", s.servers, condition))
	}
}

// scrapes says whether a server has as many targets of monitors, and all of them up.
func (s *stage) scrapes(t *testing.T, pod string, want int) error {
	targets, err := s.targets(t, pod)
	if err != nil {
		return err
	}
	up := 0
	for _, one := range targets {
		if one.Health == "up" {
			up++
		}
	}
	if len(targets) != want || up != want {
		return fmt.Errorf("%s has %d targets of monitors, of which %d are up: %+v", pod, len(targets), up, targets)
	}
	return nil
}

// target is what a server has of one, as it says itself.
type target struct {
	ScrapePool, ScrapeURL, Health string
	Labels                        map[string]string
}

// targets are those of monitors, in an order.
func (s *stage) targets(t *testing.T, pod string) ([]target, error) {
	var answer struct{ ActiveTargets []target }
	if err := s.prometheus(t.Context(), pod, "/api/v1/targets", map[string]string{"state": "active"}, &answer); err != nil {
		return nil, err
	}
	// Hearth's servers scrape themselves as well, by a job without a kind.
	out := slices.DeleteFunc(answer.ActiveTargets, func(one target) bool { return !strings.Contains(one.ScrapePool, "/") })
	slices.SortFunc(out, func(a, b target) int { return strings.Compare(a.ScrapePool, b.ScrapePool) })
	return out, nil
}

// jobs are the names of a server's scrape jobs for monitors, in an order.
func (s *stage) jobs(t *testing.T, pod string) ([]string, error) {
	var answer struct{ ScrapePools []string }
	if err := s.prometheus(t.Context(), pod, "/api/v1/scrape_pools", nil, &answer); err != nil {
		return nil, err
	}
	out := slices.DeleteFunc(answer.ScrapePools, func(job string) bool { return !strings.Contains(job, "/") })
	slices.Sort(out)
	return out, nil
}

// rules are those of the group that both are told of.
func (s *stage) rules(t *testing.T, pod string) ([]string, error) {
	var answer struct {
		Groups []struct {
			Name  string
			Rules []struct{ Name, Query, Type, Health string }
		}
	}
	if err := s.prometheus(t.Context(), pod, "/api/v1/rules", nil, &answer); err != nil {
		return nil, err
	}
	var out []string
	for _, g := range answer.Groups {
		if g.Name != "beside" {
			continue
		}
		for _, r := range g.Rules {
			out = append(out, fmt.Sprintf("%+v", r))
		}
	}
	return out, nil
}

// same waits until both have the same jobs, targets and rules.
func (s *stage) same(t *testing.T) {
	t.Helper()
	var jobs, rules []string
	took := eventually(t, 2*time.Minute, func() error {
		var diffs []string
		compare := func(what string, of func(string) (any, error)) error {
			theirs, err := of(theirPod)
			if err != nil {
				return err
			}
			ours, err := of(ourPod)
			if diff := cmp.Diff(theirs, ours); err == nil && diff != "" {
				diffs = append(diffs, fmt.Sprintf("%s (-prometheus-operator's +Hearth's):\n%s", what, diff))
			}
			return err
		}
		err := errors.Join(
			compare("jobs", func(pod string) (any, error) { var err error; jobs, err = s.jobs(t, pod); return jobs, err }),
			compare("targets", func(pod string) (any, error) { return s.targets(t, pod) }),
			compare("rules", func(pod string) (any, error) { var err error; rules, err = s.rules(t, pod); return rules, err }),
		)
		if err == nil && len(diffs) > 0 {
			err = errors.New(strings.Join(diffs, "\n"))
		}
		if err == nil && (len(jobs) != 4 || len(rules) != 2) {
			err = fmt.Errorf("there are %d jobs and %d rules", len(jobs), len(rules))
		}
		return err
	})
	t.Logf("the same on both after %s: %v %v", took, jobs, rules)
}

// quiet waits for twenty seconds in which nobody writes anything: two that undo each other's work never come to that.
func quiet(t *testing.T, w *witness) {
	t.Helper()
	took := eventually(t, 4*time.Minute, func() error {
		before := w.all()
		time.Sleep(20 * time.Second)
		if diff := cmp.Diff(before, w.all()); diff != "" {
			return fmt.Errorf("within twenty seconds somebody has written:\n%s", diff)
		}
		return nil
	})
	t.Logf("nobody has written for twenty seconds, after %s", took)
}

// edit changes a monitor, which both follow.
func (s *stage) edit(t *testing.T, w *witness) {
	monitor := &unstructured.Unstructured{}
	monitor.SetAPIVersion("monitoring.coreos.com/v1")
	monitor.SetKind("ServiceMonitor")
	monitor.SetNamespace(s.shop)
	monitor.SetName("web")
	patch := `[{"op":"add","path":"/spec/endpoints/0/relabelings/-","value":{"targetLabel":"edited","replacement":"yes"}}]`
	must(t, s.api.Patch(t.Context(), monitor, client.RawPatch(types.JSONPatchType, []byte(patch)), client.FieldOwner(people)))
	for _, pod := range []string{ourPod, theirPod} {
		took := eventually(t, 4*time.Minute, func() error {
			targets, err := s.targets(t, pod)
			if err == nil && !slices.ContainsFunc(targets, func(one target) bool { return one.Labels["edited"] == "yes" }) {
				err = fmt.Errorf("%s has not followed: %+v", pod, targets)
			}
			return err
		})
		t.Logf("%s has the edit after %s more", pod, took)
	}
	s.same(t)
	quiet(t, w)
	w.separate(t)
}

// alerts: under another name of the server the Alertmanager has an alert twice, and under the same once.
func (s *stage) alerts(t *testing.T) {
	url := fmt.Sprintf("http://alertmanager.%s.svc:9093", s.servers)
	set := func(labels string) {
		t.Helper()
		s.shell(t, fmt.Sprintf(`kubectl patch prometheusserver theirs-hearth -n %s --type=merge -p '{"spec":{"alerting":{"external":[{"url":"%s"}]},"externalLabels":%s}}'`, s.servers, url, labels))
	}
	theirs, ours := s.servers+"/theirs", s.servers+"/theirs-hearth"
	s.alerted(t, theirs)
	set(fmt.Sprintf(`{"prometheus":%q}`, theirs))
	// Each server sends it once a minute, and the Alertmanager has the last one's address: that of both, one after the other.
	for _, pod := range []string{ourPod, theirPod} {
		took := eventually(t, 4*time.Minute, func() error {
			found, err := s.alertsOf(t, "Beside")
			if err == nil && (len(found) != 1 || !strings.HasPrefix(found[0].GeneratorURL, "http://"+pod+":")) {
				err = fmt.Errorf("that of %s is not the one alert: %+v", pod, found)
			}
			return err
		})
		t.Logf("the one alert is that of %s after %s", pod, took)
	}
	s.alerted(t, theirs)
	set(`{"prometheus":null}`)
	s.alerted(t, theirs, ours)
	s.shell(t, fmt.Sprintf(`kubectl patch prometheusserver theirs-hearth -n %s --type=json -p '[{"op":"remove","path":"/spec/alerting"}]'`, s.servers))
	s.ready(t)
}

// alerted waits until the Alertmanager has the alert from these servers, and from no other.
func (s *stage) alerted(t *testing.T, servers ...string) {
	t.Helper()
	took := eventually(t, 3*time.Minute, func() error {
		found, err := s.alertsOf(t, "Beside")
		var from []string
		for _, one := range found {
			from = append(from, one.Labels["prometheus"])
		}
		slices.Sort(from)
		if diff := cmp.Diff(servers, from); err == nil && diff != "" {
			err = fmt.Errorf("the alert by its label prometheus (-want +got):\n%s", diff)
		}
		return err
	})
	t.Logf("the Alertmanager has the alert %d times, from %v, after %s", len(servers), servers, took)
}

// received is an alert as the Alertmanager has it.
type received struct {
	Labels       map[string]string
	GeneratorURL string
}

func (s *stage) alertsOf(t *testing.T, name string) ([]received, error) {
	body, err := s.typed.CoreV1().Pods(s.servers).ProxyGet("http", "alertmanager", "9093", "/api/v2/alerts", map[string]string{"filter": "alertname=" + name}).DoRaw(t.Context())
	if err != nil {
		return nil, err
	}
	var out []received
	return out, json.Unmarshal(body, &out)
}

// withoutOurs removes Hearth's server, of which the other one notices nothing, and makes it anew.
func (s *stage) withoutOurs(t *testing.T, w *witness, declared string) {
	quiet(t, w)
	before := w.without(hearth)
	s.shell(t, fmt.Sprintf("kubectl delete prometheusserver theirs-hearth -n %s --wait", s.servers))
	s.removed(t, w, hearth, before, theirPod)
	s.shell(t, fmt.Sprintf("kubectl apply -f - <<'END'\n%s\nEND\n", declared))
	s.ready(t)
	s.same(t)
}

// withoutTheirs removes the other one's, which is the end of the way.
func (s *stage) withoutTheirs(t *testing.T, w *witness) {
	quiet(t, w)
	before := w.without(peer)
	s.shell(t, fmt.Sprintf("kubectl delete prometheus theirs -n %s --wait", s.servers))
	s.removed(t, w, peer, before, ourPod)
	w.separate(t)
}

// removed waits until nothing is left of a side but its volumes, and looks at the other one and at what it has scraped meanwhile.
func (s *stage) removed(t *testing.T, w *witness, side string, before map[string]string, stays string) {
	t.Helper()
	took := eventually(t, 3*time.Minute, func() error {
		left := slices.DeleteFunc(w.left(side), func(key string) bool { return strings.HasPrefix(key, "PersistentVolumeClaim ") })
		if len(left) > 0 {
			return fmt.Errorf("left of %s: %v", side, left)
		}
		return nil
	})
	t.Logf("nothing is left of %s after %s", side, took)
	time.Sleep(20 * time.Second)
	if diff := cmp.Diff(before, w.without(side)); diff != "" {
		t.Errorf("the other side is not as it was (-before +after):\n%s", diff)
	}
	must(t, s.scrapes(t, stays, 4))
	// A scrape each five seconds, and none was missed or failed.
	var answer struct{ Result []struct{ Value [2]any } }
	query := `min(count_over_time(up{job=~".+/.+|shop|web"}[30s])) >= 5 and min(min_over_time(up{job=~".+/.+|shop|web"}[30s])) == 1`
	must(t, s.prometheus(t.Context(), stays, "/api/v1/query", map[string]string{"query": query}, &answer))
	if len(answer.Result) != 1 {
		t.Errorf("%s has missed scrapes", stays)
	}
}

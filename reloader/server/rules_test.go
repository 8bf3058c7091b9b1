package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/reloader/server"
)

// evaluator is a server whose groups fail as often as these counters say, with these last errors.
type evaluator struct {
	mu       sync.Mutex
	failures map[string]int
	errors   map[string]string
	asked    []string
}

const rulesDir = "/etc/prometheus/current/rules/"

func (e *evaluator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch q := r.URL.Query(); r.URL.Path {
	case "/api/v1/status/buildinfo":
		fmt.Fprint(w, `{"data":{"version":"3.15.0"}}`)
	case "/api/v1/targets":
		fmt.Fprint(w, `{"data":{"activeTargets":[]}}`)
	case "/api/v1/alerts":
		fmt.Fprint(w, `{"data":{"alerts":[{"state":"firing","labels":{"hearth_alertrule":"team/a"}}]}}`)
	case "/metrics":
		for group, n := range e.failures {
			fmt.Fprintf(w, "prometheus_rule_evaluation_failures_total{rule_group=%q} %d\n", group, n)
		}
	case "/api/v1/rules":
		if q.Get("exclude_alerts") != "true" {
			w.WriteHeader(http.StatusBadRequest)
		}
		group := q.Get("file[]") + ";" + q.Get("rule_group[]")
		e.asked = append(e.asked, group)
		health, text := "ok", e.errors[group]
		if text != "" {
			health = "err"
		}
		fmt.Fprintf(w, `{"data":{"groups":[{"name":"g","rules":[{"name":"First","health":"ok"},{"name":"Second","health":%q,"lastError":%q}]}]}}`, health, text)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (e *evaluator) set(change func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change()
}

func TestEvaluationErrors(t *testing.T) {
	a, b := rulesDir+`team_a.yaml;g "1"`, rulesDir+"team_b.yaml;g"
	e := &evaluator{failures: map[string]int{a: 0, b: 0}, errors: map[string]string{}}
	s := httptest.NewServer(e)
	defer s.Close()
	c := client(t, s.URL, server.Identity{})
	look := func(asked int, want ...replica.AlertRule) {
		t.Helper()
		f, err := c.Facts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, f.AlertRules); diff != "" {
			t.Error(diff)
		}
		e.set(func() {
			if len(e.asked) != asked {
				t.Errorf("asked for %v, want %d groups", e.asked, asked)
			}
			e.asked = nil
		})
	}
	fires, failed := replica.AlertRule{Name: "team/a", Firing: 1}, `spec.groups[g "1"].rules[1] (Second): many-to-many {x} {y}`
	both := fires
	both.Error = failed
	look(0, fires)
	e.set(func() { e.failures[a], e.errors[a] = 1, "many-to-many {x} {y}" })
	look(1, both)
	// Between two evaluations the counter stands still, and the same trouble reads the same.
	e.set(func() { e.errors[a] = "many-to-many {y} {x}" })
	look(1, both)
	e.set(func() { e.failures[b], e.errors[b] = 7, "boom" })
	look(2, both, replica.AlertRule{Name: "team/b", Error: "spec.groups[g].rules[1] (Second): boom"})
	e.set(func() { delete(e.errors, a) })
	look(2, fires, replica.AlertRule{Name: "team/b", Error: "spec.groups[g].rules[1] (Second): boom"})
	e.set(func() { delete(e.failures, b) }) // the group is gone
	look(0, fires)
	e.set(func() { e.failures[a], e.errors[a] = 2, "again" })
	both.Error = `spec.groups[g "1"].rules[1] (Second): again`
	look(1, both)
}

// A PrometheusRule of the same name as an AlertRule is another object.
func TestEvaluationErrorsOfPrometheusRules(t *testing.T) {
	group := rulesDir + replica.PrometheusRulePrefix + "team_a.yaml;g"
	e := &evaluator{failures: map[string]int{group: 1}, errors: map[string]string{group: "boom"}}
	s := httptest.NewServer(e)
	defer s.Close()
	f, err := client(t, s.URL, server.Identity{}).Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []replica.AlertRule{{Name: "team/a", Error: "spec.groups[g].rules[1] (Second): boom"}}
	if diff := cmp.Diff(want, f.PrometheusRules); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]replica.AlertRule{{Name: "team/a", Firing: 1}}, f.AlertRules); diff != "" {
		t.Error(diff)
	}
}

func TestEvaluationErrorsOfManyGroups(t *testing.T) {
	e := &evaluator{failures: map[string]int{}, errors: map[string]string{}}
	for i := range 50 {
		group := fmt.Sprintf("%steam_r%02d.yaml;g", rulesDir, i)
		e.failures[group], e.errors[group] = 1, "boom"
	}
	s := httptest.NewServer(e)
	defer s.Close()
	c := client(t, s.URL, server.Identity{})
	for looks, want := range []int{21, 41, 51, 51} {
		e.set(func() { e.asked = nil })
		f, err := c.Facts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		e.set(func() {
			if len(e.asked) > 20 {
				t.Errorf("look %d asked for %d groups: %s", looks, len(e.asked), strings.Join(e.asked, " "))
			}
		})
		if len(f.AlertRules) != want {
			t.Errorf("after look %d: %d AlertRules have something to tell, want %d", looks, len(f.AlertRules), want)
		}
	}
}

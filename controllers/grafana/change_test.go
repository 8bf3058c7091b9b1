package grafana_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hearth-monitoring/hearth/controllers/grafana"
	"github.com/hearth-monitoring/hearth/controllers/grafana/grafanatest"
)

func TestAnotherServersDashboardsAreUsed(t *testing.T) {
	b := newBench(t)
	b.sync()
	other := &bench{t: t, server: b.server, client: b.client, memory: grafana.NewMemory(), desired: everything(),
		owner: grafana.Owner{Namespace: "team-a", Name: "own", ID: "another"}}
	for i, ds := range other.desired.DataSources {
		other.desired.DataSources[i].UID, other.desired.DataSources[i].Name = ds.UID+"_team-a_own", ds.Name+" team-a/own"
	}
	report, requests := other.sync()
	if len(report.Held) != 2 || !report.Clean() || len(grafanatest.Writes(requests)) != 2 {
		t.Errorf("report %+v after %v", report, grafanatest.Writes(requests))
	}
	b.settled()
	other.settled()
	b.desired = grafana.Desired{}
	b.sync("hearth")
	if report, _ := other.sync(); report.Dashboards != 2 {
		t.Errorf("when the first server goes, the second makes the dashboards: %+v", report)
	}
	other.settled()
}

// A server that was made anew under its name, in this cluster or another, is told what to do, and can take over.
func TestAdoption(t *testing.T) {
	b := newBench(t)
	b.sync()
	first := b.owner.ID
	b.owner.ID, b.memory = "anew", grafana.NewMemory()
	report, requests := b.sync()
	if len(report.Conflicts) != 2 || !strings.Contains(report.Conflicts[0], grafana.AnnotationAdopt+"="+first) || len(grafanatest.Writes(requests)) > 0 {
		t.Errorf("conflicts %q after %v", report.Conflicts, grafanatest.Writes(requests))
	}
	b.owner.Former = []string{first}
	if report, _ := b.sync(); !report.Clean() || len(report.Written) != 4 {
		t.Errorf("report: %+v", report)
	}
	b.owner.Former = nil
	if report, _ := b.sync(); len(report.Conflicts) > 0 {
		t.Errorf("report: %+v", report)
	}
}

func TestASecretOrATokenIsReplaced(t *testing.T) {
	b := newBench(t)
	b.sync()
	b.desired.DataSources[0].SecureJSONData["basicAuthPassword"] = "a new password"
	report, _ := b.sync()
	if diff := cmp.Diff([]string{"updated datasource prometheus"}, report.Written); diff != "" {
		t.Error(diff)
	}
	b.settled()
	b.server.AddToken("glsa_new", 1)
	b.server.RevokeToken(token)
	if _, err := grafana.Sync(t.Context(), b.client, b.owner, b.desired, nil, b.memory); err == nil || !strings.Contains(err.Error(), "401: Invalid API key") {
		t.Errorf("with the revoked token: %v", err)
	}
	b.client = newClient(t, b.server, "glsa_new")
	// The seal is made with the token: without it, nobody can try passwords against it.
	if report, _ := b.sync(); !slices.Equal(report.Written, []string{"updated datasource prometheus"}) {
		t.Errorf("with the new token it writes %q", report.Written)
	}
	b.server.Edit(1, func(o *grafanatest.Org) {
		if got := o.DataSource("prometheus").Secrets["basicAuthPassword"]; got != "a new password" {
			t.Errorf("the password is %q", got)
		}
	})
	b.settled()
}

// Grafana 12 and later give a dashboard back in the newest schema. That is no drift, and a restart costs one write at most.
func TestRewrittenDashboardsAreNoDrift(t *testing.T) {
	b := newBench(t)
	b.server.SetMode(grafanatest.Mode{Rewrites: true})
	b.sync()
	b.settled()
	b.memory = grafana.NewMemory()
	if report, _ := b.sync(); len(report.Written) != 2 {
		t.Errorf("after a restart: %q", report.Written)
	}
	b.settled()
	b.server.Edit(1, func(o *grafanatest.Org) {
		o.SaveDashboard("hearth-nodes", func(m map[string]any) { m["panels"] = []any{} })
	})
	if report, _ := b.sync(); !slices.Equal(report.Written, []string{"updated dashboard hearth-nodes"}) {
		t.Errorf("drift: %q", report.Written)
	}
	b.settled()
}

// Which datasource is the default one is nobody's business but who declares it.
func TestTheDefaultDataSource(t *testing.T) {
	b := newBench(t)
	b.server.Edit(1, func(o *grafanatest.Org) {
		o.AddDataSource(grafanatest.DataSource{UID: "theirs", Name: "Theirs", IsDefault: true})
	})
	is := func(theirs, ours bool) {
		t.Helper()
		b.settled()
		b.server.Edit(1, func(o *grafanatest.Org) {
			if o.DataSource("theirs").IsDefault != theirs || o.DataSource("prometheus").IsDefault != ours {
				t.Errorf("the default is theirs: %t, ours: %t", o.DataSource("theirs").IsDefault, o.DataSource("prometheus").IsDefault)
			}
		})
	}
	b.sync()
	is(true, false)
	b.server.Edit(1, func(o *grafanatest.Org) { // a user prefers ours
		o.DataSource("theirs").IsDefault, o.DataSource("prometheus").IsDefault = false, true
	})
	is(false, true)
	b.server.Edit(1, func(o *grafanatest.Org) {
		o.DataSource("theirs").IsDefault, o.DataSource("prometheus").IsDefault = true, false
	})
	b.desired.DataSources[0].Default = true
	b.sync()
	is(false, true)
}

// Newer ones search in an index that is behind: what was deleted is still found, and what was made is not yet.
func TestTheSearchIsBehind(t *testing.T) {
	b := newBench(t)
	b.server.SetMode(grafanatest.Mode{SearchBehind: true})
	b.sync()
	b.settled()
	b.server.SetMode(grafanatest.Mode{SearchBehind: true}) // by now it has what was made
	b.desired = grafana.Desired{}
	if report, _ := b.sync("hearth"); !report.Clean() {
		t.Errorf("report: %+v", report)
	}
	if left := b.names(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// What can't be had is told of, in Grafana's own words, and keeps nothing else from being had.
func TestPermissionsAreTold(t *testing.T) {
	b := newBench(t)
	b.server.AddToken("editor", 1, "datasources:read", "folders:read", "folders:create", "dashboards:read", "dashboards:write")
	b.client = newClient(t, b.server, "editor")
	report, _ := b.sync()
	if len(report.Denied) != 2 || !strings.Contains(report.Denied[0], "Permissions needed: datasources:create") || report.Dashboards != 2 {
		t.Errorf("report: %+v", report)
	}
	b.client = newClient(t, b.server, token)
	b.sync()
	b.settled()
}

// Whatever fails in the middle, the next attempt makes the rest, and only that.
func TestHalfASync(t *testing.T) {
	for _, status := range []int{http.StatusInternalServerError, http.StatusBadGateway, http.StatusTooManyRequests} {
		for at := 1; at <= 5; at++ {
			b := newBench(t)
			writes := 0
			b.server.SetMode(grafanatest.Mode{Fail: func(method, _ string) (int, string) {
				if method == http.MethodGet {
					return 0, ""
				}
				if writes++; writes >= at {
					return status, "database is locked"
				}
				return 0, ""
			}})
			report, err := grafana.Sync(t.Context(), b.client, b.owner, b.desired, nil, b.memory)
			if err == nil || !strings.Contains(err.Error(), "database is locked") || len(report.Written) != at-1 {
				t.Errorf("write %d fails: %v, %+v", at, err, report)
			}
			b.server.SetMode(grafanatest.Mode{})
			if report, _ := b.sync(); len(report.Written) != 5-(at-1) {
				t.Errorf("after write %d failed, the next attempt writes %q", at, report.Written)
			}
			b.settled()
		}
	}
}

// Somebody saves at the very moment: nothing of theirs is overwritten unseen, and the next attempt goes on from there.
func TestSomebodyIsFaster(t *testing.T) {
	b := newBench(t)
	b.sync()
	b.desired.Dashboards[0].JSON = []byte(`{"title": "Nodes", "panels": ["new"]}`)
	b.desired.DataSources[1].URL = "http://new"
	done := map[string]bool{}
	b.server.SetMode(grafanatest.Mode{Fail: func(method, path string) (int, string) {
		if method == http.MethodPut && strings.HasSuffix(path, "alertmanager") && !done["ds"] {
			done["ds"] = true
			return http.StatusConflict, "Datasource has already been updated by someone else. Please reload and try again"
		}
		if method == http.MethodPost && strings.HasSuffix(path, "/db") && !done["db"] {
			done["db"] = true
			return http.StatusPreconditionFailed, "The dashboard has been changed by someone else"
		}
		return 0, ""
	}})
	report, _ := b.sync()
	if !report.Retry && len(report.Conflicts) == 0 {
		t.Errorf("report: %+v", report)
	}
	b.sync()
	b.settled()
}

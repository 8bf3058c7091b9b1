package grafana_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hearth-monitoring/hearth/controllers/grafana"
	"github.com/hearth-monitoring/hearth/controllers/grafana/grafanatest"
)

const token = "glsa_this-is-a-token"

// bench is a Grafana and a server that has things in it.
type bench struct {
	t       *testing.T
	server  *grafanatest.Server
	client  *grafana.Client
	owner   grafana.Owner
	memory  *grafana.Memory
	desired grafana.Desired
}

func newBench(t *testing.T) *bench {
	t.Helper()
	s := grafanatest.New()
	t.Cleanup(s.Close)
	s.AddToken(token, 1)
	return &bench{t: t, server: s, client: newClient(t, s, token), memory: grafana.NewMemory(), desired: everything(),
		owner: grafana.Owner{Namespace: "monitoring", Name: "main", ID: "11111111-2222-3333-4444-555555555555"}}
}

func newClient(t *testing.T, s *grafanatest.Server, token string) *grafana.Client {
	t.Helper()
	c, err := grafana.New(grafana.Options{URL: s.URL, Token: token, Local: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// everything is what a server wants of a Grafana.
func everything() grafana.Desired {
	return grafana.Desired{
		DataSources: []grafana.DataSource{
			{UID: "prometheus", Name: "Prometheus", Type: "prometheus", URL: "https://prometheus-main.monitoring.svc:9090", BasicAuth: true,
				BasicAuthUser: "grafana", JSONData: map[string]any{"timeInterval": "30s", "manageAlerts": true, "tlsAuthWithCACert": true},
				SecureJSONData: map[string]string{"basicAuthPassword": "a password", "tlsCACert": "a certificate"}},
			{UID: "alertmanager", Name: "Alertmanager", Type: "alertmanager", URL: "http://alertmanager-main.monitoring.svc:9093",
				JSONData: map[string]any{"implementation": "prometheus"}},
		},
		Folders: []grafana.Folder{{UID: "hearth", Title: "Hearth"}},
		Dashboards: []grafana.Dashboard{
			{UID: "hearth-nodes", Folder: "hearth", JSON: []byte(`{"id": 7, "title": "Nodes", "tags": ["nodes"], "version": 3, "panels": [{"id": 1, "title": "CPU", "max": 1.0}]}`)},
			{UID: "hearth-alerts", Folder: "hearth", JSON: []byte(`{"title": "Alerts", "description": "What fires.", "panels": []}`)},
		},
	}
}

// sync is one Sync that has to end, and the requests it made.
func (b *bench) sync(formerly ...string) (grafana.Report, []grafanatest.Request) {
	b.t.Helper()
	b.server.TakeRequests()
	report, err := grafana.Sync(b.t.Context(), b.client, b.owner, b.desired, formerly, b.memory)
	if err != nil {
		b.t.Fatal(err)
	}
	requests := b.server.TakeRequests()
	b.t.Logf("%d requests, written: %q", len(requests), report.Written)
	return report, requests
}

// settled is a Sync that finds everything as it is wanted and writes nothing.
func (b *bench) settled() {
	b.t.Helper()
	report, requests := b.sync()
	if writes := grafanatest.Writes(requests); len(writes) > 0 || !report.Clean() {
		b.t.Errorf("a second look writes %v and says %+v", writes, report)
	}
	if report.DataSources != len(b.desired.DataSources) || report.Dashboards+len(report.Held) != len(b.desired.Dashboards) {
		b.t.Errorf("report: %+v", report)
	}
}

func (b *bench) names() []string {
	var out []string
	b.server.Edit(1, func(o *grafanatest.Org) { out = o.Names() })
	return out
}

func TestAllOfItIsMade(t *testing.T) {
	b := newBench(t)
	report, _ := b.sync()
	want := []string{"created datasource prometheus", "created datasource alertmanager", `created folder "Hearth"`, "created dashboard hearth-nodes", "created dashboard hearth-alerts"}
	if diff := cmp.Diff(want, report.Written); diff != "" {
		t.Error(diff)
	}
	b.server.Edit(1, func(o *grafanatest.Org) {
		ds := o.DataSource("prometheus")
		if ds.Secrets["basicAuthPassword"] != "a password" || ds.BasicAuthUser != "grafana" || ds.IsDefault {
			t.Errorf("datasource: %+v", ds)
		}
		if text, _ := json.Marshal(ds.JSONData); strings.Contains(string(text), "password") && strings.Contains(string(text), "a password") {
			t.Errorf("a secret can be read: %s", text)
		}
		d := o.Dashboard("hearth-nodes")
		if f := o.Folder(d.FolderUID); f == nil || f.Title != "Hearth" {
			t.Errorf("the dashboard is in folder %q", d.FolderUID)
		}
		if text := fmt.Sprint(d.Model["description"]); !strings.Contains(text, "monitoring/main") {
			t.Errorf("description: %s", text)
		}
	})
	b.settled()
	b.memory = grafana.NewMemory() // a restart
	b.settled()
}

// Each is something that a user of the Grafana does to what is Hearth's, and that is undone.
func TestDriftIsUndone(t *testing.T) {
	for name, edit := range map[string]func(*grafanatest.Org){
		"a dashboard is edited": func(o *grafanatest.Org) {
			o.SaveDashboard("hearth-nodes", func(m map[string]any) { m["panels"] = []any{} })
		},
		"a variable is added": func(o *grafanatest.Org) {
			o.SaveDashboard("hearth-nodes", func(m map[string]any) { m["templating"] = map[string]any{"list": []any{"x"}} })
		},
		"a dashboard is moved": func(o *grafanatest.Org) {
			o.SaveDashboard("hearth-nodes", func(map[string]any) {})
			o.Dashboard("hearth-nodes").FolderUID = ""
		},
		"a dashboard is deleted":  func(o *grafanatest.Org) { o.Delete("hearth-nodes") },
		"a datasource is deleted": func(o *grafanatest.Org) { o.Delete("prometheus") },
		"a URL is changed": func(o *grafanatest.Org) {
			o.DataSource("alertmanager").URL = "http://elsewhere"
			o.DataSource("alertmanager").Version++
		},
		"a setting is changed": func(o *grafanatest.Org) {
			o.DataSource("prometheus").JSONData["timeInterval"] = "1s"
			o.DataSource("prometheus").Version++
		},
		"a password is changed": func(o *grafanatest.Org) {
			o.DataSource("prometheus").Secrets["basicAuthPassword"] = "another"
			o.DataSource("prometheus").Version++
		},
		"a password is lost": func(o *grafanatest.Org) { delete(o.DataSource("prometheus").Secrets, "basicAuthPassword") },
		"the folder is renamed": func(o *grafanatest.Org) {
			f := o.Folder(o.Dashboard("hearth-nodes").FolderUID)
			f.Title, f.Version = "Mine", f.Version+1
		},
		"the folder is deleted with all in it": func(o *grafanatest.Org) {
			folder := o.Dashboard("hearth-nodes").FolderUID
			for _, uid := range []string{folder, "hearth-nodes", "hearth-alerts"} {
				o.Delete(uid)
			}
		},
	} {
		for _, restarted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restarted: %t", name, restarted), func(t *testing.T) {
				b := newBench(t)
				b.sync()
				before := b.snapshot()
				b.server.Edit(1, edit)
				if restarted {
					b.memory = grafana.NewMemory()
				}
				report, _ := b.sync()
				if len(report.Written) == 0 || !report.Clean() {
					t.Errorf("report: %+v", report)
				}
				if diff := cmp.Diff(before, b.snapshot()); diff != "" {
					t.Errorf("it is not as it was before (-) but (+):\n%s", diff)
				}
				b.settled()
			})
		}
	}
}

// snapshot is the content of everything, without what Grafana numbers.
func (b *bench) snapshot() map[string]any {
	out := map[string]any{}
	b.server.Edit(1, func(o *grafanatest.Org) {
		for _, name := range o.Names() {
			kind, uid, _ := strings.Cut(name, " ")
			switch kind {
			case "datasource":
				d := *o.DataSource(uid)
				d.ID, d.Version, d.JSONData = 0, 0, maps.Clone(d.JSONData)
				delete(d.JSONData, "hearth")
				d.Secrets = maps.Clone(d.Secrets)
				out[name] = d
			case "folder":
				out[name] = o.Folder(uid).Title
			default:
				model := maps.Clone(o.Dashboard(uid).Model)
				delete(model, "id")
				delete(model, "version")
				text, _ := json.Marshal(model)
				out[name] = o.Dashboard(uid).FolderUID + " " + string(text)
			}
		}
	})
	return out
}

func TestWhatIsNoLongerWantedGoes(t *testing.T) {
	b := newBench(t)
	b.sync()
	b.desired.DataSources, b.desired.Dashboards = b.desired.DataSources[:1], b.desired.Dashboards[:1]
	delete(b.desired.DataSources[0].JSONData, "manageAlerts")
	delete(b.desired.DataSources[0].SecureJSONData, "tlsCACert")
	b.server.Edit(1, func(o *grafanatest.Org) {
		o.DataSource("prometheus").JSONData["exemplars"] = "a user's own"
	})
	b.sync()
	b.server.Edit(1, func(o *grafanatest.Org) {
		ds := o.DataSource("prometheus")
		if _, there := ds.JSONData["manageAlerts"]; there || ds.Secrets["tlsCACert"] != "" {
			t.Errorf("a setting that is no longer wanted stays: %+v", ds)
		}
		if ds.JSONData["exemplars"] != "a user's own" {
			t.Errorf("a user's own setting is gone: %+v", ds)
		}
	})
	b.settled()
	b.desired = grafana.Desired{}
	b.sync("hearth")
	if left := b.names(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

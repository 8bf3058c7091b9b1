package grafana_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hearth-monitoring/hearth/controllers/grafana"
	"github.com/hearth-monitoring/hearth/controllers/grafana/grafanatest"
)

// Whatever somebody else has in its place is told of and not written to.
func TestConflictsAreLeftAlone(t *testing.T) {
	foreign := map[string]any{"title": "Mine", "tags": []any{"nodes"}}
	for name, test := range map[string]struct {
		mode grafanatest.Mode
		make func(*grafanatest.Org)
		want string
	}{
		"a datasource of the uid": {make: func(o *grafanatest.Org) {
			o.AddDataSource(grafanatest.DataSource{UID: "prometheus", Name: "Ours for years", Type: "prometheus"})
		}, want: `datasource prometheus ("Ours for years") is there already`},
		"a datasource of the name": {make: func(o *grafanatest.Org) {
			o.AddDataSource(grafanatest.DataSource{UID: "old", Name: "Prometheus", Type: "prometheus"})
		}, want: "datasource prometheus: data source with the same name already exists"},
		"a provisioned datasource": {make: func(o *grafanatest.Org) {
			o.AddDataSource(grafanatest.DataSource{UID: "prometheus", Name: "Prometheus", ReadOnly: true})
		}, want: "datasource prometheus"},
		"a dashboard of the uid": {make: func(o *grafanatest.Org) {
			o.AddDashboard(grafanatest.Dashboard{UID: "hearth-nodes", Model: foreign})
		}, want: `dashboard hearth-nodes ("Mine") is there already`},
		"a provisioned dashboard": {make: func(o *grafanatest.Org) {
			o.AddDashboard(grafanatest.Dashboard{UID: "hearth-nodes", Model: foreign, Provisioned: true})
		}, want: "is provisioned from a file"},
		"a folder of the title, before version 11": {mode: grafanatest.Mode{UniqueTitles: true}, make: func(o *grafanatest.Org) {
			o.AddFolder(grafanatest.Folder{UID: "mine", Title: "Hearth"})
		}, want: `folder "Hearth"`},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.server.SetMode(test.mode)
			b.server.Edit(1, test.make)
			before := b.snapshot()
			for range 2 {
				report, _ := b.sync()
				if len(report.Conflicts) != 1 || !strings.Contains(report.Conflicts[0], test.want) {
					t.Errorf("conflicts: %q", report.Conflicts)
				}
			}
			// The rest is there, and nothing is written again and again.
			_, requests := b.sync()
			for _, w := range grafanatest.Writes(requests) {
				if w.Status < 400 {
					t.Errorf("a third look writes %v", w)
				}
			}
			b.desired = grafana.Desired{}
			b.sync("hearth")
			if diff := cmp.Diff(before, b.snapshot()); diff != "" {
				t.Errorf("what is somebody else's was %s", diff)
			}
		})
	}
}

// Ten thousand dashboards of others: they cost a handful of requests, and none of them is written to, ever.
func TestNothingElseIsTouched(t *testing.T) {
	b := newBench(t)
	b.server.Edit(1, func(o *grafanatest.Org) {
		for i := range 10_000 {
			o.AddDashboard(grafanatest.Dashboard{UID: fmt.Sprintf("d%d", i), Model: map[string]any{"title": fmt.Sprint(i), "tags": []any{"team"}}})
		}
		for i := range 200 {
			o.AddDataSource(grafanatest.DataSource{UID: fmt.Sprintf("ds%d", i), Name: fmt.Sprint("ds", i), IsDefault: i == 7})
		}
	})
	before := b.snapshot()
	_, requests := b.sync()
	b.server.Edit(1, func(o *grafanatest.Org) {
		o.Copy("hearth-nodes", "a-users-copy")
		o.SaveDashboard("hearth-nodes", func(m map[string]any) { m["title"] = "Other" })
		folder := o.Dashboard("hearth-nodes").FolderUID
		o.AddDashboard(grafanatest.Dashboard{UID: "in-our-folder", FolderUID: folder, Model: map[string]any{"title": "Guest"}})
	})
	all := slices.Clone(requests)
	_, requests = b.sync()
	all = append(all, requests...)
	b.desired = grafana.Desired{}
	report, requests := b.sync("hearth")
	all = append(all, requests...)
	if !slices.Equal(report.Kept, []string{"Hearth"}) {
		t.Errorf("the folder with a guest in it: %+v", report)
	}
	if len(all) > 60 {
		t.Errorf("%d requests", len(all))
	}
	for _, w := range grafanatest.Writes(all) {
		t.Log(w)
		if !strings.Contains(w.Body+w.Path, "hearth-nodes") && !strings.Contains(w.Body+w.Path, "hearth-alerts") && !strings.Contains(w.Body, `"Hearth"`) &&
			!strings.Contains(w.Body, "monitoring/main") && !strings.HasSuffix(w.Path, "/prometheus") && !strings.HasSuffix(w.Path, "/alertmanager") {
			t.Errorf("this writes to what is not Hearth's: %v", w)
		}
	}
	after := b.snapshot()
	for name := range before {
		if !cmp.Equal(before[name], after[name]) {
			t.Fatalf("%s was changed: %s", name, cmp.Diff(before[name], after[name]))
		}
		delete(after, name)
	}
	left := slices.Sorted(maps.Keys(after))
	if len(left) != 3 || left[0] != "dashboard a-users-copy" || left[1] != "dashboard in-our-folder" {
		t.Errorf("beside what was there before, there is %v; wanted the copy, the guest and their folder", left)
	}
}

// Before version 11 a title could be there once in a folder, and to overwrite meant whichever dashboard had it.
func TestADashboardOfTheSameTitle(t *testing.T) {
	b := newBench(t)
	b.server.SetMode(grafanatest.Mode{UniqueTitles: true})
	wanted := b.desired.Dashboards
	b.desired.Dashboards = wanted[1:]
	b.sync()
	b.server.Edit(1, func(o *grafanatest.Org) {
		folder := o.Dashboard(wanted[1].UID).FolderUID
		o.AddDashboard(grafanatest.Dashboard{UID: "theirs", FolderUID: folder, Model: map[string]any{"title": "Nodes"}})
	})
	before := b.snapshot()
	b.desired.Dashboards = wanted
	report, _ := b.sync()
	if len(report.Conflicts) != 1 || !strings.Contains(report.Conflicts[0], "A dashboard with the same name in the folder already exists (Nodes)") {
		t.Errorf("conflicts: %q", report.Conflicts)
	}
	if diff := cmp.Diff(before, b.snapshot()); diff != "" {
		t.Error(diff)
	}
}

// A folder is removed with all that is in it, so it stays while anything is: by what a search finds, and by what is counted, since
// one of them may be behind or not there.
func TestAFolderWithAGuestStays(t *testing.T) {
	guest := func(o *grafanatest.Org, folder string) {
		o.AddDashboard(grafanatest.Dashboard{UID: "guest", FolderUID: folder, Model: map[string]any{"title": "Guest"}})
	}
	for name, test := range map[string]struct {
		mode  grafanatest.Mode
		guest func(o *grafanatest.Org, folder string)
		stays bool
	}{
		"nobody":                   {guest: func(*grafanatest.Org, string) {}},
		"a dashboard":              {guest: guest, stays: true},
		"one that no search finds": {guest: guest, stays: true, mode: grafanatest.Mode{SearchBehind: true}},
		"one that nothing counts":  {guest: guest, stays: true, mode: grafanatest.Mode{Fail: noCounts}},
		"no counts and nobody":     {guest: func(*grafanatest.Org, string) {}, mode: grafanatest.Mode{Fail: noCounts}},
		"an alert rule":            {guest: func(o *grafanatest.Org, folder string) { o.Folder(folder).AlertRules = 1 }, stays: true},
		"a folder": {guest: func(o *grafanatest.Org, folder string) {
			o.AddFolder(grafanatest.Folder{UID: "guest", Title: "Guest", ParentUID: folder})
		}, stays: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.sync()
			b.server.SetMode(test.mode)
			folder := ""
			b.server.Edit(1, func(o *grafanatest.Org) {
				folder = o.Dashboard("hearth-nodes").FolderUID
				test.guest(o, folder)
			})
			b.desired = grafana.Desired{}
			report, _ := b.sync("hearth")
			if is := slices.Contains(b.names(), "folder "+folder); is != test.stays || (len(report.Kept) > 0) != test.stays || !report.Clean() {
				t.Errorf("the folder is there: %t; report %+v", is, report)
			}
		})
	}
}

func noCounts(_, path string) (int, string) {
	if strings.HasSuffix(path, "/counts") {
		return http.StatusNotFound, "Not found"
	}
	return 0, ""
}

// A datasource that somebody made from ours, mark and all, has another uid, and is theirs.
func TestACopiedDataSource(t *testing.T) {
	b := newBench(t)
	b.sync()
	b.server.Edit(1, func(o *grafanatest.Org) {
		o.AddDataSource(grafanatest.DataSource{UID: "theirs", Name: "Theirs", Type: "prometheus", JSONData: maps.Clone(o.DataSource("prometheus").JSONData)})
	})
	b.settled()
	b.desired = grafana.Desired{}
	b.sync("hearth")
	if left := b.names(); !slices.Equal(left, []string{"datasource theirs"}) {
		t.Errorf("left: %v", left)
	}
}

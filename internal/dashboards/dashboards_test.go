package dashboards_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/hearth-monitoring/hearth/internal/dashboards"
	"github.com/hearth-monitoring/hearth/internal/dashboards/dashboardtest"
)

// document is a dashboard as Grafana reads it.
type document struct {
	UID, Title, Description string
	Tags                    []string
	Links                   []struct {
		Type string
		Tags []string
	}
	Templating struct {
		List []struct {
			Name, Type string
			Datasource *datasource
		}
	}
	Panels []panel
}

type datasource struct{ Type, UID string }

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ X, Y, W, H int }
	Datasource               datasource
	Targets                  []struct {
		Datasource         datasource
		Expr, LegendFormat string
	}
	FieldConfig struct {
		Defaults  struct{ Unit string }
		Overrides []struct {
			Properties []struct{ ID string }
		}
	}
	Options struct{ YAxis struct{ Unit string } }
}

func read(t *testing.T, d dashboards.Dashboard) document {
	t.Helper()
	var doc document
	if err := json.Unmarshal(d.JSON, &doc); err != nil {
		t.Fatalf("%s: %v", d.UID, err)
	}
	return doc
}

// TestQueries: each expression of each panel and variable is one that Prometheus' own parser takes.
func TestQueries(t *testing.T) {
	p := parser.NewParser(parser.Options{})
	for _, d := range dashboards.All() {
		queries, err := dashboardtest.Queries(d, map[string]string{"instance": "node-1"})
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range queries {
			if _, err := p.ParseExpr(q.Expr); err != nil {
				t.Errorf("%s: %s: %v", d.Title, q, err)
			}
		}
		t.Logf("%-21s %3d queries, %5d bytes", d.Title, len(queries), len(d.JSON))
	}
}

// TestUnknownVariable: that the reader would notice.
func TestUnknownVariable(t *testing.T) {
	d := dashboards.Dashboard{UID: "x", JSON: []byte(`{"panels": [{"title": "p", "targets": [{"expr": "up{job=~\"$nobody\"}"}]}]}`)}
	if _, err := dashboardtest.Queries(d, nil); err == nil || !strings.Contains(err.Error(), "$nobody") {
		t.Errorf("got %v, want an error that names $nobody", err)
	}
}

// TestDashboards holds what the files promise of every dashboard.
func TestDashboards(t *testing.T) {
	all := dashboards.All()
	uids, titles := map[string]bool{}, map[string]bool{}
	for _, d := range all {
		if uids[d.UID] || titles[d.Title] || len(d.UID) > 40 {
			t.Errorf("%s (%s): uid and title are not its own, or the uid is longer than 40", d.UID, d.Title)
		}
		uids[d.UID], titles[d.Title] = true, true
	}
	for i, d := range all {
		t.Run(d.UID, func(t *testing.T) {
			doc := read(t, d)
			if doc.UID != d.UID || doc.Title != d.Title || doc.Description == "" || d.Folder != dashboards.Folder {
				t.Errorf("it is %q %q %q", doc.UID, doc.Title, doc.Description)
			}
			// Several share an object, which Kubernetes limits to a MiB.
			if len(d.JSON) > 100<<10 {
				t.Errorf("it has %d bytes, more than 100 KiB", len(d.JSON))
			}
			if string(dashboards.All()[i].JSON) != string(d.JSON) {
				t.Error("it is not the same when it is made again")
			}
			links(t, d, doc, uids)
			panels(t, doc)
		})
	}
}

// links lead to dashboards that there are.
func links(t *testing.T, d dashboards.Dashboard, doc document, uids map[string]bool) {
	t.Helper()
	if !slices.Contains(doc.Tags, dashboards.Tag) || len(doc.Links) != 1 || doc.Links[0].Type != "dashboards" || !slices.Equal(doc.Links[0].Tags, []string{dashboards.Tag}) {
		t.Errorf("tags %v and links %+v: it does not link to the others", doc.Tags, doc.Links)
	}
	for _, found := range regexp.MustCompile(`"/d/([^?/"]+)`).FindAllStringSubmatch(string(d.JSON), -1) {
		if !uids[found[1]] {
			t.Errorf("it links to /d/%s, which there is not", found[1])
		}
	}
}

func panels(t *testing.T, doc document) {
	t.Helper()
	chosen := datasource{Type: "prometheus", UID: "${datasource}"}
	if v := doc.Templating.List[0]; v.Name != "datasource" || v.Type != "datasource" {
		t.Errorf("the first variable is %+v, want the datasource", v)
	}
	for _, v := range doc.Templating.List[1:] {
		if v.Datasource == nil || *v.Datasource != chosen {
			t.Errorf("variable %s asks %+v, not the chosen datasource", v.Name, v.Datasource)
		}
	}
	ids, grid := map[int]bool{}, map[string]string{}
	for _, p := range doc.Panels {
		if ids[p.ID] || p.ID == 0 {
			t.Errorf("%s: its id %d is not its own", p.Title, p.ID)
		}
		ids[p.ID] = true
		if p.GridPos.X+p.GridPos.W > 24 || p.GridPos.W < 1 || p.GridPos.H < 1 {
			t.Errorf("%s: %+v is not on the grid", p.Title, p.GridPos)
		}
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := fmt.Sprintf("%d,%d", p.GridPos.X+x, p.GridPos.Y+y)
				if other := grid[at]; other != "" {
					t.Fatalf("%s covers %s at %s", p.Title, other, at)
				}
				grid[at] = p.Title
			}
		}
		if p.Type != "row" {
			readable(t, p, chosen)
		}
	}
}

// readable: somebody who sees the panel for the first time learns what it shows and in what.
func readable(t *testing.T, p panel, chosen datasource) {
	t.Helper()
	if p.Title == "" || !strings.HasSuffix(p.Description, ".") {
		t.Errorf("%q has the description %q, want a sentence", p.Title, p.Description)
	}
	if p.Datasource != chosen || len(p.Targets) == 0 {
		t.Errorf("%s asks %+v of %+v, not of the chosen datasource", p.Title, p.Targets, p.Datasource)
	}
	units := p.FieldConfig.Defaults.Unit + p.Options.YAxis.Unit
	for _, o := range p.FieldConfig.Overrides {
		for _, property := range o.Properties {
			if property.ID == "unit" {
				units += "of a column"
			}
		}
	}
	if units == "" {
		t.Errorf("%s has no unit", p.Title)
	}
	for _, target := range p.Targets {
		if target.Datasource != chosen {
			t.Errorf("%s: %s is asked of %+v, not of the chosen datasource", p.Title, target.Expr, target.Datasource)
		}
		if p.Type != "table" && target.LegendFormat == "" {
			t.Errorf("%s: %s has no legend", p.Title, target.Expr)
		}
	}
}

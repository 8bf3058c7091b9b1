// Package dashboards is what people look at: Grafana dashboards of the stack that Hearth keeps, each a Go file that says what
// it asks and why. They are made for Prometheus alone, choose their datasource by the variable "datasource" and know nothing of
// the server in front of them, so that one copy serves them all.
package dashboards

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Dashboard is one of Grafana's, in its classic JSON model, which provisioning, its HTTP API and its sidecar all take.
type Dashboard struct {
	// UID never changes: links and bookmarks hold it.
	UID   string
	Title string
	// Folder is the title of the folder that it belongs into.
	Folder string
	JSON   []byte
}

const (
	// Folder is where all of them belong.
	Folder = "Hearth"
	// Tag is what all of them carry, and by which they link to each other.
	Tag = "hearth"
	// schemaVersion is the one that Grafana 12 writes. Later ones migrate it when they load it.
	schemaVersion = 41
	// gridColumns are those of Grafana's grid.
	gridColumns = 24
)

// All are the dashboards, in the order in which somebody who looks for a fault would go through them.
func All() []Dashboard {
	var out []Dashboard
	for _, b := range []board{nodes(), node(), workloads(), alerts(), prometheus(), hearth()} {
		out = append(out, Dashboard{UID: b.uid, Title: b.title, Folder: Folder, JSON: b.json()})
	}
	return out
}

// board is a dashboard as it is declared here.
type board struct {
	uid, title string
	// answers is the question that the dashboard is there for.
	answers   string
	variables []variable
	// match is what stands for MATCH in each query: the matchers that follow from the variables.
	match string
	rows  []row
}

// row has a title and what is below it. Panels flow from left to right into as many lines as they need.
type row struct {
	title  string
	panels []panel
}

// json lays the panels out and encodes the dashboard. The types can't fail to encode.
func (b *board) json() []byte {
	out := document{
		UID: b.uid, Title: b.title, Description: b.answers, Tags: []string{Tag}, Timezone: "browser", Editable: true,
		GraphTooltip: 1, SchemaVersion: schemaVersion, Time: span{From: "now-1h", To: "now"}, Refresh: "30s",
		Templating: templating{List: b.variables}, Annotations: annotations{List: []annotation{}},
		Links: []link{{Title: "Hearth", Type: "dashboards", Icon: "external link", Tags: []string{Tag}, AsDropdown: true, IncludeVars: true, KeepTime: true}},
	}
	id, y := 1, 0
	for _, r := range b.rows {
		out.Panels = append(out.Panels, panel{ID: id, Type: "row", Title: r.title, GridPos: position{H: 1, W: gridColumns, Y: y},
			Collapsed: ptr(false), Panels: &[]panel{}})
		id, y = id+1, y+1
		x, height := 0, 0
		for _, p := range r.panels {
			if x+p.GridPos.W > gridColumns {
				x, y, height = 0, y+height, 0
			}
			p.ID, p.GridPos.X, p.GridPos.Y = id, x, y
			p.Targets = b.targets(p.Targets)
			out.Panels = append(out.Panels, p)
			id, x, height = id+1, x+p.GridPos.W, max(height, p.GridPos.H)
		}
		y += height
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	_ = encoder.Encode(out)
	return text.Bytes()
}

// targets are a panel's queries with what the dashboard selects.
func (b *board) targets(all []target) []target {
	out := make([]target, len(all))
	for i, t := range all {
		t.RefID = string(rune('A' + i))
		t.Expr = strings.ReplaceAll(t.Expr, "MATCH", b.match)
		out[i] = t
	}
	return out
}

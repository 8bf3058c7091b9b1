// Package dashboardtest reads out of a dashboard's JSON what Grafana would ask with it. It knows nothing of how the dashboard
// was made, so that tests hold what is shipped.
package dashboardtest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/hearth-monitoring/hearth/internal/dashboards"
)

// Query is what Grafana would ask of Prometheus for a panel or a variable.
type Query struct {
	// Of is the panel's title and the query's letter, or the variable's name.
	Of string
	// Expr is the expression with all variables in their place.
	Expr string
	// Label is set for a variable: its values are those of this label.
	Label string
	// Panel is the type of the panel.
	Panel string
}

func (q Query) String() string { return q.Of + ": " + q.Expr }

// document is what of the JSON matters here.
type document struct {
	Panels     []panel
	Templating struct{ List []variable }
}

type panel struct {
	Title, Type string
	Targets     []struct{ RefID, Expr string }
	Panels      []panel
}

type variable struct {
	Name, Type, Query, AllValue string
	IncludeAll                  bool
}

// Queries are all of a dashboard's. The values are for variables of which one value is chosen; of all others everything is.
func Queries(d dashboards.Dashboard, values map[string]string) ([]Query, error) {
	var doc document
	if err := json.Unmarshal(d.JSON, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", d.UID, err)
	}
	known := map[string]string{"__rate_interval": "1m", "__interval": "15s", "__range": "1h"}
	for _, v := range doc.Templating.List {
		switch {
		case v.IncludeAll:
			known[v.Name] = v.AllValue
		case v.Type == "query":
			known[v.Name] = values[v.Name]
		}
	}
	var out []Query
	for _, v := range doc.Templating.List {
		if v.Type != "query" {
			continue
		}
		series, label, err := labelValues(v.Query)
		if err != nil {
			return nil, fmt.Errorf("%s: variable %s: %w", d.UID, v.Name, err)
		}
		expr, err := expand(series, known)
		if err != nil {
			return nil, fmt.Errorf("%s: variable %s: %w", d.UID, v.Name, err)
		}
		out = append(out, Query{Of: "$" + v.Name, Label: label, Expr: fmt.Sprintf(`count by (%s) (%s)`, label, expr)})
	}
	return asked(d.UID, out, doc.Panels, known)
}

func asked(uid string, out []Query, panels []panel, known map[string]string) ([]Query, error) {
	for _, p := range panels {
		for _, t := range p.Targets {
			expr, err := expand(t.Expr, known)
			if err != nil {
				return nil, fmt.Errorf("%s: panel %q: %w", uid, p.Title, err)
			}
			out = append(out, Query{Of: p.Title + " " + t.RefID, Expr: expr, Panel: p.Type})
		}
		var err error
		if out, err = asked(uid, out, p.Panels, known); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// labelValues takes label_values(series, label) apart, the only one of Grafana's functions that is used.
func labelValues(query string) (series, label string, err error) {
	inner, ok := strings.CutPrefix(query, "label_values(")
	comma := strings.LastIndex(inner, ",")
	if !ok || comma < 0 || !strings.HasSuffix(inner, ")") {
		return "", "", fmt.Errorf("%q is not label_values(series, label)", query)
	}
	return inner[:comma], strings.TrimSpace(strings.TrimSuffix(inner[comma+1:], ")")), nil
}

// expand puts values in the place of variables. One that the dashboard does not have is an error: Grafana would send it as it is.
func expand(expr string, known map[string]string) (string, error) {
	var unknown []string
	out := regexp.MustCompile(`\$\{?(\w+)(:\w+)?\}?`).ReplaceAllStringFunc(expr, func(found string) string {
		name, _, _ := strings.Cut(strings.Trim(found, "${}"), ":")
		value, ok := known[name]
		if !ok {
			unknown = append(unknown, found)
		}
		return value
	})
	if unknown != nil {
		return "", fmt.Errorf("%s: no variables %s", expr, strings.Join(unknown, ", "))
	}
	return out, nil
}

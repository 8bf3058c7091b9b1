package dashboards_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/internal/dashboards"
)

// schema has the fields of each object, and what may be in them: see testdata/schema.yaml.
type schema map[string]map[string]string

func readSchema(t *testing.T) schema {
	t.Helper()
	text, err := os.ReadFile("testdata/schema.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var s schema
	if err := yaml.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSchema: each dashboard has only fields that Grafana's schema has, of the right types, and all that it requires.
func TestSchema(t *testing.T) {
	s := readSchema(t)
	for _, d := range dashboards.All() {
		for _, problem := range s.problems(t, d.JSON) {
			t.Errorf("%s: %s", d.UID, problem)
		}
	}
}

// TestSchemaRefuses: that it would be noticed.
func TestSchemaRefuses(t *testing.T) {
	s := readSchema(t)
	const rest = `"schemaVersion": 41, "templating": {}, "annotations": {}`
	for text, want := range map[string]string{
		`{"templating": {}, "annotations": {}}`:                                              "Dashboard has no schemaVersion",
		`{` + rest + `, "titel": "x"}`:                                                       "Dashboard has no field titel",
		`{` + rest + `, "title": 1}`:                                                         "Dashboard.title is 1, want string",
		`{` + rest + `, "graphTooltip": 3}`:                                                  "Dashboard.graphTooltip is 3, want 0|1|2",
		`{` + rest + `, "schemaVersion": 4.5}`:                                               "Dashboard.schemaVersion is 4.5, want integer",
		`{` + rest + `, "panels": [{"type": "row", "id": 1, "panels": []}]}`:                 "RowPanel has no collapsed",
		`{` + rest + `, "panels": [{"type": "pie"}]}`:                                        "there are no options of a panel of type pie",
		`{` + rest + `, "panels": [{"type": "stat", "options": {"legend": {}}}]}`:            "statOptions has no field legend",
		`{` + rest + `, "panels": [{"type": "table", "targets": [{"expr": "up", "x": 1}]}]}`: "Query has no field x",
		`{` + rest + `, "panels": [{"type": "stat", "fieldConfig": {"defaults": {"mappings": [{"type": "value", "options": {"1": {"txt": ""}}}]}, "overrides": []}}]}`: "ValueMappingResult has no field txt",
	} {
		if got := strings.Join(s.problems(t, []byte(text)), "\n"); !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func (s schema) problems(t *testing.T, text []byte) []string {
	t.Helper()
	var doc any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return s.check("Dashboard", "Dashboard", "", doc)
}

// check says what of a value is not of this kind; panel is the type of the panel that it is in.
func (s schema) check(path, kind, panel string, value any) []string {
	switch {
	case kind == "any":
		return nil
	case strings.HasPrefix(kind, "["):
		list, ok := value.([]any)
		if !ok {
			break
		}
		var out []string
		for _, v := range list {
			out = append(out, s.check(path, strings.Trim(kind, "[]"), panel, v)...)
		}
		return out
	case strings.HasPrefix(kind, "{"):
		object, ok := value.(map[string]any)
		if !ok {
			break
		}
		var out []string
		for _, v := range object {
			out = append(out, s.check(path, strings.Trim(kind, "{}"), panel, v)...)
		}
		return out
	case strings.HasPrefix(kind, "<"):
		name := panel + strings.Trim(kind, "<>")
		if s[name] == nil {
			return []string{fmt.Sprintf("%s: there is no %s", path, name)}
		}
		return s.object(name, panel, value)
	case s[kind] != nil:
		return s.object(kind, panel, value)
	case scalar(kind, value):
		return nil
	}
	return []string{fmt.Sprintf("%s is %v, want %s", path, value, kind)}
}

func (s schema) object(kind, panel string, value any) []string {
	object, ok := value.(map[string]any)
	if !ok {
		return []string{fmt.Sprintf("%v is no %s", value, kind)}
	}
	var out []string
	if kind == "Panel" {
		panel, _ = object["type"].(string)
		if panel == "row" {
			kind = "RowPanel"
		} else if s[panel+"Options"] == nil {
			out = append(out, "there are no options of a panel of type "+panel)
		}
	}
	for name, v := range object {
		of, ok := s[kind][name]
		if !ok {
			of, ok = s[kind][name+"!"]
		}
		if !ok {
			out = append(out, fmt.Sprintf("%s has no field %s", kind, name))
			continue
		}
		out = append(out, s.check(kind+"."+name, of, panel, v)...)
	}
	for name := range s[kind] {
		if required, must := strings.CutSuffix(name, "!"); must {
			if _, ok := object[required]; !ok {
				out = append(out, fmt.Sprintf("%s has no %s", kind, required))
			}
		}
	}
	return out
}

func scalar(kind string, value any) bool {
	switch v := value.(type) {
	case string:
		return kind == "string" || slices.Contains(strings.Split(kind, "|"), v)
	case bool:
		return kind == "boolean"
	case float64:
		return kind == "number" || kind == "integer" && v == float64(int64(v)) || slices.Contains(strings.Split(kind, "|"), fmt.Sprint(v))
	}
	return false
}

package dashboards_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/hearth-monitoring/hearth/internal/dashboards"
)

// schemas are what Grafana publishes, by the name of the release: see tools/grafana-schema.
func schemas(t *testing.T) map[string]*jsonschema.Schema {
	t.Helper()
	files, err := filepath.Glob("testdata/*.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*jsonschema.Schema{}
	for _, file := range files {
		s, err := jsonschema.NewCompiler().Compile(file)
		if err != nil {
			t.Fatal(err)
		}
		release, _, _ := strings.Cut(filepath.Base(file), ".")
		out[release] = s
	}
	if len(out) < 2 {
		t.Fatalf("schemas of %d releases, want the oldest and a current one", len(out))
	}
	return out
}

// TestSchema: each dashboard is one that Grafana's published schema allows, in the oldest release that it is for and in a current.
func TestSchema(t *testing.T) {
	for release, s := range schemas(t) {
		for _, d := range dashboards.All() {
			overrides, err := check(s, decoded(t, d.JSON))
			if err != nil {
				t.Errorf("%s: %s: %v", release, d.UID, err)
			}
			t.Logf("%s: %s and its %d overrides", release, d.UID, overrides)
		}
	}
}

// check asks the schema, and then again with each override in the place of what it overrides, of which the schema says nothing.
func check(s *jsonschema.Schema, doc map[string]any) (overrides int, err error) {
	if err := s.Validate(doc); err != nil {
		return 0, err
	}
	for _, p := range doc["panels"].([]any) {
		config, ok := p.(map[string]any)["fieldConfig"].(map[string]any)
		if !ok {
			continue
		}
		for _, o := range config["overrides"].([]any) {
			for _, property := range o.(map[string]any)["properties"].([]any) {
				p := property.(map[string]any)
				id := p["id"].(string)
				set(config, "defaults."+id, p["value"])
				if err := s.Validate(doc); err != nil {
					return overrides, fmt.Errorf("the override of %s: %w", id, err)
				}
			}
			overrides++
		}
	}
	return overrides, nil
}

// absent is what set takes away.
type absent struct{}

// set puts a value at a path of names and indexes. A panel is also found by its type, the first that has it.
func set(at any, path string, value any) {
	first, rest, more := strings.Cut(path, ".")
	switch at := at.(type) {
	case map[string]any:
		switch {
		case more && at[first] == nil:
			at[first] = map[string]any{}
			fallthrough
		case more:
			set(at[first], rest, value)
		case value == absent{}:
			delete(at, first)
		default:
			at[first] = value
		}
	case []any:
		i, err := strconv.Atoi(first)
		if err != nil {
			i = slices.IndexFunc(at, func(v any) bool { return v.(map[string]any)["type"] == first })
		}
		if more {
			set(at[i], rest, value)
		} else {
			at[i] = value
		}
	}
}

func decoded(t *testing.T, text []byte) map[string]any {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc.(map[string]any)
}

// TestSchemaRefuses: that it would be noticed.
func TestSchemaRefuses(t *testing.T) {
	good, err := os.ReadFile("testdata/one_of_each.json")
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		path  string
		value any
		want  string
	}{
		{"titel", "Nodes", "additional properties 'titel' not allowed"},
		{"title", 1, "at '/title': got number, want string"},
		{"graphTooltip", 3, "at '/graphTooltip': value must be one of"},
		{"schemaVersion", absent{}, "missing property 'schemaVersion'"},
		{"templating.list.0.type", "datasources", "at '/templating/list/0/type': value must be one of"},
		{"links.0.icon", absent{}, "missing property 'icon'"},
		{"panels.row.collapsed", absent{}, "missing property 'collapsed'"},
		{"panels.row.panels.stat.options.colorMode", "values", "colorMode': value must be one of"},
		{"panels.stat.type", "pie", "type': value must be one of"},
		{"panels.stat.gridPos.h", "4", "gridPos/h': got string, want number"},
		{"panels.stat.options.legend", map[string]any{}, "additional properties 'legend' not allowed"},
		{"panels.stat.fieldConfig.defaults.custom.align", "auto", "/fieldConfig/defaults/custom"},
		{"panels.stat.fieldConfig.defaults.color.mode", "threshold", "color/mode': value must be one of"},
		{"panels.stat.fieldConfig.defaults.thresholds.steps.0.value", "1", "steps/0/value': got string, want null or number"},
		{"panels.stat.fieldConfig.defaults.mappings.0.options.1.txt", "up", "additional properties 'txt' not allowed"},
		{"panels.stat.targets.0.x", 1, "additional properties 'x' not allowed"},
		{"panels.stat.targets.0.expr", absent{}, "missing property 'expr'"},
		{"panels.stat.targets.0.format", "heat", "format': value must be one of"},
		{"panels.timeseries.options.tooltip.mode", "all", "tooltip/mode': value must be one of"},
		{"panels.timeseries.fieldConfig.defaults.custom.drawStyle", "lines", "drawStyle': value must be one of"},
		{"panels.timeseries.fieldConfig.defaults.custom.lineWidth", "1", "lineWidth': got string, want number"},
		{"panels.table.options.showHeader", absent{}, "missing property 'showHeader'"},
		{"panels.table.fieldConfig.defaults.custom.cellOptions.type", "colour", "/fieldConfig/defaults/custom/cellOptions"},
		{"panels.table.fieldConfig.overrides.0.properties.0.id", "units", "the override of units: "},
		{"panels.table.fieldConfig.overrides.0.properties.0.value", 1, "the override of unit: "},
		{"panels.heatmap.options.color.mode", "schema", "options/color/mode': value must be one of"},
	}
	for release, s := range schemas(t) {
		if _, err := check(s, decoded(t, good)); err != nil {
			t.Fatalf("%s: before any change: %v", release, err)
		}
		for _, c := range cases {
			doc := decoded(t, good)
			set(doc, c.path, c.value)
			if _, err := check(s, doc); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %s = %v: got %v, want %q", release, c.path, c.value, err, c.want)
			}
		}
		t.Logf("%s: %d mistakes refused", release, len(cases))
	}
}

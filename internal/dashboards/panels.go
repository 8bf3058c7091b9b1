package dashboards

import "slices"

// Units of Grafana.
const (
	ratio    = "percentunit"
	bytesIEC = "bytes"
	perByte  = "binBps"
	seconds  = "s"
	count    = "short"
	perSec   = "cps"
	since    = "dateTimeFromNow"
)

// prom is the datasource that somebody has chosen at the top of the dashboard.
func prom() datasource { return datasource{Type: "prometheus", UID: "${datasource}"} }

// query is one of a panel's questions. MATCH in it stands for what the dashboard selects.
func query(expr, legend string) target {
	return target{Datasource: prom(), Expr: expr, LegendFormat: legend}
}

func base(kind, title, why string, width, height int, queries []target) panel {
	ds := prom()
	return panel{Type: kind, Title: title, Description: why, GridPos: position{W: width, H: height}, Datasource: &ds, Targets: queries,
		FieldConfig: &fieldConfig{Overrides: []override{}}}
}

// graph shows how something went. A third of a line, as most are.
func graph(title, why, unit string, queries ...target) panel {
	for i := range queries {
		queries[i].Range = true
	}
	p := base("timeseries", title, why, 8, 7, queries)
	p.FieldConfig.Defaults = field{Unit: unit, Color: &color{Mode: "palette-classic"}, Min: ptr(0.0), Custom: &lines{
		DrawStyle: "line", LineInterpolation: "linear", LineWidth: 1, FillOpacity: 10, ShowPoints: "never", SpanNulls: false,
		AxisPlacement: "auto", ScaleDistribution: scale{Type: "linear"}, Stacking: stacking{Mode: "none", Group: "A"}, ThresholdsStyle: style{Mode: "off"},
	}}
	p.Options = graphOptions{
		Legend:  legend{DisplayMode: "list", Placement: "bottom", ShowLegend: true, Calcs: []string{}},
		Tooltip: tooltip{Mode: "multi", Sort: "desc"},
	}
	return p
}

// number shows what is, now: one value for each series.
func number(title, why, unit string, q target) panel {
	q.Instant = true
	p := base("stat", title, why, 4, 4, []target{q})
	p.FieldConfig.Defaults = field{Unit: unit, Color: &color{Mode: "thresholds"}, Thresholds: levels("green"), NoValue: "no data"}
	p.Options = statOptions{
		ReduceOptions: reduce{Calcs: []string{"lastNotNull"}}, Orientation: "auto", TextMode: "auto", ColorMode: "value", GraphMode: "none",
		JustifyMode: "auto", WideLayout: true, PercentChangeColorMode: "standard",
	}
	return p
}

// column of a table is a label, or the value of the query with this letter.
type column struct {
	from, title, unit string
	// limits colour the column; link leads on from its cells.
	limits *thresholds
	link   *fieldLink
}

// table joins its queries by their labels: one line for each thing.
func table(title, why string, columns []column, queries ...target) panel {
	for i := range queries {
		queries[i].Instant, queries[i].Format = true, "table"
	}
	p := base("table", title, why, 24, 9, queries)
	p.FieldConfig.Defaults = field{Color: &color{Mode: "thresholds"}, Thresholds: levels("text"), Custom: cell{Align: "auto", CellOptions: cellType{Type: "auto"}, Filterable: true}}
	p.Options = tableOptions{ShowHeader: true, CellHeight: "sm"}
	names := organize{ExcludeByName: map[string]bool{"Time": true}, IndexByName: map[string]int{}, RenameByName: map[string]string{}}
	for i, c := range columns {
		names.IndexByName[c.from], names.RenameByName[c.from] = i, c.title
		p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, c.overrides()...)
	}
	p.Transformations = []transformation{{ID: "merge", Options: struct{}{}}, {ID: "organize", Options: names}}
	return p
}

func (c column) overrides() []override {
	var set []property
	if c.unit != "" {
		set = append(set, property{ID: "unit", Value: c.unit})
	}
	if c.limits != nil {
		set = append(set, property{ID: "thresholds", Value: c.limits}, property{ID: "custom.cellOptions", Value: cellType{Type: "color-text"}})
	}
	if c.link != nil {
		set = append(set, property{ID: "links", Value: []fieldLink{*c.link}})
	}
	if set == nil {
		return nil
	}
	return []override{{Matcher: matcher{ID: "byName", Options: c.title}, Properties: set}}
}

// without leaves labels out that a query has to keep and nobody wants to read.
func (p panel) without(labels ...string) panel {
	names := p.Transformations[1].Options.(organize)
	for _, l := range labels {
		names.ExcludeByName[l] = true
	}
	return p
}

// heat shows how a histogram went: how many there were of each size.
func heat(title, why, unit string, q target) panel {
	q.Format, q.Range = "heatmap", true
	p := base("heatmap", title, why, 12, 8, []target{q})
	p.FieldConfig.Defaults = field{Custom: heatField{ScaleDistribution: scale{Type: "linear"}}}
	p.Options = heatOptions{
		Calculate: false, CellGap: 1, ShowValue: "never",
		Color:        heatColor{Mode: "scheme", Scheme: "Oranges", Fill: "dark-orange", Scale: "exponential", Exponent: 0.5, Steps: 64},
		YAxis:        heatAxis{Unit: unit, AxisPlacement: "left"},
		RowsFrame:    heatRows{Layout: "auto"},
		Tooltip:      heatTooltip{Mode: "single", YHistogram: true},
		Legend:       heatLegend{Show: true},
		FilterValues: heatFilter{Above: 1e-9},
		Exemplars:    heatExemplars{Color: "rgba(255,0,255,0.7)"},
	}
	return p
}

// levels are a colour, and from which value on it is another.
func levels(first string, more ...any) *thresholds {
	out := &thresholds{Mode: "absolute", Steps: []step{{Color: first}}}
	for pair := range slices.Chunk(more, 2) {
		value, _ := pair[0].(float64)
		name, _ := pair[1].(string)
		out.Steps = append(out.Steps, step{Value: &value, Color: name})
	}
	return out
}

// fullAt colours what can fill up: nobody has to do anything about what is green.
func fullAt(warn, bad float64) *thresholds { return levels("green", warn, "orange", bad, "red") }

// anyIsBad colours what ought to be zero.
func anyIsBad() *thresholds { return levels("green", 1.0, "red") }

func (p panel) colored(t *thresholds) panel { p.FieldConfig.Defaults.Thresholds = t; return p }

// limit draws the thresholds of a graph as lines, which say from where on a value is bad.
func (p panel) limit(t *thresholds) panel {
	p.FieldConfig.Defaults.Thresholds = t
	p.FieldConfig.Defaults.Custom.(*lines).ThresholdsStyle.Mode = "dashed"
	return p
}

func (p panel) sized(width, height int) panel {
	p.GridPos.W, p.GridPos.H = width, height
	return p
}

// stacked adds the series of a graph up.
func (p panel) stacked() panel {
	custom := p.FieldConfig.Defaults.Custom.(*lines)
	custom.Stacking.Mode, custom.FillOpacity, custom.LineWidth = "normal", 40, 0
	return p
}

// upToOne ends the scale at one: of shares there are no more.
func (p panel) upToOne() panel { p.FieldConfig.Defaults.Max = ptr(1.0); return p }

// signed lets the scale go below zero.
func (p panel) signed() panel { p.FieldConfig.Defaults.Min = nil; return p }

// none is what is shown where there is nothing, if that is good to know.
func (p panel) none(text string) panel { p.FieldConfig.Defaults.NoValue = text; return p }

// words show values as text.
func (p panel) words(texts map[string]mapped) panel {
	p.FieldConfig.Defaults.Mappings = []mapping{{Type: "value", Options: texts}}
	return p
}

// name shows the legend instead of the value.
func (p panel) name() panel {
	options := p.Options.(statOptions)
	options.TextMode = "name"
	p.Options = options
	return p
}

func ptr[T any](v T) *T { return &v }

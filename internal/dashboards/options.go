package dashboards

// The options of Grafana's own panels, as far as they are used here.

type lines struct {
	DrawStyle         string   `json:"drawStyle"`
	LineInterpolation string   `json:"lineInterpolation"`
	LineWidth         int      `json:"lineWidth"`
	FillOpacity       int      `json:"fillOpacity"`
	ShowPoints        string   `json:"showPoints"`
	SpanNulls         bool     `json:"spanNulls"`
	AxisPlacement     string   `json:"axisPlacement"`
	ScaleDistribution scale    `json:"scaleDistribution"`
	Stacking          stacking `json:"stacking"`
	ThresholdsStyle   style    `json:"thresholdsStyle"`
}

type scale struct {
	Type string `json:"type"`
}

type stacking struct {
	Mode  string `json:"mode"`
	Group string `json:"group"`
}

type style struct {
	Mode string `json:"mode"`
}

type graphOptions struct {
	Legend  legend  `json:"legend"`
	Tooltip tooltip `json:"tooltip"`
}

type legend struct {
	DisplayMode string   `json:"displayMode"`
	Placement   string   `json:"placement"`
	ShowLegend  bool     `json:"showLegend"`
	Calcs       []string `json:"calcs"`
}

type tooltip struct {
	Mode string `json:"mode"`
	Sort string `json:"sort"`
}

type statOptions struct {
	ReduceOptions          reduce `json:"reduceOptions"`
	Orientation            string `json:"orientation"`
	TextMode               string `json:"textMode"`
	ColorMode              string `json:"colorMode"`
	GraphMode              string `json:"graphMode"`
	JustifyMode            string `json:"justifyMode"`
	WideLayout             bool   `json:"wideLayout"`
	ShowPercentChange      bool   `json:"showPercentChange"`
	PercentChangeColorMode string `json:"percentChangeColorMode"`
}

type reduce struct {
	Values bool     `json:"values"`
	Calcs  []string `json:"calcs"`
	Fields string   `json:"fields"`
}

type tableOptions struct {
	ShowHeader bool   `json:"showHeader"`
	CellHeight string `json:"cellHeight"`
	FrameIndex int    `json:"frameIndex"`
}

type cell struct {
	Align       string   `json:"align"`
	CellOptions cellType `json:"cellOptions"`
	Inspect     bool     `json:"inspect"`
	Filterable  bool     `json:"filterable"`
}

type cellType struct {
	Type string `json:"type"`
}

type heatField struct {
	ScaleDistribution scale `json:"scaleDistribution"`
}

type heatOptions struct {
	Calculate    bool          `json:"calculate"`
	CellGap      int           `json:"cellGap"`
	ShowValue    string        `json:"showValue"`
	Color        heatColor     `json:"color"`
	YAxis        heatAxis      `json:"yAxis"`
	RowsFrame    heatRows      `json:"rowsFrame"`
	Tooltip      heatTooltip   `json:"tooltip"`
	Legend       heatLegend    `json:"legend"`
	FilterValues heatFilter    `json:"filterValues"`
	Exemplars    heatExemplars `json:"exemplars"`
}

type heatColor struct {
	Mode     string  `json:"mode"`
	Scheme   string  `json:"scheme"`
	Fill     string  `json:"fill"`
	Scale    string  `json:"scale"`
	Exponent float64 `json:"exponent"`
	Steps    int     `json:"steps"`
	Reverse  bool    `json:"reverse"`
}

type heatAxis struct {
	Unit          string `json:"unit"`
	AxisPlacement string `json:"axisPlacement"`
	Reverse       bool   `json:"reverse"`
}

type heatRows struct {
	Layout string `json:"layout"`
}

type heatTooltip struct {
	Mode           string `json:"mode"`
	YHistogram     bool   `json:"yHistogram"`
	ShowColorScale bool   `json:"showColorScale"`
}

type heatLegend struct {
	Show bool `json:"show"`
}

type heatFilter struct {
	Above float64 `json:"le"`
}

type heatExemplars struct {
	Color string `json:"color"`
}

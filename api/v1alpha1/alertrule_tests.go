package v1alpha1

import "encoding/json"

// RuleTest is an entry of `tests` in promtool's unit-test format
// (https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/#test_group): input series, and what the
// rules make of them.
type RuleTest struct {
	// name of the test, for messages.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Name string `json:"name,omitempty"`
	// interval between the samples of the input series. Left out: evaluation_interval.
	// +optional
	Interval TestDuration `json:"interval,omitempty"`
	// input_series are the samples that the rules see.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=1024
	InputSeries []InputSeries `json:"input_series,omitempty"`
	// alert_rule_test says which alerts fire at which time.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	AlertRuleTest []AlertRuleTest `json:"alert_rule_test,omitempty"`
	// promql_expr_test says what an expression returns at which time.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	PromQLExprTest []PromQLExprTest `json:"promql_expr_test,omitempty"`
	// external_labels of the server, as templates see them.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	ExternalLabels map[string]string `json:"external_labels,omitempty"`
	// external_url of the server, as templates see it.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	ExternalURL string `json:"external_url,omitempty"`
	// start_timestamp is the time of the first sample, as RFC 3339 or in seconds since 1970. Left out: 1970-01-01T00:00:00Z.
	// +optional
	StartTimestamp TestTime `json:"start_timestamp,omitempty"`
}

// InputSeries is a series and its samples.
type InputSeries struct {
	// series as 'metric{label="value"}'.
	// +required
	// +kubebuilder:validation:MaxLength=8192
	Series string `json:"series"`
	// values in promtool's notation: '1 2 3', '0+10x100' (0, 10, 20, ... 1000), '_' for no sample, 'stale', and native
	// histograms as '{{schema:0 sum:5 count:4 buckets:[1 2 1]}}'.
	// +required
	Values SeriesValues `json:"values"`
}

// SeriesValues are the samples of a series. They may be a bare number, as in `values: 1`.
//
// +kubebuilder:validation:Type=""
// +kubebuilder:validation:XIntOrString
// +kubebuilder:validation:MaxLength=65536
type SeriesValues string

// UnmarshalJSON takes a string, or a number as the text it is written with.
func (v *SeriesValues) UnmarshalJSON(text []byte) error { return scalar(text, (*string)(v)) }

// AlertRuleTest says which alerts of one name fire at one time.
type AlertRuleTest struct {
	// eval_time since the start of the test.
	// +optional
	EvalTime TestDuration `json:"eval_time,omitempty"`
	// alertname of the alerting rules that are tested.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Alertname string `json:"alertname,omitempty"`
	// exp_alerts are all alerts of this name that fire then. Left out: none does.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	ExpAlerts []ExpectedAlert `json:"exp_alerts,omitempty"`
}

// ExpectedAlert is an alert that fires.
type ExpectedAlert struct {
	// exp_labels are its labels but for alertname, those of the series included.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	ExpLabels map[string]string `json:"exp_labels,omitempty"`
	// exp_annotations are its annotations with their templates expanded.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	ExpAnnotations map[string]string `json:"exp_annotations,omitempty"`
}

// PromQLExprTest says what an expression returns at one time.
type PromQLExprTest struct {
	// expr is the PromQL expression; what the recording rules wrote is there to be asked for.
	// +required
	Expr Expression `json:"expr"`
	// eval_time since the start of the test.
	// +optional
	EvalTime TestDuration `json:"eval_time,omitempty"`
	// exp_samples are all samples that it returns. Left out: none.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=1024
	ExpSamples []ExpectedSample `json:"exp_samples,omitempty"`
}

// ExpectedSample is a sample that an expression returns.
type ExpectedSample struct {
	// labels as 'metric{label="value"}'; '{}' for none.
	// +optional
	// +kubebuilder:validation:MaxLength=8192
	Labels string `json:"labels,omitempty"`
	// value is a number; those that YAML can't hand on as numbers are written as strings: "NaN", "+Inf", "-Inf".
	// +optional
	Value SampleValue `json:"value,omitempty"`
	// histogram in the notation of input series, in place of value.
	// +optional
	// +kubebuilder:validation:MaxLength=65536
	Histogram string `json:"histogram,omitempty"`
}

// TestDuration is a duration in a test: 30s, 1h30m, or 0.
//
// +kubebuilder:validation:Type=""
// +kubebuilder:validation:XIntOrString
// +kubebuilder:validation:MaxLength=32
// +kubebuilder:validation:Pattern=`^(0|([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$`
type TestDuration string

// UnmarshalJSON takes a string, or a number as the text it is written with.
func (d *TestDuration) UnmarshalJSON(text []byte) error { return scalar(text, (*string)(d)) }

// TestTime is a point in time: RFC 3339, or seconds since 1970.
//
// +kubebuilder:validation:Type=""
// +kubebuilder:validation:XIntOrString
// +kubebuilder:validation:MaxLength=64
type TestTime string

// UnmarshalJSON takes a string, or a number as the text it is written with.
func (t *TestTime) UnmarshalJSON(text []byte) error { return scalar(text, (*string)(t)) }

// SampleValue is a number, or a string that is one.
//
// A schema can't say "a number or a string", so the API server takes whatever is there, and the operator says what is no
// number.
//
// +kubebuilder:validation:Type=""
// +kubebuilder:pruning:PreserveUnknownFields
type SampleValue string

// UnmarshalJSON takes a string, or a number as the text it is written with.
func (v *SampleValue) UnmarshalJSON(text []byte) error { return scalar(text, (*string)(v)) }

// scalar takes a string as it is and anything else as the text it is written with. It refuses nothing: an object that
// can't be read would keep the operator from reading any.
func scalar(text []byte, to *string) error {
	if len(text) > 0 && text[0] == '"' {
		return json.Unmarshal(text, to)
	}
	if string(text) != "null" {
		*to = string(text)
	}
	return nil
}

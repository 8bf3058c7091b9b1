package v1alpha1

import (
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AlertRuleSpec holds rule groups in the format of Prometheus' own rule files, word for word, and unit tests of them in
// promtool's, so that what people have can be pasted below it.
type AlertRuleSpec struct {
	// groups of rules. The rules of a group are evaluated in order, at the group's interval.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:XValidation:rule="self.all(g, self.exists_one(h, h.name == g.name))",message="two groups have the same name: rename one"
	Groups []RuleGroup `json:"groups,omitempty"`
	// tests of the rules, in promtool's unit-test format, word for word. They are run before the rules are loaded; while
	// one of them fails, the rules are not, and what was loaded before stays.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	Tests []RuleTest `json:"tests,omitempty"`
	// evaluation_interval of the tests, as in promtool's files: the rules are evaluated this often while a test runs. It says
	// nothing about how often a server evaluates them. Left out: 1m.
	// +optional
	EvaluationInterval TestDuration `json:"evaluation_interval,omitempty"`
	// group_eval_order of the tests, as in promtool's files: the groups named are evaluated in this order. Groups of which
	// one needs what another records are listed here. Left out: the order of the groups.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=256
	GroupEvalOrder []string `json:"group_eval_order,omitempty"`
	// fuzzy_compare of the tests, as in promtool's files: values that differ in their last binary digit are equal.
	// +optional
	FuzzyCompare bool `json:"fuzzy_compare,omitempty"`
	// receivers that every AlertRule of this namespace can notify, each named once in the namespace. An AlertRule may have
	// receivers and no groups. Secrets are those of this namespace, which has to grant them to the Alertmanager: the
	// condition Routed says how.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Receivers []Receiver `json:"receivers,omitempty"`
	// notify says who is told of this object's alerts. Entries are tried in order; the first that matches takes the alert,
	// and with continue the ones after it too. What none of them matches goes the way of the server's route. Left out:
	// every alert goes that way.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Notify []Notify `json:"notify,omitempty"`
	// missingMetrics: Ignore has nobody told that a rule can't return anything because a server has no series of a metric
	// that it needs; for rules on metrics that come later or seldom. Left out, or Report: the condition MetricsMissing
	// names the metrics while that is so.
	// +optional
	// +kubebuilder:validation:Enum=Report;Ignore
	MissingMetrics MissingMetricsPolicy `json:"missingMetrics,omitempty"`
}

// MissingMetricsPolicy says what becomes of the news that a rule's metrics have no series.
type MissingMetricsPolicy string

// The policies. None is MissingMetricsReport.
const (
	MissingMetricsReport MissingMetricsPolicy = "Report"
	MissingMetricsIgnore MissingMetricsPolicy = "Ignore"
)

// RuleGroup is a group of a Prometheus rule file
// (https://prometheus.io/docs/prometheus/latest/configuration/recording_rules/#rule_group).
type RuleGroup struct {
	// name of the group, unique in this object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Name string `json:"name"`
	// interval between evaluations. Left out: the server's evaluationInterval.
	// +optional
	Interval RuleDuration `json:"interval,omitempty"`
	// query_offset moves the evaluation this far into the past, for samples that arrive late.
	// +optional
	QueryOffset RuleDuration `json:"query_offset,omitempty"`
	// limit on the alerts or series a rule of this group may produce; 0 is no limit.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= 0",message="limit must be 0 (no limit) or more"
	Limit int32 `json:"limit,omitempty"`
	// labels added to every rule of the group; a rule's own label wins.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Labels map[string]string `json:"labels,omitempty"`
	// rules of the group.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=1024
	Rules []Rule `json:"rules,omitempty"`
}

// Rule is an alerting rule (alert is set) or a recording rule (record is set).
//
// +kubebuilder:validation:XValidation:rule="has(self.alert) != has(self.record)",message="a rule has either alert or record: set exactly one of them"
// +kubebuilder:validation:XValidation:rule="has(self.alert) || (!has(self.for) && !has(self.keep_firing_for) && !has(self.annotations))",message="for, keep_firing_for and annotations belong to alerting rules: remove them from the recording rule"
type Rule struct {
	// record is the name of the series that a recording rule writes.
	// +optional
	// +kubebuilder:validation:MinLength=1
	Record string `json:"record,omitempty"`
	// alert is the name of the alert that an alerting rule raises.
	// +optional
	// +kubebuilder:validation:MinLength=1
	Alert string `json:"alert,omitempty"`
	// expr is the PromQL expression. It is parsed by Prometheus' own parser.
	// +required
	Expr Expression `json:"expr"`
	// for is how long the expression must return a result before the alert fires.
	// +optional
	For RuleDuration `json:"for,omitempty"`
	// keep_firing_for is how long the alert goes on firing after the expression stopped returning a result.
	// +optional
	KeepFiringFor RuleDuration `json:"keep_firing_for,omitempty"`
	// labels added to the alert or the recorded series; templates are expanded in those of an alert.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Labels map[string]string `json:"labels,omitempty"`
	// annotations of the alert; templates are expanded.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Expression is a PromQL expression. In a rule file it may be a bare number, as in `expr: 1`.
//
// It is not an IntOrString, which the API server lets hold numbers that its Go type can't: one such object would keep the
// operator from reading any.
//
// +kubebuilder:validation:Type=""
// +kubebuilder:validation:XIntOrString
type Expression string

// UnmarshalJSON takes a string, or a number as the text it is written with.
func (e *Expression) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		return json.Unmarshal(text, (*string)(e))
	}
	var number json.Number
	if err := json.Unmarshal(text, &number); err != nil {
		return err
	}
	*e = Expression(number)
	return nil
}

// AlertRuleStatus says where the rules are loaded.
type AlertRuleStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// rules is the number of rules in the spec.
	// +optional
	Rules int32 `json:"rules"`
	// loaded is "servers that have loaded this generation / servers that select this object".
	// +optional
	Loaded string `json:"loaded,omitempty"`
	// firing is the number of alerts of these rules that are firing, on all servers together; absent while no server has
	// loaded any version of them.
	// +optional
	Firing *int32 `json:"firing,omitempty"`
	// servers that select this object.
	// +optional
	// +listType=map
	// +listMapKey=namespace
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Servers []RuleServerStatus `json:"servers,omitempty"`
	// routes says where each alert goes on the servers that have an Alertmanager; at most 64 entries.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Routes []AlertRoute `json:"routes,omitempty"`
	// conditions: Routed where there are receivers or notify, Ready, Valid, Loaded, and while they are true Reconciling, Stalled, EvaluationFailing and MetricsMissing.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// AlertRoute says where an alert goes.
type AlertRoute struct {
	// server whose Alertmanager it is, as namespace/name.
	Server string `json:"server"`
	// group of the alert.
	Group string `json:"group"`
	// alert is its name.
	Alert string `json:"alert"`
	// receivers that are notified, in order. Those of a namespace are called namespace/name; none is nobody.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Receivers []RoutedReceiver `json:"receivers,omitempty"`
}

// RoutedReceiver is a receiver that an alert goes to, always or under conditions.
type RoutedReceiver struct {
	// receiver that is notified.
	Receiver string `json:"receiver"`
	// when says on what it depends, where the labels that the alert has at run time or the clock decide. Absent: always.
	// +optional
	When string `json:"when,omitempty"`
}

// RuleServerStatus says what one server has loaded of an AlertRule.
type RuleServerStatus struct {
	// namespace of the PrometheusServer.
	Namespace string `json:"namespace"`
	// name of the PrometheusServer.
	Name string `json:"name"`
	// revision of the server's configuration that first had this generation of the rules; 0 while none has.
	// +optional
	Revision int64 `json:"revision,omitempty"`
	// loaded is true when every replica of the server has loaded this generation.
	Loaded bool `json:"loaded"`
	// message says why not, where loaded is false.
	// +optional
	Message string `json:"message,omitempty"`
	// firing is the number of alerts of these rules that fire there, as the server said last. That alerts begin or end is
	// written within seconds, another number within a minute or so.
	// +optional
	Firing int32 `json:"firing,omitempty"`
	// pending is the number of alerts whose for has not passed yet.
	// +optional
	Pending int32 `json:"pending,omitempty"`
	// lastError is the server's own text on the last evaluation of one of these rules, with the rule; absent if it went well.
	// +optional
	LastError string `json:"lastError,omitempty"`
	// missingMetrics are the rules that can't return anything there, each with the metrics of which the server has no series
	// and had none in the last 24 hours.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	MissingMetrics []string `json:"missingMetrics,omitempty"`
}

// AlertRule holds alerting and recording rules; the PrometheusServers that select it load them.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=ar,categories=monitoring
// +kubebuilder:printcolumn:name="Rules",type=integer,JSONPath=`.status.rules`
// +kubebuilder:printcolumn:name="Valid",type=string,JSONPath=`.status.conditions[?(@.type=="Valid")].status`
// +kubebuilder:printcolumn:name="Tests",type=string,JSONPath=`.status.conditions[?(@.type=="Tested")].status`
// +kubebuilder:printcolumn:name="Loaded",type=string,JSONPath=`.status.loaded`
// +kubebuilder:printcolumn:name="Firing",type=integer,JSONPath=`.status.firing`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Status",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type AlertRule struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec holds the rules.
	// +optional
	Spec AlertRuleSpec `json:"spec,omitempty"`
	// status says where they are loaded.
	// +optional
	Status AlertRuleStatus `json:"status,omitempty"`
}

// AlertRuleList is a list of AlertRules.
//
// +kubebuilder:object:root=true
type AlertRuleList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []AlertRule `json:"items"`
}

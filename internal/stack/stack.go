// Package stack is the model between the declarations and what is made of them: every default applied, every reference
// resolved, every name decided. What cannot work is refused here, with the field and the fix.
package stack

import (
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/bundle"
)

// Stack is a PrometheusServer that can be built.
type Stack struct {
	// Namespace and Name are those of the PrometheusServer.
	Namespace, Name string
	// Names of what is made for it.
	Names Names
	// Selector are the labels by which the pods of all its shards are found; they never change.
	Selector map[string]string
	// Labels are on every object made for it; they contain Selector.
	Labels map[string]string

	Image, ReloaderImage string
	PullSecrets          []corev1.LocalObjectReference
	Replicas             int32
	// Shards are those that run, each with Replicas; Spread is over how many of them targets are distributed now.
	Shards, Spread int32

	Global     Global
	Retention  Retention
	Storage    v1alpha1.Storage
	Web        Web
	Service    v1alpha1.Service
	Scheduling Scheduling
	Exporters  []ExporterTarget
	Monitors   Monitors
	Kubernetes Kubernetes
	// Annotations is nil where they count nowhere.
	Annotations *Annotations
	// Operator is pulled from too, unless it is nil.
	Operator *Operator
	// Bindings are to the roles with which it discovers its targets; Withheld is what is left out for want of them.
	Bindings  []Binding
	Withheld  []Withheld
	Rules     Rules
	Published Published
	// Routing is nil where no Alertmanager is declared.
	Routing *Routing
	// Alertmanager is the server's own, nil where none is declared.
	Alertmanager *Alertmanager
	// Alertmanagers are those that alerts are sent to, the own one among them.
	Alertmanagers Alertmanagers
	// Grafana is where people look at it, nil where none is declared.
	Grafana *Grafana
	// Agent is true for one that only sends samples, to RemoteWrites, and Receiver for one that takes those of others.
	Agent, Receiver bool
	RemoteWrites    RemoteWrites
}

// Names of the objects made for a PrometheusServer.
type Names struct {
	// Base is prometheus-<name>: the ServiceAccount, the Role and its binding, the prefix of the published objects (see package
	// bundle), and what shard 0 has (see Shard).
	Base string
	// Pods is the headless Service that gives the pods their names.
	Pods string
}

// Global is what holds for every scrape and evaluation.
type Global struct {
	ScrapeInterval, ScrapeTimeout, EvaluationInterval model.Duration
	// ExternalLabels as written into the configuration: Prometheus replaces ${POD_NAME} in them from its environment, and
	// $$ by $; the reloader replaces ShardNumber.
	ExternalLabels map[string]string
	ExternalURL    string
}

// Retention of samples; a zero size is no limit.
type Retention struct {
	Time model.Duration
	Size resource.Quantity
}

// Web says how the server's own pages are protected; empty names mean not at all.
type Web struct {
	TLSSecret, BasicAuthSecret string
}

// Protected says whether the server needs a web configuration.
func (w Web) Protected() bool { return w.TLSSecret != "" || w.BasicAuthSecret != "" }

// Scheduling says where pods run and what they may use.
type Scheduling struct {
	Resources         corev1.ResourceRequirements
	NodeSelector      map[string]string
	Tolerations       []corev1.Toleration
	Affinity          *corev1.Affinity
	PriorityClassName string
	PodLabels         map[string]string
	PodAnnotations    map[string]string
}

// ExporterTarget is a NodeExporter whose pods are scraped.
type ExporterTarget struct {
	Namespace, Name string
	// Service is the headless Service of the exporter's pods.
	Service string
	// Pool whose pods these are, empty if there are no pools.
	Pool string
	// Running is true if one of the pods is ready, as far as the exporter's own status says.
	Running bool
}

// Job is the name of the target's scrape job, by which Prometheus reports on it.
func (e ExporterTarget) Job() string { return ExporterJob(e.Namespace, e.Name, e.Pool) }

// ExporterJobs begins the names of the scrape jobs of NodeExporters.
const ExporterJobs = "nodeExporter/"

// ExporterJob is the name of the scrape job of a NodeExporter, or of one of its pools: Prometheus counts by job, so this is
// how each pool's exporters that are up are known.
func ExporterJob(namespace, name, pool string) string {
	job := ExporterJobs + namespace + "/" + name
	if pool != "" {
		job += "/" + pool
	}
	return job
}

// Rules is what becomes of the AlertRules and PrometheusRules that a server selects.
type Rules struct {
	// Files are the rule files to load.
	Files []bundle.File
	// Count is the number of rules in Files.
	Count int
	// Verdicts has an entry for every selected AlertRule, sorted by namespace and name.
	Verdicts []Verdict
	// Foreign has one for every selected PrometheusRule, in the same order.
	Foreign []Verdict

	// decided and foreign are the decisions on all AlertRules and PrometheusRules, by namespace and name.
	decided, foreign []*decision
	// namespaceLabels are those that they were made with.
	namespaceLabels map[string]map[string]string

	// routed are the selected AlertRules that have receivers or notify.
	routed []routed
	// pending is true while there is no verdict on one of the selected AlertRules.
	pending bool
}

// Verdict says what becomes of one AlertRule or PrometheusRule.
type Verdict struct {
	Namespace, Name string
	UID             string
	Generation      int64
	// Pending is true while nobody has said whether this generation can be loaded.
	Pending bool
	// Problem is why this generation is not in Files. It is in them if this is empty and Pending false.
	Problem string
	// LastGood is true when an earlier generation is in Files instead.
	LastGood bool
}

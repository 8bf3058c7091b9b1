package adopt

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// What becomes of a field.
const (
	Same    = "same"    // it means the same in the PrometheusServer
	Changed = "changed" // the PrometheusServer says something else
	None    = "none"    // there is no counterpart
)

// Field is one that is set, and what becomes of it.
type Field struct {
	Path    string
	Verdict string
	// Becomes is the field of the PrometheusServer, if there is one.
	Becomes string
	Note    string
}

// conversion makes a PrometheusServer of a Prometheus, or of a PrometheusAgent.
type conversion struct {
	// theirs is a PrometheusAgent too, with the fields that both kinds have.
	theirs *monitoringv1.Prometheus
	agent  *monitoringv1alpha1.PrometheusAgentSpec
	// spec is theirs as it was read.
	spec   map[string]any
	server *v1alpha1.PrometheusServer
	fields []Field
	// below are lines on what is below the field that is converted.
	below []Field
	// commands print what has to be filled in.
	commands []string
}

// convert looks at every field that is set, so that none is lost without a word.
func convert(object map[string]any) (*conversion, error) {
	c := &conversion{}
	if err := c.read(object); err != nil {
		return nil, err
	}
	c.server = &v1alpha1.PrometheusServer{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "PrometheusServer"},
		ObjectMeta: metav1.ObjectMeta{Namespace: c.theirs.Namespace},
	}
	c.defaults()
	c.spec, _ = object["spec"].(map[string]any)
	known := fields()
	for _, name := range slices.Sorted(maps.Keys(c.spec)) {
		if unset(c.spec[name]) && !switchedOff(name, c.spec[name]) {
			continue
		}
		f := Field{Path: "spec." + name, Verdict: None, Note: "no counterpart"}
		if take, ok := known[name]; ok {
			f.Verdict, f.Becomes, f.Note = take(c)
		}
		c.fields = append(append(c.fields, f), c.below...)
		c.below = nil
	}
	c.left(c.spec)
	return c, nil
}

func (c *conversion) read(object map[string]any) error {
	c.theirs = &monitoringv1.Prometheus{}
	if kind, _ := object["kind"].(string); kind != monitoringv1alpha1.PrometheusAgentsKind {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object, c.theirs); err != nil {
			return fmt.Errorf("read a Prometheus: %w", err)
		}
		return nil
	}
	agent := &monitoringv1alpha1.PrometheusAgent{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object, agent); err != nil {
		return fmt.Errorf("read a PrometheusAgent: %w", err)
	}
	c.theirs.ObjectMeta, c.theirs.Spec.CommonPrometheusFields, c.agent = agent.ObjectMeta, agent.Spec.CommonPrometheusFields, &agent.Spec
	return nil
}

// switchedOff says that an empty value says something: that there is no such label.
func switchedOff(name string, value any) bool {
	return value == "" && (name == "replicaExternalLabelName" || name == "prometheusExternalLabelName")
}

// unset says that a value says nothing, however deep.
func unset(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		// A label selector that is empty selects everything, and has a handler.
		return false
	}
	return false
}

// defaults are what both operators have where nothing is set.
func (c *conversion) defaults() {
	c.server.Spec.ScrapeInterval = "30s"
	c.server.Spec.Replicas = ptr.To(int32(1))
	if c.agent != nil {
		c.server.Spec.Mode = v1alpha1.ModeAgent
	} else {
		c.server.Spec.EvaluationInterval, c.server.Spec.Retention.Time = "30s", "24h"
	}
	c.server.Spec.Storage.Size = resource.MustParse("10Gi")
	c.server.Spec.Storage.WhenDeleted = v1alpha1.ClaimRetain
	c.server.Spec.Service = v1alpha1.Service{Type: corev1.ServiceTypeClusterIP, Port: 9090}
}

// left says what differs although, or because, nothing is set.
func (c *conversion) left(spec map[string]any) {
	say := func(path, becomes, note string) {
		c.fields = append(c.fields, Field{Path: path, Verdict: Changed, Becomes: becomes, Note: note})
	}
	if c.agent == nil && spec["retention"] == nil && spec["retentionSize"] == nil {
		c.fields = append(c.fields, Field{Path: "spec.retention", Verdict: Same, Becomes: "spec.retention.time", Note: "not set, which is 24h to prometheus-operator"})
	}
	if spec["storage"] == nil {
		say("spec.storage", "spec.storage.size", "not set, so samples are lost with the pod; a PrometheusServer always has a claim")
	}
	if note := c.externalNote(); spec["externalLabels"] == nil && note != "" {
		say("spec.externalLabels", "spec.externalLabels", note)
	}
	if spec["alerting"] == nil && (spec["additionalAlertManagerConfigs"] != nil) {
		say("spec.alerting", "", c.alertingNote())
	}
}

func (c *conversion) externalNote() string {
	var notes []string
	if label := c.sameLabel(); label != "" {
		notes = append(notes, "prometheus=<namespace>/<name> has the PrometheusServer's name: set "+label+" when the other one is gone")
	}
	if !removed(c.theirs.Spec.ReplicaExternalLabelName) {
		notes = append(notes, fmt.Sprintf("the replica's label is called replica, not %s", ptr.Deref(c.theirs.Spec.ReplicaExternalLabelName, "prometheus_replica")))
	}
	return strings.Join(notes, "; ")
}

// sameLabel are the external labels with which alerts are those of the other one; empty if they are already.
func (c *conversion) sameLabel() string {
	name := ptr.Deref(c.theirs.Spec.PrometheusExternalLabelName, "prometheus")
	switch name {
	case "":
		return ""
	case "prometheus":
		return fmt.Sprintf("externalLabels.prometheus: %s/%s", c.theirs.Namespace, c.theirs.Name)
	}
	return fmt.Sprintf(`externalLabels: {prometheus: "", %s: %s/%s}`, name, c.theirs.Namespace, c.theirs.Name)
}

// alerting is left out, whatever it says.
func alerting(c *conversion) (verdict, becomes, note string) {
	return Changed, "", c.alertingNote()
}

func (c *conversion) alertingNote() string {
	note := "left out, because while both run both evaluate every rule: add spec.alerting.external when the other one is gone, or before that"
	if label := c.sameLabel(); label != "" {
		note += " together with " + label + ", as with another label the Alertmanagers would notify twice"
	}
	return note
}

// selector is both halves of a selection, nil where nothing is selected.
func selector(objects, namespaces *metav1.LabelSelector) *v1alpha1.ObjectSelector {
	if objects == nil {
		return nil
	}
	return &v1alpha1.ObjectSelector{Selector: objects, NamespaceSelector: namespaces}
}

func (c *conversion) targets() *v1alpha1.Targets {
	if c.server.Spec.Targets == nil {
		c.server.Spec.Targets = &v1alpha1.Targets{}
	}
	return c.server.Spec.Targets
}

// size is one in Prometheus' units, in which KB and KiB are the same.
func size(text string) (resource.Quantity, error) {
	number := strings.TrimRight(text, "KMGTPEiB")
	unit := strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(text, number), "B"), "i")
	if unit != "" {
		unit += "i"
	}
	return resource.ParseQuantity(number + unit)
}

package monitors

import (
	"fmt"
	"regexp"
	"strings"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
)

// The labels by which Kubernetes' own are known while targets are relabelled begin with one of these.
const (
	ofService   = "__meta_kubernetes_service_"
	ofPod       = "__meta_kubernetes_pod_"
	ofSlice     = "__meta_kubernetes_endpointslice_"
	ofNamespace = "__meta_kubernetes_namespace"
)

// jobNameLabel is what people's own relabelling finds the name of the scrape job in.
const jobNameLabel = "__tmp_prometheus_job_name"

// sanitized is the name that Prometheus gives a label of Kubernetes.
func sanitized(label string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, label)
}

func keep(regex string, from ...string) Relabel {
	return Relabel{Action: "keep", SourceLabels: from, Regex: regex}
}

func drop(regex string, from ...string) Relabel {
	return Relabel{Action: "drop", SourceLabels: from, Regex: regex}
}

// copied gives a label the value of another one, also where that has none.
func copied(from, to string) Relabel { return Relabel{SourceLabels: []string{from}, TargetLabel: to} }

// copiedIfAny leaves the label as it is where the other one has no value.
func copiedIfAny(from, to string) Relabel {
	return Relabel{SourceLabels: []string{from}, Regex: "(.+)", TargetLabel: to}
}

func fixed(to, value string) Relabel { return Relabel{TargetLabel: to, Replacement: &value} }

// running drops what has ended: nobody answers there any more.
func running() Relabel { return drop("(Failed|Succeeded)", ofPod+"phase") }

// selected keeps what a label selector takes, by the labels of an object whose meta labels begin so.
func selected(s metav1.LabelSelector, of string) []Relabel {
	var out []Relabel
	labels := func(key string) (value, present string) {
		return of + "label_" + sanitized(key), of + "labelpresent_" + sanitized(key)
	}
	for _, key := range sortedKeys(s.MatchLabels) {
		value, present := labels(key)
		out = append(out, keep(anyOf(s.MatchLabels[key])+";true", value, present))
	}
	for _, r := range s.MatchExpressions {
		value, present := labels(r.Key)
		switch r.Operator {
		case metav1.LabelSelectorOpIn:
			out = append(out, keep(anyOf(r.Values...)+";true", value, present))
		case metav1.LabelSelectorOpNotIn:
			out = append(out, drop(anyOf(r.Values...)+";true", value, present))
		case metav1.LabelSelectorOpExists:
			out = append(out, keep("true", present))
		case metav1.LabelSelectorOpDoesNotExist:
			out = append(out, drop("true", present))
		}
	}
	return out
}

// anyOf is a regular expression for these values, and not for what they would mean as expressions.
func anyOf(values ...string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = regexp.QuoteMeta(v)
	}
	return "(" + strings.Join(quoted, "|") + ")"
}

// taken gives the target labels of an object's own, where the object has them.
func taken(labels []string, of string) []Relabel {
	var out []Relabel
	for _, label := range labels {
		out = append(out, copiedIfAny(of+"label_"+sanitized(label), sanitized(label)))
	}
	return out
}

// relabelled are the steps that a monitor asks for itself.
func (c *compiler) relabelled(steps []monitoringv1.RelabelConfig, at *field.Path) []Relabel {
	var out []Relabel
	for i := range steps {
		step := &steps[i]
		r := Relabel{
			Separator:   step.Separator,
			Regex:       step.Regex,
			Modulus:     step.Modulus,
			TargetLabel: step.TargetLabel,
			Replacement: step.Replacement,
			Action:      strings.ToLower(step.Action),
		}
		for _, name := range step.SourceLabels {
			r.SourceLabels = append(r.SourceLabels, string(name))
		}
		if step.Modulus < 0 {
			c.errs = append(c.errs, field.Invalid(at.Index(i).Child("modulus"), step.Modulus, "must not be negative"))
		}
		out = append(out, r)
	}
	return out
}

// sendsElsewhere are the labels that decide where a request goes, and with what in it.
func sendsElsewhere(label string) bool {
	switch label {
	case "__address__", "__scheme__", "__metrics_path__":
		return true
	}
	return strings.HasPrefix(label, "__param_")
}

// steadfast refuses, on a target that is sent credentials, steps that could lead the request elsewhere: whoever may write
// a monitor may not therefore read the Secret that it names.
func (c *compiler) steadfast(steps []Relabel, at *field.Path) {
	for i, step := range steps {
		below := at.Index(i)
		switch step.Action {
		case "", "replace", "lowercase", "uppercase", "hashmod":
			if sendsElsewhere(step.TargetLabel) || !plainName(step.TargetLabel) {
				c.refuse(below.Child("targetLabel"), fmt.Sprintf("%q could send the endpoint's credentials elsewhere: remove this step, or the credentials", step.TargetLabel))
			}
		case "labelmap":
			if !harmlessMap(step) {
				c.refuse(below, "this labelmap could set __address__ or the like and so send the endpoint's credentials elsewhere: map only labels or annotations of Kubernetes, as in __meta_kubernetes_pod_label_(.+), to names that do not begin with __")
			}
		}
	}
}

// plainName says whether a target label is the same for every target.
func plainName(label string) bool { return !strings.Contains(label, "$") }

// mapsOwn matches the expressions that take all labels or annotations of one object, which begin with a letter or digit.
const mapsOwn = `^__meta_kubernetes_[a-z]+_(label|annotation)(present)?_\((\.\+|\.\*)\)$`

// harmlessMap says whether a labelmap makes no label that begins with __.
func harmlessMap(step Relabel) bool {
	to := ptr.Deref(step.Replacement, "$1")
	if ok, err := regexp.MatchString(mapsOwn, step.Regex); err != nil || !ok {
		return false
	}
	return to == "$1" || to == "${1}" || to != "" && to[0] != '_' && to[0] != '$'
}

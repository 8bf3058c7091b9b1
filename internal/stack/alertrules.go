package stack

import (
	"cmp"
	"maps"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/rules"
)

// resolveRules decides for each selected AlertRule and PrometheusRule what is loaded: this generation if it is valid, and otherwise what is
// published of it already, so that neither a mistake in an edit nor a verdict that takes its time takes an alert away.
func resolveRules(in Inputs, tenancy *Tenancy, spec *field.Path) (Rules, field.ErrorList) {
	selection, errs := Selected(in.Server.Spec.Rules, in.Server.Namespace, spec.Child("rules"))
	foreign, more := Selected(in.Server.Spec.PrometheusRules, in.Server.Namespace, spec.Child("prometheusRules"))
	errs = append(errs, more...)
	if len(errs) > 0 {
		return Rules{}, errs
	}
	if in.Rules != nil {
		return *in.Rules, nil
	}
	out := Rules{namespaceLabels: in.NamespaceLabels}
	confine := newConfiner(tenancy, in.Confined)
	d := decider{in: &in, confine: confine, selection: selection, path: rules.Path}
	f := decider{in: &in, confine: confine, selection: foreign, path: rules.PrometheusRulePath}
	if b := in.Before; b != nil && sameLabels(b.Rules.namespaceLabels, in.NamespaceLabels) {
		d.before, f.before = b.Rules.decided, b.Rules.foreign
	}
	out.decided, out.foreign = d.all(in.AlertRules), f.all(in.PrometheusRules)
	confine.done()
	out.Files = make([]bundle.File, 0, len(out.decided)+len(out.foreign))
	out.Verdicts = out.collect(out.decided)
	out.Foreign = out.collect(out.foreign)
	return out, nil
}

// sameLabels says whether namespaces have the same labels in both.
func sameLabels(a, b map[string]map[string]string) bool { return maps.EqualFunc(a, b, maps.Equal) }

// collect adds what becomes of those that are selected, and returns the verdicts on them.
func (r *Rules) collect(decided []*decision) []Verdict {
	var verdicts []Verdict
	for _, d := range decided {
		if !d.selected {
			continue
		}
		if verdicts == nil {
			verdicts = make([]Verdict, 0, len(decided))
		}
		verdicts = append(verdicts, d.verdict)
		if d.loads {
			r.Files = append(r.Files, d.file)
			r.Count += d.file.Rules
		}
		if d.of.Routing != nil {
			r.routed = append(r.routed, routed{d.of.Namespace, d.of.Name, d.of.Created, d.of.Routing})
		}
		r.pending = r.pending || !d.of.Judged
	}
	return verdicts
}

// decision is what becomes of one AlertRule or PrometheusRule on a server. It is not changed once it is made.
type decision struct {
	of       *AlertRule
	selected bool
	verdict  Verdict
	// file is loaded if loads is true.
	file  bundle.File
	loads bool
}

// stays says whether the decision depends on the AlertRule alone, and not on what is published.
func (d *decision) stays() bool {
	return !d.selected || d.verdict.Problem == "" && !d.verdict.Pending
}

// decider decides on AlertRules or on PrometheusRules.
type decider struct {
	in        *Inputs
	confine   confiner
	selection Selection
	path      func(namespace, name string) string
	before    []*decision
}

// all decides on each, in order. Those on which before has a decision are passed by.
func (d *decider) all(rules []*AlertRule) []*decision {
	out := make([]*decision, 0, len(rules))
	before := d.before
	for _, ar := range rules {
		for len(before) > 0 && before[0].of != ar && !ar.sortsBefore(before[0].of) {
			before = before[1:]
		}
		if len(before) > 0 && before[0].of == ar && before[0].stays() {
			d.confine.keep(before[0].file, ar.Namespace)
			out = append(out, before[0])
		} else {
			out = append(out, d.decide(ar))
		}
	}
	return out
}

func (ar *AlertRule) sortsBefore(o *AlertRule) bool {
	return cmp.Or(cmp.Compare(ar.Namespace, o.Namespace), cmp.Compare(ar.Name, o.Name)) < 0
}

func (d *decider) decide(ar *AlertRule) *decision {
	if !d.selection.Takes(ar.Labels, ar.Namespace, d.in.NamespaceLabels) {
		return &decision{of: ar}
	}
	verdict := Verdict{Namespace: ar.Namespace, Name: ar.Name, UID: ar.UID, Generation: ar.Generation,
		Pending: !ar.Judged, Problem: ar.Problem}
	file, ok := ar.File, ar.Judged && ar.Problem == ""
	if ok {
		file, verdict.Problem = d.confine.file(file, ar.Namespace)
		ok = verdict.Problem == ""
	}
	if !ok {
		// It may have been published before anything was enforced.
		if file, ok = d.in.Published.Rules[d.path(ar.Namespace, ar.Name)]; ok {
			var problem string
			file, problem = d.confine.file(file, ar.Namespace)
			ok = problem == ""
		}
		verdict.LastGood = ok
		if ok && file.Rules < 0 {
			file.Rules = countIn(file)
		}
	}
	return &decision{of: ar, selected: true, verdict: verdict, file: file, loads: ok}
}

// countIn is the number of rules in a published file. One that can't be read has none, and is not published again either.
func countIn(file bundle.File) int {
	text, err := file.Content.Text()
	if err != nil {
		return 0
	}
	return rules.CountIn(text)
}

// SelectsRule says whether a server selects an AlertRule. An invalid selector selects nothing; it is the server's status
// that says so.
func SelectsRule(ps *v1alpha1.PrometheusServer, ar *v1alpha1.AlertRule, namespaceLabels map[string]map[string]string) bool {
	selection, errs := Selected(ps.Spec.Rules, ps.Namespace, field.NewPath("spec", "rules"))
	return len(errs) == 0 && selection.Takes(ar.Labels, ar.Namespace, namespaceLabels)
}

// SelectsExporter says whether a server selects a NodeExporter.
func SelectsExporter(ps *v1alpha1.PrometheusServer, ne *v1alpha1.NodeExporter, namespaceLabels map[string]map[string]string) bool {
	selection, errs := Selected(NodeExporterSelector(ps), ps.Namespace, field.NewPath("spec", "targets", "nodeExporters"))
	return len(errs) == 0 && selection.Takes(ne.Labels, ne.Namespace, namespaceLabels)
}

package stack

import (
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
	confine := newConfiner(tenancy, in.Confined)
	var out Rules
	for i := range in.AlertRules {
		ar := &in.AlertRules[i]
		if selection.Takes(ar.Labels, ar.Namespace, in.NamespaceLabels) {
			if ar.Routing != nil {
				out.routed = append(out.routed, routed{ar.Namespace, ar.Name, ar.Created, ar.Routing})
			}
			out.pending = out.pending || !ar.Judged
			out.Verdicts = append(out.Verdicts, out.add(ar, rules.Path(ar.Namespace, ar.Name), in.Published, confine))
		}
	}
	for i := range in.PrometheusRules {
		pr := &in.PrometheusRules[i]
		if foreign.Takes(pr.Labels, pr.Namespace, in.NamespaceLabels) {
			out.Foreign = append(out.Foreign, out.add(pr, rules.PrometheusRulePath(pr.Namespace, pr.Name), in.Published, confine))
		}
	}
	confine.done()
	return out, nil
}

func (r *Rules) add(ar *AlertRule, path string, published Published, confine confiner) Verdict {
	verdict := Verdict{Namespace: ar.Namespace, Name: ar.Name, UID: ar.UID, Generation: ar.Generation,
		Pending: !ar.Judged, Problem: ar.Problem}
	file, ok := ar.File, ar.Judged && ar.Problem == ""
	if ok {
		file, verdict.Problem = confine.file(file, ar.Namespace)
		ok = verdict.Problem == ""
	}
	if !ok {
		// It may have been published before anything was enforced.
		if file, ok = published.Rules[path]; ok {
			var problem string
			file, problem = confine.file(file, ar.Namespace)
			ok = problem == ""
		}
		verdict.LastGood = ok
		if ok && file.Rules < 0 {
			file.Rules = countIn(file)
		}
	}
	if ok {
		r.Files = append(r.Files, file)
		r.Count += file.Rules
	}
	return verdict
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

package stack

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/rules"
)

// resolveRules decides for each selected AlertRule what is loaded: this generation if it is valid, and otherwise what is
// published of it already, so that a mistake in an edit takes no alert away.
func resolveRules(in Inputs, path *field.Path) (Rules, field.ErrorList) {
	selection, errs := Selected(in.Server.Spec.Rules, in.Server.Namespace, path)
	if len(errs) > 0 {
		return Rules{}, errs
	}
	out := Rules{Files: map[string][]byte{}}
	var published map[string][]byte // unpacked when the first invalid rule asks for it
	for i := range in.AlertRules {
		ar := &in.AlertRules[i]
		if ar.DeletionTimestamp != nil || !selection.Takes(ar.Labels, ar.Namespace, in.NamespaceLabels) {
			continue
		}
		verdict := Verdict{Namespace: ar.Namespace, Name: ar.Name, UID: string(ar.UID), Generation: ar.Generation}
		file, err := rules.Render(ar)
		if err != nil {
			verdict.Problem = err.Error()
			if published == nil {
				published = in.Published.ruleFiles()
			}
			verdict.LastGood = out.keep(published, rules.Path(ar.Namespace, ar.Name))
		} else {
			out.Files[file.Path] = file.Text
			out.Count += file.Rules
		}
		out.Verdicts = append(out.Verdicts, verdict)
	}
	slices.SortFunc(out.Verdicts, func(a, b Verdict) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out, nil
}

// keep takes over a published file and says whether there was one.
func (r *Rules) keep(published map[string][]byte, path string) bool {
	text, ok := published[path]
	if !ok {
		return false
	}
	r.Files[path] = text
	r.Count += rules.CountIn(text)
	return true
}

// ruleFiles are the published rule files by path. What can't be unpacked is as good as not published: it is written anew.
// While buckets are being split or joined a file is in two of them, and the one that the manifest names counts.
func (p Published) ruleFiles() map[string][]byte {
	named := map[string]int{}
	if p.Manifest != nil {
		for _, name := range p.Manifest.Names() {
			named[name] = 1
		}
	}
	parts := slices.SortedFunc(maps.Keys(p.Parts), func(a, b string) int {
		return cmp.Or(cmp.Compare(named[a], named[b]), cmp.Compare(a, b))
	})
	out := map[string][]byte{}
	for _, name := range parts {
		files, err := bundle.Unpack(p.Parts[name])
		if err != nil {
			continue
		}
		for name, text := range files {
			if path, ok := strings.CutPrefix(name, bundle.RulesDir+"/"); ok {
				out[path] = text
			}
		}
	}
	return out
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

package stack

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/monitors"
	"github.com/hearth-monitoring/hearth/internal/rules"
)

// Tenancy is what a server holds the objects of other namespaces to.
type Tenancy struct {
	// Label has to say which namespace a series or an alert is from; empty: nothing has to.
	Label string
	// Discovered is true if tenants have nothing scraped but what is discovered in their own namespace.
	Discovered bool
	// Bounds of each scrape job; Jobs is how many of these a namespace can have. 0: no limit.
	Bounds monitors.Bounds
	Jobs   int64

	home     string
	excluded []string
}

// Terms are those on which the server takes what a namespace declares. Nobody has to be held to anything who could change
// the server itself; limits are against mistakes too, and hold there as well unless the namespace is excluded.
func (t *Tenancy) Terms(namespace string) monitors.Terms {
	switch {
	case slices.Contains(t.excluded, namespace):
		return monitors.Terms{}
	case namespace == t.home:
		return monitors.Terms{Bounds: t.Bounds}
	}
	return monitors.Terms{Label: t.Label, Discovered: t.Discovered, Bounds: t.Bounds}
}

// TenancyOf is what the server holds others to.
func TenancyOf(ps *v1alpha1.PrometheusServer) Tenancy {
	spec := &ps.Spec.Tenancy
	out := Tenancy{
		Label: spec.EnforcedNamespaceLabel, home: ps.Namespace, excluded: spec.ExcludedNamespaces,
		Discovered: spec.TenantTargets == v1alpha1.TenantTargetsDiscovered || spec.TenantTargets == "" && spec.EnforcedNamespaceLabel != "",
	}
	if l := spec.Limits; l != nil {
		out.Jobs = l.Jobs
		out.Bounds = monitors.Bounds{
			Samples: l.Samples, Targets: l.Targets, Labels: l.Labels, LabelNameLength: l.LabelNameLength, LabelValueLength: l.LabelValueLength,
			HistogramBuckets: l.HistogramBuckets,
		}
		if l.BodySize != nil {
			out.Bounds.BodySize = l.BodySize.Value()
		}
	}
	return out
}

// meaningful are the labels that Prometheus, Alertmanager and Hearth tell things apart by.
func meaningful() []string {
	return []string{
		model.MetricNameLabel, model.JobLabel, model.InstanceLabel, model.AlertNameLabel, "alertstate", model.BucketLabel, model.QuantileLabel,
		rules.Label, serverLabel, replicaLabel,
	}
}

func tenancy(ps *v1alpha1.PrometheusServer, path *field.Path) (Tenancy, field.ErrorList) {
	out := TenancyOf(ps)
	at := path.Child("enforcedNamespaceLabel")
	switch label := out.Label; {
	case label == "":
		return out, nil
	case !model.LegacyValidation.IsValidLabelName(label) || strings.HasPrefix(label, model.ReservedLabelPrefix):
		return out, field.ErrorList{field.Invalid(at, label, "a label name consists of letters, digits and _, and starts with neither a digit nor __; namespace is the usual one")}
	case slices.Contains(meaningful(), label):
		return out, field.ErrorList{field.Invalid(at, label, fmt.Sprintf("%s means something else already: name another label, such as namespace or tenant", label))}
	}
	return out, nil
}

// bound leaves out what is more than a namespace may have. The newest monitors are, so that nobody's targets go because of
// what somebody declares later.
func (out *Monitors) bound(all []placed) {
	if out.Tenancy.Jobs == 0 {
		return
	}
	oldest := make([]*placed, len(all))
	for i := range all {
		oldest[i] = &all[i]
	}
	slices.SortStableFunc(oldest, func(a, b *placed) int { return a.monitor.Created.Compare(b.monitor.Created.Time) })
	taken := map[string]int64{}
	for _, one := range oldest {
		namespace, n := one.monitor.Namespace, int64(len(one.jobs))
		most := out.Tenancy.Jobs
		if slices.Contains(out.Tenancy.excluded, namespace) || taken[namespace]+n <= most {
			taken[namespace] += n
			continue
		}
		one.jobs = nil
		verdict := &out.Verdicts[one.verdict]
		verdict.LastGood = false
		verdict.Problem = fmt.Sprintf("this server takes %d scrape jobs from a namespace (limits.jobs); older monitors of namespace %s have %d of them, and this one has %d: "+
			"remove endpoints or monitors, or have whoever keeps the server raise the limit", most, namespace, taken[namespace], n)
	}
}

// confiner confines the rule files of tenants.
type confiner struct {
	tenancy *Tenancy
	keeper  *rules.Keeper
	seen    map[string]bool
}

func newConfiner(tenancy *Tenancy, keeper *rules.Keeper) confiner {
	if keeper == nil {
		keeper = &rules.Keeper{}
	}
	return confiner{tenancy: tenancy, keeper: keeper, seen: map[string]bool{}}
}

// done forgets what is there no longer.
func (c confiner) done() { c.keeper.Keep(c.seen) }

// keep has what was made of a file of this namespace remembered.
func (c confiner) keep(file bundle.File, namespace string) {
	if c.tenancy.Terms(namespace).Label != "" {
		c.seen[file.Path] = true
	}
}

// file is the rule file of an object in this namespace as the server loads it, or why that can't be.
func (c confiner) file(file bundle.File, namespace string) (bundle.File, string) {
	label := c.tenancy.Terms(namespace).Label
	if label == "" {
		return file, ""
	}
	c.seen[file.Path] = true
	return c.keeper.File(file, rules.Home{Label: label, Namespace: namespace})
}

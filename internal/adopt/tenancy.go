package adopt

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"k8s.io/utils/ptr"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// tenancy is what objects of other namespaces are held to.
func tenancy() map[string]take {
	return map[string]take{
		"enforcedNamespaceLabel":             enforcedLabel,
		"excludedFromEnforcement":            excluded,
		"prometheusRulesExcludedFromEnforce": without("not converted: name their namespaces in spec.excludedNamespaces if all that is there can be trusted"),
		"enforcedSampleLimit":                bound("samples", func(c *conversion) *int64 { return c.theirs.Spec.EnforcedSampleLimit }, func(l *v1alpha1.TenantLimits) *int64 { return &l.Samples }),
		"enforcedTargetLimit":                bound("targets", func(c *conversion) *int64 { return c.theirs.Spec.EnforcedTargetLimit }, func(l *v1alpha1.TenantLimits) *int64 { return &l.Targets }),
		"enforcedLabelLimit":                 bound("labels", func(c *conversion) *int64 { return c.theirs.Spec.EnforcedLabelLimit }, func(l *v1alpha1.TenantLimits) *int64 { return &l.Labels }),
		"enforcedLabelNameLengthLimit":       bound("labelNameLength", func(c *conversion) *int64 { return c.theirs.Spec.EnforcedLabelNameLengthLimit }, func(l *v1alpha1.TenantLimits) *int64 { return &l.LabelNameLength }),
		"enforcedLabelValueLengthLimit":      bound("labelValueLength", func(c *conversion) *int64 { return c.theirs.Spec.EnforcedLabelValueLengthLimit }, func(l *v1alpha1.TenantLimits) *int64 { return &l.LabelValueLength }),
		"enforcedBodySizeLimit":              bodySize,
		"enforcedKeepDroppedTargets":         without("dropped targets are not limited in number"),
		"keepDroppedTargets":                 without("dropped targets are not limited in number"),
		"sampleLimit":                        preset("samples"),
		"targetLimit":                        preset("targets"),
		"labelLimit":                         preset("labels"),
		"labelNameLengthLimit":               preset("labelNameLength"),
		"labelValueLengthLimit":              preset("labelValueLength"),
		"bodySizeLimit":                      preset("bodySize"),
	}
}

// preset is a limit for whoever has none, which a monitor can raise.
func preset(limit string) take {
	return without("there is no limit that a monitor can raise: spec.limits." + limit + " is one that none can")
}

func enforcedLabel(c *conversion) (verdict, becomes, note string) {
	c.server.Spec.EnforcedNamespaceLabel = c.theirs.Spec.EnforcedNamespaceLabel
	c.server.Spec.TenantTargets = v1alpha1.TenantTargetsAny
	return Changed, "spec.enforcedNamespaceLabel", fmt.Sprintf("objects of namespace %s itself are left as they are; tenantTargets: Any is as it is today, "+
		"and left out a tenant has nothing scraped but the pods of its own namespace", c.theirs.Namespace)
}

// bound is a limit that no monitor can raise.
func bound(limit string, theirs func(*conversion) *int64, ours func(*v1alpha1.TenantLimits) *int64) take {
	return func(c *conversion) (string, string, string) {
		n := ptr.Deref(theirs(c), 0)
		if n <= 0 {
			return Same, "", "0 is no limit"
		}
		*ours(c.limits()) = n
		return Same, "spec.limits." + limit, ""
	}
}

func bodySize(c *conversion) (verdict, becomes, note string) {
	q, err := size(string(c.theirs.Spec.EnforcedBodySizeLimit))
	switch {
	case err != nil:
		return None, "", err.Error()
	case q.Sign() <= 0:
		return Same, "", "0 is no limit"
	}
	c.limits().BodySize = &q
	return Same, "spec.limits.bodySize", ""
}

func (c *conversion) limits() *v1alpha1.TenantLimits {
	if c.server.Spec.Limits == nil {
		c.server.Spec.Limits = &v1alpha1.TenantLimits{}
	}
	return c.server.Spec.Limits
}

// excluded: a namespace is trusted as a whole here, so it is converted only where it is there too. Anything else would
// trust more than today.
func excluded(c *conversion) (verdict, becomes, note string) {
	whole := map[string]map[string]bool{}
	var left []string
	for _, ref := range c.theirs.Spec.ExcludedFromEnforcement {
		switch {
		case ref.Namespace == c.theirs.Namespace:
		case ref.Name != "":
			left = append(left, fmt.Sprintf("%s %s/%s", ref.Resource, ref.Namespace, ref.Name))
		case whole[ref.Namespace] == nil:
			whole[ref.Namespace] = map[string]bool{ref.Resource: true}
		default:
			whole[ref.Namespace][ref.Resource] = true
		}
	}
	for _, namespace := range slices.Sorted(maps.Keys(whole)) {
		if slices.ContainsFunc(c.selected(), func(resource string) bool { return !whole[namespace][resource] }) {
			left = append(left, fmt.Sprintf("%s of %s", strings.Join(slices.Sorted(maps.Keys(whole[namespace])), " and "), namespace))
			continue
		}
		c.server.Spec.ExcludedNamespaces = append(c.server.Spec.ExcludedNamespaces, namespace)
	}
	notes := c.excludedNotes(left)
	if len(notes) > 0 {
		return Changed, "spec.excludedNamespaces", strings.Join(notes, "; ")
	}
	return Same, "spec.excludedNamespaces", ""
}

func (c *conversion) excludedNotes(left []string) []string {
	var out []string
	if len(left) > 0 {
		out = append(out, fmt.Sprintf("a namespace is trusted as a whole or not at all, since whoever may write one object there may write another; not converted: %s", strings.Join(left, ", ")))
	}
	if len(c.server.Spec.ExcludedNamespaces) > 0 && c.limited() {
		out = append(out, "spec.limits does not hold there either")
	}
	return out
}

// limited says that some limit is enforced.
func (c *conversion) limited() bool {
	s := &c.theirs.Spec
	return s.EnforcedSampleLimit != nil || s.EnforcedTargetLimit != nil || s.EnforcedLabelLimit != nil || s.EnforcedLabelNameLengthLimit != nil ||
		s.EnforcedLabelValueLengthLimit != nil || s.EnforcedBodySizeLimit != ""
}

// selected are the kinds that the Prometheus takes.
func (c *conversion) selected() []string {
	s := &c.theirs.Spec
	var out []string
	for resource, selector := range map[string]bool{
		monitoringv1.ServiceMonitorName: s.ServiceMonitorSelector != nil, monitoringv1.PodMonitorName: s.PodMonitorSelector != nil,
		monitoringv1.ProbeName: s.ProbeSelector != nil, "scrapeconfigs": s.ScrapeConfigSelector != nil, monitoringv1.PrometheusRuleName: s.RuleSelector != nil,
	} {
		if selector {
			out = append(out, resource)
		}
	}
	return out
}

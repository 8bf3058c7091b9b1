package stack

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/prometheus/common/model"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/monitors"
)

// Monitor is a ServiceMonitor, PodMonitor, Probe or ScrapeConfig of the cluster, and what it becomes. It is never changed: another
// version is another one.
type Monitor struct {
	Kind            monitors.Kind
	Namespace, Name string
	Labels          map[string]string
	// Created is when it was.
	Created metav1.Time
	// Compiled is what it becomes, nil for nothing. It is shared and must not be changed.
	Compiled *monitors.Compiled
	// Problem is why its current version becomes nothing. Compiled is then of an earlier one, or nil.
	Problem string
}

// Monitors is what becomes of the monitors that a server selects.
type Monitors struct {
	// Selects is true if the server has a selector for any kind of them, whether there is something to select or not.
	Selects bool
	// Jobs are what they become, in the order of their names.
	Jobs []monitors.Job
	// Secrets are those that the jobs name.
	Secrets []bundle.WantedSecret
	// Tenancy is what the jobs are held to.
	Tenancy Tenancy
	// Verdicts has an entry for every selected monitor, in the order of kinds, namespaces and names.
	Verdicts []MonitorVerdict

	// all are those that there were, places what becomes of each by itself, and namespaceLabels those that all was made with.
	all             []*Monitor
	places          map[*Monitor]*place
	namespaceLabels map[string]map[string]string
}

// MonitorVerdict says what becomes of one monitor.
type MonitorVerdict struct {
	Kind            monitors.Kind
	Namespace, Name string
	// Problem is why its current version is not scraped, empty if it is.
	Problem string
	// LastGood is true if an earlier version is scraped instead.
	LastGood bool
}

// MonitorSelector is a server's selector for a kind of monitors, nil where it has none, and the name of its field.
func MonitorSelector(ps *v1alpha1.PrometheusServer, kind monitors.Kind) (selector *v1alpha1.ObjectSelector, name string) {
	targets := ps.Spec.Targets
	if targets == nil {
		targets = &v1alpha1.Targets{}
	}
	switch kind {
	case monitors.ServiceMonitorKind:
		return targets.ServiceMonitors, "serviceMonitors"
	case monitors.PodMonitorKind:
		return targets.PodMonitors, "podMonitors"
	case monitors.ProbeKind:
		return targets.Probes, "probes"
	case monitors.ScrapeConfigKind:
		return targets.ScrapeConfigs, "scrapeConfigs"
	}
	return nil, ""
}

// SelectsForeign says whether a server selects any kind of monitoring.coreos.com.
func SelectsForeign(ps *v1alpha1.PrometheusServer) bool {
	return ps.Spec.PrometheusRules != nil || slices.ContainsFunc(monitorKinds(), func(kind monitors.Kind) bool {
		selector, _ := MonitorSelector(ps, kind)
		return selector != nil
	})
}

// monitorKinds are in the order of their names.
func monitorKinds() []monitors.Kind {
	return []monitors.Kind{monitors.PodMonitorKind, monitors.ProbeKind, monitors.ScrapeConfigKind, monitors.ServiceMonitorKind}
}

// placer decides, for one server and one kind, what becomes of each monitor.
type placer struct {
	in        *Inputs
	global    Global
	field     string
	selection Selection
	// everywhere is true if the server selects monitors in every namespace, present and future.
	everywhere bool
	reach      *reach
	tenancy    *Tenancy
	before     map[*Monitor]*place
}

// resolveMonitors decides for each selected monitor what is scraped. One that can't be keeps nobody else from it.
func resolveMonitors(in Inputs, global Global, tenancy *Tenancy, reach *reach, path *field.Path) (Monitors, field.ErrorList) {
	out := Monitors{all: in.Monitors, places: map[*Monitor]*place{}, namespaceLabels: in.NamespaceLabels}
	before, known := monitorsBefore(in)
	if known && slices.Equal(before.all, in.Monitors) {
		before.allow(reach)
		return before, nil
	}
	var errs field.ErrorList
	var placed []placed
	for _, kind := range monitorKinds() {
		selector, name := MonitorSelector(in.Server, kind)
		selection, more := Selected(selector, in.Server.Namespace, path.Child(name))
		errs = append(errs, more...)
		if len(more) > 0 || selector == nil || selector.Selector == nil {
			continue
		}
		out.Selects = true
		p := &placer{in: &in, global: global, field: path.Child(name).String(), selection: selection, reach: reach, tenancy: tenancy, before: before.places,
			everywhere: selector.NamespaceSelector != nil && isEmpty(selector.NamespaceSelector)}
		for _, m := range in.Monitors {
			if m.Kind == kind && selection.Takes(m.Labels, m.Namespace, in.NamespaceLabels) {
				placed = out.take(m, p, placed)
			}
		}
	}
	out.Tenancy = *tenancy
	out.bound(placed)
	out.collect(placed)
	return out, errs
}

// monitorsBefore are those that were made before, unless they were made of namespaces with other labels.
func monitorsBefore(in Inputs) (before Monitors, known bool) {
	if in.Before == nil || !sameLabels(in.Before.Monitors.namespaceLabels, in.NamespaceLabels) {
		return Monitors{}, false
	}
	return in.Before.Monitors, true
}

// allow grants what all of them need.
func (out *Monitors) allow(reach *reach) {
	for _, m := range out.all {
		if place := out.places[m]; place != nil {
			reach.allow(place.field, place.needs...)
		}
	}
}

// collect has the jobs of all monitors, and the Secrets that these name.
func (out *Monitors) collect(all []placed) {
	secrets := map[string]*bundle.WantedSecret{}
	for _, one := range all {
		if out.Jobs = append(out.Jobs, one.jobs...); len(one.jobs) > 0 {
			for _, s := range one.monitor.Compiled.Secrets {
				want(secrets, s)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(secrets)) {
		w := secrets[id]
		slices.Sort(w.Keys)
		w.Keys, w.TLS = slices.Compact(w.Keys), bundle.SortedTLS(w.TLS)
		out.Secrets = append(out.Secrets, *w)
	}
	slices.SortFunc(out.Jobs, func(a, b monitors.Job) int { return cmp.Compare(a.JobName, b.JobName) })
}

func isEmpty(s *metav1.LabelSelector) bool { return len(s.MatchLabels)+len(s.MatchExpressions) == 0 }

// placed is a monitor with its jobs on this server, and the place of the verdict on it.
type placed struct {
	monitor *Monitor
	jobs    []monitors.Job
	verdict int
}

func (out *Monitors) take(m *Monitor, p *placer, all []placed) []placed {
	verdict := MonitorVerdict{Kind: m.Kind, Namespace: m.Namespace, Name: m.Name, Problem: m.Problem}
	if m.Compiled != nil {
		place := p.before[m]
		if place == nil {
			place = p.place(m)
			place.field = p.field
		}
		out.places[m] = place
		problem := cmp.Or(place.problem, p.beyond(place.needs))
		verdict.LastGood = problem == "" && m.Problem != ""
		verdict.Problem = cmp.Or(verdict.Problem, problem)
		if problem == "" {
			all = append(all, placed{m, place.jobs, len(out.Verdicts)})
		}
	}
	out.Verdicts = append(out.Verdicts, verdict)
	return all
}

// want adds what one monitor wants of a Secret to what others do. Theirs is shared, and stays as it is.
func want(secrets map[string]*bundle.WantedSecret, s bundle.WantedSecret) {
	id := s.ID()
	if secrets[id] == nil {
		secrets[id] = &bundle.WantedSecret{Namespace: s.Namespace, Name: s.Name, ConfigMap: s.ConfigMap}
	}
	secrets[id].Keys = append(secrets[id].Keys, s.Keys...)
	secrets[id].TLS = append(secrets[id].TLS, s.TLS...)
}

// place is what a monitor is on a server: its jobs and the roles that they take, or why there are none. It is not changed once it is made.
type place struct {
	field   string // of the server that selects it
	jobs    []monitors.Job
	needs   []Binding
	problem string
}

func (p *placer) place(m *Monitor) *place {
	terms := p.tenancy.Terms(m.Namespace)
	if refusal := terms.Refusal(m.Compiled); refusal != "" {
		return &place{problem: refusal}
	}
	for i := range m.Compiled.Jobs {
		if problem := p.timeout(&m.Compiled.Jobs[i]); problem != "" {
			return &place{problem: fmt.Sprintf("%s: %s", m.Compiled.Jobs[i].JobName, problem)}
		}
	}
	var needs []Binding
	problem := ""
	jobs := monitors.Placed(m.Compiled.Jobs, func(d *monitors.Discovery) []string {
		if d.Role == monitors.RoleNode {
			needs = append(needs, Binding{Role: RoleNodes})
			return nil
		}
		namespaces, refused := p.within(d.Within, terms, m.Namespace)
		problem = cmp.Or(problem, refused)
		needs = append(needs, discovers(d, namespaces)...)
		return namespaces
	})
	if problem != "" {
		return &place{problem: problem}
	}
	return &place{jobs: terms.Applied(m.Namespace, jobs), needs: needs}
}

// beyond is why a server may not look where it would have to, empty if it may.
func (p *placer) beyond(needs []Binding) string {
	if p.reach.allow(p.field, needs...) {
		return ""
	}
	return fmt.Sprintf("its targets are beyond namespace %s, where this server may not look: label that namespace %s=%s",
		p.in.Server.Namespace, LabelReach, ReachCluster)
}

// discovers are the roles that a discovery in these namespaces takes; nil is all of them.
func discovers(d *monitors.Discovery, namespaces []string) []Binding {
	role := RoleDiscovery
	if d.Role == monitors.RoleIngress {
		role = RoleIngresses
	}
	var out []Binding
	if namespaces == nil {
		out = append(out, Binding{Role: role})
	}
	for _, namespace := range namespaces {
		out = append(out, Binding{Role: role, Namespace: namespace})
	}
	if d.AttachMetadata != nil && d.AttachMetadata.Node {
		out = append(out, Binding{Role: RoleNodes})
	}
	return out
}

// timeout: only with a server's interval it is known whether an endpoint's timeout fits.
func (p *placer) timeout(job *monitors.Job) string {
	if job.ScrapeTimeout == "" || job.ScrapeInterval != "" {
		return "" // looked at when it was compiled
	}
	timeout, err := model.ParseDuration(job.ScrapeTimeout)
	if err == nil && timeout > p.global.ScrapeInterval {
		return fmt.Sprintf("scrapeTimeout %s is longer than this server's scrapeInterval %s: set the endpoint's interval", timeout, p.global.ScrapeInterval)
	}
	return ""
}

// within are the namespaces in which a monitor's targets are looked for, nil for all: those that it names, if the server
// would take monitors from them too. Otherwise whoever may write a monitor in one namespace could have those of all others
// scraped. A tenant's are in its own.
func (p *placer) within(w monitors.Within, terms monitors.Terms, home string) (namespaces []string, problem string) {
	if terms.Discovered {
		return atHome(w, home)
	}
	if w.Any && p.everywhere {
		return nil, ""
	}
	if w.Any {
		// There is at least the monitor's own: none at all would be all of them to Prometheus.
		return p.namespaces(), ""
	}
	for _, namespace := range w.Names {
		if !p.takes(namespace) {
			return nil, fmt.Sprintf("%s: the server takes no monitors from namespace %s, and so no targets: add it to the server's %s.namespaceSelector", w.Field, namespace, p.field)
		}
	}
	return w.Names, ""
}

func atHome(w monitors.Within, home string) (namespaces []string, problem string) {
	for _, namespace := range w.Names {
		if !w.Any && namespace != home {
			return nil, fmt.Sprintf("%s: this server scrapes only those of a tenant's targets that are in its own namespace, and %s is another one; "+
				"whoever keeps the server can set tenantTargets: Any, or add %s to excludedNamespaces", w.Field, namespace, home)
		}
	}
	return []string{home}, ""
}

// namespaces are those from which the server takes monitors.
func (p *placer) namespaces() []string {
	out := []string{}
	for _, namespace := range slices.Sorted(maps.Keys(p.in.NamespaceLabels)) {
		if p.takes(namespace) {
			out = append(out, namespace)
		}
	}
	return out
}

func (p *placer) takes(namespace string) bool {
	if p.selection.namespaces == nil {
		return namespace == p.selection.home
	}
	// One that is named before it is there is waited for, if any would do.
	return p.everywhere || p.selection.namespaces.Matches(labels.Set(p.in.NamespaceLabels[namespace]))
}

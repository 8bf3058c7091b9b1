// Package adopt says what Hearth would take of a cluster that prometheus-operator runs today, and with what difference. It
// decides with the operator's own functions, so that what it says is what would be done. It reads nothing and writes nothing.
package adopt

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/monitors"
	"github.com/hearth-monitoring/hearth/internal/promconfig"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// Cluster is what there is.
type Cluster struct {
	// Prometheuses are another operator's, as they were read, and its PrometheusAgents.
	Prometheuses []map[string]any
	// Others are objects of kinds that have no counterpart.
	Others []Object
	// Monitors are compiled, and Rules judged.
	Monitors []Monitor
	Rules    []*stack.AlertRule
	// NamespaceLabels are the labels of each namespace, by its name.
	NamespaceLabels map[string]map[string]string
	// Exists says whether somebody has an object of this kind, namespace and name.
	Exists func(kind, namespace, name string) (bool, error)
	// Images are the operator's defaults.
	Images stack.Images
}

// Monitor is one, and the object it was compiled from.
type Monitor struct {
	stack.Monitor
	Object map[string]any
}

// The verdicts on an object.
const (
	Taken      = "taken"      // as it is
	Differs    = "differs"    // taken, and something is not as it is today
	Refused    = "refused"    // not taken, though it is selected
	Unselected = "unselected" // by none of the servers, as by none of the Prometheuses
	NotRead    = "not read"   // its kind has no counterpart
)

// Object is what becomes of one object.
type Object struct {
	Kind, Namespace, Name string
	// Servers that would select it.
	Servers []string
	Verdict string
	Notes   []string
}

// Server is a Prometheus or PrometheusAgent and the PrometheusServer that corresponds to it.
type Server struct {
	Kind, Namespace, Name string
	Declared              *v1alpha1.PrometheusServer
	// Fields are those of its spec that are set, and what becomes of each.
	Fields []Field
	// Problem is why the operator would not take the declaration; empty if it would.
	Problem string
	// Commands have to be run for it to work.
	Commands []string
}

// Report is what there is to say.
type Report struct {
	Servers []Server
	Objects []Object
}

// Of is the report on a cluster.
func Of(c Cluster) (*Report, error) {
	out := &Report{}
	found := map[string]*Object{}
	var order []string
	for i := range c.Monitors {
		m := &c.Monitors[i]
		order = append(order, add(found, string(m.Kind), m.Namespace, m.Name))
	}
	for i := range c.Rules {
		order = append(order, add(found, string(monitors.PrometheusRuleKind), c.Rules[i].Namespace, c.Rules[i].Name))
	}
	for _, theirs := range c.Prometheuses {
		server, err := c.server(theirs, found)
		if err != nil {
			return nil, err
		}
		out.Servers = append(out.Servers, *server)
	}
	for _, id := range order {
		out.Objects = append(out.Objects, *found[id])
	}
	for _, o := range c.Others {
		o.Verdict = NotRead
		out.Objects = append(out.Objects, o)
	}
	return out, nil
}

func add(found map[string]*Object, kind, namespace, name string) string {
	id := kind + " " + namespace + "/" + name
	found[id] = &Object{Kind: kind, Namespace: namespace, Name: name, Verdict: Unselected}
	return id
}

// server is the one that corresponds to a Prometheus, which adds its verdicts to those on the objects.
func (c *Cluster) server(theirs map[string]any, found map[string]*Object) (*Server, error) {
	converted, err := convert(theirs)
	if err != nil {
		return nil, err
	}
	out := converted.report()
	taken, err := c.taken(out.Declared)
	if err != nil {
		return nil, err
	}
	s, problem := c.resolve(out.Declared, false)
	switch {
	case len(taken) > 0:
		problem = "there is " + strings.Join(taken, ", ") + " already, which is not Hearth's: choose another name"
	case out.Declared.Spec.Mode == v1alpha1.ModeAgent && len(out.Declared.Spec.RemoteWrite) == 0:
		problem = "spec.remoteWrite: an agent keeps no samples, and nothing of where they go could be converted: say it"
	}
	if problem == "" && len(s.Withheld) > 0 {
		out.Commands = append(out.Commands, fmt.Sprintf("kubectl label namespace %s %s=%s", out.Declared.Namespace, stack.LabelReach, stack.ReachCluster))
		s, problem = c.resolve(out.Declared, true)
	}
	if out.Problem = problem; problem != "" {
		return out, nil
	}
	for _, w := range s.Monitors.Secrets {
		out.Commands = append(out.Commands, strings.Split(stack.GrantCommands(w, s.Namespace, s.Names.Base), "\n")...)
	}
	c.judge(s, found)
	return out, nil
}

// resolve is what the operator would make of a server; with reach, once its namespace has the label for it.
func (c *Cluster) resolve(ps *v1alpha1.PrometheusServer, reach bool) (*stack.Stack, string) {
	in := stack.Inputs{Server: ps, PrometheusRules: c.Rules, NamespaceLabels: c.NamespaceLabels, Images: c.Images}
	for i := range c.Monitors {
		in.Monitors = append(in.Monitors, &c.Monitors[i].Monitor)
	}
	if reach {
		in.NamespaceLabels = maps.Clone(c.NamespaceLabels)
		labels := maps.Clone(c.NamespaceLabels[ps.Namespace])
		if labels == nil {
			labels = map[string]string{}
		}
		labels[stack.LabelReach] = stack.ReachCluster
		in.NamespaceLabels[ps.Namespace] = labels
	}
	s, errs := stack.Resolve(in)
	if len(errs) > 0 {
		return nil, errs.ToAggregate().Error()
	}
	if _, err := new(promconfig.Renderer).Render(s); err != nil {
		return nil, err.Error()
	}
	return s, ""
}

// judge adds what becomes of the objects that a server selects.
func (c *Cluster) judge(s *stack.Stack, found map[string]*Object) {
	server := s.Namespace + "/" + s.Name
	say := func(kind, namespace, name, problem string, notes []string) {
		o := found[kind+" "+namespace+"/"+name]
		o.Servers = append(o.Servers, server)
		switch {
		case problem != "":
			o.Verdict, o.Notes = Refused, append(o.Notes, problem)
		case len(notes) > 0 && o.Verdict != Refused:
			o.Verdict = Differs
		case o.Verdict == Unselected:
			o.Verdict = Taken
		}
		for _, n := range notes {
			if !slices.Contains(o.Notes, n) {
				o.Notes = append(o.Notes, n)
			}
		}
	}
	for _, v := range s.Monitors.Verdicts {
		say(string(v.Kind), v.Namespace, v.Name, v.Problem, c.differences(v))
	}
	for _, v := range s.Rules.Foreign {
		say(string(monitors.PrometheusRuleKind), v.Namespace, v.Name, v.Problem, nil)
	}
}

// Counts are how many objects there are of each verdict.
func (r *Report) Counts() map[string]int {
	out := map[string]int{}
	for _, o := range r.Objects {
		out[o.Verdict]++
	}
	return out
}

// Complete says whether Hearth would take everything that is selected.
func (r *Report) Complete() bool {
	return r.Counts()[Refused] == 0 && !slices.ContainsFunc(r.Servers, func(s Server) bool { return s.Problem != "" })
}

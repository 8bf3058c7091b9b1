package status

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// maxNodesNamed bounds the nodes that a status names.
const maxNodesNamed = 10

// Exporter is what was observed of a NodeExporter.
type Exporter struct {
	Pools []Pool
	// Scrapes has an entry for each server that selects the exporter.
	Scrapes []Scrape
	// Nearest says, if there is none, what keeps those that come closest from selecting it.
	Nearest []string
	// LeftOut are the nodes that no pool takes.
	LeftOut []stack.LeftOut
}

// Pool is the DaemonSet of one pool.
type Pool struct {
	Name, DaemonSet       string
	Nodes, Ready, Updated int32
	// Settled is true once the DaemonSet controller has seen the current DaemonSet.
	Settled bool
	// Waiting is why one of its pods is not ready, if it is known.
	Waiting string
}

// Scrape is what a server says of the exporter's jobs, of which each pool has one. Up is nil while it says nothing of one
// of them.
type Scrape struct {
	Server    string
	Up        *int32
	LastError string
	// Pools has what it says of each, by name.
	Pools map[string]int32
}

// OfExporter is the status of a NodeExporter. Where nothing was observed, because of err, what is known of before stays.
func OfExporter(ne *v1alpha1.NodeExporter, observed *Exporter, err error) v1alpha1.NodeExporterStatus {
	out := *ne.Status.DeepCopy()
	out.ObservedGeneration = ne.Generation
	if observed == nil {
		out.Conditions = carried(out.Conditions, failed(err).conditions())
		return out
	}
	o := *observed
	out.Nodes, out.Ready, out.Pools, out.Up = 0, 0, nil, leastUp(o.Scrapes)
	for _, p := range o.Pools {
		out.Nodes += p.Nodes
		out.Ready += p.Ready
		out.Pools = append(out.Pools, v1alpha1.NodePoolStatus{
			Name: p.Name, DaemonSet: p.DaemonSet, Nodes: p.Nodes, Ready: p.Ready, Updated: p.Updated, Up: leastUpOf(o.Scrapes, p.Name),
		})
	}
	out.Unassigned = unassigned(o.LeftOut)
	v := exporterVerdict(ne, o, out.Nodes)
	if err != nil {
		v = failed(err)
	}
	out.Conditions = append(v.conditions(), scrapedCondition(o, out.Ready), coveredCondition(ne, o.LeftOut))
	return out
}

func leastUp(scrapes []Scrape) *int32 {
	var out *int32
	for _, s := range scrapes {
		if s.Up != nil && (out == nil || *s.Up < *out) {
			out = new(*s.Up)
		}
	}
	return out
}

func leastUpOf(scrapes []Scrape, pool string) *int32 {
	var out *int32
	for _, s := range scrapes {
		if up, ok := s.Pools[pool]; ok && (out == nil || up < *out) {
			out = new(up)
		}
	}
	return out
}

func exporterVerdict(ne *v1alpha1.NodeExporter, o Exporter, nodes int32) verdict {
	var waiting []string
	for _, p := range o.Pools {
		switch {
		case !p.Settled:
			waiting = append(waiting, "DaemonSet "+p.DaemonSet+" is being rolled out")
		case p.Ready < p.Nodes:
			waiting = append(waiting, fmt.Sprintf("DaemonSet %s is ready on %d of %s: %s", p.DaemonSet, p.Ready, count(int(p.Nodes), "node"),
				firstText(p.Waiting, fmt.Sprintf("pods are starting (kubectl -n %s describe daemonset,pod -l %s=%s,%s=%s shows what they wait for)",
					ne.Namespace, stack.LabelNodeExporter, ne.Name, stack.LabelPool, p.Name))))
		case p.Updated < p.Nodes:
			waiting = append(waiting, fmt.Sprintf("DaemonSet %s is updated on %d of %s", p.DaemonSet, p.Updated, count(int(p.Nodes), "node")))
		}
	}
	if len(waiting) > 0 {
		return verdict{reconciling, v1alpha1.ReasonProgressing, strings.Join(waiting, "; ")}
	}
	if nodes == 0 {
		return verdict{ready, v1alpha1.ReasonNoNodes, "no node matches: check nodeSelector, the pools' nodeSelectors, affinity and tolerations if that is not meant"}
	}
	return verdict{ready, v1alpha1.ReasonReady, "ready on " + count(int(nodes), "node")}
}

func scrapedCondition(o Exporter, ready int32) metav1.Condition {
	const kind = v1alpha1.ConditionScraped
	if len(o.Scrapes) == 0 {
		return condition(kind, false, v1alpha1.ReasonNotSelected, notSelected("NodeExporter", o.Nearest))
	}
	if ready == 0 {
		return unknown(kind, "no exporter is ready, so there is nothing to scrape")
	}
	for _, s := range o.Scrapes {
		switch {
		case s.Up == nil:
			return unknown(kind, s.Server+" says nothing of it yet: see whether that server is Ready and Loaded")
		case *s.Up < ready:
			return condition(kind, false, v1alpha1.ReasonNotScraped, fmt.Sprintf("%s scrapes %d of %s: %s", s.Server, *s.Up,
				count(int(ready), "ready exporter"), firstText(s.LastError, "the others are not scraped yet")))
		}
	}
	return condition(kind, true, v1alpha1.ReasonScraped, fmt.Sprintf("%s scraped by %s", count(int(ready), "exporter"), count(len(o.Scrapes), "server")))
}

func unassigned(left []stack.LeftOut) *v1alpha1.UnassignedNodes {
	out := &v1alpha1.UnassignedNodes{Count: int32(len(left))}
	for _, l := range left[:min(len(left), maxNodesNamed)] {
		out.Nodes = append(out.Nodes, l.Node)
	}
	return out
}

// coveredCondition names the nodes that no pool takes, those with the same reason together, and what to do.
func coveredCondition(ne *v1alpha1.NodeExporter, left []stack.LeftOut) metav1.Condition {
	const kind = v1alpha1.ConditionCovered
	if len(left) == 0 {
		return condition(kind, true, v1alpha1.ReasonCovered, "every node that should run an exporter has its pool")
	}
	var reasons []string
	nodes := map[string][]string{}
	for _, l := range left {
		why := "no pool's nodeSelector takes them: add a pool without a nodeSelector at the end of spec.pools, or label them"
		if l.Taint != "" && len(ne.Spec.Pools) > 0 {
			why = fmt.Sprintf("pool %s does not tolerate their taint %s: add it to the tolerations", l.Pool, l.Taint)
		} else if l.Taint != "" {
			why = fmt.Sprintf("their taint %s is not tolerated: add it to spec.tolerations, or leave those out, which tolerates all", l.Taint)
		}
		if nodes[why] == nil {
			reasons = append(reasons, why)
		}
		nodes[why] = append(nodes[why], l.Node)
	}
	text := make([]string, len(reasons))
	for i, why := range reasons {
		names := nodes[why]
		text[i] = strings.Join(names[:min(len(names), maxNodesNamed)], ", ")
		if more := len(names) - maxNodesNamed; more > 0 {
			text[i] += fmt.Sprintf(" and %d more", more)
		}
		text[i] += ": " + why
	}
	return condition(kind, false, v1alpha1.ReasonNodesUnassigned,
		fmt.Sprintf("%s without an exporter: %s", count(len(left), "node"), strings.Join(text, "; ")))
}

package stack

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// LeftOut is a node on which no exporter runs although nobody said that none should.
type LeftOut struct {
	Node string
	// Pool whose nodeSelector takes the node, empty if none does. Taint, as KEY=VALUE:EFFECT, is then what keeps it away.
	Pool, Taint string
}

// LeaveOuts are the nodes that the pools miss, by name. What the declaration itself limits is meant and not missed: with
// pools its affinity, without pools its nodeSelector as well.
func LeaveOuts(ne *v1alpha1.NodeExporter, e *Exporter, nodes []corev1.Node) []LeftOut {
	declared := required(ne.Spec.NodeSelector, ne.Spec.Affinity)
	// Made once: there may be thousands of nodes.
	pools := make([]nodePool, len(e.Pools))
	for i, pool := range e.Pools {
		pools[i] = nodePool{pool.Name, required(pool.NodeSelector, pool.NodeAffinity), append(DaemonTolerations(e.HostNetwork), pool.Tolerations...)}
	}
	var out []LeftOut
	for i := range nodes {
		node := &nodes[i]
		if !admits(declared, node) {
			continue
		}
		if left := leftOut(pools, node); left != nil {
			out = append(out, *left)
		}
	}
	slices.SortFunc(out, func(a, b LeftOut) int { return cmp.Compare(a.Node, b.Node) })
	return out
}

// nodePool is which nodes a pool takes, and which taints it puts up with.
type nodePool struct {
	name        string
	required    nodeaffinity.RequiredNodeAffinity
	tolerations []corev1.Toleration
}

func leftOut(pools []nodePool, node *corev1.Node) *LeftOut {
	for _, pool := range pools {
		if !admits(pool.required, node) {
			continue
		}
		for _, taint := range node.Spec.Taints {
			if repels(taint, pool.tolerations) {
				return &LeftOut{Node: node.Name, Pool: pool.name, Taint: taint.ToString()}
			}
		}
		return nil
	}
	return &LeftOut{Node: node.Name}
}

// required and admits are what the scheduler and the DaemonSet controller ask, by their own code.
func required(selector map[string]string, affinity *corev1.NodeAffinity) nodeaffinity.RequiredNodeAffinity {
	return nodeaffinity.NewRequiredNodeAffinity(selector, &corev1.Affinity{NodeAffinity: affinity})
}

func admits(required nodeaffinity.RequiredNodeAffinity, node *corev1.Node) bool {
	ok, err := required.Match(node)
	return ok && err == nil
}

// DaemonTolerations are those that the DaemonSet controller gives every pod.
func DaemonTolerations(hostNetwork bool) []corev1.Toleration {
	tolerate := func(key string, effect corev1.TaintEffect) corev1.Toleration {
		return corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, Effect: effect}
	}
	out := []corev1.Toleration{
		tolerate(corev1.TaintNodeNotReady, corev1.TaintEffectNoExecute), tolerate(corev1.TaintNodeUnreachable, corev1.TaintEffectNoExecute),
		tolerate(corev1.TaintNodeDiskPressure, corev1.TaintEffectNoSchedule), tolerate(corev1.TaintNodeMemoryPressure, corev1.TaintEffectNoSchedule),
		tolerate(corev1.TaintNodePIDPressure, corev1.TaintEffectNoSchedule), tolerate(corev1.TaintNodeUnschedulable, corev1.TaintEffectNoSchedule),
	}
	if hostNetwork {
		out = append(out, tolerate(corev1.TaintNodeNetworkUnavailable, corev1.TaintEffectNoSchedule))
	}
	return out
}

// repels says whether a taint keeps pods with these tolerations away. One that only makes a node less liked does not.
func repels(taint corev1.Taint, tolerations []corev1.Toleration) bool {
	if taint.Effect == corev1.TaintEffectPreferNoSchedule {
		return false
	}
	return !slices.ContainsFunc(tolerations, func(t corev1.Toleration) bool {
		if t.Effect != "" && t.Effect != taint.Effect || t.Key != "" && t.Key != taint.Key {
			return false
		}
		return t.Operator == corev1.TolerationOpExists || (t.Operator == "" || t.Operator == corev1.TolerationOpEqual) && t.Value == taint.Value
	})
}

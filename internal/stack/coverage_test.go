package stack_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

func node(name string, labels map[string]string, taints ...corev1.Taint) corev1.Node {
	return corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, Spec: corev1.NodeSpec{Taints: taints}}
}

// TestLeaveOuts: a node is missed if nothing was said of it, and not if it was left out by intention.
func TestLeaveOuts(t *testing.T) {
	gpu := corev1.Taint{Key: "gpu", Value: "yes", Effect: corev1.TaintEffectNoSchedule}
	nodes := []corev1.Node{
		node("z", map[string]string{"kind": "a"}), node("y", map[string]string{"kind": "b"}),
		node("tainted", map[string]string{"kind": "a"}, gpu),
		node("cordoned", map[string]string{"kind": "a"}, corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}),
		node("liked less", map[string]string{"kind": "a"}, corev1.Taint{Key: "x", Effect: corev1.TaintEffectPreferNoSchedule}),
		node("without network", map[string]string{"kind": "a"}, corev1.Taint{Key: corev1.TaintNodeNetworkUnavailable, Effect: corev1.TaintEffectNoSchedule}),
	}
	none := []corev1.Toleration{}
	onlyA := &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{
		{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "kind", Operator: corev1.NodeSelectorOpIn, Values: []string{"a"}}}},
	}}}
	poolA := v1alpha1.NodePool{Name: "a", NodeSelector: map[string]string{"kind": "a"}}
	away := []stack.LeftOut{{Node: "tainted", Pool: "default", Taint: "gpu=yes:NoSchedule"},
		{Node: "without network", Pool: "default", Taint: "node.kubernetes.io/network-unavailable:NoSchedule"}}
	for name, c := range map[string]struct {
		spec v1alpha1.NodeExporterSpec
		want []stack.LeftOut
	}{
		"everywhere":                      {v1alpha1.NodeExporterSpec{}, nil},
		"limited by its nodeSelector":     {v1alpha1.NodeExporterSpec{NodeSelector: map[string]string{"kind": "a"}}, nil},
		"tolerates nothing":               {v1alpha1.NodeExporterSpec{Tolerations: none}, away},
		"tolerates nothing, host network": {v1alpha1.NodeExporterSpec{Tolerations: none, HostNetwork: true}, away[:1]},
		"tolerates by value":              {v1alpha1.NodeExporterSpec{Tolerations: []corev1.Toleration{{Key: "gpu", Value: "yes"}}}, away[1:]},
		"tolerates another value":         {v1alpha1.NodeExporterSpec{Tolerations: []corev1.Toleration{{Key: "gpu", Value: "no"}}}, away},
		"tolerates another effect": {v1alpha1.NodeExporterSpec{Tolerations: []corev1.Toleration{
			{Key: "gpu", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute}}}, away},
		"a pool":                      {v1alpha1.NodeExporterSpec{Pools: []v1alpha1.NodePool{poolA}}, []stack.LeftOut{{Node: "y"}}},
		"a pool and the rest":         {v1alpha1.NodeExporterSpec{Pools: []v1alpha1.NodePool{poolA, {Name: "rest"}}}, nil},
		"a pool, limited by affinity": {v1alpha1.NodeExporterSpec{Pools: []v1alpha1.NodePool{poolA}, Affinity: onlyA}, nil},
		"the pool that tolerates nothing takes": {v1alpha1.NodeExporterSpec{Pools: []v1alpha1.NodePool{{Name: "a", NodeSelector: poolA.NodeSelector, Tolerations: none}, {Name: "rest"}}},
			[]stack.LeftOut{{Node: "tainted", Pool: "a", Taint: "gpu=yes:NoSchedule"}, {Node: "without network", Pool: "a", Taint: "node.kubernetes.io/network-unavailable:NoSchedule"}}},
	} {
		t.Run(name, func(t *testing.T) {
			ne := &v1alpha1.NodeExporter{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "node"}, Spec: c.spec}
			e, errs := stack.ResolveExporter(stack.ExporterInputs{Exporter: ne})
			if len(errs) > 0 {
				t.Fatal(errs.ToAggregate())
			}
			if diff := cmp.Diff(c.want, stack.LeaveOuts(ne, e, nodes)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

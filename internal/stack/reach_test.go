package stack

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

func reachOf(labels map[string]string) *reach {
	return newReach(Inputs{
		Server:          &v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "main"}},
		NamespaceLabels: map[string]map[string]string{"monitoring": labels, "web": {LabelReach: ReachCluster}},
	})
}

// TestReachStaysAtHome: without its namespace's label a server gets nothing beyond it, however little that would be, and
// the rest all the same.
func TestReachStaysAtHome(t *testing.T) {
	r := reachOf(map[string]string{LabelReach: "namespace"})
	if !r.allow("spec.targets.own", Binding{Role: RoleDiscovery, Namespace: "monitoring"}) {
		t.Error("its own namespace is refused")
	}
	for _, needs := range [][]Binding{
		{{Role: RoleDiscovery, Namespace: "web"}},
		{{Role: RoleNodes}},
		{{Role: RoleDiscovery, Namespace: "monitoring"}, {Role: RoleMetrics}},
	} {
		if r.allow("spec.targets.far", needs...) {
			t.Errorf("%+v is allowed", needs)
		}
	}
	want := []Binding{{Role: RoleDiscovery, Namespace: "monitoring", Account: "prometheus-main"}}
	if diff := cmp.Diff(want, r.resolved()); diff != "" {
		t.Errorf("bindings (-want +got):\n%s", diff)
	}
	if len(r.withheld) != 1 || r.withheld[0].Field != "spec.targets.far" || !strings.Contains(r.withheld[0].Why, "kubectl label namespace monitoring monitoring.hearth.dev/reach=cluster") {
		t.Errorf("withheld: %+v", r.withheld)
	}
}

func TestReachIsSmall(t *testing.T) {
	r := reachOf(map[string]string{LabelReach: ReachCluster})
	for _, needs := range [][]Binding{
		{{Role: RoleDiscovery, Namespace: "web"}, {Role: RoleDiscovery, Namespace: "db"}},
		{{Role: RoleNodes}, {Role: RoleNodes, Namespace: "web"}},
		{{Role: RoleDiscovery, Namespace: "web"}, {Role: RoleNodes, Namespace: "web", Account: "another"}},
	} {
		if !r.allow("spec.targets", needs...) {
			t.Errorf("%+v is refused", needs)
		}
	}
	want := []Binding{
		{Role: RoleNodes, Account: "prometheus-main"},
		{Role: RoleDiscovery, Namespace: "db", Account: "prometheus-main"},
		{Role: RoleDiscovery, Namespace: "web", Account: "prometheus-main"},
		{Role: RoleNodes, Namespace: "web", Account: "another"},
	}
	if diff := cmp.Diff(want, r.resolved()); diff != "" || len(r.withheld) > 0 {
		t.Errorf("bindings (-want +got):\n%s\nwithheld: %+v", diff, r.withheld)
	}
}

func TestBindingNameIsReadBackwards(t *testing.T) {
	namespace, server, ok := BoundTo(BindingName(RoleDiscovery, "a-b", "c-d"))
	if namespace != "a-b" || server != "c-d" || !ok {
		t.Errorf("%s %s %t", namespace, server, ok)
	}
	for _, name := range []string{"", "prometheus-main", "system:node", "a:b:", ":b:c", "a::c", "system:controller:a:b"} {
		if ns, server, ok := BoundTo(name); ok {
			t.Errorf("%q is for %s/%s", name, ns, server)
		}
	}
}

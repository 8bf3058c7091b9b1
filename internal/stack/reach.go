package stack

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// LabelReach on a server's namespace, with the value ReachCluster, allows the servers in it to look beyond it. Whoever may
// make a PrometheusServer has the rights of its pods, and those are mostly the admins of one namespace: without this label,
// Hearth would hand them the cluster.
const (
	LabelReach   = "monitoring.hearth.dev/reach"
	ReachCluster = "cluster"
)

// The ClusterRoles of config/rbac to which servers are bound. The operator itself has what is in each of them, or the API
// server would not let it bind anybody.
const (
	// RoleDiscovery reads pods, Services and EndpointSlices.
	RoleDiscovery = "hearth-discovery"
	// RoleIngresses reads Ingresses.
	RoleIngresses = "hearth-ingresses"
	// RoleNodes reads nodes, which are in no namespace.
	RoleNodes = "hearth-nodes"
	// RoleKubelets reads the metrics of kubelets.
	RoleKubelets = "hearth-kubelets"
	// RoleMetrics reads /metrics of the API server, and of whoever asks it.
	RoleMetrics = "hearth-metrics-reader"
	// RoleStateMetrics lists what kube-state-metrics tells of.
	RoleStateMetrics = "hearth-state-metrics"
)

// Binding is a role that a server has somewhere. Which objects it becomes follows from where: a RoleBinding in its own
// namespace is a child like any other; beyond, owner references do not reach.
type Binding struct {
	// Role is the name of a ClusterRole.
	Role string
	// Namespace is where it holds; empty: everywhere.
	Namespace string
	// Account is the ServiceAccount that has it, in the server's namespace.
	Account string
}

// Withheld is a part of a declaration that is left out because the server may not look where it would have to.
type Withheld struct {
	// Field is its path, such as spec.targets.kubernetes.
	Field string
	// Why says what to do about it.
	Why string
}

// reach collects what the targets of a server take, and says which of them it can't have.
type reach struct {
	server *v1alpha1.PrometheusServer
	// account is that of the server's pods.
	account string
	allowed bool
	// bindings are what was granted: a thousand monitors take the same few.
	bindings map[Binding]bool
	withheld []Withheld
}

func newReach(in Inputs) *reach {
	return &reach{server: in.Server, account: NamesOf(in.Server.Name).Base, bindings: map[Binding]bool{}, allowed: MayReach(in.Server.Namespace, in.NamespaceLabels)}
}

// MayReach says whether the servers of a namespace may look beyond it.
func MayReach(namespace string, namespaceLabels map[string]map[string]string) bool {
	return namespaceLabels[namespace][LabelReach] == ReachCluster
}

// allow grants what a field needs, all or nothing. It is false if some of that is beyond the server's namespace and the
// server may not look there: then the field's targets have to be left out, and the status says so.
func (r *reach) allow(field string, needs ...Binding) bool {
	home := r.server.Namespace
	for _, need := range needs {
		if need.Namespace != home && !r.allowed {
			r.withhold(field)
			return false
		}
	}
	for _, need := range needs {
		need.Account = cmp.Or(need.Account, r.account)
		r.bindings[need] = true
	}
	return true
}

func (r *reach) withhold(field string) {
	if slices.ContainsFunc(r.withheld, func(w Withheld) bool { return w.Field == field }) {
		return
	}
	r.withheld = append(r.withheld, Withheld{Field: field, Why: fmt.Sprintf(
		"is left out: it takes a look beyond namespace %s, which somebody who may label namespaces has to allow its servers: kubectl label namespace %s %s=%s",
		r.server.Namespace, r.server.Namespace, LabelReach, ReachCluster)})
}

// resolved are the bindings, sorted. What holds everywhere is not bound once more in a namespace.
func (r *reach) resolved() []Binding {
	var out []Binding
	for b := range r.bindings {
		if b.Namespace == "" || !r.bindings[Binding{Role: b.Role, Account: b.Account}] {
			out = append(out, b)
		}
	}
	slices.SortFunc(out, func(a, b Binding) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Role, b.Role), cmp.Compare(a.Account, b.Account))
	})
	return out
}

// BindingName is the name of the binding of a role for a server, wherever it is. The colons, which the name of no namespace
// and of no server has, make it one that can be read backwards: there are no owner references between namespaces, so the
// name says whose it is.
func BindingName(role, namespace, server string) string {
	return role + ":" + namespace + ":" + server
}

// BoundTo is BindingName read backwards.
func BoundTo(name string) (namespace, server string, ok bool) {
	parts := strings.Split(name, ":")
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
		return "", "", false
	}
	return parts[1], parts[2], true
}

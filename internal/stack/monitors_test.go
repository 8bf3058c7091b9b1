package stack_test

import (
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/stack/stacktest"
)

const monitorsWorld = `
apiVersion: v1
kind: Namespace
metadata: {name: monitoring, labels: {REACH}}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {tenant: "yes"}}
---
apiVersion: v1
kind: Namespace
metadata: {name: bank, labels: {tenant: "yes"}}
---
apiVersion: v1
kind: Namespace
metadata: {name: system}
---
apiVersion: monitoring.hearth.dev/v1alpha1
kind: PrometheusServer
metadata: {name: main, namespace: monitoring}
spec: {targets: {serviceMonitors: SELECTOR}}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: home, namespace: monitoring}
spec: {selector: {}, endpoints: [{port: a}]}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: own, namespace: shop}
spec: {selector: {}, endpoints: [{port: a}]}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: any, namespace: shop}
spec: {selector: {}, namespaceSelector: {any: true}, endpoints: [{port: a}]}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: tosystem, namespace: shop}
spec: {selector: {}, namespaceSelector: {matchNames: [system]}, endpoints: [{port: a}]}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: nodes, namespace: shop}
spec: {selector: {}, attachMetadata: {node: true}, endpoints: [{port: a}]}
`

// TestMonitorsWithin: where targets are looked for, and what a server is granted for that, follows from where it takes
// monitors from; what it may not have keeps only those from being scraped that need it.
func TestMonitorsWithin(t *testing.T) {
	const reach = "monitoring.hearth.dev/reach: cluster"
	for name, c := range map[string]struct{ reach, selector, want string }{
		"own namespace": {reach, "{selector: {}}", `
home in monitoring
hearth-discovery in monitoring`},
		"nothing": {reach, "{namespaceSelector: {}}", ``},
		"everything": {reach, "{selector: {}, namespaceSelector: {}}", `
home in monitoring
any in *
nodes in shop
own in shop
tosystem in system
hearth-discovery in *
hearth-nodes in *`},
		"tenants": {reach, "{selector: {}, namespaceSelector: {matchLabels: {tenant: \"yes\"}}}", `
any in bank,shop
nodes in shop
own in shop
hearth-nodes in *
hearth-discovery in bank
hearth-discovery in shop
tosystem: spec.namespaceSelector.matchNames: the server takes no monitors from namespace system`},
		"without reach": {"", "{selector: {}, namespaceSelector: {}}", `
home in monitoring
hearth-discovery in monitoring
any: its targets are beyond namespace monitoring
nodes: its targets are beyond namespace monitoring
own: its targets are beyond namespace monitoring
tosystem: its targets are beyond namespace monitoring`},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.NewReplacer("REACH", c.reach, "SELECTOR", c.selector).Replace(monitorsWorld)
			declared := declared(t, text)
			s, errs := stack.Resolve(declared.Inputs(&declared.Servers[0]))
			if len(errs) > 0 {
				t.Fatal(errs.ToAggregate())
			}
			if diff := cmp.Diff(strings.TrimSpace(c.want), strings.Join(within(s), "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestOnlyNewMonitorsArePlaced changes monitors, and what namespaces are labelled, at random: what Resolve makes with what it made before
// is what it makes without.
func TestOnlyNewMonitorsArePlaced(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	text := strings.NewReplacer("SELECTOR", `{selector: {}, namespaceSelector: {matchLabels: {tenant: "yes"}}}`, "REACH", "").Replace(monitorsWorld)
	variants := []stacktest.Declared{declared(t, text), declared(t, strings.ReplaceAll(text, "port: a", "port: b"))}
	in := variants[0].Inputs(&variants[0].Servers[0])
	there := slices.Clone(in.Monitors)
	for round := range 60 {
		for range random.IntN(3) {
			at := random.IntN(len(there))
			there[at] = nil
			if random.IntN(4) > 0 {
				there[at] = variants[random.IntN(2)].Monitors[at]
			}
		}
		in.Monitors = slices.DeleteFunc(slices.Clone(there), func(m *stack.Monitor) bool { return m == nil })
		if random.IntN(4) == 0 {
			in.NamespaceLabels = maps.Clone(in.NamespaceLabels)
			in.NamespaceLabels["shop"] = map[string]string{"tenant": []string{"yes", "no"}[random.IntN(2)]}
			in.NamespaceLabels["system"] = map[string]string{"tenant": []string{"yes", "no"}[random.IntN(2)]}
			in.NamespaceLabels["monitoring"] = map[string]string{stack.LabelReach: []string{stack.ReachCluster, ""}[random.IntN(2)]}
		}
		with, errs := stack.Resolve(in)
		alone := in
		alone.Before = nil
		without, more := stack.Resolve(alone)
		if errs = append(errs, more...); len(errs) > 0 {
			t.Fatal(errs.ToAggregate())
		}
		if diff := cmp.Diff(without.Monitors, with.Monitors, cmpopts.IgnoreUnexported(stack.Monitors{}, stack.Tenancy{})) +
			cmp.Diff(without.Bindings, with.Bindings) + cmp.Diff(without.Withheld, with.Withheld); diff != "" {
			t.Fatalf("round %d: -without +with what was before:\n%s", round, diff)
		}
		in.Before = with
	}
}

func declared(t *testing.T, text string) stacktest.Declared {
	t.Helper()
	out, err := stacktest.Read(os.DirFS("../../config/crd"), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// within says where each job looks, what is granted, and what is rejected.
func within(s *stack.Stack) []string {
	var out []string
	for _, job := range s.Monitors.Jobs {
		where := "*"
		if n := job.KubernetesSD[0].Namespaces; n != nil {
			where = strings.Join(n.Names, ",")
		}
		out = append(out, strings.Split(job.JobName, "/")[2]+" in "+where)
	}
	for _, b := range s.Bindings {
		where := b.Namespace
		if where == "" {
			where = "*"
		}
		out = append(out, b.Role+" in "+where)
	}
	verdicts := slices.Clone(s.Monitors.Verdicts)
	slices.SortFunc(verdicts, func(a, b stack.MonitorVerdict) int { return strings.Compare(a.Name, b.Name) })
	for _, v := range verdicts {
		if v.Problem != "" {
			text, _, _ := strings.Cut(v.Problem, ", ")
			out = append(out, v.Name+": "+text)
		}
	}
	return out
}

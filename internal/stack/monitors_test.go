package stack_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
			declared, err := stacktest.Read(os.DirFS("../../config/crd"), []byte(text))
			if err != nil {
				t.Fatal(err)
			}
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

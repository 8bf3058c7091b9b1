package stack_test

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/monitors"
	"github.com/hearth-monitoring/hearth/internal/rules"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/stack/stacktest"
)

const tenantsWorld = `
apiVersion: v1
kind: Namespace
metadata: {name: monitoring, labels: {monitoring.hearth.dev/reach: cluster}}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Namespace
metadata: {name: bank}
---
apiVersion: monitoring.hearth.dev/v1alpha1
kind: PrometheusServer
metadata: {name: main, namespace: monitoring}
spec:
  targets:
    serviceMonitors: {selector: {}, namespaceSelector: {}}
    podMonitors: {selector: {}, namespaceSelector: {}}
    probes: {selector: {}, namespaceSelector: {}}
    scrapeConfigs: {selector: {}, namespaceSelector: {}}
TENANCY
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: platform, namespace: monitoring}
spec: {selector: {}, namespaceSelector: {any: true}, endpoints: [{port: a, relabelings: [{targetLabel: __address__, replacement: b}]}]}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: good, namespace: shop, creationTimestamp: "2026-01-02T00:00:00Z"}
spec: {selector: {}, sampleLimit: 5, endpoints: [{port: a}, {port: b}]}
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata: {name: oldest, namespace: shop, creationTimestamp: "2026-01-01T00:00:00Z"}
spec: {selector: {}, namespaceSelector: {any: true}, podMetricsEndpoints: [{port: a}]}
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata: {name: newest, namespace: shop, creationTimestamp: "2026-01-03T00:00:00Z"}
spec: {selector: {}, podMetricsEndpoints: [{port: a}]}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: tobank, namespace: shop, creationTimestamp: "2026-01-04T00:00:00Z"}
spec: {selector: {}, namespaceSelector: {matchNames: [shop, bank]}, endpoints: [{port: a}]}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: address, namespace: shop, creationTimestamp: "2026-01-05T00:00:00Z"}
spec: {selector: {}, endpoints: [{port: a, relabelings: [{targetLabel: __address__, replacement: b}]}]}
---
apiVersion: monitoring.coreos.com/v1
kind: Probe
metadata: {name: probe, namespace: bank}
spec: {prober: {url: "prometheus-main.monitoring.svc:9090", path: /federate}, targets: {staticConfig: {static: [a]}}}
---
apiVersion: monitoring.coreos.com/v1alpha1
kind: ScrapeConfig
metadata: {name: static, namespace: bank}
spec: {staticConfigs: [{targets: ["localhost:9090"]}]}
`

// TestTenancy: what each namespace's monitors become on which terms, and what of them is refused.
func TestTenancy(t *testing.T) {
	for name, c := range tenancies() {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(tenantsWorld, "TENANCY", "  "+c.tenancy, 1)
			declared, err := stacktest.Read(os.DirFS("../../config/crd"), []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			s, errs := stack.Resolve(declared.Inputs(&declared.Servers[0]))
			if len(errs) > 0 {
				t.Fatal(errs.ToAggregate())
			}
			if diff := gocmp.Diff(strings.TrimSpace(c.want), strings.Join(onTerms(s), "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// onTerms says on which terms each job is, and what is rejected.
func onTerms(s *stack.Stack) []string {
	var out []string
	for i := range s.Monitors.Jobs {
		job := &s.Monitors.Jobs[i]
		text := strings.Split(job.JobName, "/")[2]
		for _, d := range job.KubernetesSD {
			where := "*"
			if d.Namespaces != nil {
				where = strings.Join(d.Namespaces.Names, ",")
			}
			text += " in " + where
		}
		if last, has := lastStep(job.RelabelConfigs); has && last.TargetLabel == "tenant" {
			if series, has := lastStep(job.MetricRelabelConfigs); !has || series.TargetLabel != "tenant" || *series.Replacement != *last.Replacement {
				text += ", but not its series"
			}
			text += ", tenant=" + *last.Replacement
		}
		if job.FollowRedirects != nil && !*job.FollowRedirects {
			text += ", follows nothing"
		}
		if job.SampleLimit != nil {
			text += fmt.Sprintf(", %d samples", *job.SampleLimit)
		}
		out = append(out, text)
	}
	slices.Sort(out)
	verdicts := slices.Clone(s.Monitors.Verdicts)
	slices.SortFunc(verdicts, func(a, b stack.MonitorVerdict) int { return cmp.Compare(a.Name, b.Name) })
	for _, v := range verdicts {
		if v.Problem != "" {
			text, _, _ := strings.Cut(v.Problem, ", ")
			text, _, _ = strings.Cut(text, ": use ")
			text, _, _ = strings.Cut(text, " and \"")
			out = append(out, v.Name+": "+text)
		}
	}
	return out
}

func lastStep(steps []monitors.Relabel) (monitors.Relabel, bool) {
	if len(steps) == 0 {
		return monitors.Relabel{}, false
	}
	return steps[len(steps)-1], true
}

// everything is what becomes of all monitors where nothing is said of tenants.
const everything = `
address in shop
good in shop, 5 samples
good in shop, 5 samples
newest in shop
oldest in *
platform in *
probe
static
tobank in bank,shop`

// tenancies are what a server says of tenants, and what comes of that.
func tenancies() map[string]struct{ tenancy, want string } {
	return map[string]struct{ tenancy, want string }{
		"nothing": {"", everything},
		"label": {"enforcedNamespaceLabel: tenant", `
good in shop, tenant=shop, follows nothing, 5 samples
good in shop, tenant=shop, follows nothing, 5 samples
newest in shop, tenant=shop, follows nothing
oldest in shop, tenant=shop, follows nothing
platform in *
address: spec.endpoints[0].relabelings[0].targetLabel: Forbidden: this server scrapes tenants' targets where they were discovered
probe: spec.prober.url: Forbidden: this server scrapes only those of tenants' targets that Kubernetes discovers in their namespaces
static: spec.staticConfigs: Forbidden: this server scrapes only those of tenants' targets that Kubernetes discovers in their namespaces
tobank: spec.namespaceSelector.matchNames: this server scrapes only those of a tenant's targets that are in its own namespace`},
		"label, any targets": {"enforcedNamespaceLabel: tenant\n  tenantTargets: Any", `
address in shop, tenant=shop
good in shop, tenant=shop, 5 samples
good in shop, tenant=shop, 5 samples
newest in shop, tenant=shop
oldest in *, tenant=shop
platform in *
probe, tenant=bank
static, tenant=bank
tobank in bank,shop, tenant=shop`},
		"discovered without a label": {"tenantTargets: Discovered\n  excludedNamespaces: [bank]", `
good in shop, follows nothing, 5 samples
good in shop, follows nothing, 5 samples
newest in shop, follows nothing
oldest in shop, follows nothing
platform in *
probe
static
address: spec.endpoints[0].relabelings[0].targetLabel: Forbidden: this server scrapes tenants' targets where they were discovered
tobank: spec.namespaceSelector.matchNames: this server scrapes only those of a tenant's targets that are in its own namespace`},
		"excluded": {"enforcedNamespaceLabel: tenant\n  limits: {samples: 10, jobs: 1}\n  excludedNamespaces: [shop, bank]", strings.Replace(everything, "platform in *", "platform in *, 10 samples", 1)},
		"limits": {"limits: {samples: 10, jobs: 4}", `
good in shop, 5 samples
good in shop, 5 samples
newest in shop, 10 samples
oldest in *, 10 samples
platform in *, 10 samples
probe, 10 samples
static, 10 samples
address: this server takes 4 scrape jobs from a namespace (limits.jobs); older monitors of namespace shop have 4 of them
tobank: this server takes 4 scrape jobs from a namespace (limits.jobs); older monitors of namespace shop have 4 of them`},
		"jobs, oldest first": {"limits: {jobs: 2}", `
newest in shop
oldest in *
platform in *
probe
static
address: this server takes 2 scrape jobs from a namespace (limits.jobs); older monitors of namespace shop have 2 of them
good: this server takes 2 scrape jobs from a namespace (limits.jobs); older monitors of namespace shop have 1 of them
tobank: this server takes 2 scrape jobs from a namespace (limits.jobs); older monitors of namespace shop have 2 of them`},
	}
}

// TestTenantsRules: tenants' rules are confined, and those of the server's own namespace and of one that is excluded are not. One
// that can't be confined keeps nobody else's from being loaded, and what was published of it before stays, confined.
func TestTenantsRules(t *testing.T) {
	text := strings.Replace(tenantsWorld, "TENANCY", "  enforcedNamespaceLabel: tenant\n  excludedNamespaces: [bank]\n  rules: {selector: {}, namespaceSelector: {}}", 1)
	for _, in := range []string{"monitoring/a", "shop/a", "bank/a", "shop/computed"} {
		namespace, name, _ := strings.Cut(in, "/")
		annotation := "fixed"
		if name == "computed" {
			annotation = `'{{ query $labels.q }}'`
		}
		text += fmt.Sprintf("---\napiVersion: monitoring.hearth.dev/v1alpha1\nkind: AlertRule\nmetadata: {name: %s, namespace: %s}\n"+
			"spec: {groups: [{name: g, rules: [{alert: A, expr: up, annotations: {a: %s}}]}]}\n", name, namespace, annotation)
	}
	declared, err := stacktest.Read(os.DirFS("../../config/crd"), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	in := declared.Inputs(&declared.Servers[0])
	in.Confined = &rules.Keeper{}
	check := func(want map[string]string, rejected string, lastGood bool) {
		t.Helper()
		s, errs := stack.Resolve(in)
		if len(errs) > 0 {
			t.Fatal(errs.ToAggregate())
		}
		got := map[string]string{}
		for _, f := range s.Rules.Files {
			text, err := f.Content.Text()
			if err != nil {
				t.Fatal(err)
			}
			namespace, _, _ := strings.Cut(f.Path, "_")
			got[f.Path] = "open"
			if rules.CheckConfined(text, rules.Home{Label: "tenant", Namespace: namespace}) == nil {
				got[f.Path] = "confined"
			}
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		for _, v := range s.Rules.Verdicts {
			if (v.Problem != "") != (v.Name == "computed") || v.LastGood != (v.Name == "computed" && lastGood) {
				t.Errorf("the verdict is %+v", v)
			}
			if v.Problem != "" && !strings.HasPrefix(v.Problem, rejected) {
				t.Errorf("got  %s\nwant %s", v.Problem, rejected)
			}
		}
	}
	const why = "spec.groups[g].rules[0] (A).annotations.a: on a server that confines rules to their namespaces, what query asks has to be written out"
	loaded := map[string]string{"monitoring_a.yaml": "open", "bank_a.yaml": "open", "shop_a.yaml": "confined"}
	check(loaded, why, false)
	check(loaded, why, false)
	// What is published of it is of a time when nothing was enforced.
	for _, ar := range in.AlertRules {
		if ar.Name == "a" && ar.Namespace == "shop" {
			in.Published.Rules = map[string]bundle.File{"shop_computed.yaml": {Path: "shop_computed.yaml", Content: ar.File.Content, Rules: -1}}
		}
	}
	loaded["shop_computed.yaml"] = "confined"
	check(loaded, why, true)
	check(loaded, why, true)
}

package monitors

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"k8s.io/utils/ptr"
)

const tenantMonitor = `
kind: ServiceMonitor
metadata: {name: m, namespace: shop}
spec:
  selector: {}
  endpoints:
  - honorLabels: true
    filterRunning: false
    relabelings:
    - {targetLabel: tenant, replacement: bank}
    - {sourceLabels: [__meta_kubernetes_service_label_tenant], targetLabel: namespace}
    metricRelabelings:
    - {targetLabel: tenant, replacement: bank}
    - {regex: tenant, action: LabelDrop}
    - {sourceLabels: [owner], targetLabel: tenant}
`

// onTerms is what Prometheus makes of the one job of a monitor.
func onTerms(t *testing.T, text string, terms Terms) *config.ScrapeConfig {
	t.Helper()
	made, errs := compiled(t, []byte(text))
	if made == nil {
		t.Fatal(errs.ToAggregate())
	}
	if refusal := terms.Refusal(made); refusal != "" {
		t.Fatal(refusal)
	}
	placed := Placed(made.Jobs, func(*Discovery) []string { return []string{"shop"} })
	before, err := Text(placed)
	if err != nil {
		t.Fatal(err)
	}
	out, err := Text(terms.Applied("shop", placed))
	if err != nil {
		t.Fatal(err)
	}
	if err := Audit(out, func(string) Terms { return terms }, nil); err != nil {
		t.Fatal(err)
	}
	loaded, err := config.Load(string(out), promslog.NewNopLogger())
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if again, err := Text(placed); err != nil || string(again) != string(before) {
		t.Error("the jobs of others have changed")
	}
	return loaded.ScrapeConfigs[0]
}

func relabelled(steps []*relabel.Config, of map[string]string) map[string]string {
	b := labels.NewBuilder(labels.FromMap(of))
	if !relabel.ProcessBuilder(b, steps...) {
		return nil
	}
	return b.Labels().Map()
}

// TestLabel: whatever a monitor, a Service or a target says, the label says the namespace.
func TestLabel(t *testing.T) {
	job := onTerms(t, tenantMonitor, Terms{Label: "tenant"})
	target := relabelled(job.RelabelConfigs, map[string]string{"__address__": "10.0.0.1:80", "__meta_kubernetes_namespace": "shop",
		"__meta_kubernetes_service_label_tenant": "bank", "tenant": "bank"})
	if target["tenant"] != "shop" || target["namespace"] != "bank" {
		t.Errorf("the target has %v", target)
	}
	for _, exposed := range []map[string]string{{"tenant": "bank"}, {"tenant": "bank", "owner": "bank"}, {}} {
		exposed = maps.Clone(exposed)
		exposed["__name__"] = "a"
		if series := relabelled(job.MetricRelabelConfigs, exposed); series["tenant"] != "shop" {
			t.Errorf("of %v becomes %v", exposed, series)
		}
	}
	if without := onTerms(t, tenantMonitor, Terms{}); relabelled(without.MetricRelabelConfigs, map[string]string{"owner": "bank"})["tenant"] != "bank" {
		t.Error("without a label that is enforced, the monitor's own steps do nothing either: this test shows nothing")
	}
}

// TestDiscovered: only running pods at their own addresses are left, whoever wrote the EndpointSlice.
func TestDiscovered(t *testing.T) {
	job := onTerms(t, tenantMonitor, Terms{Discovered: true})
	if job.HTTPClientConfig.FollowRedirects {
		t.Error("redirects are followed")
	}
	for _, c := range []struct {
		address, pod, phase string
		kept                bool
	}{
		{"10.0.0.1:80", "10.0.0.1", "Running", true},
		{"[fd00::1]:80", "fd00::1", "Running", true},
		{"10.0.0.2:80", "10.0.0.1", "Running", false},
		{"10.0.0.1:80", "10.0.0.11", "Running", false},
		{"169.254.169.254:80", "", "", false},
		{"localhost:9090", "", "", false},
		{":9090", "", "", false},
		{"10.0.0.1:80", "10.0.0.1", "Succeeded", false},
		{"10.0.0.1:80", "10.0.0.1", "Failed", false},
	} {
		of := map[string]string{"__address__": c.address}
		if c.pod != "" {
			of["__meta_kubernetes_pod_ip"], of["__meta_kubernetes_pod_phase"] = c.pod, c.phase
		}
		if got := relabelled(job.RelabelConfigs, of); (got != nil) != c.kept {
			t.Errorf("%+v became %v", c, got)
		}
	}
}

// TestBounds: the smaller one of a monitor's limit and the server's holds, and none is larger than any.
func TestBounds(t *testing.T) {
	b := Bounds{Samples: 10, Targets: 10, Labels: 10, LabelNameLength: 10, LabelValueLength: 10, HistogramBuckets: 10, BodySize: 1 << 20}
	limits := func(n *int64, size string) Limits {
		return Limits{SampleLimit: n, TargetLimit: n, LabelLimit: n, LabelNameLengthLimit: n, LabelValueLengthLimit: n, NativeHistogramBucketLimit: n, BodySizeLimit: size}
	}
	for _, c := range []struct{ own, want Limits }{
		{limits(nil, ""), limits(ptr.To[int64](10), "1048576B")},
		{limits(ptr.To[int64](0), "0"), limits(ptr.To[int64](10), "1048576B")},
		{limits(ptr.To[int64](3), "1KB"), limits(ptr.To[int64](3), "1KB")},
		{limits(ptr.To[int64](10), "1MB"), limits(ptr.To[int64](10), "1MB")},
		{limits(ptr.To[int64](11), "2MiB"), limits(ptr.To[int64](10), "1048576B")},
	} {
		got := b.Within(c.own)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if said := b.beyond(got); len(said) > 0 {
			t.Errorf("what is within the bounds is not: %q", said)
		}
		if same := (Bounds{}).Within(c.own); !cmp.Equal(same, c.own) {
			t.Errorf("without bounds %v becomes %v", c.own, same)
		}
	}
	job := onTerms(t, tenantMonitor, Terms{Bounds: b})
	if job.SampleLimit != 10 || job.TargetLimit != 10 || job.LabelLimit != 10 || job.NativeHistogramBucketLimit != 10 || job.BodySizeLimit != 1<<20 {
		t.Errorf("Prometheus reads %+v", job)
	}
}

package manifests_test

import (
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/monitors"
	"github.com/hearth-monitoring/hearth/internal/promconfig"
)

// TestTenants has the walker go over the scrape jobs of every case. On which terms they have to be it is told by what was
// declared, and not by what the operator made of that.
func TestTenants(t *testing.T) {
	jobs, annotated := 0, 0
	forEachCase(t, func(t *testing.T, c testCase) {
		for i := range c.declared.Servers {
			ps := &c.declared.Servers[i]
			tree := renderServer(t, c.declared.Inputs(ps)).tree
			text := []byte(tree[promconfig.MonitorsFile])
			jobs += strings.Count(string(text), "- job_name:")
			takes := func(job, namespace string) bool { return takesFrom(t, ps, job, c.declared.NamespaceLabels[namespace]) }
			if err := monitors.Audit(text, func(namespace string) monitors.Terms { return declaredTerms(ps, namespace) }, takes); err != nil {
				t.Errorf("%s: %v", ps.Name, err)
			}
			if label := ps.Spec.EnforcedNamespaceLabel; label != "" {
				annotated += labelled(t, tree[promconfig.FileName], label)
			}
		}
	})
	t.Logf("%d jobs of monitors, %d of annotations", jobs, annotated)
	if jobs < 8 || annotated != 2 {
		t.Error("there is hardly anything to look at")
	}
}

func declaredTerms(ps *v1alpha1.PrometheusServer, namespace string) monitors.Terms {
	var out monitors.Terms
	if slices.Contains(ps.Spec.ExcludedNamespaces, namespace) {
		return out
	}
	if l := ps.Spec.Limits; l != nil {
		out.Bounds = monitors.Bounds{Samples: l.Samples, Targets: l.Targets, Labels: l.Labels, LabelNameLength: l.LabelNameLength,
			LabelValueLength: l.LabelValueLength, HistogramBuckets: l.HistogramBuckets, BodySize: l.BodySize.Value()}
	}
	if namespace != ps.Namespace {
		out.Label, out.Discovered = ps.Spec.EnforcedNamespaceLabel, ps.Spec.EnforcedNamespaceLabel != ""
	}
	return out
}

// takesFrom says whether a server takes monitors of a job's kind from a namespace with these labels, nil for all of them.
func takesFrom(t *testing.T, ps *v1alpha1.PrometheusServer, job string, of map[string]string) bool {
	t.Helper()
	targets := ps.Spec.Targets
	kinds := map[string]*v1alpha1.ObjectSelector{
		"serviceMonitor": targets.ServiceMonitors, "podMonitor": targets.PodMonitors, "probe": targets.Probes, "scrapeConfig": targets.ScrapeConfigs,
	}
	kind, _, _ := strings.Cut(job, "/")
	s := kinds[kind]
	if s == nil || s.NamespaceSelector == nil {
		return false
	}
	selector, err := metav1.LabelSelectorAsSelector(s.NamespaceSelector)
	if err != nil {
		t.Fatal(err)
	}
	return selector.Empty() || of != nil && selector.Matches(labels.Set(of))
}

// labelled counts the jobs of what is annotated, in which nothing comes after the namespace's own label.
func labelled(t *testing.T, text, label string) int {
	t.Helper()
	var config struct {
		ScrapeConfigs []monitors.Job `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal([]byte(text), &config); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, job := range config.ScrapeConfigs {
		if job.JobName != "kubernetes-pods" && job.JobName != "kubernetes-service-endpoints" {
			continue
		}
		n++
		last := job.RelabelConfigs[len(job.RelabelConfigs)-1]
		if last.TargetLabel != label || !slices.Equal(last.SourceLabels, []string{"__meta_kubernetes_namespace"}) || last.Regex != "" || last.Replacement != nil {
			t.Errorf("the last step of %s is %+v", job.JobName, last)
		}
		if job.HonorLabels || len(job.MetricRelabelConfigs) > 0 {
			t.Errorf("in %s a target could say itself what it is labelled with", job.JobName)
		}
		if job.SampleLimit == nil || job.TargetLimit != nil {
			t.Errorf("%s has the limits %+v", job.JobName, job.Limits)
		}
	}
	return n
}

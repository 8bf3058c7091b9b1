package controllers

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/promconfig"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/test/upstream"
)

var jobLine = regexp.MustCompile(`(?m)^ +- job_name: (.+)$`)

// pulls fails unless exactly these jobs of monitors are published.
func (c *cluster) pulls(t *testing.T, want ...string) error {
	t.Helper()
	var part corev1.ConfigMap
	if !c.get(t, bundle.FilesName(stack.NamesOf("main").Base), &part) {
		return errors.New("no files are published")
	}
	files, err := bundle.Unpack(part.BinaryData[bundle.PartKey])
	must(t, err)
	var got []string
	for _, match := range jobLine.FindAllSubmatch(files[promconfig.MonitorsFile], -1) {
		got = append(got, strings.ReplaceAll(string(match[1]), c.namespace, "NS"))
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("the jobs are %q, not %q", got, want)
	}
	return nil
}

func (c *cluster) monitor(t *testing.T, kind, name, spec string) *unstructured.Unstructured {
	t.Helper()
	version := "v1"
	if kind == "ScrapeConfig" {
		version = "v1alpha1"
	}
	return c.parse(t, fmt.Sprintf("apiVersion: monitoring.coreos.com/%s\nkind: %s\nmetadata: {name: %s}\nspec: %s", version, kind, name, spec))
}

func monitorDefinitions() []string {
	return []string{"servicemonitors", "podmonitors", "probes", "scrapeconfigs"}
}

// rejected fails unless exactly these monitors are, for what is said here.
func (c *cluster) rejected(t *testing.T, want map[string]string) error {
	t.Helper()
	var ps v1alpha1.PrometheusServer
	if !c.get(t, "main", &ps) || ps.Status.Monitors == nil {
		return errors.New("the status says nothing of monitors")
	}
	condition := meta.FindStatusCondition(ps.Status.Conditions, v1alpha1.ConditionMonitorsAccepted)
	if condition == nil || (condition.Status == metav1.ConditionTrue) != (len(want) == 0) {
		return fmt.Errorf("MonitorsAccepted is %+v", condition)
	}
	if len(ps.Status.Monitors.Rejections) != len(want) || int(ps.Status.Monitors.Rejected) != len(want) {
		return fmt.Errorf("%+v", ps.Status.Monitors)
	}
	for _, r := range ps.Status.Monitors.Rejections {
		if want[r.Name] == "" || !strings.Contains(r.Message, want[r.Name]) {
			return fmt.Errorf("%s is rejected: %s", r.Name, r.Message)
		}
	}
	return nil
}

// Monitors are picked up when their kinds are installed, one that is malformed keeps none of the others from being scraped,
// and what is deleted is gone, the kinds included.
func TestMonitors(t *testing.T) {
	c := newCluster(t, operator(t.Context()))
	all := &v1alpha1.ObjectSelector{Selector: &metav1.LabelSelector{}}
	ps := &v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Name: "main"}}
	ps.Spec.Targets = &v1alpha1.Targets{MonitorTargets: v1alpha1.MonitorTargets{ServiceMonitors: all, PodMonitors: all, Probes: all, ScrapeConfigs: all}}
	c.create(t, ps)
	// A server that selects what nobody has installed is like any other.
	eventually(t, func() error { return errors.Join(c.pulls(t), c.rejected(t, nil)) })

	install := func() {
		for _, definition := range upstream.Definitions(t, "..", monitorDefinitions()...) {
			must(t, c.api.Create(t.Context(), definition))
			t.Cleanup(func() { _ = c.api.Delete(context.WithoutCancel(t.Context()), definition) })
		}
	}
	create := func(object *unstructured.Unstructured) {
		eventually(t, func() error { // the kind is served soon
			object.SetNamespace(c.namespace)
			return c.api.Create(t.Context(), object)
		})
	}
	install()
	first := c.monitor(t, "ServiceMonitor", "first", "{selector: {}, endpoints: [{port: a}, {port: b}]}")
	create(first)
	create(c.monitor(t, "PodMonitor", "pods", "{selector: {}, podMetricsEndpoints: [{port: a}]}"))
	create(c.monitor(t, "Probe", "pages", "{prober: {url: 'blackbox:9115'}, targets: {staticConfig: {static: [a.example.org]}}}"))
	create(c.monitor(t, "ScrapeConfig", "named", "{staticConfigs: [{targets: ['a.example.org:80']}], kubernetesSDConfigs: [{role: Pod}]}"))
	jobs := []string{"podMonitor/NS/pods/0", "probe/NS/pages", "scrapeConfig/NS/named", "serviceMonitor/NS/first/0", "serviceMonitor/NS/first/1"}
	eventually(t, func() error { return errors.Join(c.pulls(t, jobs...), c.rejected(t, nil)) })

	create(c.monitor(t, "ServiceMonitor", "greedy", "{selector: {}, endpoints: [{port: a, tlsConfig: {caFile: /etc/passwd}}]}"))
	create(c.monitor(t, "ServiceMonitor", "far", "{selector: {}, namespaceSelector: {matchNames: [kube-system]}, endpoints: [{port: a}]}"))
	create(c.monitor(t, "PodMonitor", "slow", "{selector: {}, podMetricsEndpoints: [{port: a, scrapeTimeout: 45s}]}"))
	create(c.monitor(t, "ScrapeConfig", "nodes", "{kubernetesSDConfigs: [{role: Node}]}"))
	create(c.monitor(t, "Probe", "elsewhere", "{prober: {url: 'blackbox:9115'}, targets: {ingress: {selector: {}, namespaceSelector: {matchNames: [kube-system]}}}}"))
	problems := map[string]string{
		"nodes": "where this server may not look", "elsewhere": "takes no monitors from namespace kube-system",
		"greedy": "spec.endpoints[0].tlsConfig.caFile", "far": "takes no monitors from namespace kube-system", "slow": "longer than this server's scrapeInterval",
	}
	eventually(t, func() error { return errors.Join(c.pulls(t, jobs...), c.rejected(t, problems)) })

	must(t, c.api.Patch(t.Context(), first, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"endpoints":[{"port":"("}]}}`))))
	problems["first"] = "an earlier version is still scraped"
	eventually(t, func() error { return errors.Join(c.pulls(t, jobs...), c.rejected(t, problems)) })

	must(t, c.api.Delete(t.Context(), first))
	delete(problems, "first")
	eventually(t, func() error { return errors.Join(c.pulls(t, jobs[:3]...), c.rejected(t, problems)) })

	for _, definition := range upstream.Definitions(t, "..", monitorDefinitions()...) {
		must(t, c.api.Delete(t.Context(), definition))
	}
	eventually(t, func() error { return errors.Join(c.pulls(t), c.rejected(t, nil)) })
	c.uninstalled(t)
	install()
	create(c.monitor(t, "ServiceMonitor", "again", "{selector: {}, endpoints: [{port: a}]}"))
	eventually(t, func() error { return errors.Join(c.pulls(t, "serviceMonitor/NS/again/0"), c.rejected(t, nil)) })
}

// uninstalled waits until the kinds are gone.
func (c *cluster) uninstalled(t *testing.T) {
	t.Helper()
	for _, definition := range upstream.Definitions(t, "..", monitorDefinitions()...) {
		eventually(t, func() error {
			err := c.api.Get(t.Context(), client.ObjectKeyFromObject(definition), definition)
			if client.IgnoreNotFound(err) != nil || err == nil {
				return fmt.Errorf("%s is still there: %w", definition.GetName(), err)
			}
			return nil
		})
	}
}

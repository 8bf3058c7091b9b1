package e2e

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// limitsOfTenants are what a target of this test has far less of than the limit, or far more.
func limitsOfTenants() *v1alpha1.TenantLimits {
	return &v1alpha1.TenantLimits{Samples: 300, Targets: 3, Labels: 30, LabelNameLength: 50, LabelValueLength: 200, BodySize: ptr.To(resource.MustParse("64Ki"))}
}

// overLimit is what Prometheus says of the target that goes beyond a limit, by the name of its port and monitor. The last two have a
// target within the limits: one monitor takes it with others, and one has a lower limit of its own.
func overLimit() map[string]string {
	return map[string]string{
		"samples": "sample limit exceeded", "labels": "label_limit exceeded", "name": "label_name_length_limit exceeded",
		"value": "label_value_length_limit exceeded", "body": "body size limit exceeded",
		"all": "target_limit exceeded", "tight": "sample limit exceeded",
	}
}

// pagesOfTenants are what the targets say, by the same names.
func pagesOfTenants() map[string]string {
	var labels []string
	for i := range 40 {
		labels = append(labels, fmt.Sprintf(`l%d="x"`, i))
	}
	repeated := func(n int, line string) string {
		var out strings.Builder
		for i := range n {
			fmt.Fprintf(&out, line+"\n", i)
		}
		return out.String()
	}
	long := strings.Repeat("x", 190)
	return map[string]string{
		"samples": repeated(400, `e2e_many{n="%d"} 1`),
		"labels":  "e2e_labels{" + strings.Join(labels, ",") + "} 1\n",
		"name":    "e2e_name{" + strings.Repeat("l", 80) + "=\"x\"} 1\n",
		"value":   "e2e_value{l=\"" + strings.Repeat("x", 300) + "\"} 1\n",
		"body":    repeated(100, `e2e_body{n="%d",a="`+long+`",b="`+long+`",c="`+long+`",d="`+long+`"} 1`),
		"fine":    "e2e_fine 1\n",
	}
}

// limits has a tenant's targets go beyond each limit of the server, though their monitors allow themselves more: each is refused by
// Prometheus, in its words, and what is within the limits is scraped, of this tenant and of another.
func (g *ground) limits(ps *v1alpha1.PrometheusServer) {
	g.t.Helper()
	other := g.nodes + "-other"
	g.namespace(other, "restricted")
	change(g, ps, func(ps *v1alpha1.PrometheusServer) {
		ps.Spec.Limits = limitsOfTenants()
		for _, of := range []*v1alpha1.ObjectSelector{ps.Spec.Targets.ServiceMonitors, ps.Spec.Targets.PodMonitors} {
			of.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
				{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpIn, Values: []string{g.nodes, other}},
			}}
		}
	})
	over, want := overLimit(), map[string]string{}
	for name, text := range over {
		monitor := "{port: " + name + "}"
		switch name {
		case "all":
			monitor = "{path: /metrics}"
		case "tight":
			monitor = "{port: fine}"
		}
		g.monitors(g.loose(g.nodes, name, monitor))
		want["podMonitor/"+g.nodes+"/"+name+"/0"] = text
	}
	g.monitors(g.loose(g.nodes, "fine", "{port: fine}"))
	elsewhere := &ground{t: g.t, nodes: other, servers: g.servers}
	elsewhere.monitors(g.loose(other, "fine", "{port: fine}"))
	g.paged(g.nodes, "samples", "labels", "name", "value", "body", "fine")
	g.paged(other, "fine")
	g.refusedBeyond(ps, want)
	server := through(ps)
	for _, tenant := range []string{g.nodes, other} {
		eventually(g.t, time.Minute, func() error {
			return wantValue(g.t, server, fmt.Sprintf(`sum(e2e_fine{tenant=%q}) + sum(up{job=~".*/fine",tenant=%q})`, tenant, tenant), 2)
		})
	}
	kept, err := server.query(g.t.Context(), `count by (__name__) ({__name__=~"e2e_(many|labels|name|value|body)"})`)
	if err != nil || len(kept) > 0 {
		g.t.Errorf("samples beyond the limits are kept: %v, error %v", kept, err)
	}
}

// refusedBeyond waits until the status has Prometheus' words of each of these jobs, and the condition says so.
func (g *ground) refusedBeyond(ps *v1alpha1.PrometheusServer, want map[string]string) {
	g.t.Helper()
	took := eventually(g.t, 2*time.Minute, func() error {
		if err := g.get(ps); err != nil || ps.Status.Targets == nil {
			return fmt.Errorf("no status of targets, error %w", err)
		}
		got := map[string]string{}
		for _, j := range ps.Status.Targets.Jobs {
			switch {
			case j.Down == 0:
			case want[j.Name] != "" && j.Up == 0 && strings.Contains(j.LastError, want[j.Name]):
				got[j.Name] = want[j.Name]
			default:
				got[j.Name] = fmt.Sprintf("%d up, %d down: %s", j.Up, j.Down, j.LastError)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("what is down, and why (-want +got):\n%s", diff)
		}
		return nil
	})
	for _, j := range ps.Status.Targets.Jobs {
		g.t.Logf("after %s: %s: %d up, %d down %s", took, j.Name, j.Up, j.Down, j.LastError)
	}
	c, _ := g.await(time.Minute, ps, v1alpha1.ConditionTargetsHealthy, metav1.ConditionFalse, v1alpha1.ReasonTargetsDown)
	g.t.Log(c.Message)
	// The first of many are named.
	for _, name := range []string{"all", "body"} {
		job := "podMonitor/" + g.nodes + "/" + name + "/0"
		if !strings.Contains(c.Message, job+": ") || !strings.Contains(c.Message, want[job]) {
			g.t.Errorf("the condition does not say that of %s %s", job, want[job])
		}
	}
}

// loose is a PodMonitor that asks for more than the server's limits, but for one.
func (g *ground) loose(namespace, name, endpoint string) string {
	samples := 100000
	if name == "tight" {
		samples = 1
	}
	return fmt.Sprintf(`
kind: PodMonitor
metadata: {name: %s, namespace: %s, labels: {tenancy: "true"}}
spec:
  selector: {matchLabels: {app: limits}}
  podMetricsEndpoints: [%s]
  sampleLimit: %d
  targetLimit: 1000
  labelLimit: 1000
  labelNameLengthLimit: 1000
  labelValueLengthLimit: 10000
  bodySizeLimit: 10MB
`, name, namespace, endpoint, samples)
}

// paged is a pod with a target for each of these pages, on a port of that name.
func (g *ground) paged(namespace string, names ...string) {
	g.t.Helper()
	meta := metav1.ObjectMeta{Namespace: namespace, Name: "limits", Labels: map[string]string{"app": "limits"}}
	text := &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{}}
	ports, pages := make([]int32, len(names)), pagesOfTenants()
	for i, name := range names {
		ports[i], text.Data[name] = 9102+int32(i), pages[name]
	}
	pod := standIn(operatorPod(g.t.Context()).Spec.Containers[0].Image, ports...)
	pod.ObjectMeta = meta
	volume := pod.Spec.Volumes[0].ConfigMap
	volume.Name = meta.Name
	for i, name := range names {
		volume.Items = append(volume.Items, corev1.KeyToPath{Key: name, Path: name + "/" + name + ".prom"})
		c := &pod.Spec.Containers[i]
		c.Ports[0].Name = name
		c.Args[len(c.Args)-1] += "/" + name
	}
	g.create(text, pod)
}

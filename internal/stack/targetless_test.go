package stack_test

import (
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/internal/stack"
)

// targetlessCase is a monitor's endpoint, and what is there.
type targetlessCase struct {
	Endpoint monitoringv1.Endpoint
	Pod      *monitoringv1.PodMetricsEndpoint
	Selector *metav1.LabelSelector
	Found    []stack.FoundService
	Services []*corev1.Service
	Pods     []corev1.Pod
	In       stack.Places
}

func (c *targetlessCase) reason() stack.Reason {
	switch {
	case c.Selector != nil:
		return stack.NoMatch("Service", *c.Selector, c.Services, c.In)
	case c.Pod != nil:
		return stack.WhyNoPod("spec.podMetricsEndpoints[1]", c.Pod, c.Pods, c.In)
	}
	return stack.WhyNoService("spec.endpoints[1]", &c.Endpoint, c.Found, c.In)
}

const (
	webService = `service: {metadata: {namespace: shop, name: web}, spec: {selector: {app: web}, ports: [{name: http, port: 80}, {port: 81}]}}`
	oneSlice   = `slices: [{endpoints: [{addresses: [10.0.0.1]}]}]`
	webPod     = `{metadata: {namespace: shop, name: web-0}, status: {phase: Running}, spec: {containers: [{name: c, ports: [{name: http, containerPort: 80}, {containerPort: 81}]}]}}`
)

func TestWhyNoTarget(t *testing.T) {
	for name, c := range map[string]struct {
		in, want string
		idle     bool
	}{
		"no Service at all": {`{selector: {matchLabels: {app: web}}, in: {namespaces: [shop]}}`, "there is no Service in namespace shop", false},
		"no such Service": {`{selector: {matchLabels: {app: web, tier: front}}, in: {namespaces: [shop]}, services: [
			{metadata: {namespace: shop, name: a}}, {metadata: {namespace: shop, name: b, labels: {app: website, tier: front}}}]}`,
			"spec.selector takes no Service in namespace shop; the nearest is shop/b: it wants label app=web; this has app=website", false},
		"anywhere":       {`{selector: {matchLabels: {app: web}}, in: {truncated: true}}`, "spec.selector takes no Service in any namespace", false},
		"no such port":   {`{endpoint: {port: metrics}, found: [{` + webService + `}]}`, "Service shop/web has no port named metrics, which spec.endpoints[1].port wants; it has http, 81 without a name", false},
		"nobody behind":  {`{endpoint: {port: http}, found: [{` + webService + `}, {` + webService + `}]}`, "Service shop/web has no endpoints: no pod has the labels of its selector, app=web (and 1 more)", true},
		"no selector":    {`{endpoint: {port: http}, found: [{service: {metadata: {namespace: shop, name: web}, spec: {ports: [{name: http}]}}}]}`, "Service shop/web has no endpoints: it has no selector, and nobody has written an EndpointSlice for it", true},
		"a pod pends":    {`{endpoint: {port: http}, found: [{` + webService + `, pods: [{metadata: {name: web-0}, status: {phase: Pending}}]}]}`, "Service shop/web has no endpoints: pod web-0 is pending", true},
		"container port": {`{endpoint: {targetPort: metrics}, found: [{` + webService + `, ` + oneSlice + `, pods: [` + webPod + `]}]}`, "no container of pod shop/web-0 declares a port named metrics, which spec.endpoints[1].targetPort wants; they declare http/80, 81", false},
		"its number":     {`{endpoint: {targetPort: 9090}, found: [{` + webService + `, ` + oneSlice + `, pods: [` + webPod + `]}]}`, "no container of pod shop/web-0 declares a port with number 9090, which spec.endpoints[1].targetPort wants; they declare http/80, 81", false},
		"relabelled": {`{endpoint: {port: http, relabelings: [{action: drop}]}, in: {namespaces: [shop], dropped: 3}, found: [{` + webService + `, ` + oneSlice + `}]}`,
			"3 targets are discovered in namespace shop, and spec.endpoints[1].relabelings drops all that the selector and the port leave", false},
		"all is well":     {`{endpoint: {port: http}, found: [{` + webService + `}, {` + webService + `, ` + oneSlice + `}]}`, "", false},
		"pod's port":      {`{pod: {port: metrics}, pods: [` + webPod + `]}`, "no container of pod shop/web-0 declares a port named metrics, which spec.podMetricsEndpoints[1].port wants; they declare http/80, 81", false},
		"pod's number":    {`{pod: {portNumber: 81}, pods: [` + webPod + `]}`, "", false},
		"pods do not run": {`{pod: {port: http}, pods: [{metadata: {namespace: shop, name: p}, status: {phase: Succeeded}}]}`, "none of the selected pods runs: pod shop/p is succeeded", true},
		"pods relabelled": {`{pod: {port: http, relabelings: [{action: drop}]}, in: {dropped: 2}, pods: [` + webPod + `]}`,
			"2 targets are discovered in any namespace, and spec.podMetricsEndpoints[1].relabelings drops all that the selector and the port leave", false},
	} {
		t.Run(name, func(t *testing.T) {
			var of targetlessCase
			if err := yaml.Unmarshal([]byte(c.in), &of); err != nil {
				t.Fatal(err)
			}
			if got := of.reason(); got.Text != c.want || got.Idle != c.idle {
				t.Errorf("%+v\nwant %q, idle %v", got, c.want, c.idle)
			}
		})
	}
}

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// targetsOfTest have every source of targets that a cluster itself is: what a ScrapeConfig names, pods, EndpointSlices, Services and
// nodes, and what a Probe names or finds in an Ingress. The web pod stands in for what is at a node, and for a prober, which answers
// whatever it is asked to probe.
const targetsOfTest = `
apiVersion: monitoring.coreos.com/v1alpha1
kind: ScrapeConfig
metadata: {name: static}
spec:
  staticConfigs: [{targets: ["%[1]s:80"], labels: {team: shop}}]
---
apiVersion: monitoring.coreos.com/v1alpha1
kind: ScrapeConfig
metadata: {name: pods}
spec:
  jobName: named
  kubernetesSDConfigs: [{role: Pod, namespaces: {names: ["%[2]s"]}, selectors: [{role: Pod, label: app=web}]}]
  relabelings:
  - {sourceLabels: [__meta_kubernetes_pod_name], targetLabel: pod}
  - {action: LabelMap, regex: __meta_kubernetes_pod_label_(.+)}
---
apiVersion: monitoring.coreos.com/v1alpha1
kind: ScrapeConfig
metadata: {name: slices}
spec:
  kubernetesSDConfigs: [{role: EndpointSlice}]
  relabelings:
  - {sourceLabels: [__meta_kubernetes_service_name], regex: web, action: Keep}
  - {sourceLabels: [__meta_kubernetes_namespace], targetLabel: namespace}
  - {sourceLabels: [__meta_kubernetes_endpointslice_port_name], targetLabel: endpoint}
---
apiVersion: monitoring.coreos.com/v1alpha1
kind: ScrapeConfig
metadata: {name: services}
spec:
  kubernetesSDConfigs: [{role: Service, selectors: [{role: Service, label: "app in (web)"}]}]
  relabelings: [{sourceLabels: [__meta_kubernetes_service_label_team], targetLabel: team}]
---
apiVersion: monitoring.coreos.com/v1alpha1
kind: ScrapeConfig
metadata: {name: nodes}
spec:
  kubernetesSDConfigs: [{role: Node}]
  relabelings:
  - {sourceLabels: [__meta_kubernetes_node_name], targetLabel: instance}
  - {targetLabel: __address__, replacement: "%[1]s:80"}
---
kind: Probe
metadata: {name: page}
spec:
  prober: {url: "%[1]s:80", path: /metrics}
  module: http_2xx
  targets: {staticConfig: {static: ["https://example.org/", "https://example.org/shop"], labels: {team: shop}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, labels: {probed: "true"}}
spec:
  rules: [{host: shop.example.org, http: {paths: [{path: /api, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]
---
kind: Probe
metadata: {name: ingress}
spec:
  jobName: doors
  prober: {url: "%[1]s:80", path: /metrics}
  targets: {ingress: {selector: {matchLabels: {probed: "true"}}, relabelingConfigs: [{targetLabel: kind, replacement: door}]}}
`

// foreignTargets is the table of these: by job and instance, the labels of each target.
func (g *ground) foreignTargets() map[string]map[string]string {
	g.t.Helper()
	out := map[string]map[string]string{}
	add := func(kind, name, instance string, labels map[string]string) {
		pool := kind + "/" + g.nodes + "/" + name
		labels["instance"] = instance
		if labels["job"] == "" {
			labels["job"] = pool
		}
		out[pool+" "+instance] = labels
	}
	service := "web." + g.nodes + ".svc:80"
	add("scrapeConfig", "static", service, map[string]string{"team": "shop"})
	add("scrapeConfig", "services", service, map[string]string{"team": "shop"})
	if pod := g.pod("web"); pod != nil {
		address := pod.Status.PodIP + ":9102"
		add("scrapeConfig", "pods", address, map[string]string{"job": "named", "pod": "web", "app": "web", "team": "shop"})
		add("scrapeConfig", "slices", address, map[string]string{"namespace": g.nodes, "endpoint": "metrics"})
	}
	for _, node := range kube.nodes {
		add("scrapeConfig", "nodes", node, map[string]string{})
	}
	for _, page := range []string{"https://example.org/", "https://example.org/shop"} {
		add("probe", "page", page, map[string]string{"namespace": g.nodes, "team": "shop"})
	}
	add("probe", "ingress", "http://shop.example.org/api", map[string]string{"job": "doors", "namespace": g.nodes, "ingress": "shop", "kind": "door"})
	return out
}

// authority gives out tokens to its one client, and answers scrapes that have one.
type authority struct {
	mu      sync.Mutex
	refused int
	asked   []string
}

// The client is in a Secret of the namespace's own.
const (
	clientID     = "e2e: the client"
	clientSecret = "the-clients-own-word"
)

func (a *authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.URL.Path != "/token" {
		if r.Header.Get("Authorization") != "Bearer a-token" {
			http.Error(w, "no token", http.StatusUnauthorized)
			return
		}
		_, _ = fmt.Fprintln(w, "e2e_scraped 1")
		return
	}
	// RFC 6749 has both encoded like a form's before they are sent.
	if id, secret, _ := r.BasicAuth(); id != strings.ReplaceAll(strings.ReplaceAll(clientID, ":", "%3A"), " ", "+") || secret != clientSecret {
		a.refused++
		http.Error(w, "nobody that is known", http.StatusUnauthorized)
		return
	}
	a.asked = append(a.asked, r.PostFormValue("scope")+" of "+r.PostFormValue("audience"))
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "a-token", "token_type": "Bearer", "expires_in": 3600})
}

func (a *authority) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return fmt.Sprintf("%d tokens, for %q, and %d refusals", len(a.asked), a.asked, a.refused)
}

// oauth2 has a ScrapeConfig be a client of OAuth2: it has no token until somebody runs what the condition says, and then its scrapes carry
// one. Nobody else's targets are touched by that.
func (g *ground) oauth2(ps *v1alpha1.PrometheusServer, server prometheus) {
	g.t.Helper()
	listener, a := listenForPods(g.t), &authority{}
	served := &http.Server{Handler: a, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = served.Serve(listener) }()
	g.t.Cleanup(func() { _ = served.Close() })
	address := listener.Addr().String()
	g.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: g.nodes, Name: "client"}, StringData: map[string]string{"id": clientID, "secret": clientSecret}})
	g.monitors(fmt.Sprintf(`
apiVersion: monitoring.coreos.com/v1alpha1
kind: ScrapeConfig
metadata: {name: client}
spec:
  staticConfigs: [{targets: ["%[1]s"]}]
  oauth2: {clientId: {secret: {name: client, key: id}}, clientSecret: {name: client, key: secret}, tokenUrl: "http://%[1]s/token", scopes: [read], endpointParams: {audience: shop}}
`, address))
	commands := g.monitorCommands(ps, "client")
	down := eventually(g.t, time.Minute, func() error {
		result, err := server.query(g.t.Context(), fmt.Sprintf(`up{job="scrapeConfig/%s/client"} == 0`, g.nodes))
		if err == nil && len(result) != 1 {
			err = fmt.Errorf("the target without a token is %v", result)
		}
		return err
	})
	g.t.Logf("down after %s: %s", down, a)
	for _, command := range commands {
		kubectl(g.t, strings.Fields(command)[1:]...)
	}
	want := g.foreignTargets()
	pool := "scrapeConfig/" + g.nodes + "/client"
	want[pool+" "+address] = map[string]string{"job": pool, "instance": address}
	g.t.Logf("up %s after the commands: %s", g.targetsAre(server, want), a)
	if !strings.Contains(a.String(), `"read of shop"`) {
		g.t.Errorf("nobody asked for a token as it is declared: %s", a)
	}
}

// withoutForeign removes the objects of targetsOfTest, and what oauth2 made.
func (g *ground) withoutForeign() {
	g.t.Helper()
	for _, name := range []string{"static", "pods", "slices", "services", "nodes", "client"} {
		config := monitor("ScrapeConfig", name, g.nodes)
		config.SetAPIVersion("monitoring.coreos.com/v1alpha1")
		if err := kube.api.Delete(g.t.Context(), config); err != nil && (name != "client" || kube.here) {
			g.t.Fatal(err)
		}
	}
	g.remove("Probe", "page")
	g.remove("Probe", "ingress")
}

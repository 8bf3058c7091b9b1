package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// api asks the API server, as the admin. Reading a few fields takes no client library, which would be most of this program.
type api struct {
	server string
	client *http.Client
}

func (c *Cluster) api() (*api, error) {
	d := c.pki()
	cert, err := tls.LoadX509KeyPair(d.Cert("admin"), d.Key("admin"))
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(d.Cert("ca"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return &api{server: c.server(), client: &http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{Proxy: nil, TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: pool}},
	}}, nil
}

// get reads a path into a value, or, if that is nil, only finds that it is there.
func (a *api) get(path string, into any) error {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, a.server+path, nil)
	if err != nil {
		return err
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s: %.300s", path, resp.Status, body)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(body, into)
}

type condition struct{ Type, Status, Reason, Message string }

type node struct {
	Metadata struct{ Name string }
	Status   struct {
		Conditions []condition
		NodeInfo   struct{ KubeletVersion string }
	}
}

// ready is the node's own word, with its reason where it is not.
func (n node) ready() (bool, string) {
	for _, c := range n.Status.Conditions {
		if c.Type == "Ready" {
			return c.Status == "True", c.Message
		}
	}
	return false, "it has not said anything yet"
}

// nodes are all nodes that the API server knows, by name: the cluster's own, and whatever else somebody registered.
func (a *api) nodes() (map[string]node, error) {
	var list struct{ Items []node }
	if err := a.get("/api/v1/nodes", &list); err != nil {
		return nil, err
	}
	nodes := map[string]node{}
	for _, n := range list.Items {
		nodes[n.Metadata.Name] = n
	}
	return nodes, nil
}

// nodesReady fails unless the first that many nodes are there and ready.
func (a *api) nodesReady(want int) error {
	nodes, err := a.nodes()
	if err != nil {
		return err
	}
	for i := range want {
		name := nodeName(i + 1)
		n, registered := nodes[name]
		if !registered {
			return fmt.Errorf("%s is not registered", name)
		}
		if ok, why := n.ready(); !ok {
			return fmt.Errorf("%s is not ready: %s", name, why)
		}
	}
	return nil
}

// dnsReady fails unless the DNS server's pod is ready, and pods can be made in the default namespace.
func (a *api) dnsReady() error {
	var deployment struct{ Status struct{ ReadyReplicas int } }
	if err := a.get("/apis/apps/v1/namespaces/kube-system/deployments/coredns", &deployment); err != nil {
		return err
	}
	if deployment.Status.ReadyReplicas == 0 {
		return fmt.Errorf("no pod of kube-system/coredns is ready")
	}
	return a.get("/api/v1/namespaces/default/serviceaccounts/default", nil)
}

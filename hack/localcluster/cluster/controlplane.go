package cluster

import (
	"fmt"
	"net"
	"os"

	"github.com/hearth-monitoring/hearth/hack/localcluster/pki"
)

// domain is the DNS domain of the cluster's services.
const domain = "cluster.local"

// issue makes every certificate of the control plane.
func (c *Cluster) issue() error {
	dir := c.pki()
	for _, ca := range []string{"ca", "etcd-ca", "front-proxy-ca"} {
		if err := dir.Authority(ca); err != nil {
			return err
		}
	}
	if err := dir.KeyPair("service-accounts"); err != nil {
		return err
	}
	loopback := net.IPv4(127, 0, 0, 1)
	for _, s := range []pki.Subject{
		{Name: "etcd", CA: "etcd-ca", User: "etcd", DNSNames: []string{"localhost"}, Addresses: []net.IP{loopback}},
		{Name: "etcd-client", CA: "etcd-ca", User: "kube-apiserver"},
		{Name: "front-proxy", CA: "front-proxy-ca", User: "front-proxy"},
		{
			Name: "kube-apiserver", CA: "ca", User: "kube-apiserver",
			DNSNames:  []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + domain},
			Addresses: []net.IP{loopback, c.apiService().AsSlice(), c.nodeAddress(1).AsSlice()},
		},
		{Name: "kubelet-client", CA: "ca", User: "kube-apiserver-kubelet-client", Groups: []string{"system:masters"}},
		{Name: "admin", CA: "ca", User: "admin", Groups: []string{"system:masters"}},
		{Name: "controller-manager", CA: "ca", User: "system:kube-controller-manager"},
		{Name: "scheduler", CA: "ca", User: "system:kube-scheduler"},
		{Name: "kube-proxy", CA: "ca", User: "system:kube-proxy"},
		{Name: "provisioner", CA: "ca", User: "hearth:hostpath-provisioner"},
	} {
		if err := dir.Issue(s); err != nil {
			return err
		}
	}
	for _, client := range []string{"controller-manager", "scheduler", "kube-proxy", "provisioner"} {
		if err := c.clientConfig(client, c.path("conf", client+".kubeconfig")); err != nil {
			return err
		}
	}
	return c.clientConfig("admin", c.Kubeconfig())
}

// clientConfig writes a client's kubeconfig, once: people may have set their namespace in theirs.
func (c *Cluster) clientConfig(client, out string) error {
	if _, err := os.Stat(out); err == nil {
		return nil
	}
	return c.pki().Kubeconfig(client, "ca", "hearth-localcluster-"+c.Name, c.server(), out)
}

// etcd keeps the cluster's objects. It doesn't wait for the disk: a power cut loses a cluster that is made anew in seconds.
func (c *Cluster) etcd() process {
	d := c.pki()
	return process{name: "etcd", node: 1, args: []string{
		c.program("etcd"), "--name=" + c.Name, "--data-dir=" + c.path("etcd"), "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls=https://127.0.0.1:2379", "--advertise-client-urls=https://127.0.0.1:2379",
		"--listen-peer-urls=http://127.0.0.1:2380",
		"--cert-file=" + d.Cert("etcd"), "--key-file=" + d.Key("etcd"),
		"--client-cert-auth", "--trusted-ca-file=" + d.Cert("etcd-ca"),
	}}
}

func (c *Cluster) apiserver() process {
	d := c.pki()
	return process{name: "kube-apiserver", node: 1, args: []string{
		c.program("kube-apiserver"), "--v=1", "--profiling=false", "--allow-privileged=true",
		"--advertise-address=" + c.nodeAddress(1).String(), "--secure-port=6443",
		"--service-cluster-ip-range=" + c.services().String(),
		"--etcd-servers=https://127.0.0.1:2379", "--etcd-cafile=" + d.Cert("etcd-ca"),
		"--etcd-certfile=" + d.Cert("etcd-client"), "--etcd-keyfile=" + d.Key("etcd-client"),
		"--tls-cert-file=" + d.Cert("kube-apiserver"), "--tls-private-key-file=" + d.Key("kube-apiserver"),
		"--client-ca-file=" + d.Cert("ca"),
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--service-account-issuer=https://kubernetes.default.svc." + domain,
		"--service-account-key-file=" + d.Cert("service-accounts"),
		"--service-account-signing-key-file=" + d.Key("service-accounts"),
		"--kubelet-certificate-authority=" + d.Cert("ca"),
		"--kubelet-client-certificate=" + d.Cert("kubelet-client"), "--kubelet-client-key=" + d.Key("kubelet-client"),
		// Nodes' names are in no DNS.
		"--kubelet-preferred-address-types=InternalIP",
		"--requestheader-client-ca-file=" + d.Cert("front-proxy-ca"), "--requestheader-allowed-names=front-proxy",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + d.Cert("front-proxy"), "--proxy-client-key-file=" + d.Key("front-proxy"),
	}}
}

// provisioner makes the volumes.
func (c *Cluster) provisioner() process {
	return process{name: "hostpath-provisioner", node: 1, args: []string{
		c.program("hostpath-provisioner"), "--kubeconfig=" + c.path("conf", "provisioner.kubeconfig"), "--root=" + c.path("volumes"),
	}}
}

// controllers are the control plane's other processes, which need the API server to be there.
func (c *Cluster) controllers() []process {
	d := c.pki()
	config := func(client string) string { return "--kubeconfig=" + c.path("conf", client+".kubeconfig") }
	return []process{
		{name: "kube-controller-manager", node: 1, args: []string{
			c.program("kube-controller-manager"), "--v=1", "--profiling=false", "--leader-elect=false", config("controller-manager"),
			"--use-service-account-credentials", "--root-ca-file=" + d.Cert("ca"),
			// It begins with a few requests for each of its forty controllers, which at its usual pace takes 5 s.
			"--kube-api-qps=200", "--kube-api-burst=400",
			// Where tests and benches want every processor, a node can be late for most of a minute. Nothing could run elsewhere, and its pods
			// would be called unready.
			"--node-monitor-grace-period=5m",
			"--service-account-private-key-file=" + d.Key("service-accounts"),
			"--cluster-signing-cert-file=" + d.Cert("ca"), "--cluster-signing-key-file=" + d.Key("ca"),
			"--flex-volume-plugin-dir=" + c.path("flex"), // or it makes one in /usr
			// Each node's pods have the range that its network configuration names.
			"--allocate-node-cidrs=false",
			"--authentication-kubeconfig=" + c.path("conf", "controller-manager.kubeconfig"),
			"--authorization-kubeconfig=" + c.path("conf", "controller-manager.kubeconfig"),
		}},
		{name: "kube-scheduler", node: 1, args: []string{
			c.program("kube-scheduler"), "--v=1", "--profiling=false", "--leader-elect=false", config("scheduler"),
			"--authentication-kubeconfig=" + c.path("conf", "scheduler.kubeconfig"),
			"--authorization-kubeconfig=" + c.path("conf", "scheduler.kubeconfig"),
		}},
	}
}

// startControlPlane starts etcd and the API server.
func (c *Cluster) startControlPlane() error {
	if err := c.issue(); err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	for _, p := range []process{c.etcd(), c.apiserver()} {
		if err := c.ensure(p); err != nil {
			return err
		}
	}
	return nil
}

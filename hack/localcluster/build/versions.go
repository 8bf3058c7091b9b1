package build

// The versions of everything that localcluster builds. The Go modules' go.mod files are what pins them (go.sum with
// them); these are the names the results carry, and a test holds the two together. To move a version: change it here, and in
// the go.mod that the test names.
const (
	Kubernetes   = "1.37.2" // ../kube/go.mod: k8s.io/kubernetes v1.37.2, and each staging module v0.37.2
	CoreDNS      = "1.15.0" // ../images/coredns/go.mod
	Prometheus   = "3.15.0" // ../images/prometheus/go.mod, where 3.15.0 is called v0.315.0
	Alertmanager = "0.31.1" // ../images/alertmanager/go.mod; the last that builds from its module
	Pause        = "1"      // ../images/pause, ours
)

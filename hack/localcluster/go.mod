// The tool itself needs nothing but Go's standard library, so that it builds in seconds. What it builds has modules of its
// own, which pin it: kube/ (Kubernetes and etcd), images/coredns/, images/prometheus/.
module github.com/hearth-monitoring/hearth/hack/localcluster

go 1.26.0

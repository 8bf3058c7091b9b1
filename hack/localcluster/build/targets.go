package build

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Target is one run of `go build` and where its binaries go.
type Target struct {
	Name     string
	Dir      string   // of the module, below hack/localcluster
	Packages []string // each gives a binary named like the last element of its path
	Tags     string
	LDFlags  []string
	Dest     string   // below the repository's bin
	Links    []string // symlinks to the (one) binary, beside it
	// Sources are the files, below hack/localcluster, that the result depends on besides the pinned modules.
	Sources []string
}

// Targets are all targets. An image that localcluster should be able to build is a row here and one in Images.
func Targets() []Target {
	return []Target{
		{
			Name:     "kube",
			Dir:      "kube",
			Packages: []string{"."},
			LDFlags:  kubernetesStamp("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"),
			Dest:     "kube",
			Links:    programs(),
			Sources:  []string{"kube/go.mod", "kube/go.sum", "kube/*.go", "kube/provisioner/*.go"},
		},
		{
			Name:     "coredns",
			Dir:      "images/coredns",
			Packages: []string{"."},
			Dest:     "images",
			Sources:  []string{"images/coredns/go.mod", "images/coredns/go.sum", "images/coredns/*.go"},
		},
		{
			Name:     "pause",
			Dir:      ".",
			Packages: []string{"./images/pause"},
			Dest:     "images",
			Sources:  []string{"images/pause/*.go"},
		},
		{
			Name:     "prometheus",
			Dir:      "images/prometheus",
			Packages: []string{"github.com/prometheus/prometheus/cmd/prometheus", "github.com/prometheus/prometheus/cmd/promtool"},
			// Of the service discoveries only Kubernetes' is used here, and the clouds' SDKs are half of the build.
			Tags:    "netgo,remove_all_sd,enable_kubernetes_sd",
			LDFlags: []string{"-X", "github.com/prometheus/common/version.Version=" + Prometheus},
			Dest:    ".",
			Sources: []string{"images/prometheus/go.mod", "images/prometheus/go.sum"},
		},
		{
			Name:     "alertmanager",
			Dir:      "images/alertmanager",
			Packages: []string{"github.com/prometheus/alertmanager/cmd/alertmanager", "github.com/prometheus/alertmanager/cmd/amtool"},
			Tags:     "netgo",
			LDFlags:  []string{"-X", "github.com/prometheus/common/version.Version=" + Alertmanager},
			Dest:     ".",
			Sources:  []string{"images/alertmanager/go.mod", "images/alertmanager/go.sum"},
		},
	}
}

// programs are the names that the kube binary is called by.
func programs() []string {
	return []string{
		"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl",
		"hostpath-provisioner",
	}
}

// Find is the target called name.
func Find(name string) (Target, error) {
	targets := Targets()
	i := slices.IndexFunc(targets, func(t Target) bool { return t.Name == name })
	if i < 0 {
		var names []string
		for _, t := range targets {
			names = append(names, t.Name)
		}
		return Target{}, fmt.Errorf("no target %q; there are: %s", name, strings.Join(names, " "))
	}
	return targets[i], nil
}

// kubernetesStamp is the version as Kubernetes' own build puts it in: unstamped it is one that kubectl can't parse.
func kubernetesStamp(packages ...string) []string {
	parts := strings.Split(Kubernetes, ".")
	var flags []string
	for _, p := range packages {
		for _, kv := range []string{"gitVersion=v" + Kubernetes, "gitMajor=" + parts[0], "gitMinor=" + parts[1], "gitTreeState=clean"} {
			flags = append(flags, "-X", p+"."+kv)
		}
	}
	return flags
}

// binaries are the names of the files that the target gives.
func (t Target) binaries() []string {
	var names []string
	for _, p := range t.Packages {
		name := filepath.Base(p)
		if p == "." {
			name = filepath.Base(t.Dir)
		}
		names = append(names, name)
	}
	return names
}

// args are go's arguments to build the target into the folder out.
func (t Target) args(out string) []string {
	args := []string{"build", "-v", "-trimpath", "-buildvcs=false"}
	if t.Tags != "" {
		args = append(args, "-tags", t.Tags)
	}
	args = append(args, "-ldflags", strings.Join(append([]string{"-s", "-w"}, t.LDFlags...), " "))
	return append(append(args, "-o", out+"/"), t.Packages...)
}

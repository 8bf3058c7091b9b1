package build

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestVersionsAreThoseOfTheModules(t *testing.T) {
	for _, c := range []struct{ file, line string }{
		{"../kube/go.mod", "k8s.io/kubernetes v" + Kubernetes},
		{"../kube/go.mod", "k8s.io/api => k8s.io/api v0" + strings.TrimPrefix(Kubernetes, "1")},
		{"../images/coredns/go.mod", "github.com/coredns/coredns v" + CoreDNS},
		{"../images/prometheus/go.mod", "github.com/prometheus/prometheus v0." + prometheusMinor()},
		{"../images/alertmanager/go.mod", "github.com/prometheus/alertmanager v" + Alertmanager},
	} {
		text, err := os.ReadFile(c.file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), c.line+"\n") && !strings.Contains(string(text), c.line+" //") {
			t.Errorf("%s does not say %q, which versions.go goes by", c.file, c.line)
		}
	}
}

// prometheusMinor is how Prometheus' module numbers a release: 3.15.0 is v0.315.0.
func prometheusMinor() string {
	var major, minor, patch int
	if _, err := fmt.Sscanf(Prometheus, "%d.%d.%d", &major, &minor, &patch); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d%02d.%d", major, minor, patch)
}

func TestImagesNameTargetsAndTheirFiles(t *testing.T) {
	for _, i := range Images() {
		target, err := Find(i.Target)
		if err != nil {
			t.Errorf("image %s: %v", i.Name, err)
			continue
		}
		for path, file := range i.Files {
			base := file[strings.LastIndex(file, "/")+1:]
			if !slices.Contains(target.binaries(), base) {
				t.Errorf("image %s: %s is to be %s, which target %s does not build", i.Name, path, file, target.Name)
			}
		}
		if i.Files[i.Entry] == "" {
			t.Errorf("image %s runs %s, which is not in it", i.Name, i.Entry)
		}
	}
}

func TestArgs(t *testing.T) {
	target, err := Find("prometheus")
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(target.args("/out"), " ")
	want := "build -v -trimpath -buildvcs=false -tags netgo,remove_all_sd,enable_kubernetes_sd " +
		"-ldflags -s -w -X github.com/prometheus/common/version.Version=" + Prometheus + " -o /out/ " +
		"github.com/prometheus/prometheus/cmd/prometheus github.com/prometheus/prometheus/cmd/promtool"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, err := Find("alertmanger"); err == nil || !strings.Contains(err.Error(), "kube coredns") {
		t.Errorf("a wrong name: got %v, want an error that lists the right ones", err)
	}
}

func TestProgressReadsWhatGoPrints(t *testing.T) {
	p := newProgress(&bytes.Buffer{}, "kube")
	for _, piece := range []string{
		"go: downloading k8s.io/api v0.37.2\nk8s.io/a", "pi/core/v1\nk8s.io/kubernetes/pkg/kubelet\n",
		"# k8s.io/kubernetes/pkg/kubelet\nkubelet.go:3:4: undefined: x\n",
	} {
		if _, err := p.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	want := "build kube: 0s, 1 modules downloaded, 2 packages compiled, now k8s.io/kubernetes/pkg/kubelet"
	if got := p.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := p.tail(); got != "# k8s.io/kubernetes/pkg/kubelet\nkubelet.go:3:4: undefined: x" {
		t.Errorf("the errors are %q", got)
	}
}

// Package adopt tests kubectl hearth adopt as people run it: the program, with a user who may read, against an API server with
// what another operator has there.
package adopt

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/test/upstream"
)

var update = flag.Bool("update", false, "write what is printed into testdata")

// people is a cluster, and somebody who may read all of it but Secrets, and write nothing.
type people struct {
	api                 client.Client
	program, kubeconfig string
}

func newPeople(t *testing.T) *people {
	t.Helper()
	ctrl.SetLogger(logr.Discard())
	assets, explicit := os.LookupEnv("KUBEBUILDER_ASSETS")
	if !explicit {
		assets = filepath.Join("..", "..", "bin", "kube")
	}
	if _, err := os.Stat(filepath.Join(assets, "kube-apiserver")); err != nil && !explicit {
		t.Skipf("no API server to read from: %v (make test-apiserver builds it)", err)
	}
	p := &people{program: filepath.Join(t.TempDir(), "kubectl-hearth"), kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", p.program, "../../kubectl-hearth")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	env := &envtest.Environment{BinaryAssetsDirectory: assets, ControlPlaneStartTimeout: 2 * time.Minute, ControlPlaneStopTimeout: time.Minute}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Log(err)
		}
	})
	config, err := env.Start()
	must(t, err)
	user, err := env.AddUser(envtest.User{Name: "reader", Groups: []string{"readers"}}, nil)
	must(t, err)
	text, err := user.KubeConfig()
	must(t, err)
	must(t, os.WriteFile(p.kubeconfig, text, 0o600))
	p.api, err = client.New(config, client.Options{})
	must(t, err)
	must(t, p.api.Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "readers"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"monitoring.coreos.com", "apps", "policy", "rbac.authorization.k8s.io"}, Resources: []string{"*"}, Verbs: []string{"get", "list"}},
		{APIGroups: []string{""}, Resources: []string{"namespaces", "services", "serviceaccounts", "configmaps"}, Verbs: []string{"get", "list"}},
	}}))
	must(t, p.api.Create(t.Context(), &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "readers"},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "readers"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: "readers"}},
	}))
	_, err = envtest.InstallCRDs(config, envtest.CRDInstallOptions{Paths: []string{filepath.Join("..", "..", "config", "crd")}, ErrorIfPathMissing: true, MaxTime: time.Minute})
	must(t, err)
	return p
}

// install adds another operator's kinds.
func (p *people) install(t *testing.T) {
	t.Helper()
	kinds := []string{"prometheuses", "prometheusagents", "alertmanagers", "alertmanagerconfigs", "thanosrulers",
		"servicemonitors", "podmonitors", "probes", "scrapeconfigs", "prometheusrules"}
	for _, u := range upstream.Definitions(t, filepath.Join("..", ".."), kinds...) {
		must(t, p.api.Create(t.Context(), u))
	}
}

// adopt runs the program.
func (p *people) adopt(t *testing.T, want int, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), p.program, append([]string{"adopt", "--kubeconfig", p.kubeconfig}, args...)...)
	var out, problems bytes.Buffer
	command.Stdout, command.Stderr = &out, &problems
	err := command.Run()
	code := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	t.Logf("kubectl hearth adopt %s: %d\n%s%s", strings.Join(args, " "), code, out.String(), problems.String())
	if code != want {
		t.Errorf("exit code %d, want %d", code, want)
	}
	return out.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		must(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it):\n%s", name, diff)
	}
}

func TestAdopt(t *testing.T) {
	p := newPeople(t)
	if got := p.adopt(t, 0); !strings.Contains(got, "There is no Prometheus or PrometheusAgent of monitoring.coreos.com.") {
		t.Error("a cluster without another operator")
	}
	p.install(t)
	text, err := os.ReadFile(filepath.Join("testdata", "cluster.yaml"))
	must(t, err)
	for _, o := range objects(t, text) {
		eventually(t, func() error { return p.api.Create(t.Context(), o.DeepCopy()) }) // its kind is served soon
	}
	golden(t, "table.txt", p.adopt(t, 2))
	declared := p.adopt(t, 2, "-o", "yaml")
	golden(t, "servers.yaml", declared)
	// What it prints can be applied, but for an agent of which nothing could be converted that says where its samples go.
	servers := objects(t, []byte(declared))
	for _, o := range servers {
		err := p.api.Create(t.Context(), o.DeepCopy(), client.DryRunAll)
		if refused := o.GetName() == "signing-agent-hearth"; refused != (err != nil) {
			t.Errorf("%s: %v", o.GetName(), err)
		}
	}
	if len(servers) != 5 {
		t.Errorf("%d PrometheusServers", len(servers))
	}
	// Of one namespace alone, in which nothing is refused.
	if got := p.adopt(t, 0, "-n", "shop"); strings.Contains(got, "Prometheus monitoring/k8s") {
		t.Error("-n shop reports on another namespace")
	}
	if code := p.adopt(t, 1, "--context", "none"); code != "" {
		t.Errorf("a context that is not there: %s", code)
	}
}

func objects(t *testing.T, text []byte) []*unstructured.Unstructured {
	t.Helper()
	var out []*unstructured.Unstructured
	for reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text))); ; {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return out
		}
		must(t, err)
		object := &unstructured.Unstructured{}
		must(t, yaml.Unmarshal(document, &object.Object))
		if object.Object != nil {
			out = append(out, object)
		}
	}
}

func eventually(t *testing.T, try func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

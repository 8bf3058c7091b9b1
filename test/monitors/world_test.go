package monitors

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/kubernetes"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	promlabels "github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/scrape"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"
)

// world is an API server with what testdata/world.yaml says.
type world struct {
	kubeconfig string
	objects    []*unstructured.Unstructured
}

func theWorld(t *testing.T) *world {
	t.Helper()
	ctrl.SetLogger(logr.Discard())
	assets, explicit := os.LookupEnv("KUBEBUILDER_ASSETS")
	if !explicit {
		assets = filepath.Join("..", "..", "bin", "kube")
	}
	if _, err := os.Stat(filepath.Join(assets, "kube-apiserver")); err != nil {
		if explicit {
			t.Fatal(err)
		}
		t.Skipf("no API server to discover from: %v (make test-apiserver builds it)", err)
	}
	env := &envtest.Environment{BinaryAssetsDirectory: assets, ControlPlaneStartTimeout: 2 * time.Minute, ControlPlaneStopTimeout: time.Minute}
	rest, err := env.Start()
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Log(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	user, err := env.AddUser(envtest.User{Name: "prometheus", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := user.KubeConfig()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	if err := os.WriteFile(w.kubeconfig, kubeconfig, 0o600); err != nil {
		t.Fatal(err)
	}
	api, err := client.New(rest, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range documents(t, read(t, "testdata/world.yaml")) {
		w.create(t, api, document)
	}
	return w
}

func (w *world) create(t *testing.T, api client.Client, document []byte) {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(document, &object.Object); err != nil {
		t.Fatal(err)
	}
	status, has := object.Object["status"]
	if err := api.Create(t.Context(), object); err != nil {
		t.Fatalf("%s %s: %v", object.GetKind(), object.GetName(), err)
	}
	if has {
		object.Object["status"] = status
		if err := api.Status().Update(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	w.objects = append(w.objects, object)
}

func documents(t *testing.T, text []byte) [][]byte {
	t.Helper()
	var out [][]byte
	for reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text))); ; {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, document)
	}
}

// targets are what Prometheus would scrape: one line each, with the job, the address and the labels.
func (w *world) targets(t *testing.T, jobs []*config.ScrapeConfig) []string {
	t.Helper()
	groups := w.discover(t, jobs)
	for _, job := range jobs {
		for _, sd := range job.ServiceDiscoveryConfigs {
			if static, ok := sd.(discovery.StaticConfig); ok {
				groups[job.JobName] = append(groups[job.JobName], static...)
			}
		}
	}
	builder := promlabels.NewBuilder(promlabels.EmptyLabels())
	var out []string
	for _, job := range jobs {
		for _, group := range groups[job.JobName] {
			targets, failures := scrape.TargetsFromGroup(group, job, nil, builder)
			for _, err := range failures {
				t.Error(err)
			}
			for _, target := range targets {
				if shown := target.Labels(builder); !shown.IsEmpty() {
					out = append(out, fmt.Sprintf("%s %s %s", job.JobName, target.URL(), shown))
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// discover runs Prometheus' discovery until every object that concerns a job has been heard of.
func (w *world) discover(t *testing.T, jobs []*config.ScrapeConfig) map[string][]*targetgroup.Group {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	registry := prometheus.NewRegistry()
	metrics, err := discovery.CreateAndRegisterSDMetrics(registry)
	if err != nil {
		t.Fatal(err)
	}
	manager := discovery.NewManager(ctx, promslog.NewNopLogger(), registry, metrics, discovery.Updatert(20*time.Millisecond))
	stopped := make(chan struct{})
	go func() { defer close(stopped); _ = manager.Run() }()
	defer func() { cancel(); <-stopped }()
	configs, missing := map[string]discovery.Configs{}, map[string]map[string]bool{}
	for _, job := range jobs {
		missing[job.JobName] = map[string]bool{}
		for _, sd := range discoveries(job) {
			here := *sd
			here.KubeConfig = w.kubeconfig
			configs[job.JobName] = append(configs[job.JobName], &here)
			for _, source := range w.sources(t, sd) {
				missing[job.JobName][source] = true
			}
		}
	}
	if len(configs) == 0 {
		return map[string][]*targetgroup.Group{}
	}
	if err := manager.ApplyConfig(configs); err != nil {
		t.Fatal(err)
	}
	for {
		select {
		case <-ctx.Done():
			t.Fatalf("not all is discovered: %v", missing)
		case groups := <-manager.SyncCh():
			if heard(groups, missing) {
				return groups
			}
		}
	}
}

// heard says whether there is a group for everything that was missing.
func heard(groups map[string][]*targetgroup.Group, missing map[string]map[string]bool) bool {
	for job, sources := range missing {
		have := map[string]bool{}
		for _, group := range groups[job] {
			have[group.Source] = true
		}
		for source := range sources {
			if !have[source] {
				return false
			}
		}
	}
	return true
}

// sources are the objects that a discovery has to find.
func (w *world) sources(t *testing.T, sd *kubernetes.SDConfig) []string {
	t.Helper()
	kind := map[kubernetes.Role]string{
		kubernetes.RolePod: "Pod", kubernetes.RoleEndpointSlice: "EndpointSlice", kubernetes.RoleIngress: "Ingress", kubernetes.RoleNode: "Node", kubernetes.RoleService: "Service",
	}[sd.Role]
	prefix := strings.ToLower(kind)
	if kind == "Service" {
		prefix = "svc"
	}
	if kind == "" {
		t.Fatalf("role %s", sd.Role)
	}
	selector := labels.Everything()
	for _, s := range sd.Selectors {
		if s.Role == sd.Role {
			var err error
			if selector, err = labels.Parse(s.Label); err != nil {
				t.Fatal(err)
			}
		}
	}
	var out []string
	for _, o := range w.objects {
		within := len(sd.NamespaceDiscovery.Names) == 0 || slices.Contains(sd.NamespaceDiscovery.Names, o.GetNamespace())
		// A pod without an address has no targets, and what has none Prometheus forgets at once.
		_, addressed, _ := unstructured.NestedString(o.Object, "status", "podIP")
		if o.GetKind() == kind && (addressed || kind != "Pod") && within && selector.Matches(labels.Set(o.GetLabels())) {
			source := prefix + "/" + o.GetNamespace() + "/" + o.GetName()
			out = append(out, strings.ReplaceAll(source, "//", "/")) // a node is in no namespace
		}
	}
	return out
}

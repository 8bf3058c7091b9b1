package controllers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// apiServer is the one kube-apiserver (with its etcd) of this test binary. What needs no API server runs without it.
var apiServer struct {
	config  *rest.Config
	missing string // why there is none
}

func TestMain(m *testing.M) {
	code, err := runWithAPIServer(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(code)
}

func runWithAPIServer(m *testing.M) (int, error) {
	ctrl.SetLogger(logr.Discard())
	// Who sets the variable says that the binaries are there: then it is an error if they aren't. Without it the
	// directory in which hack/localcluster builds them is tried, and its absence skips, so that `go test ./...` works in a
	// fresh clone.
	assets, explicit := os.LookupEnv("KUBEBUILDER_ASSETS")
	if !explicit {
		assets = filepath.Join("..", "bin", "kube")
	}
	for _, binary := range []string{"etcd", "kube-apiserver"} {
		if _, err := os.Stat(filepath.Join(assets, binary)); err != nil {
			if explicit {
				return 0, fmt.Errorf("KUBEBUILDER_ASSETS=%s: %w", assets, err)
			}
			apiServer.missing = fmt.Sprintf("no API server to test against: %v (the local cluster's build makes it, or set KUBEBUILDER_ASSETS)", err)
			return m.Run(), nil
		}
	}
	env := &envtest.Environment{
		BinaryAssetsDirectory:    assets,
		CRDDirectoryPaths:        []string{filepath.Join("..", "config", "crd")},
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: 2 * time.Minute, // CI has two cores and may be compiling on both
		ControlPlaneStopTimeout:  time.Minute,
	}
	config, err := env.Start()
	if err != nil {
		// What did start, such as the API server that refuses a CRD, would otherwise outlive this process.
		return 0, errors.Join(fmt.Errorf("start the API server: %w", err), env.Stop())
	}
	apiServer.config = config
	code := m.Run()
	if err := env.Stop(); err != nil {
		return 0, fmt.Errorf("stop the API server: %w", err)
	}
	return code, nil
}

// cluster is a namespace of the API server, and a manager with the operator's own caches that works in it.
type cluster struct {
	namespace string
	api       client.Client // the test's own hands: uncached, unrestricted, not recorded
	manager   manager.Manager
	writes    *writeRecorder // what went through the manager's clients
}

// newCluster gives the test a namespace and a manager, or skips it aloud. setup registers controllers, if any, before the
// manager starts; the manager stops with the test.
func newCluster(t *testing.T, setup ...func(manager.Manager) error) *cluster {
	t.Helper()
	if apiServer.missing != "" {
		t.Skip(apiServer.missing)
	}
	scheme := runtime.NewScheme()
	must(t, clientgoscheme.AddToScheme(scheme))
	must(t, v1alpha1.AddToScheme(scheme))
	api, err := client.New(apiServer.config, client.Options{Scheme: scheme})
	must(t, err)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	must(t, api.Create(t.Context(), ns))

	c := &cluster{namespace: ns.Name, api: api, writes: &writeRecorder{}}
	config := rest.CopyConfig(apiServer.config)
	config.Wrap(c.writes.wrap)
	c.manager, err = ctrl.NewManager(config, ctrl.Options{
		Scheme:                 scheme,
		Cache:                  CacheOptions(),
		Metrics:                metricsserver.Options{BindAddress: "0"},
		HealthProbeBindAddress: "0",
		// Every test has controllers of the same names.
		Controller: ctrlconfig.Controller{SkipNameValidation: ptr.To(true)},
	})
	must(t, err)
	for _, register := range setup {
		must(t, register(c.manager))
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- c.manager.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Errorf("manager: %v", err)
		}
	})
	if !c.manager.GetCache().WaitForCacheSync(ctx) {
		t.Fatal("the caches did not synchronise")
	}
	return c
}

// applier is what reconcilers apply with.
func (c *cluster) applier() *applier {
	return &applier{client: c.manager.GetClient(), reader: c.manager.GetAPIReader()}
}

// create makes an object in the test's namespace.
func (c *cluster) create(t *testing.T, obj client.Object) {
	t.Helper()
	obj.SetNamespace(c.namespace)
	must(t, c.api.Create(t.Context(), obj))
}

// get reads an object by name from the API server into into, and tells whether it exists.
func (c *cluster) get(t *testing.T, name string, into client.Object) bool {
	t.Helper()
	err := c.api.Get(t.Context(), client.ObjectKey{Namespace: c.namespace, Name: name}, into)
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	return err == nil
}

// change reads an object, edits it and writes it, as often as somebody else is quicker.
func change[T client.Object](t *testing.T, c *cluster, name string, obj T, edit func(T)) {
	t.Helper()
	eventually(t, func() error {
		if err := c.api.Get(t.Context(), client.ObjectKey{Namespace: c.namespace, Name: name}, obj); err != nil {
			return err
		}
		edit(obj)
		return c.api.Update(t.Context(), obj)
	})
}

// caughtUp waits until the manager's cache has the objects as the API server has them now, existing or not.
func (c *cluster) caughtUp(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, obj := range objects {
		eventually(t, func() error {
			inAPI, cached := obj.DeepCopyObject().(client.Object), obj.DeepCopyObject().(client.Object)
			key := client.ObjectKey{Namespace: c.namespace, Name: obj.GetName()}
			inAPI.SetUID("") // of an object that was read before
			if err := client.IgnoreNotFound(c.api.Get(t.Context(), key, inAPI)); err != nil {
				return err
			}
			err := c.manager.GetClient().Get(t.Context(), key, cached)
			if client.IgnoreNotFound(err) != nil {
				return err
			}
			exists := inAPI.GetUID() != "" && inAPI.GetLabels()[stack.LabelManagedBy] == stack.ManagedBy
			if exists != (err == nil) || exists && inAPI.GetResourceVersion() != cached.GetResourceVersion() {
				return fmt.Errorf("the cache is behind: %T %s exists: %t, there: %t, resourceVersion %q, there %q",
					obj, key, exists, err == nil, inAPI.GetResourceVersion(), cached.GetResourceVersion())
			}
			return nil
		})
	}
}

// eventually retries until try succeeds; what others have to do first takes its time. That is less than lookAgain: what a
// reconciler finds only then, it was not told of.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	deadline := time.Now().Add(lookAgain - 10*time.Second)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// writeRecorder notes every request that is not a read, dry runs included, and how many requests of any kind have no answer yet.
type writeRecorder struct {
	mu       sync.Mutex
	list     []string
	underway int
}

func (w *writeRecorder) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		w.mu.Lock()
		if r.Method != http.MethodGet {
			w.list = append(w.list, r.Method+" "+r.URL.Path)
		}
		w.underway++
		w.mu.Unlock()
		defer func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.underway--
		}()
		return next.RoundTrip(r)
	})
}

// waits says how many requests wait for an answer. A watch has its answer once it has begun.
func (w *writeRecorder) waits() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.underway
}

// take returns what was written since the last take.
func (w *writeRecorder) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.list
	w.list = nil
	return list
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

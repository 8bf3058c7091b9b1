// Package e2e tests Hearth on a real cluster: the operator runs there, and Prometheus, the exporter and the reloader do
// what they are deployed for. It needs no samples, brings its own namespaces and removes them.
//
//	make test-e2e                                               on the local cluster
//	HEARTH_E2E_KUBECONFIG=FILE go test -v ./test/e2e -run Rules  one test, where the operator is deployed already
package e2e

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

const (
	// kubeconfigVariable names the file with the cluster to test on.
	kubeconfigVariable = "HEARTH_E2E_KUBECONFIG"
	// Where config/default puts the operator.
	operatorNamespace, operatorName = "hearth-system", "hearth"
	// leftover is the label of the namespaces that a test makes, by which the next run finds what an aborted one left.
	leftover = "monitoring.hearth.dev/e2e"
)

// kube is the cluster; nil where there is none to test on.
var kube *cluster

// cluster is the one that is tested on.
type cluster struct {
	api   client.WithWatch
	typed kubernetes.Interface
	// nodes are those that run pods, and address is where the first of them is reached.
	nodes   []string
	address string
	// here is true if the nodes run on this machine's kernel, so that their figures are this machine's.
	here bool
}

func TestMain(m *testing.M) {
	flag.Parse()
	ctrl.SetLogger(logr.Discard())
	if err := setUp(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func setUp() error {
	file := os.Getenv(kubeconfigVariable)
	if file == "" {
		return nil
	}
	// Tests wait most of the time, so more of them than there are CPUs can run beside each other.
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		if err := flag.Set("test.parallel", "4"); err != nil {
			return err
		}
	}
	config, err := clientcmd.BuildConfigFromFlags("", file)
	if err != nil {
		return fmt.Errorf("%s: %w", kubeconfigVariable, err)
	}
	config.QPS = -1
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Minute)
	defer stop()
	if kube, err = connect(ctx, config); err != nil {
		return err
	}
	return kube.sweep(ctx)
}

func connect(ctx context.Context, config *rest.Config) (*cluster, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	api, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	typed, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	c := &cluster{api: api, typed: typed}
	var nodes corev1.NodeList
	if err := api.List(ctx, &nodes); err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	for i := range nodes.Items {
		node := &nodes.Items[i]
		c.nodes = append(c.nodes, node.Name)
		for _, a := range node.Status.Addresses {
			if a.Type == corev1.NodeInternalIP && c.address == "" {
				c.address = a.Address
			}
		}
		boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
		c.here = node.Status.NodeInfo.BootID == string(bytes.TrimSpace(boot))
	}
	if c.address == "" {
		return nil, errors.New("no node has an address")
	}
	return c, nil
}

// sweep removes the namespaces that an earlier run left when it was aborted, and waits until they are gone: what is in them
// may hold the node ports that this run wants.
func (c *cluster) sweep(ctx context.Context) error {
	for {
		var left corev1.NamespaceList
		if err := c.api.List(ctx, &left, client.HasLabels{leftover}); err != nil {
			return err
		}
		if len(left.Items) == 0 {
			return nil
		}
		var names []string
		for i := range left.Items {
			names = append(names, left.Items[i].Name)
			if left.Items[i].DeletionTimestamp == nil {
				if err := client.IgnoreNotFound(c.api.Delete(ctx, &left.Items[i])); err != nil {
					return err
				}
			}
		}
		fmt.Println("removing what an earlier run left:", strings.Join(names, ", "))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Second):
		}
	}
}

// needCluster skips the test aloud where there is none.
func needCluster(t *testing.T) {
	t.Helper()
	if kube == nil {
		t.Skipf("no cluster to test on: set %s to a kubeconfig, or run make test-e2e, which starts one", kubeconfigVariable)
	}
}

// eventually tries until it works and returns how long that took. If it doesn't in time, the test ends with the last error.
func eventually(t *testing.T, timeout time.Duration, try func() error) time.Duration {
	t.Helper()
	start := time.Now()
	for {
		err := try()
		took := time.Since(start)
		if err == nil {
			return took.Round(10 * time.Millisecond)
		}
		if took > timeout {
			t.Fatalf("not within %s: %v", timeout, err)
		}
		select {
		case <-t.Context().Done():
			t.Fatalf("interrupted: %v", err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

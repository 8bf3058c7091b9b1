// Package cluster is what the programs share that measure Hearth on a cluster: who they are there, what they ask of the
// operator, the reloaders and Prometheus, what they see written, and how they print it.
package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// Server is the name of the PrometheusServer that is measured.
const Server = "bench"

const (
	reader = "reader"
	// makers write objects beside each other, as somebody in a hurry would.
	makers = 16
)

// Cluster is the cluster that is measured, from the namespace of a bench.
type Cluster struct {
	Namespace string
	API       client.WithWatch
	Seen      *Observer // of what is written, after Observe

	http     *http.Client
	token    string // of an account that may read the operator's metrics
	operator string // address of the operator's metrics
	meter    *meter // of the operator
}

// New is no cluster yet, but can ask for pages.
func New(namespace string) *Cluster {
	return &Cluster{Namespace: namespace, http: &http.Client{Timeout: 5 * time.Minute, Transport: &http.Transport{
		// The operator signs its metrics endpoint's certificate itself.
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // a bench on this machine
		MaxIdleConnsPerHost: 4,
	}}}
}

// Connect finds the cluster and makes the bench's namespace there, with these labels, and an account that may read metrics.
// Its client knows these types beside Kubernetes' and Hearth's.
func (c *Cluster) Connect(ctx context.Context, kubeconfig string, labels map[string]string, types ...func(*runtime.Scheme) error) error {
	ctrl.SetLogger(logr.Discard())
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1
	scheme := runtime.NewScheme()
	for _, add := range append(types, clientgoscheme.AddToScheme, v1alpha1.AddToScheme) {
		if err := add(scheme); err != nil {
			return err
		}
	}
	if c.API, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	if err := Until(ctx, 5*time.Minute, "what an earlier run removed is gone", c.vacant); err != nil {
		return err
	}
	err = c.Create(ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: c.Namespace, Labels: labels}},
		&corev1.ServiceAccount{ObjectMeta: c.In(reader)},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: c.Namespace},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "hearth-metrics-reader"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: c.Namespace, Name: reader}},
		})
	if err != nil {
		return err
	}
	return c.findOperator(ctx)
}

// In is the name of an object in the bench's namespace.
func (c *Cluster) In(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: c.Namespace, Name: name}
}

// Create makes objects that are not there yet.
func (c *Cluster) Create(ctx context.Context, objects ...client.Object) error {
	for _, object := range objects {
		if err := client.IgnoreAlreadyExists(c.API.Create(ctx, object)); err != nil {
			return err
		}
	}
	return nil
}

// CreateMany makes those of the numbers from first to before end, several beside each other.
func (c *Cluster) CreateMany(ctx context.Context, first, end int, of func(i int) []client.Object) error {
	numbers := make(chan int)
	errs := make(chan error, makers)
	var group sync.WaitGroup
	for range makers {
		group.Go(func() {
			for i := range numbers {
				if err := c.Create(ctx, of(i)...); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	var err error
	for i := first; i < end && err == nil; i++ {
		select {
		case numbers <- i:
		case err = <-errs:
		}
	}
	close(numbers)
	group.Wait()
	close(errs)
	return errors.Join(err, <-errs)
}

// Remove leaves nothing behind of Connect and of these objects. The context of the run may be over by now.
func (c *Cluster) Remove(objects ...client.Object) {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	for _, object := range append(objects,
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: c.Namespace}}, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: c.Namespace}},
	) {
		if err := client.IgnoreNotFound(c.API.Delete(ctx, object)); err != nil {
			fmt.Fprintln(os.Stderr, "clean up:", err)
		}
	}
}

// vacant is nil unless the namespace is on its way out.
func (c *Cluster) vacant(ctx context.Context) error {
	var ns corev1.Namespace
	err := c.API.Get(ctx, client.ObjectKey{Name: c.Namespace}, &ns)
	if err == nil && ns.DeletionTimestamp != nil {
		return fmt.Errorf("namespace %s is being removed", c.Namespace)
	}
	return client.IgnoreNotFound(err)
}

// OperatorImage is the operator's own, with all of Hearth's programs in it.
func (c *Cluster) OperatorImage(ctx context.Context) (string, error) {
	pod, err := c.operatorPod(ctx)
	if err != nil {
		return "", err
	}
	return pod.Spec.Containers[0].Image, nil
}

func (c *Cluster) findOperator(ctx context.Context) error {
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(6 * 3600))}}
	if err := c.API.SubResource("token").Create(ctx, &corev1.ServiceAccount{ObjectMeta: c.In(reader)}, request); err != nil {
		return fmt.Errorf("token: %w", err)
	}
	c.token = request.Status.Token
	pod, err := c.operatorPod(ctx)
	if err != nil {
		return err
	}
	c.operator = "https://" + pod.Status.PodIP + ":8443/metrics"
	c.meter, err = newMeter(ctx, string(pod.UID))
	return err
}

func (c *Cluster) operatorPod(ctx context.Context) (*corev1.Pod, error) {
	var pods corev1.PodList
	if err := c.API.List(ctx, &pods, client.InNamespace("hearth-system"), client.MatchingLabels{"app.kubernetes.io/component": "operator"}); err != nil {
		return nil, err
	}
	if len(pods.Items) != 1 || pods.Items[0].Status.PodIP == "" {
		return nil, fmt.Errorf("%d pods of the operator, want one that runs: make deploy", len(pods.Items))
	}
	return &pods.Items[0], nil
}

// Until tries until it succeeds.
func Until(ctx context.Context, limit time.Duration, what string, try func(context.Context) error) error {
	deadline := time.Now().Add(limit)
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %s: %s: %w", limit, what, err)
		}
		if err := Sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// Sleep ends early, with an error, when ctx ends.
func Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

const (
	namespace = "rules-bench"
	server    = "bench"
	// makers write objects beside each other, as somebody in a hurry would.
	makers = 16
)

// bench is the cluster and the server that is measured.
type bench struct {
	api client.WithWatch
	// perObject is how many rules an AlertRule has.
	perObject int

	http     *http.Client
	token    string // of an account that may read the operator's metrics
	operator string // address of the operator's metrics

	pod        corev1.Pod
	generation int64 // of the StatefulSet
	seen       *observer
	made       int
	edits      int
	idleCPU    float64 // of the operator, seconds a second
}

func newBench(perObject int) *bench {
	// Edits are numbered on from those of earlier runs: an edit that changes nothing would be there at once.
	return &bench{perObject: perObject, edits: int(time.Now().Unix() % 1e8), http: &http.Client{Timeout: 5 * time.Minute, Transport: insecure()}}
}

// connect finds the cluster and makes the server there.
func (b *bench) connect(ctx context.Context, kubeconfig string) error {
	ctrl.SetLogger(logr.Discard())
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	if b.api, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	if err := b.until(ctx, 5*time.Minute, "what an earlier run removed is gone", b.vacant); err != nil {
		return err
	}
	for _, object := range b.objects() {
		if err := client.IgnoreAlreadyExists(b.api.Create(ctx, object)); err != nil {
			return err
		}
	}
	if err := b.metricsReader(ctx); err != nil {
		return err
	}
	b.seen, err = observe(ctx, b.api)
	return err
}

// awake waits for the server's pod.
func (b *bench) awake(ctx context.Context) error {
	if err := b.until(ctx, 30*time.Minute, "the server is ready", b.ready); err != nil {
		return err
	}
	return b.findPod(ctx)
}

// objects are a server that selects its whole namespace, and an account that may read metrics.
func (b *bench) objects() []client.Object {
	in := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace, Name: name} }
	return []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
		&v1alpha1.PrometheusServer{ObjectMeta: in(server), Spec: v1alpha1.PrometheusServerSpec{
			EvaluationInterval: "2m",
			// Without a request a pod gets next to nothing while others want the processor.
			Resources: &corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m")}},
			Storage:   v1alpha1.Storage{Size: resource.MustParse("2Gi"), WhenDeleted: v1alpha1.ClaimDelete},
			Rules:     &v1alpha1.ObjectSelector{Selector: &metav1.LabelSelector{}},
		}},
		&corev1.ServiceAccount{ObjectMeta: in("reader")},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: namespace},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "hearth-metrics-reader"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "reader"}},
		},
	}
}

// remove leaves nothing behind. The context of the run may be over by now.
func (b *bench) remove() {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	for _, object := range []client.Object{
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
	} {
		if err := client.IgnoreNotFound(b.api.Delete(ctx, object)); err != nil {
			fmt.Fprintln(os.Stderr, "rules: clean up:", err)
		}
	}
}

// vacant is nil unless the namespace is on its way out.
func (b *bench) vacant(ctx context.Context) error {
	var ns corev1.Namespace
	err := b.api.Get(ctx, client.ObjectKey{Name: namespace}, &ns)
	if err == nil && ns.DeletionTimestamp != nil {
		return fmt.Errorf("namespace %s is being removed", namespace)
	}
	return client.IgnoreNotFound(err)
}

func (b *bench) metricsReader(ctx context.Context) error {
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(6 * 3600))}}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "reader"}}
	if err := b.api.SubResource("token").Create(ctx, account, request); err != nil {
		return fmt.Errorf("token: %w", err)
	}
	b.token = request.Status.Token
	var pods corev1.PodList
	if err := b.api.List(ctx, &pods, client.InNamespace("hearth-system"), client.MatchingLabels{"app.kubernetes.io/component": "operator"}); err != nil {
		return err
	}
	if len(pods.Items) != 1 || pods.Items[0].Status.PodIP == "" {
		return fmt.Errorf("%d pods of the operator, want one that runs: make deploy", len(pods.Items))
	}
	b.operator = "https://" + pods.Items[0].Status.PodIP + ":8443/metrics"
	return nil
}

func (b *bench) ready(ctx context.Context) error {
	var ps v1alpha1.PrometheusServer
	if err := b.api.Get(ctx, client.ObjectKey{Namespace: namespace, Name: server}, &ps); err != nil {
		return err
	}
	if c := ps.Status.Configuration; ps.Status.ReadyReplicas != 1 || c.Loaded == 0 || c.Loaded != c.Published {
		return fmt.Errorf("%+v", ps.Status.Conditions)
	}
	return nil
}

func (b *bench) findPod(ctx context.Context) error {
	var set appsv1.StatefulSet
	if err := b.api.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "prometheus-" + server}, &set); err != nil {
		return err
	}
	b.generation = set.Generation
	return b.api.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "prometheus-" + server + "-0"}, &b.pod)
}

func (b *bench) restarts() int32 {
	n := int32(0)
	for _, c := range append(b.pod.Status.InitContainerStatuses, b.pod.Status.ContainerStatuses...) {
		n += c.RestartCount
	}
	return n
}

// until tries until it succeeds.
func (b *bench) until(ctx context.Context, limit time.Duration, what string, try func(context.Context) error) error {
	deadline := time.Now().Add(limit)
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %s: %s: %w", limit, what, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// fill makes AlertRules until there are n, and waits until all are loaded.
func (b *bench) fill(ctx context.Context, n int) error {
	if err := b.makeRules(ctx, n); err != nil {
		return err
	}
	return b.until(ctx, 30*time.Minute, fmt.Sprintf("%d rules are loaded", n*b.perObject), func(ctx context.Context) error {
		return b.hasLoaded(ctx, n*b.perObject)
	})
}

// fillAsleep makes them while the server has no pod.
func (b *bench) fillAsleep(ctx context.Context, n int) error {
	if err := b.scale(ctx, 0); err != nil {
		return err
	}
	if err := b.makeRules(ctx, n); err != nil {
		return err
	}
	if err := b.until(ctx, 30*time.Minute, fmt.Sprintf("%d rules are published", n*b.perObject), func(context.Context) error {
		if rules := b.seen.published().Rules; rules != n*b.perObject {
			return fmt.Errorf("%d rules are published", rules)
		}
		return nil
	}); err != nil {
		return err
	}
	if err := b.scale(ctx, 1); err != nil {
		return err
	}
	if err := b.awake(ctx); err != nil {
		return err
	}
	return b.fill(ctx, n)
}

func (b *bench) scale(ctx context.Context, replicas int32) error {
	ps := &v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: server}}
	return b.api.Patch(ctx, ps, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)))
}

// settled fails until nothing was written for a while: the statuses of ten thousand AlertRules take their time.
func (b *bench) settled() func(context.Context) error {
	const quiet = 10 * time.Second
	last, since := b.seen.written(), time.Now()
	return func(context.Context) error {
		now := b.seen.written()
		if !maps.Equal(last, now) {
			last, since = now, time.Now()
		}
		if time.Since(since) < quiet {
			return fmt.Errorf("written so far: %v", now)
		}
		return nil
	}
}

// hasLoaded fails until a revision with so many rules is loaded.
func (b *bench) hasLoaded(ctx context.Context, rules int) error {
	published := b.seen.published()
	if published.Rules != rules {
		return fmt.Errorf("%d rules are published", published.Rules)
	}
	r, err := b.report(ctx)
	if err == nil && (r.Loaded < published.Revision || !r.Ready) {
		err = fmt.Errorf("revision %d is loaded, %d published", r.Loaded, published.Revision)
	}
	return err
}

func (b *bench) makeRules(ctx context.Context, n int) error {
	numbers := make(chan int)
	errs := make(chan error, makers)
	var group sync.WaitGroup
	for range makers {
		group.Go(func() {
			for i := range numbers {
				if err := client.IgnoreAlreadyExists(b.api.Create(ctx, b.rule(i, 0))); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	var err error
	for ; b.made < n && err == nil; b.made++ {
		select {
		case numbers <- b.made:
		case err = <-errs:
		}
	}
	close(numbers)
	group.Wait()
	close(errs)
	return errors.Join(err, <-errs)
}

func (b *bench) get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if url == b.operator {
		req.Header.Set("Authorization", "Bearer "+b.token)
	}
	resp, err := b.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %.200s", url, resp.Status, text)
	}
	return text, err
}

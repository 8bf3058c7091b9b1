package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/test/bench/cluster"
	"github.com/hearth-monitoring/hearth/test/upstream"
)

const namespace = "rules-bench"

var errNotSeen = errors.New("not seen in Prometheus")

// bench is the cluster and the server that is measured.
type bench struct {
	*cluster.Cluster
	// kind is that of the objects, perObject how many rules each has.
	kind      string
	perObject int

	pod        *corev1.Pod
	generation int64 // of the StatefulSet
	made       int
	edits      int
	idleCPU    float64 // of the operator, seconds a second
}

func newBench(kind string, perObject int) *bench {
	// Edits are numbered on from those of earlier runs: an edit that changes nothing would be there at once.
	return &bench{Cluster: cluster.New(namespace), kind: kind, perObject: perObject, edits: int(time.Now().Unix() % 1e8)}
}

// connect finds the cluster and makes the server there.
func (b *bench) connect(ctx context.Context, kubeconfig string) error {
	if err := b.Connect(ctx, kubeconfig, nil, monitoringv1.AddToScheme); err != nil {
		return err
	}
	if b.kind == prometheusRule {
		if err := b.install(ctx); err != nil {
			return err
		}
	}
	if err := b.Create(ctx, b.server()); err != nil {
		return err
	}
	if err := b.Observe(ctx, &v1alpha1.PrometheusServerList{}); err != nil {
		return err
	}
	var list client.ObjectList = &v1alpha1.AlertRuleList{}
	if b.kind == prometheusRule {
		list = &monitoringv1.PrometheusRuleList{}
	}
	return b.Seen.Follow(ctx, list, client.InNamespace(namespace))
}

// install brings the kind PrometheusRule, and waits until it is served.
func (b *bench) install(ctx context.Context) error {
	definitions, err := upstream.Read(ctx, ".", "prometheusrules")
	if err != nil {
		return err
	}
	if err := b.Create(ctx, definitions[0]); err != nil {
		return err
	}
	return cluster.Until(ctx, time.Minute, "PrometheusRules are served", func(ctx context.Context) error {
		return b.API.List(ctx, &monitoringv1.PrometheusRuleList{}, client.InNamespace(namespace))
	})
}

// awake waits for the server's pod.
func (b *bench) awake(ctx context.Context) (err error) {
	if b.pod, err = b.Awake(ctx, 30*time.Minute); err != nil {
		return err
	}
	return b.findPod(ctx)
}

// server is one that selects its whole namespace.
func (b *bench) server() *v1alpha1.PrometheusServer {
	all := &v1alpha1.ObjectSelector{Selector: &metav1.LabelSelector{}}
	ps := &v1alpha1.PrometheusServer{ObjectMeta: b.In(cluster.Server), Spec: v1alpha1.PrometheusServerSpec{
		EvaluationInterval: "2m",
		// Without a request a pod gets next to nothing while others want the processor.
		Resources: &corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m")}},
		Storage:   v1alpha1.Storage{Size: resource.MustParse("2Gi"), WhenDeleted: v1alpha1.ClaimDelete},
	}}
	if b.kind == prometheusRule {
		ps.Spec.PrometheusRules = all
	} else {
		ps.Spec.Rules = all
	}
	return ps
}

func (b *bench) findPod(ctx context.Context) error {
	var set appsv1.StatefulSet
	if err := b.API.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "prometheus-" + cluster.Server}, &set); err != nil {
		return err
	}
	b.generation = set.Generation
	return b.API.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "prometheus-" + cluster.Server + "-0"}, b.pod)
}

// podUID is empty while there is none.
func (b *bench) podUID() types.UID {
	if b.pod == nil {
		return ""
	}
	return b.pod.UID
}

func (b *bench) restarts() int32 {
	n := int32(0)
	for _, c := range append(b.pod.Status.InitContainerStatuses, b.pod.Status.ContainerStatuses...) {
		n += c.RestartCount
	}
	return n
}

// fill makes objects until there are n, and waits until all are loaded.
func (b *bench) fill(ctx context.Context, n int) error {
	if err := b.makeRules(ctx, n); err != nil {
		return err
	}
	return cluster.Until(ctx, 30*time.Minute, fmt.Sprintf("%d rules are loaded", n*b.perObject), func(ctx context.Context) error {
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
	if err := cluster.Until(ctx, 30*time.Minute, fmt.Sprintf("%d rules are published", n*b.perObject), func(context.Context) error {
		if rules := b.Seen.Published().Rules; rules != n*b.perObject {
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
	ps := &v1alpha1.PrometheusServer{ObjectMeta: b.In(cluster.Server)}
	return b.API.Patch(ctx, ps, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)))
}

// hasLoaded fails until a revision with so many rules is loaded.
func (b *bench) hasLoaded(ctx context.Context, rules int) error {
	published := b.Seen.Published()
	if published.Rules != rules {
		return fmt.Errorf("%d rules are published", published.Rules)
	}
	r, err := b.Report(ctx, b.pod)
	if err == nil && (r.Loaded < published.Revision || !r.Ready) {
		err = fmt.Errorf("revision %d is loaded, %d published", r.Loaded, published.Revision)
	}
	return err
}

func (b *bench) makeRules(ctx context.Context, n int) error {
	err := b.CreateMany(ctx, b.made, n, func(i int) []client.Object { return []client.Object{b.object(i, 0)} })
	b.made = max(b.made, n)
	return err
}

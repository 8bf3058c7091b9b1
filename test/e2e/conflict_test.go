package e2e

import (
	"errors"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// A name that somebody else's object has is left to it, and the status says what to do.
func TestNameConflict(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	ps, foreign := g.server(), g.foreign()
	versions := map[string]string{}
	for _, o := range foreign {
		g.create(o)
	}
	// The StatefulSet controller has its say first, in more than one word.
	eventually(t, 30*time.Second, func() error {
		was := foreign[1].GetResourceVersion()
		time.Sleep(time.Second)
		if err := g.get(foreign[1]); err != nil {
			return err
		}
		if set, ok := foreign[1].(*appsv1.StatefulSet); !ok || set.Status.ObservedGeneration != set.Generation || set.ResourceVersion != was {
			return errors.New("the StatefulSet's controller is not done with it yet")
		}
		return nil
	})
	for _, o := range foreign {
		versions[o.GetName()+string(o.GetUID())] = o.GetResourceVersion()
	}
	g.create(ps)
	c, took := g.await(30*time.Second, ps, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNameConflict)
	t.Logf("after %s: %s", took, c.Message)
	g.await(30*time.Second, ps, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonNameConflict)
	g.awaitMessage(30*time.Second, ps, v1alpha1.ConditionReady, `Service "prometheus-main"`, `StatefulSet "prometheus-main"`,
		"kubectl -n "+g.servers+" delete service/prometheus-main statefulset/prometheus-main")
	if made := g.children(); len(made) != 0 {
		t.Errorf("something was made all the same: %v", names(made))
	}
	for _, o := range foreign {
		must(t, g.get(o))
		if was := versions[o.GetName()+string(o.GetUID())]; was != o.GetResourceVersion() {
			t.Errorf("%T %s was touched: resourceVersion %s, before %q; %s", o, o.GetName(), o.GetResourceVersion(), was, text(o.GetManagedFields()))
		}
	}
	for _, o := range foreign {
		must(t, kube.api.Delete(t.Context(), o))
		g.gone(time.Minute, o)
	}
	took = eventually(t, 3*time.Minute, func() error {
		if err := g.get(ps); err != nil {
			return err
		}
		if len(g.children()) == 0 {
			return fmt.Errorf("nothing is made yet: %s", text(ps.Status.Conditions))
		}
		return nil
	})
	t.Logf("healed %s after the others were deleted", took)
	g.await(time.Minute, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
}

// foreign are a Service and a StatefulSet of the names that a server called main needs.
func (g *ground) foreign() []client.Object {
	labels := map[string]string{"app": "theirs"}
	return []client.Object{
		&corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: g.servers, Name: "prometheus-main", Labels: labels},
			Spec:       corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: 80}}},
		},
		&appsv1.StatefulSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: g.servers, Name: "prometheus-main", Labels: labels},
			Spec: appsv1.StatefulSetSpec{
				Replicas: ptr.To(int32(0)),
				Selector: &metav1.LabelSelector{MatchLabels: labels},
				Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: labels},
					Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "theirs", Image: "theirs"}}},
				},
			},
		},
	}
}

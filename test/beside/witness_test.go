package beside

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

// Who writes, as managedFields call them.
const (
	hearth = "hearth"
	peer   = "PrometheusOperator"
	people = "people"
)

// witness sees every version of every object in the namespaces, and who wrote it.
type witness struct {
	lock sync.Mutex
	seen map[string]*witnessed
}

// witnessed is one object.
type witnessed struct {
	side    string
	writers map[string]bool
	version string
	// declared is the version, but of the two servers the generation, as each operator writes the status of its own when it likes,
	// and of a pod its restarts, as the kubelet does.
	declared string
	deleted  bool
}

// resources are all that either operator makes or reads, and what is made of that. Events are left out: they are their own.
func resources() []schema.GroupVersionResource {
	var out []schema.GroupVersionResource
	add := func(group, version string, names ...string) {
		for _, name := range names {
			out = append(out, schema.GroupVersionResource{Group: group, Version: version, Resource: name})
		}
	}
	add("", "v1", "configmaps", "secrets", "services", "serviceaccounts", "pods", "persistentvolumeclaims")
	add("apps", "v1", "statefulsets", "deployments", "daemonsets")
	add("policy", "v1", "poddisruptionbudgets")
	add("rbac.authorization.k8s.io", "v1", "roles", "rolebindings")
	add("monitoring.coreos.com", "v1", "prometheuses", "servicemonitors", "podmonitors", "probes", "prometheusrules")
	add("monitoring.coreos.com", "v1alpha1", "scrapeconfigs")
	add("monitoring.hearth.dev", "v1alpha1", "prometheusservers")
	return out
}

// watch begins to look, until the end of the test.
func (s *stage) watch(t *testing.T) *witness {
	t.Helper()
	w := &witness{seen: map[string]*witnessed{}}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	t.Cleanup(func() { stop(); running.Wait() })
	for _, resource := range resources() {
		for _, namespace := range []string{s.servers, s.shop} {
			from := s.dynamic.Resource(resource).Namespace(namespace)
			list, err := from.List(ctx, metav1.ListOptions{})
			must(t, err)
			for i := range list.Items {
				w.note(&list.Items[i], false)
			}
			events, err := from.Watch(ctx, metav1.ListOptions{ResourceVersion: list.GetResourceVersion()})
			must(t, err)
			running.Go(func() {
				defer events.Stop()
				for e := range events.ResultChan() {
					if u, ok := e.Object.(*unstructured.Unstructured); ok && e.Type != watch.Error {
						w.note(u, e.Type == watch.Deleted)
					} else if ctx.Err() == nil {
						t.Errorf("the watch on %s ended: %v", resource.Resource, e.Object)
					}
				}
			})
		}
	}
	return w
}

func (w *witness) note(u *unstructured.Unstructured, deleted bool) {
	w.lock.Lock()
	defer w.lock.Unlock()
	key := fmt.Sprintf("%s %s/%s %s", u.GetKind(), u.GetNamespace(), u.GetName(), u.GetUID())
	one := w.seen[key]
	if one == nil {
		one = &witnessed{writers: map[string]bool{}, side: sideOf(u)}
		w.seen[key] = one
	}
	one.version, one.declared, one.deleted = u.GetResourceVersion(), u.GetResourceVersion(), deleted
	switch u.GetKind() {
	case "Prometheus", "PrometheusServer":
		one.declared = fmt.Sprintf("generation %d", u.GetGeneration())
	case "Pod":
		one.declared = fmt.Sprintf("generation %d, %s", u.GetGeneration(), restarts(u))
	}
	for _, f := range u.GetManagedFields() {
		one.writers[f.Manager] = true
	}
}

// restarts are those of a pod's containers.
func restarts(pod *unstructured.Unstructured) string {
	var out []string
	for _, field := range []string{"initContainerStatuses", "containerStatuses"} {
		statuses, _, _ := unstructured.NestedSlice(pod.Object, "status", field)
		for _, s := range statuses {
			if status, ok := s.(map[string]any); ok {
				out = append(out, fmt.Sprintf("%v restarted %v times", status["name"], status["restartCount"]))
			}
		}
	}
	return strings.Join(out, ", ")
}

// sideOf says whose an object is.
func sideOf(u *unstructured.Unstructured) string {
	switch u.GetKind() {
	case "Prometheus":
		return peer
	case "PrometheusServer":
		return hearth
	}
	for _, owner := range u.GetOwnerReferences() {
		switch {
		case strings.HasPrefix(owner.APIVersion, "monitoring.coreos.com/"):
			return peer
		case strings.HasPrefix(owner.APIVersion, "monitoring.hearth.dev/"):
			return hearth
		}
	}
	switch u.GetLabels()["app.kubernetes.io/managed-by"] {
	case "prometheus-operator":
		return peer
	case "hearth":
		return hearth
	}
	return people
}

// separate says that neither operator has ever written to what is not its own, and that both have written.
func (w *witness) separate(t *testing.T) {
	t.Helper()
	w.lock.Lock()
	defer w.lock.Unlock()
	written, objects := map[string]int{}, map[string]int{}
	for _, key := range slices.Sorted(maps.Keys(w.seen)) {
		one := w.seen[key]
		objects[one.side]++
		for _, operator := range []string{hearth, peer} {
			switch {
			case one.writers[operator] && one.side != operator:
				t.Errorf("%s has written to %s, which is of %s", operator, key, one.side)
			case one.writers[operator]:
				written[operator]++
			}
		}
	}
	t.Logf("objects of each side %v, of which their operators have written %v", objects, written)
	// Else nothing was looked at. The peer has at least its Prometheus, StatefulSet, Service, Secrets and the rules' ConfigMap.
	if written[hearth] < 8 || written[peer] < 5 || objects[people] < 10 {
		t.Error("that is less than there has to be")
	}
}

// all are the versions of all objects that are there.
func (w *witness) all() map[string]string {
	return w.some(func(one *witnessed) (string, bool) { return one.version, true })
}

// without are those of another side than this.
func (w *witness) without(side string) map[string]string {
	return w.some(func(one *witnessed) (string, bool) { return one.declared, one.side != side })
}

func (w *witness) some(of func(*witnessed) (string, bool)) map[string]string {
	w.lock.Lock()
	defer w.lock.Unlock()
	out := map[string]string{}
	for key, one := range w.seen {
		if version, ok := of(one); ok && !one.deleted {
			out[key] = version
		}
	}
	return out
}

// left are the objects of a side.
func (w *witness) left(side string) []string {
	w.lock.Lock()
	defer w.lock.Unlock()
	var out []string
	for _, key := range slices.Sorted(maps.Keys(w.seen)) {
		if one := w.seen[key]; one.side == side && !one.deleted {
			out = append(out, key)
		}
	}
	return out
}

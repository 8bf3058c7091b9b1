package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/test/upstream"
)

// toldBy fails unless a server has told an object this, in an event that names both.
func (c *cluster) toldBy(t *testing.T, server, about, text string) error {
	t.Helper()
	var list eventsv1.EventList
	must(t, c.api.List(t.Context(), &list, client.InNamespace(c.namespace)))
	var all []string
	for _, e := range list.Items {
		if e.Regarding.Kind+"/"+e.Regarding.Name != about {
			continue
		}
		if r := e.Related; r != nil && r.Kind == "PrometheusServer" && r.Name == server && r.Namespace == c.namespace && r.UID != "" && strings.Contains(e.Note, text) {
			t.Logf("%s of %s/%s to %s: %s", e.Reason, r.Kind, r.Name, about, e.Note)
			return nil
		}
		all = append(all, fmt.Sprintf("related %v, %v: %s", e.Related, e.Series, e.Note))
	}
	return fmt.Errorf("server %s has not told %s %q: %q", server, about, text, all)
}

// What two servers say of one object are two events, and what one of them says next is another one: none hides behind the text
// of the first.
func TestForeignEvents(t *testing.T) {
	c := newCluster(t, operator(t.Context()))
	all := &v1alpha1.ObjectSelector{Selector: &metav1.LabelSelector{}}
	servers := []string{"main", "second"}
	for _, name := range servers {
		ps := &v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Name: name}}
		ps.Spec.Targets = &v1alpha1.Targets{MonitorTargets: v1alpha1.MonitorTargets{ServiceMonitors: all}}
		c.create(t, ps)
	}
	for _, definition := range upstream.Definitions(t, "..", "servicemonitors") {
		must(t, c.api.Create(t.Context(), definition))
		t.Cleanup(func() { _ = c.api.Delete(context.WithoutCancel(t.Context()), definition) })
	}
	greedy := c.monitor(t, "ServiceMonitor", "greedy", "{selector: {}, endpoints: [{port: a, tlsConfig: {caFile: /etc/passwd}}]}")
	greedy.SetNamespace(c.namespace)
	eventually(t, func() error { return c.api.Create(t.Context(), greedy.DeepCopy()) }) // the kind is served soon
	for _, name := range servers {
		eventually(t, func() error { return c.toldBy(t, name, "ServiceMonitor/greedy", "spec.endpoints[0].tlsConfig.caFile") })
	}
	// The operator has to know its own word before the next, or they are of the same version of the server.
	for _, name := range servers {
		eventually(t, func() error { return c.cachedRejection(t, name, "spec.endpoints[0].tlsConfig.caFile") })
	}
	must(t, c.api.Patch(t.Context(), greedy, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"endpoints":[{"port":"a","proxyUrl":"http://proxy.example.org"}]}}`))))
	for _, name := range servers {
		eventually(t, func() error { return c.toldBy(t, name, "ServiceMonitor/greedy", "spec.endpoints[0].proxyUrl") })
	}
	for _, definition := range upstream.Definitions(t, "..", "servicemonitors") {
		must(t, c.api.Delete(t.Context(), definition))
	}
	c.uninstalled(t)
}

// cachedRejection fails unless the operator's cache has a server whose status says this of the only monitor that is rejected.
func (c *cluster) cachedRejection(t *testing.T, server, text string) error {
	t.Helper()
	var ps v1alpha1.PrometheusServer
	if err := c.manager.GetClient().Get(t.Context(), client.ObjectKey{Namespace: c.namespace, Name: server}, &ps); err != nil {
		return err
	}
	if m := ps.Status.Monitors; m == nil || len(m.Rejections) != 1 || !strings.HasPrefix(m.Rejections[0].Message, text) {
		return errors.New("the cached status does not say so yet")
	}
	return nil
}

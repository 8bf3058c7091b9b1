package controllers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/controllers/grafana/grafanatest"
)

func TestExistingGrafanaIsDown(t *testing.T) {
	c := newShown(t)
	c.want(t, wanted(c.grafana.URL))
	c.says(t, v1alpha1.ReasonReady)
	c.grafana.SetMode(grafanatest.Mode{Proxied: true})
	before := c.says(t, v1alpha1.ReasonUnreachable, c.grafana.URL, "502", "it is tried again")

	// Its server is deleted at once, and what it has there is removed when it is back.
	must(t, c.api.Delete(t.Context(), c.ps))
	if err := c.api.Get(t.Context(), c.key(), &v1alpha1.PrometheusServer{}); !apierrors.IsNotFound(err) {
		t.Errorf("a Grafana that is down keeps the server from being deleted: %v, after %s", err, before)
	}
	c.grafana.TakeRequests()
	time.Sleep(200 * time.Millisecond) // whatever is tried meanwhile does no harm
	c.recorded(t, true)
	c.grafana.SetMode(grafanatest.Mode{})
	has(t, c.grafana, 0)
	c.recorded(t, false)
}

func TestExistingGrafanaIsLeftWithoutTheSecret(t *testing.T) {
	c := newShown(t)
	c.want(t, wanted(c.grafana.URL))
	c.says(t, v1alpha1.ReasonReady)
	must(t, c.api.DeleteAllOf(t.Context(), &corev1.Secret{}, client.InNamespace(c.namespace)))
	must(t, c.api.Delete(t.Context(), c.ps))
	has(t, c.grafana, 0)
	c.recorded(t, false)
}

func TestExistingGrafanaIsGivenUp(t *testing.T) {
	for name, end := range map[string]func(*shown){
		"after a time":     func(c *shown) { c.grafanas.giveUp = 0 },
		"with the record":  func(c *shown) { must(t, c.api.Delete(t.Context(), record(c))) },
		"whatever happens": nil,
	} {
		t.Run(name, func(t *testing.T) {
			c := newShown(t)
			if name == "after a time" {
				end(c)
			}
			c.want(t, wanted(c.grafana.URL))
			c.says(t, v1alpha1.ReasonReady)
			c.grafana.SetMode(grafanatest.Mode{Proxied: true})
			must(t, c.api.Delete(t.Context(), c.ps))
			if name == "whatever happens" {
				c.recorded(t, true)
				return
			}
			if name == "with the record" {
				c.left(t)
				end(c)
			}
			c.recorded(t, false)
			c.forgotten(t)
			if got := names(c.grafana); len(got) != 3 {
				t.Errorf("left there: %v", got)
			}
		})
	}
}

// forgotten waits until nothing is known of the server any more.
func (c *shown) forgotten(t *testing.T) {
	t.Helper()
	eventually(t, func() error {
		c.grafanas.mu.Lock()
		defer c.grafanas.mu.Unlock()
		if known := c.grafanas.servers[c.key()]; known != nil {
			return fmt.Errorf("it is not forgotten after %d failures", known.failures)
		}
		return nil
	})
}

// left waits until the record says that the server has left.
func (c *shown) left(t *testing.T) {
	t.Helper()
	eventually(t, func() error {
		var is corev1.ConfigMap
		if !c.get(t, recordName("main"), &is) || !strings.Contains(is.Data[recordKey], `"left":`) {
			return fmt.Errorf("record: %v", is.Data)
		}
		return nil
	})
}

func record(c *shown) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: recordName("main")}}
}

// What a server had is removed though it was deleted while no operator ran.
func TestExistingGrafanaOfAServerThatIsGone(t *testing.T) {
	c := newShown(t)
	c.want(t, wanted(c.grafana.URL))
	c.says(t, v1alpha1.ReasonReady)
	var kept corev1.ConfigMap
	c.get(t, recordName("main"), &kept)
	c.grafana.SetMode(grafanatest.Mode{Proxied: true})
	must(t, c.api.Delete(t.Context(), c.ps))
	c.left(t)
	must(t, c.api.Delete(t.Context(), record(c))) // this operator gives up; the next one finds the record as it was
	c.forgotten(t)
	c.grafana.SetMode(grafanatest.Mode{})
	kept.ResourceVersion, kept.UID = "", ""
	must(t, c.api.Create(t.Context(), &kept))
	newCluster(t, func(mgr manager.Manager) error { return quick().SetupWithManager(mgr) })
	has(t, c.grafana, 0)
	c.recorded(t, false)
}

// A server that is made anew under its name goes on with what was there.
func TestExistingGrafanaOfAServerThatIsMadeAnew(t *testing.T) {
	c := newShown(t)
	c.want(t, wanted(c.grafana.URL))
	c.says(t, v1alpha1.ReasonReady)
	c.grafana.SetMode(grafanatest.Mode{Proxied: true})
	c.says(t, v1alpha1.ReasonUnreachable)
	must(t, c.api.Delete(t.Context(), c.ps))
	eventually(t, func() error {
		if c.grafanas.Outcome(c.key()) != nil {
			return fmt.Errorf("the end of the server is not seen")
		}
		return nil
	})
	c.serve(t)
	c.want(t, wanted(c.grafana.URL))
	c.says(t, v1alpha1.ReasonUnreachable)
	c.grafana.SetMode(grafanatest.Mode{})
	c.says(t, v1alpha1.ReasonReady, "1 datasource and 1 dashboard")
	has(t, c.grafana, 3)
	c.grafana.Edit(1, func(o *grafanatest.Org) {
		if text := fmt.Sprint(o.DataSource("prometheus").JSONData["hearth"]); !strings.Contains(text, string(c.ps.UID)) {
			t.Errorf("marked for another: %s", text)
		}
	})
}

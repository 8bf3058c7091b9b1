package controllers

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// looked declares a server with a Grafana.
func (c *cluster) looked(t *testing.T, g *v1alpha1.Grafana) *v1alpha1.PrometheusServer {
	t.Helper()
	ps := &v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Name: "main"}, Spec: v1alpha1.PrometheusServerSpec{Grafana: g}}
	c.create(t, ps)
	return ps
}

// grafanaReady waits until the condition has this status and reason, and says something of this.
func (c *cluster) grafanaReady(t *testing.T, ps *v1alpha1.PrometheusServer, is metav1.ConditionStatus, reason, says string) {
	t.Helper()
	eventually(t, func() error {
		if err := c.observed(t, ps); err != nil {
			return err
		}
		got := meta.FindStatusCondition(ps.Status.Conditions, v1alpha1.ConditionGrafanaReady)
		if got == nil || got.Status != is || got.Reason != reason || !strings.Contains(got.Message, says) {
			return fmt.Errorf("GrafanaReady is %+v, want %s %s: %s", got, is, reason, says)
		}
		return nil
	})
	t.Log(meta.FindStatusCondition(ps.Status.Conditions, v1alpha1.ConditionGrafanaReady).Message)
}

// password is the one in the Secret that was made.
func (c *cluster) password(t *testing.T) (string, *corev1.Secret) {
	t.Helper()
	secret := &corev1.Secret{}
	eventually(t, func() error {
		if !c.get(t, "grafana-main-admin", secret) {
			return errors.New("no Secret")
		}
		return nil
	})
	return string(secret.Data["password"]), secret
}

// starts has a pod of Grafana come up that is not ready.
func (c *cluster) starts(t *testing.T, name string) {
	t.Helper()
	labels := stack.GrafanaSelector("main")
	labels[stack.LabelManagedBy] = stack.ManagedBy
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "grafana", Image: "grafana/grafana:13.2.0"}}}}
	c.create(t, pod)
	pod.Status = corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{{
		Name: "grafana", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: `Back-off pulling image "grafana/grafana:13.2.0"`}},
	}}}
	must(t, c.api.Status().Update(t.Context(), pod))
}

// The Deployment, its claim and the first password come and stay; the password is in its Secret and nowhere else; and a pod that
// does not start says why.
func TestGrafana(t *testing.T) {
	c := newCluster(t, operator(t.Context()))
	ps := c.looked(t, &v1alpha1.Grafana{Deploy: &v1alpha1.GrafanaDeployment{}})
	c.grafanaReady(t, ps, metav1.ConditionFalse, v1alpha1.ReasonProgressing, "no pod of Grafana is there yet")
	deployment, claim := &appsv1.Deployment{}, &corev1.PersistentVolumeClaim{}
	first, secret := c.password(t)
	if !c.get(t, "grafana-main", deployment) || !c.get(t, "grafana-main", claim) || !c.get(t, "grafana-main", &corev1.Service{}) {
		t.Fatalf("made %v", titles(c.children(t)))
	}
	if secret.Type != corev1.SecretTypeBasicAuth || string(secret.Data["username"]) != "admin" || len(first) < 20 ||
		len(secret.OwnerReferences) != 1 || secret.OwnerReferences[0].UID != claim.UID {
		t.Errorf("the Secret is of type %s for %q, with a password of %d characters, and goes with %+v", secret.Type, secret.Data["username"], len(first), secret.OwnerReferences)
	}
	c.nowhere(t, ps, first)
	c.quiet(t)

	c.starts(t, "grafana-main-1")
	c.grafanaReady(t, ps, metav1.ConditionFalse, v1alpha1.ReasonGrafanaNotReady, `ImagePullBackOff: Back-off pulling image "grafana/grafana:13.2.0"`)
	c.quiet(t)
	if again, _ := c.password(t); again != first {
		t.Error("the password is another one")
	}
	must(t, c.api.Delete(t.Context(), secret))
	c.starts(t, "grafana-main-2")
	second, _ := c.password(t)
	if second == first || second == "" {
		t.Error("what was deleted came back the same")
	}

	c.answers(t, deployment)
	c.grafanaReady(t, ps, metav1.ConditionTrue, v1alpha1.ReasonReady, "Service grafana-main, port 3000")
}

// answers has the Deployment say that its pod does.
func (c *cluster) answers(t *testing.T, deployment *appsv1.Deployment) {
	t.Helper()
	deployment.Status = appsv1.DeploymentStatus{ObservedGeneration: deployment.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1}
	eventually(t, func() error {
		now := deployment.Status
		c.get(t, deployment.Name, deployment)
		deployment.Status = now
		deployment.Status.ObservedGeneration = deployment.Generation
		return c.api.Status().Update(t.Context(), deployment)
	})
}

// Another datasource is another pod, and what is taken out of the spec goes, but for what people made.
func TestGrafanaChanges(t *testing.T) {
	c := newCluster(t, operator(t.Context()))
	ps := c.looked(t, &v1alpha1.Grafana{Deploy: &v1alpha1.GrafanaDeployment{}})
	first, _ := c.password(t)
	deployment, claim := &appsv1.Deployment{}, &corev1.PersistentVolumeClaim{}
	c.get(t, "grafana-main", deployment)
	c.get(t, "grafana-main", claim)
	provisioning := deployment.Spec.Template.Annotations["monitoring.hearth.dev/provisioning"]
	c.patch(t, ps, `{"spec":{"scrapeInterval":"5s","grafana":{"deploy":{"storage":{"whenDeleted":"Delete"}}}}}`)
	eventually(t, func() error {
		c.get(t, deployment.Name, deployment)
		c.get(t, claim.Name, claim)
		if now := deployment.Spec.Template.Annotations["monitoring.hearth.dev/provisioning"]; now == "" || now == provisioning {
			return fmt.Errorf("the datasources changed, the pod did not: %s", now)
		}
		if len(claim.OwnerReferences) != 1 || claim.OwnerReferences[0].UID != ps.UID {
			return fmt.Errorf("the claim goes with %+v", claim.OwnerReferences)
		}
		return nil
	})

	c.patch(t, ps, `{"spec":{"grafana":null}}`)
	eventually(t, func() error {
		for _, child := range c.children(t) {
			if strings.HasPrefix(child.GetName(), "grafana-") {
				return fmt.Errorf("%s is still there", title(child))
			}
		}
		if err := c.observed(t, ps); err != nil {
			return err
		}
		if got := meta.FindStatusCondition(ps.Status.Conditions, v1alpha1.ConditionGrafanaReady); got != nil {
			return fmt.Errorf("still said: %+v", got)
		}
		return nil
	})
	if last, _ := c.password(t); last != first || !c.get(t, claim.Name, claim) || !claim.DeletionTimestamp.IsZero() {
		t.Error("the claim or its password went")
	}
}

// nowhere looks for a password in everything else that there is.
func (c *cluster) nowhere(t *testing.T, ps *v1alpha1.PrometheusServer, password string) {
	t.Helper()
	for _, o := range append(c.children(t), client.Object(ps)) {
		text, err := json.Marshal(o)
		must(t, err)
		if strings.Contains(string(text), password) {
			t.Errorf("%s has the password", title(o))
		}
	}
	events := &corev1.EventList{}
	must(t, c.api.List(t.Context(), events, client.InNamespace(c.namespace)))
	for _, e := range events.Items {
		if strings.Contains(e.Message, password) {
			t.Errorf("an event has the password: %s", e.Name)
		}
	}
}

// Nobody's object of a name that Grafana needs keeps the server from being made, and what is there is left alone.
func TestGrafanaKeepsNothingElse(t *testing.T) {
	c := newCluster(t, operator(t.Context()))
	theirs := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "grafana-main"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 1234}}}}
	c.create(t, theirs)
	own := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "grafana-main-admin"}, StringData: map[string]string{"password": "theirs"}}
	c.create(t, own)
	ps := c.looked(t, &v1alpha1.Grafana{Deploy: &v1alpha1.GrafanaDeployment{}})
	c.grafanaReady(t, ps, metav1.ConditionFalse, v1alpha1.ReasonNameConflict, `Service "grafana-main"`)
	eventually(t, func() error {
		if !c.get(t, "prometheus-main", &appsv1.StatefulSet{}) {
			return errors.New("the server is not made")
		}
		return nil
	})
	if ready := meta.FindStatusCondition(ps.Status.Conditions, v1alpha1.ConditionReady); ready.Reason == v1alpha1.ReasonNameConflict {
		t.Errorf("Ready is %+v", ready)
	}
	if c.get(t, "grafana-main", &appsv1.Deployment{}) {
		t.Error("some of Grafana was made")
	}
	must(t, c.api.Delete(t.Context(), theirs))
	c.patch(t, ps, `{"metadata":{"annotations":{"test":"look again"}}}`) // sooner than lookersRetry
	c.grafanaReady(t, ps, metav1.ConditionFalse, v1alpha1.ReasonProgressing, "no pod of Grafana")
	if got, _ := c.password(t); got != "theirs" {
		t.Errorf("the password that was there is now %q", got)
	}
}

// A sidecar's ConfigMaps come and go. Where the server is protected and nothing says how a Grafana comes to the credential,
// the status says what to do, and no credential is written anywhere.
func TestGrafanaSidecar(t *testing.T) {
	c := newCluster(t, operator(t.Context()))
	ps := c.looked(t, &v1alpha1.Grafana{Sidecar: &v1alpha1.GrafanaSidecar{}})
	c.grafanaReady(t, ps, metav1.ConditionTrue, v1alpha1.ReasonReady, "ConfigMaps with 1 datasources and")
	labelled := func(label string) []string {
		t.Helper()
		list := &corev1.ConfigMapList{}
		must(t, c.api.List(t.Context(), list, client.InNamespace(c.namespace), client.MatchingLabels{label: "1"}))
		var out []string
		for i := range list.Items {
			out = append(out, list.Items[i].Name)
			if folder := list.Items[i].Annotations["grafana_folder"]; label == "grafana_dashboard" && folder == "" {
				t.Errorf("%s has no folder", list.Items[i].Name)
			}
		}
		return out
	}
	if got := labelled("grafana_datasource"); !slices.Equal(got, []string{"grafana-main-datasources"}) {
		t.Errorf("datasources: %v", got)
	}
	if got := labelled("grafana_dashboard"); len(got) < 6 {
		t.Errorf("dashboards: %v", got)
	}
	c.quiet(t)
	c.patch(t, ps, `{"spec":{"web":{"basicAuth":{"secretName":"users"}}}}`)
	c.grafanaReady(t, ps, metav1.ConditionFalse, v1alpha1.ReasonSecretsMissing, "MAIN_PASSWORD from key password of Secret users")
	eventually(t, func() error {
		if got := labelled("grafana_datasource"); len(got) > 0 {
			return fmt.Errorf("still there: %v", got)
		}
		return nil
	})
	c.patch(t, ps, `{"spec":{"grafana":{"sidecar":{"credentialsFrom":"MAIN"}}}}`)
	c.grafanaReady(t, ps, metav1.ConditionTrue, v1alpha1.ReasonReady, "ConfigMaps")
	object := &corev1.ConfigMap{}
	if !c.get(t, "grafana-main-datasources", object) || !strings.Contains(object.Data["hearth_"+c.namespace+"_main.yaml"], "basicAuthPassword: $MAIN_PASSWORD") {
		t.Errorf("datasources: %+v", object.Data)
	}
	c.patch(t, ps, `{"spec":{"grafana":{"dashboards":false}}}`)
	eventually(t, func() error {
		if got := labelled("grafana_dashboard"); len(got) > 0 {
			return fmt.Errorf("still there: %v", got)
		}
		return nil
	})
}

// What the API server refuses of spec.grafana.
func TestGrafanaIsRefused(t *testing.T) {
	c := newCluster(t)
	for want, spec := range map[string]string{
		"grafana says nothing":                              `{}`,
		"version must be 12.0.0 or a later":                 `{"deploy":{"version":"v13.2.0"}}`,
		"nodePort needs type NodePort":                      `{"deploy":{"service":{"nodePort":30300}}}`,
		"externalURL must be a full URL":                    `{"deploy":{"externalURL":"grafana.example.org"}}`,
		"storage.size must be 64Mi or more":                 `{"deploy":{"storage":{"size":"1Mi"}}}`,
		"spec.grafana.existing.tokenSecret: Required value": `{"existing":{"url":"https://grafana.example.org/"}}`,
		"spec.grafana.existing.url: Invalid value":          `{"existing":{"url":"grafana.example.org","tokenSecret":{"name":"a","key":"b"}}}`,
		"spec.grafana.sidecar.credentialsFrom: Invalid":     `{"sidecar":{"credentialsFrom":"$main"}}`,
		"instanceLabels: Required value":                    `{"operator":{}}`,
	} {
		ps := &v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: "main"}}
		must(t, client.IgnoreNotFound(c.api.Delete(t.Context(), ps)))
		ps = &v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Name: "main"}}
		c.create(t, ps)
		err := c.api.Patch(t.Context(), ps, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"grafana":`+spec+`}}`)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", spec, err, want)
		}
		must(t, c.api.Delete(t.Context(), ps))
	}
}

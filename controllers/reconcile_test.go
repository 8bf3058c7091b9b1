package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/hearth-monitoring/hearth/admission"
	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/rules"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// operator registers the three reconcilers as main does.
func operator(ctx context.Context) func(manager.Manager) error {
	return func(mgr manager.Manager) error {
		ledger, verdicts, namespaces, alerts := NewLedger(), NewVerdicts(&admission.Recent{}), &Namespaces{}, NewAlerts(ctx)
		routes := NewRoutes()
		images := stack.Images{Hearth: "hearth:test", PrometheusVersion: "3.15.0", AlertmanagerVersion: "0.31.1", GrafanaVersion: "13.2.0"}
		recorder := mgr.GetEventRecorder("hearth")
		dynamicClient, err := dynamic.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
		if err != nil {
			return err
		}
		monitors := NewMonitors(dynamicClient, mgr.GetCache(), verdicts)
		return errors.Join(
			mgr.Add(monitors),
			(&PrometheusServerReconciler{Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Events: recorder,
				Images: images, Replicas: NewReplicas(ctx), Ledger: ledger, Verdicts: verdicts, Namespaces: namespaces, Alerts: alerts, Routes: routes,
				Monitors: monitors, Existing: quick()}).SetupWithManager(mgr),
			(&NodeExporterReconciler{Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Events: recorder, Images: images}).SetupWithManager(mgr),
			(&AlertRuleReconciler{Client: mgr.GetClient(), Events: recorder, Ledger: ledger, Verdicts: verdicts, Namespaces: namespaces,
				Metrics: NewMetrics(prometheus.NewRegistry()), Alerts: alerts, Routes: routes, Tests: NewTests(ctx)}).SetupWithManager(mgr),
		)
	}
}

// declared is one of each kind, made so that every object that can be made is made.
func (c *cluster) declared(t *testing.T) (*v1alpha1.NodeExporter, *v1alpha1.PrometheusServer, *v1alpha1.AlertRule) {
	t.Helper()
	all := &v1alpha1.ObjectSelector{Selector: &metav1.LabelSelector{}}
	ne := &v1alpha1.NodeExporter{ObjectMeta: metav1.ObjectMeta{Name: "node"}, Spec: v1alpha1.NodeExporterSpec{
		Pools: []v1alpha1.NodePool{{Name: "big", NodeSelector: map[string]string{"size": "big"}}, {Name: "rest"}},
	}}
	ps := &v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Name: "main"}, Spec: v1alpha1.PrometheusServerSpec{
		Replicas: ptr.To(int32(2)),
		Service:  v1alpha1.Service{Type: corev1.ServiceTypeNodePort, Port: 80},
		Targets:  &v1alpha1.Targets{NodeExporters: all},
		Rules:    all,
	}}
	ar := &v1alpha1.AlertRule{ObjectMeta: metav1.ObjectMeta{Name: "rules"}, Spec: groups("vector(1)")}
	for _, obj := range []client.Object{ne, ps, ar} {
		c.create(t, obj)
	}
	eventually(t, func() error {
		if children := c.children(t); len(children) != 18 {
			return fmt.Errorf("%d children: %v", len(children), titles(children))
		}
		if err := c.observed(t, ne, ps, ar); err != nil {
			return err
		}
		// A status may come before the server has taken the rule up, and the server's second revision after it.
		if s := ar.Status.Servers; len(s) != 1 || s[0].Revision == 0 {
			return fmt.Errorf("the server has not taken the rule up: %+v", s)
		}
		return c.publishes("vector(1)")(t, ps)
	})
	return ne, ps, ar
}

func groups(expr string) v1alpha1.AlertRuleSpec {
	return v1alpha1.AlertRuleSpec{Groups: []v1alpha1.RuleGroup{{Name: "g", Rules: []v1alpha1.Rule{{Alert: "A", Expr: v1alpha1.Expression(expr)}}}}}
}

// children are all objects in the test's namespace that Hearth made.
func (c *cluster) children(t *testing.T) []client.Object {
	t.Helper()
	var out []client.Object
	for _, list := range []client.ObjectList{&corev1.ServiceAccountList{}, &corev1.ConfigMapList{}, &corev1.ServiceList{}, &rbacv1.RoleList{},
		&rbacv1.RoleBindingList{}, &appsv1.StatefulSetList{}, &appsv1.DaemonSetList{}, &appsv1.DeploymentList{}, &policyv1.PodDisruptionBudgetList{}} {
		must(t, c.api.List(t.Context(), list, client.InNamespace(c.namespace), client.MatchingLabels{stack.LabelManagedBy: stack.ManagedBy}))
		items, err := meta.ExtractList(list)
		must(t, err)
		for _, item := range items {
			out = append(out, item.(client.Object))
		}
	}
	return out
}

func titles(objects []client.Object) []string {
	var out []string
	for _, o := range objects {
		out = append(out, title(o))
	}
	slices.Sort(out)
	return out
}

// observed fails until each object's status speaks of its newest generation, and whenever a status contradicts itself.
func (c *cluster) observed(t *testing.T, objects ...client.Object) error {
	t.Helper()
	for _, obj := range objects {
		must(t, c.api.Get(t.Context(), client.ObjectKeyFromObject(obj), obj))
		generation, conditions := statusOf(obj)
		kstatus(t, obj, generation, conditions)
		if generation != obj.GetGeneration() {
			return fmt.Errorf("%s: status is of generation %d, not %d", title(obj), generation, obj.GetGeneration())
		}
	}
	return nil
}

func statusOf(obj client.Object) (int64, []metav1.Condition) {
	switch obj := obj.(type) {
	case *v1alpha1.NodeExporter:
		return obj.Status.ObservedGeneration, obj.Status.Conditions
	case *v1alpha1.PrometheusServer:
		return obj.Status.ObservedGeneration, obj.Status.Conditions
	case *v1alpha1.AlertRule:
		return obj.Status.ObservedGeneration, obj.Status.Conditions
	}
	return 0, nil
}

// kstatus checks what tools that wait for objects rely on.
func kstatus(t *testing.T, obj client.Object, generation int64, conditions []metav1.Condition) {
	t.Helper()
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	if generation > 0 && ready == nil {
		t.Errorf("%s: a status without Ready: %+v", title(obj), conditions)
	}
	for _, c := range conditions {
		if c.ObservedGeneration != generation || c.Message == "" || c.Reason == "" || c.LastTransitionTime.IsZero() {
			t.Errorf("%s: incomplete condition %+v", title(obj), c)
		}
		if c.Type != v1alpha1.ConditionReconciling && c.Type != v1alpha1.ConditionStalled {
			continue
		}
		if c.Status != metav1.ConditionTrue || ready == nil || ready.Status == metav1.ConditionTrue {
			t.Errorf("%s: %s is %s while Ready is %v", title(obj), c.Type, c.Status, ready)
		}
	}
}

// quiet waits until nothing was written to the test's namespace for a while, and nothing is being asked: what an API server that
// takes its time has not answered yet would be followed by more.
func (c *cluster) quiet(t *testing.T) {
	t.Helper()
	eventually(t, func() error {
		c.writes.take()
		time.Sleep(time.Second)
		if writes := c.written(); len(writes) > 0 {
			return fmt.Errorf("still writing: %v", writes)
		}
		if n := c.writes.waits(); n > 0 {
			return fmt.Errorf("%d requests have no answer yet", n)
		}
		return nil
	})
}

// written is what the operator wrote to the test's namespace since it was asked last. Events are not state.
func (c *cluster) written() []string {
	return slices.DeleteFunc(c.writes.take(), func(w string) bool {
		return !strings.Contains(w, "/namespaces/"+c.namespace+"/") || strings.Contains(w, "/events")
	})
}

func TestReconcileAgainWritesNothing(t *testing.T) {
	c := newCluster(t, operator(t.Context()))
	ne, ps, ar := c.declared(t)
	c.quiet(t)
	children := c.children(t)
	before := c.versions(t, children)
	// An annotation makes every reconciler run, and means nothing to it.
	for _, obj := range []client.Object{ne, ps, ar} {
		c.patch(t, obj, `{"metadata":{"annotations":{"test":"again"}}}`)
	}
	time.Sleep(2 * time.Second)
	if writes := c.written(); len(writes) > 0 {
		t.Errorf("reconciling again wrote %v", writes)
	}
	for name, version := range c.versions(t, children) {
		if before[name] != version {
			t.Errorf("%s moved from resourceVersion %s to %s", name, before[name], version)
		}
	}
	t.Logf("no write to any of %v", titles(children))
}

func TestReconcileBringsBackWhatIsDeleted(t *testing.T) {
	c := newCluster(t, operator(t.Context()))
	c.declared(t)
	for _, obj := range c.children(t) {
		uid := obj.GetUID()
		must(t, c.api.Delete(t.Context(), obj, client.PropagationPolicy(metav1.DeletePropagationBackground)))
		eventually(t, func() error {
			if !c.get(t, obj.GetName(), obj) || obj.GetUID() == uid {
				return fmt.Errorf("%s is still gone", title(obj))
			}
			return nil
		})
	}
}

func TestReconcileTakesBackItsMarks(t *testing.T) {
	c := newCluster(t, operator(t.Context()))
	c.declared(t)
	for _, obj := range c.children(t) {
		c.patch(t, obj, `{"metadata":{"labels":{"app.kubernetes.io/managed-by":"me","team":"mine"},"annotations":{"note":"mine"}}}`)
		eventually(t, func() error {
			c.get(t, obj.GetName(), obj)
			if obj.GetLabels()[stack.LabelManagedBy] != stack.ManagedBy {
				return fmt.Errorf("%s is still managed by %s", title(obj), obj.GetLabels()[stack.LabelManagedBy])
			}
			return nil
		})
		if obj.GetLabels()["team"] != "mine" || obj.GetAnnotations()["note"] != "mine" {
			t.Errorf("%s lost what a user added: %v %v", title(obj), obj.GetLabels(), obj.GetAnnotations())
		}
	}
}

func TestReconcileClosesAPortThatSomebodyOpened(t *testing.T) {
	c := newCluster(t, operator(t.Context()))
	c.declared(t)
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "prometheus-main"}}
	c.get(t, service.Name, service)
	nodePort := service.Spec.Ports[0].NodePort
	change(t, c, service.Name, service, func(s *corev1.Service) {
		s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: "extra", Port: 9091})
	})
	eventually(t, func() error {
		c.get(t, service.Name, service)
		if len(service.Spec.Ports) != 1 {
			return fmt.Errorf("ports: %+v", service.Spec.Ports)
		}
		return nil
	})
	if service.Spec.Ports[0].NodePort != nodePort {
		t.Errorf("the node port moved from %d to %d", nodePort, service.Spec.Ports[0].NodePort)
	}
	c.quiet(t)
}

func TestReconcilePrunesWhatIsSwitchedOff(t *testing.T) {
	c := newCluster(t, operator(t.Context()))
	ne, ps, _ := c.declared(t)
	c.patch(t, ps, `{"spec":{"replicas":1,"targets":null}}`)
	c.patch(t, ne, `{"spec":{"pools":[{"name":"rest"}]}}`)
	gone := map[string]client.Object{
		"PodDisruptionBudget of one replica":   &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Name: "prometheus-main"}},
		"Role of an exporter nobody scrapes":   &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "node-exporter-node"}},
		"RoleBinding of the same":              &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "node-exporter-node"}},
		"DaemonSet of a pool that was removed": &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "node-exporter-node-big"}},
	}
	for what, obj := range gone {
		eventually(t, func() error {
			if c.get(t, obj.GetName(), obj) {
				return fmt.Errorf("the %s is still there", what)
			}
			return nil
		})
	}
	if !c.get(t, "node-exporter-node-rest", &appsv1.DaemonSet{}) {
		t.Error("the DaemonSet of the pool that stays is gone")
	}
}

func TestReconcileLeavesANameThatIsTaken(t *testing.T) {
	c := newCluster(t, operator(t.Context()))
	theirs := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "prometheus-main"},
		Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 1234}}}}
	c.create(t, theirs)
	ps := &v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Name: "main"}}
	c.create(t, ps)
	eventually(t, func() error {
		if err := c.observed(t, ps); err != nil {
			return err
		}
		stalled := meta.FindStatusCondition(ps.Status.Conditions, v1alpha1.ConditionStalled)
		if stalled == nil || stalled.Reason != v1alpha1.ReasonNameConflict || !strings.Contains(stalled.Message, `Service "prometheus-main"`) {
			return fmt.Errorf("Stalled is %+v", stalled)
		}
		t.Log(stalled.Message)
		return nil
	})
	if children := c.children(t); len(children) != 0 {
		t.Errorf("made %v", titles(children))
	}
	version := theirs.ResourceVersion
	if !c.get(t, theirs.Name, theirs) || theirs.ResourceVersion != version {
		t.Error("their Service was touched")
	}
	must(t, c.api.Delete(t.Context(), theirs))
	c.patch(t, ps, `{"metadata":{"annotations":{"test":"look again"}}}`) // sooner than lookAgain
	eventually(t, func() error {
		if len(c.children(t)) == 0 {
			return errors.New("nothing was made after the name was free")
		}
		return c.observed(t, ps)
	})
}

func TestReconcileKeepsTheLastGoodRules(t *testing.T) {
	c := newCluster(t, operator(t.Context()))
	_, ps, ar := c.declared(t)
	other := &v1alpha1.AlertRule{ObjectMeta: metav1.ObjectMeta{Name: "other"}, Spec: groups("vector(2)")}
	c.create(t, other)
	eventually(t, func() error { return c.publishes("vector(1)", "vector(2)")(t, ps) })

	c.patch(t, ar, `{"spec":{"groups":[{"name":"g","rules":[{"alert":"A","expr":"vector("}]}]}}`)
	c.patch(t, other, `{"spec":{"groups":[{"name":"g","rules":[{"alert":"A","expr":"vector(3)"}]}]}}`)
	eventually(t, func() error { return c.publishes("vector(1)", "vector(3)")(t, ps) })
	eventually(t, func() error {
		if err := c.observed(t, ar, ps); err != nil {
			return err
		}
		valid, ready := meta.FindStatusCondition(ar.Status.Conditions, v1alpha1.ConditionValid), meta.FindStatusCondition(ar.Status.Conditions, v1alpha1.ConditionReady)
		if valid.Status != metav1.ConditionFalse || !strings.Contains(valid.Message, "spec.groups[g].rules[0]") || !strings.Contains(ready.Message, "last good") {
			return fmt.Errorf("valid: %+v, ready: %+v", valid, ready)
		}
		if ps.Status.Rules.Rejected != 1 || len(ps.Status.Rules.Rejections) != 1 {
			return fmt.Errorf("rules: %+v", ps.Status.Rules)
		}
		return nil
	})
	t.Log(meta.FindStatusCondition(ar.Status.Conditions, v1alpha1.ConditionReady).Message)

	must(t, c.api.Delete(t.Context(), ar))
	eventually(t, func() error { return c.publishes("vector(3)")(t, ps) })
}

// publishes fails unless exactly the rules with these expressions are published.
func (c *cluster) publishes(exprs ...string) func(*testing.T, *v1alpha1.PrometheusServer) error {
	return func(t *testing.T, ps *v1alpha1.PrometheusServer) error {
		var part corev1.ConfigMap
		if !c.get(t, bundle.RulesName(stack.NamesOf(ps.Name).Base, 0), &part) {
			return errors.New("no rules are published")
		}
		files, err := bundle.Unpack(part.BinaryData[bundle.PartKey])
		must(t, err)
		if len(files) != len(exprs) {
			return fmt.Errorf("%d files are published, not %d", len(files), len(exprs))
		}
		for _, expr := range exprs {
			found := false
			for _, text := range files {
				found = found || rules.CountIn(text) == 1 && strings.Contains(string(text), "expr: "+expr)
			}
			if !found {
				return fmt.Errorf("%s is not published", expr)
			}
		}
		return nil
	}
}

// A claim goes with its server only where the declaration says so, and never with a StatefulSet that somebody deletes.
func TestClaimsGoWithTheServerIfItSaysSo(t *testing.T) {
	c := newCluster(t, operator(t.Context()))
	_, ps, _ := c.declared(t)
	claim := claimOf("data-prometheus-main-0", "standard", "10Gi")
	claim.Labels = stack.ServerSelector(ps.Name)
	claim.Labels[stack.LabelManagedBy] = stack.ManagedBy
	c.create(t, claim)
	owned := func(want bool) {
		t.Helper()
		eventually(t, func() error {
			c.get(t, claim.Name, claim)
			if got := len(claim.OwnerReferences) == 1 && claim.OwnerReferences[0].UID == ps.UID; got != want {
				return fmt.Errorf("owners: %+v", claim.OwnerReferences)
			}
			return nil
		})
	}
	owned(false)
	c.patch(t, ps, `{"spec":{"storage":{"whenDeleted":"Delete"}}}`)
	owned(true)
	c.patch(t, ps, `{"spec":{"storage":{"whenDeleted":"Retain"}}}`)
	owned(false)
	c.quiet(t)
}

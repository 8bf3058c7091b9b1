package controllers

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/hearth-monitoring/hearth/admission"
	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/replica"
)

// clocked is Alerts with a clock that stands until it is moved.
type clocked struct {
	*Alerts
	time time.Time
}

func newClocked() *clocked {
	c := &clocked{time: time.Unix(0, 0)}
	c.Alerts = newAlerts(func() time.Time { return c.time })
	return c
}

var (
	mainServer = types.NamespacedName{Namespace: "monitoring", Name: "main"}
	nodesRule  = types.NamespacedName{Namespace: "team", Name: "nodes"}
)

// say has the server say this of nodesRule.
func (c *clocked) say(firing, pending int, err string) {
	r := &replica.Report{Ready: true}
	if firing+pending > 0 || err != "" {
		r.AlertRules = []replica.AlertRule{{Name: nodesRule.String(), Firing: firing, Pending: pending, Error: err}}
	}
	c.Set(mainServer, []shardReports{{r}})
}

// want is what nodesRule is told after so long, and what it is told then.
func (c *clocked) want(t *testing.T, after time.Duration, events int, know RuleAlerts) {
	t.Helper()
	c.time = c.time.Add(after)
	told, _ := c.due()
	if len(told) != events {
		t.Errorf("at %s: told %d times, want %d", c.time.Sub(time.Unix(0, 0)), len(told), events)
	}
	if diff := cmp.Diff(know, c.Of(mainServer, nodesRule, RuleAlerts{})); diff != "" {
		t.Errorf("at %s: %s", c.time.Sub(time.Unix(0, 0)), diff)
	}
}

func TestAlertsArePassedOnWithManners(t *testing.T) {
	c := newClocked()
	c.want(t, 0, 0, RuleAlerts{})
	c.say(2, 0, "")
	c.want(t, 0, 1, RuleAlerts{Firing: 2})
	c.say(3, 0, "")
	c.want(t, 5*time.Second, 0, RuleAlerts{Firing: 2})
	c.say(5, 0, "")
	c.want(t, 50*time.Second, 0, RuleAlerts{Firing: 2})
	c.want(t, 5*time.Second, 1, RuleAlerts{Firing: 5}) // a minute after the last time
	c.say(0, 0, "")
	c.want(t, 5*time.Second, 0, RuleAlerts{Firing: 5})
	c.want(t, 5*time.Second, 1, RuleAlerts{}) // they end: ten seconds after the last time
	c.say(0, 0, "boom")
	c.want(t, time.Minute, 1, RuleAlerts{Error: "boom"})
	c.say(0, 0, "boom in other words")
	c.want(t, 30*time.Second, 0, RuleAlerts{Error: "boom"})
	c.say(0, 0, "boom")
	c.want(t, time.Hour, 0, RuleAlerts{Error: "boom"}) // as it was told
}

// What flaps at every evaluation costs six writes a minute, and ten thousand rules at once a hundred a second.
func TestAlertsAreBounded(t *testing.T) {
	c := newClocked()
	c.Of(mainServer, nodesRule, RuleAlerts{})
	n := 0
	for i := range 60 {
		c.say(i%2, 0, "")
		c.time = c.time.Add(time.Second)
		told, _ := c.due()
		n += len(told)
	}
	if n == 0 || n > 7 {
		t.Errorf("a rule that flaps every second is told %d times a minute", n)
	}

	c = newClocked()
	r := &replica.Report{Ready: true}
	for i := range 10_000 {
		rule := types.NamespacedName{Namespace: "team", Name: fmt.Sprint("rule-", i)}
		c.Of(mainServer, rule, RuleAlerts{})
		r.AlertRules = append(r.AlertRules, replica.AlertRule{Name: rule.String(), Firing: 1})
	}
	c.Set(mainServer, []shardReports{{r}})
	for n = 0; ; n++ {
		told, _ := c.due()
		if len(told) > alertsBurst {
			t.Fatalf("%d are told at once", len(told))
		}
		if len(told) == 0 {
			break
		}
	}
	if n != 10_000/alertsBurst {
		t.Errorf("all are told in %d steps", n)
	}
}

func TestAlertsOfReplicas(t *testing.T) {
	c := newClocked()
	c.Of(mainServer, nodesRule, RuleAlerts{})
	one := &replica.Report{Ready: true, AlertRules: []replica.AlertRule{{Name: "team/nodes", Firing: 2, Error: "boom"}}}
	two := &replica.Report{Ready: true, AlertRules: []replica.AlertRule{{Name: "team/nodes", Firing: 1, Pending: 4}}}
	c.Set(mainServer, []shardReports{{one, nil, two}})
	c.want(t, 0, 1, RuleAlerts{Firing: 2, Pending: 4, Error: "boom"})
	// A server that is being restarted says nothing, which is not the same as saying that nothing fires.
	c.Set(mainServer, []shardReports{{nil, {Ready: false}}})
	c.want(t, time.Hour, 0, RuleAlerts{Firing: 2, Pending: 4, Error: "boom"})
	// What nobody asked about, nobody is told.
	c.Forget(mainServer)
	c.Set(mainServer, []shardReports{{one}})
	if told, _ := c.due(); len(told) != 0 {
		t.Errorf("told: %v", told)
	}
}

// What shards say adds up; one that says nothing for a while is as it was, and a metric that one of them has is not missing.
func TestAlertsOfShards(t *testing.T) {
	c := newClocked()
	c.Of(mainServer, nodesRule, RuleAlerts{})
	report := func(firing int, missing ...string) *replica.Report {
		return &replica.Report{Ready: true, MetricsKnown: true, AlertRules: []replica.AlertRule{{Name: "team/nodes", Firing: firing, Missing: missing}}}
	}
	first, second := report(2, "A: x, y"), report(1, "A: x, y")
	c.Set(mainServer, []shardReports{{first, second}, {report(3, "A: y, z")}})
	c.want(t, 0, 1, RuleAlerts{Firing: 5, Missing: "A: y"})
	c.Set(mainServer, []shardReports{{first, second}, {nil}})
	c.want(t, time.Hour, 0, RuleAlerts{Firing: 5, Missing: "A: y"})
	// One that was just started may have what the others lack.
	started := report(1)
	started.MetricsKnown = false
	c.Set(mainServer, []shardReports{{first, second}, {started}})
	c.want(t, time.Hour, 1, RuleAlerts{Firing: 3, Missing: "A: y"})
	c.Set(mainServer, []shardReports{{first, second}, {report(1)}})
	c.want(t, time.Hour, 1, RuleAlerts{Firing: 3})
	// A shard that is gone has no say.
	c.Set(mainServer, []shardReports{{first, second}})
	c.want(t, time.Hour, 1, RuleAlerts{Firing: 2, Missing: "A: x, y"})
}

// What one replica has series of, rules can return; and one that was just started knows nothing yet.
func TestMissingMetricsOfReplicas(t *testing.T) {
	c := newClocked()
	c.Of(mainServer, nodesRule, RuleAlerts{})
	report := func(known bool, missing ...string) *replica.Report {
		r := &replica.Report{Ready: true, MetricsKnown: known}
		if len(missing) > 0 {
			r.AlertRules = []replica.AlertRule{{Name: "team/nodes", Missing: missing}}
		}
		return r
	}
	say := func(reports ...*replica.Report) { c.Set(mainServer, []shardReports{reports}) }
	say(report(true, "x", "y"), report(true, "y", "z"), report(false))
	c.want(t, 0, 1, RuleAlerts{Missing: "y"})
	say(report(false), report(false))
	c.want(t, time.Hour, 0, RuleAlerts{Missing: "y"})
	say(report(false), report(true, "y"))
	c.want(t, time.Hour, 0, RuleAlerts{Missing: "y"})
	say(report(true), report(true, "y"))
	c.want(t, time.Hour, 1, RuleAlerts{})
	say(report(true, "y"))
	c.want(t, time.Second, 0, RuleAlerts{}) // not more often than every ten seconds
	c.want(t, 10*time.Second, 1, RuleAlerts{Missing: "y"})

	// After a restart of the operator, the status holds until a replica knows better.
	c = newClocked()
	say(report(false))
	if got := c.Of(mainServer, nodesRule, RuleAlerts{Missing: "y"}); got.Missing != "y" {
		t.Errorf("no replica knows, and what was said is taken back: %+v", got)
	}
	say(report(true))
	c.want(t, 0, 1, RuleAlerts{})
}

// An operator that was restarted goes on with what the status says, and corrects it once.
func TestAlertsAfterARestart(t *testing.T) {
	c := newClocked()
	if got := c.Of(mainServer, nodesRule, RuleAlerts{Firing: 3}); got.Firing != 3 {
		t.Errorf("before the server has said anything: %+v", got)
	}
	c.say(0, 0, "")
	c.want(t, 0, 1, RuleAlerts{})
}

func TestAlertsReachTheStatus(t *testing.T) {
	alerts := NewAlerts(t.Context())
	c := newCluster(t, func(mgr manager.Manager) error {
		return (&AlertRuleReconciler{Client: mgr.GetClient(), Events: mgr.GetEventRecorder("hearth"), Ledger: NewLedger(), Alerts: alerts,
			Verdicts: NewVerdicts(&admission.Recent{}), Namespaces: &Namespaces{}, Metrics: NewMetrics(prometheus.NewRegistry()), Routes: NewRoutes(),
			Tests: NewTests(t.Context())}).SetupWithManager(mgr)
	})
	c.create(t, &v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Name: "main"}, Spec: v1alpha1.PrometheusServerSpec{
		Rules: &v1alpha1.ObjectSelector{Selector: &metav1.LabelSelector{}},
	}})
	ar := &v1alpha1.AlertRule{ObjectMeta: metav1.ObjectMeta{Name: "rules"}, Spec: groups("vector(1)")}
	c.create(t, ar)
	server := types.NamespacedName{Namespace: c.namespace, Name: "main"}
	say := func(r replica.AlertRule) {
		r.Name = c.namespace + "/rules"
		alerts.Set(server, []shardReports{{{Ready: true, AlertRules: []replica.AlertRule{r}}}})
	}
	want := func(firing int32, err string) {
		t.Helper()
		eventually(t, func() error {
			c.get(t, "rules", ar)
			if s := ar.Status; len(s.Servers) != 1 || s.Servers[0].Firing != firing || s.Servers[0].LastError != err || ptr.Deref(s.Firing, 0) != firing {
				return fmt.Errorf("status is %+v", s)
			}
			return nil
		})
	}
	want(0, "")
	lacks := []string{"spec.groups[g].rules[0] (A): x", "spec.groups[g].rules[1] (B): y or z"}
	alerts.Set(server, []shardReports{{{Ready: true, MetricsKnown: true, AlertRules: []replica.AlertRule{{Name: c.namespace + "/rules", Missing: lacks}}}}})
	eventually(t, func() error {
		c.get(t, "rules", ar)
		if !meta.IsStatusConditionTrue(ar.Status.Conditions, v1alpha1.ConditionMetricsMissing) || cmp.Diff(lacks, ar.Status.Servers[0].MissingMetrics) != "" {
			return fmt.Errorf("status is %+v", ar.Status)
		}
		return nil
	})
	t.Log(meta.FindStatusCondition(ar.Status.Conditions, v1alpha1.ConditionMetricsMissing).Message)
	alerts.Set(server, []shardReports{{{Ready: true, MetricsKnown: true}}})
	eventually(t, func() error {
		c.get(t, "rules", ar)
		if meta.FindStatusCondition(ar.Status.Conditions, v1alpha1.ConditionMetricsMissing) != nil || ar.Status.Servers[0].MissingMetrics != nil {
			return fmt.Errorf("status is %+v", ar.Status)
		}
		return nil
	})
	say(replica.AlertRule{Firing: 2})
	want(2, "")
	c.quiet(t)
	for i := range 50 {
		say(replica.AlertRule{Firing: 3 + i})
	}
	time.Sleep(time.Second)
	if writes := c.written(); len(writes) > 0 {
		t.Errorf("numbers that change all the time are written all the time: %v", writes)
	}
}

package status_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/internal/status"
)

// ofShard is a replica that runs revision 4 and says this.
func ofShard(name string, shard int32, r replica.Report) status.Pod {
	r.Published, r.Loaded, r.Ready, r.Version = 4, 4, true, "3.15.0"
	return status.Pod{Name: name, Shard: shard, Ready: true, Report: &r}
}

func twoShards() *status.Server {
	return &status.Server{Replicas: 3, Shards: 2, Spread: 2, Revision: 4, Updated: 3, Pods: []status.Pod{
		ofShard("prometheus-main-0", 0, replica.Report{Rules: 7, Firing: 2, Pending: 1, Jobs: []replica.Job{
			{Name: "prometheus", Up: 1}, {Name: "alertmanager", Up: 1}, {Name: "kubelet", Up: 3}, {Name: "hearth-reloader/alertmanager", Up: 1},
		}}),
		ofShard("prometheus-main-1", 0, replica.Report{Rules: 7, Firing: 1, Pending: 1, Jobs: []replica.Job{
			{Name: "prometheus", Up: 1}, {Name: "alertmanager", Up: 1}, {Name: "kubelet", Up: 3}, {Name: "hearth-reloader/alertmanager", Up: 1},
		}}),
		ofShard("prometheus-main-shard-1-0", 1, replica.Report{Rules: 7, Firing: 3, Jobs: []replica.Job{
			{Name: "prometheus", Up: 1}, {Name: "alertmanager", Up: 1}, {Name: "kubelet", Up: 1, Down: 1, LastError: "refused"},
			{Name: "coredns", Up: 2}, {Name: "hearth-reloader/alertmanager", Up: 1},
		}}),
	}}
}

func ofServer(o *status.Server) v1alpha1.PrometheusServerStatus {
	return status.OfServer(&v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "main", Generation: 1}}, o, nil)
}

// TestShardsAddUp: what replicas of one shard say is said once, and what shards say adds up, but for what each of them has whole.
func TestShardsAddUp(t *testing.T) {
	s := ofServer(twoShards())
	want := &v1alpha1.TargetsStatus{Summary: "10/11", Jobs: []v1alpha1.JobStatus{
		{Name: "kubelet", Up: 4, Down: 1, LastError: "refused"},
		{Name: "alertmanager", Up: 1}, {Name: "coredns", Up: 2}, {Name: "hearth-reloader/alertmanager", Up: 1}, {Name: "prometheus", Up: 2},
	}}
	if diff := cmp.Diff(want, s.Targets); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&v1alpha1.AlertsStatus{Firing: 5, Pending: 1}, s.Alerts); diff != "" {
		t.Errorf("alerts (-want +got):\n%s", diff)
	}
	if s.Rules.Loaded != 7 || s.Ready != "3/3" || s.Configuration.Shards != 2 || s.Configuration.Replicas[2].Shard != 1 {
		t.Errorf("rules %+v, ready %s, configuration %+v", s.Rules, s.Ready, s.Configuration)
	}
	said(t, s, v1alpha1.ConditionReady, metav1.ConditionTrue, "3 replicas in 2 shards, revision 4 loaded")
}

// TestSilentShard: of the targets of a shard that says nothing nothing is known, however well the others are.
func TestSilentShard(t *testing.T) {
	o := twoShards()
	o.Pods[2].Ready, o.Pods[2].Report = false, nil
	s := ofServer(o)
	said(t, s, v1alpha1.ConditionTargetsHealthy, metav1.ConditionUnknown, "no replica of shard 1 is ready, so nothing is known of its targets")
	said(t, s, v1alpha1.ConditionReady, metav1.ConditionFalse, "prometheus-main-shard-1-0 is not ready")

	o.Pods = o.Pods[:2]
	said(t, ofServer(o), v1alpha1.ConditionReady, metav1.ConditionFalse, "describe statefulset prometheus-main-shard-1 shows")
	o.Pods[0].Report.Jobs[2].Down = 1
	o.Pods[1].Report.Jobs[2].Down = 1
	said(t, ofServer(o), v1alpha1.ConditionTargetsHealthy, metav1.ConditionFalse, "nothing is known of its targets; kubelet: 1 of 4 down")
}

// TestSpreading: until new shards run, targets stay where they are, and the status says so.
func TestSpreading(t *testing.T) {
	o := twoShards()
	o.Spread = 1
	o.Pods[2].Ready, o.Pods[2].Report = false, nil
	s := ofServer(o)
	said(t, s, v1alpha1.ConditionReady, metav1.ConditionFalse, "until then, targets stay on 1 shard")
	said(t, s, v1alpha1.ConditionTargetsHealthy, metav1.ConditionTrue, "6/6 targets are up")
	if s.Configuration.Shards != 1 {
		t.Errorf("configuration.shards is %d", s.Configuration.Shards)
	}
}

// TestRemovedShardsAreTold: their claims are named for as long as they are there.
func TestRemovedShardsAreTold(t *testing.T) {
	o := twoShards()
	for _, name := range []string{"data-prometheus-main-0", "data-prometheus-main-1", "data-prometheus-main-shard-1-0", "data-prometheus-main-shard-2-0"} {
		o.Claims = append(o.Claims, status.Claim{Name: name, Requested: resource.MustParse("1Gi")})
	}
	s := ofServer(o)
	said(t, s, v1alpha1.ConditionReady, metav1.ConditionTrue, "the samples of shards that were removed are kept in data-prometheus-main-shard-2-0, where nothing asks for them")
	if c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady); strings.Contains(c.Message, "shard-1-0") {
		t.Errorf("a claim in use is told as kept: %s", c.Message)
	}
}

// TestWatchdogsOfShards: whether the alerts of one shard arrive says nothing of those of another.
func TestWatchdogsOfShards(t *testing.T) {
	o := twoShards()
	for i := range o.Pods {
		o.Pods[i].Report.Alerting = &replica.Alerting{Watchdog: true, Alertmanagers: 1}
	}
	manager := func(dogs ...replica.Watchdog) {
		o.Alerts = status.AlertPath{Server: "monitoring/main", Shards: true, Targets: 1, HasOwn: true, Own: []status.Pod{{
			Name: "alertmanager-main-0", Ready: true, Report: &replica.Report{Ready: true, Alertmanager: &replica.Alertmanager{Watchdogs: dogs}},
		}}}
	}
	first, second := replica.Watchdog{Server: "monitoring/main", Shard: "0", Arriving: true}, replica.Watchdog{Server: "monitoring/main", Shard: "1", Arriving: true}
	manager(first, second)
	said(t, ofServer(o), v1alpha1.ConditionAlertPathHealthy, metav1.ConditionTrue, "arrives at the Alertmanager")
	manager(first, replica.Watchdog{Server: "monitoring/main", LastSeen: 1})
	said(t, ofServer(o), v1alpha1.ConditionAlertPathHealthy, metav1.ConditionFalse, "alertmanager-main-0 does not have the Watchdog of shard 1 of monitoring/main")
}

func said(t *testing.T, s v1alpha1.PrometheusServerStatus, kind string, is metav1.ConditionStatus, text string) {
	t.Helper()
	c := meta.FindStatusCondition(s.Conditions, kind)
	if c == nil || c.Status != is || !strings.Contains(c.Message, text) {
		t.Errorf("%s is %+v, want %s with %q", kind, c, is, text)
	}
}

package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// TestShardsTogether: both shards of a server send what fires to its one Alertmanager, which an alert of either reaches, and all
// their samples to another server, where they are told apart.
func TestShardsTogether(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	hook := newHook(t)
	central := g.writer("central")
	central.Spec.RemoteWrite, central.Spec.RemoteWriteReceiver = nil, true
	g.create(central, g.toTeam("each", alert("Each", "vector(1)")))
	ps := g.alertingWith(hook, 1, func(ps *v1alpha1.PrometheusServer) {
		writer := g.writer("main").Spec
		ps.Spec.Shards, ps.Spec.Targets, ps.Spec.RemoteWrite = ptr.To(int32(2)), nil, writer.RemoteWrite
	})
	shards := []string{"0", "1"}

	took := eventually(t, 2*time.Minute, func() error {
		var came []string
		for _, n := range hook.at("/team", "Each") {
			for _, a := range n.Alerts {
				came = append(came, a.Labels["shard"])
			}
		}
		if slices.Sort(came); !slices.Equal(slices.Compact(came), shards) {
			return fmt.Errorf("alerts of shards %v came", came)
		}
		return nil
	})
	t.Logf("the alert of each shard came to the receiver of its rule within %s", took)
	g.await(2*time.Minute, ps, v1alpha1.ConditionAlertPathHealthy, metav1.ConditionTrue, "")
	c, _ := g.await(2*time.Minute, ps, v1alpha1.ConditionRemoteWriteHealthy, metav1.ConditionTrue, v1alpha1.ReasonArriving)
	t.Log(c.Message)

	took = eventually(t, time.Minute, func() error {
		// Both evaluate the same rule, and each scrapes its own processes.
		for _, expr := range []string{`up{job="prometheus",prometheus=%q} == 1`, `ALERTS{alertname="Each",prometheus=%q}`} {
			found, err := through(central).query(t.Context(), fmt.Sprintf(expr, ps.Namespace+"/"+ps.Name))
			if err != nil {
				return err
			}
			var of []string
			for _, s := range found {
				of = append(of, s.Metric["shard"])
			}
			if slices.Sort(of); !slices.Equal(of, shards) {
				return fmt.Errorf("%s: the receiver has those of shards %v", expr, of)
			}
		}
		return nil
	})
	t.Logf("what they scrape, and what fires, is at the other server once for each shard, after %s", took)
}

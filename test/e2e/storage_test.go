package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// A claim grows below a Prometheus that goes on, and retention changes without a restart.
func TestStorage(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	ps := g.server()
	g.create(ps)
	g.await(2*time.Minute, ps, v1alpha1.ConditionTargetsHealthy, metav1.ConditionTrue, "")
	server := through(ps)
	first := server.value(t, `min_over_time(timestamp(up{job="prometheus"})[5m:1s])`).Value.float()
	before := lives(g.pods(ps))
	t.Logf("the first sample is of %s; %v", moment(first), before)

	t.Run("grows", func(t *testing.T) { g.in(t).grows(ps) })
	t.Run("shrinking is refused", func(t *testing.T) {
		g := g.in(t)
		var err error
		eventually(t, time.Minute, func() error {
			must(t, g.get(ps))
			ps.Spec.Storage.Size = resource.MustParse("300Mi")
			if err = kube.api.Update(t.Context(), ps); apierrors.IsConflict(err) {
				return err // a status was written in between
			}
			return nil
		})
		t.Log(err)
		if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "storage.size") || !strings.Contains(err.Error(), "cannot shrink") {
			t.Errorf("shrinking was not refused with a reason")
		}
	})
	t.Run("retention", func(t *testing.T) {
		g := g.in(t)
		was := g.retention(server)
		change(g, ps, func(ps *v1alpha1.PrometheusServer) { ps.Spec.Retention.Time = "3d" })
		took := eventually(t, time.Minute, func() error {
			if now := g.retention(server); !strings.HasPrefix(now, "3d") {
				return fmt.Errorf("storageRetention is %s", now)
			}
			return nil
		})
		t.Logf("storageRetention was %s, is %s after %s", was, g.retention(server), took)
		g.await(30*time.Second, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	})
	if diff := cmp.Diff(before, lives(g.pods(ps))); diff != "" {
		t.Errorf("the pod was restarted or replaced:\n%s", diff)
	}
	old, err := server.query(t.Context(), fmt.Sprintf(`up{job="prometheus"} @ %f`, first+0.1))
	must(t, err)
	// Whether the first scrape went well is another question.
	if len(old) != 1 {
		t.Errorf("the sample of %s is gone: %v", moment(first), old)
	}
	// At least a second: the test can be here before the second sample is, and a range of nothing is no query.
	since := max(1, int(float64(time.Now().Unix())-first))
	gaps := server.value(t, fmt.Sprintf(`max_over_time((time() - timestamp(up{job="prometheus"}))[%ds:1s])`, since))
	t.Logf("all samples since %s are there, the longest gap is %.1f s", moment(first), gaps.Value.float())
	if gaps.Value.float() > 10 {
		t.Errorf("nothing was scraped for %.1f s", gaps.Value.float())
	}
}

func moment(seconds float64) string {
	return time.UnixMilli(int64(seconds * 1000)).UTC().Format(time.TimeOnly)
}

// grows raises the size and waits for the claim, the StatefulSet and the status.
func (g *ground) grows(ps *v1alpha1.PrometheusServer) {
	g.t.Helper()
	size := resource.MustParse("512Mi")
	change(g, ps, func(ps *v1alpha1.PrometheusServer) { ps.Spec.Storage.Size = size })
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: ps.Namespace, Name: "data-prometheus-main-0"}}
	took := eventually(g.t, time.Minute, func() error {
		if err := g.get(claim); err != nil {
			return err
		}
		if capacity := claim.Status.Capacity[corev1.ResourceStorage]; capacity.Cmp(size) != 0 {
			return fmt.Errorf("the claim asks for %v and has %s", claim.Spec.Resources.Requests, capacity.String())
		}
		return nil
	})
	g.t.Logf("the claim has %s after %s", size.String(), took)
	set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: ps.Namespace, Name: "prometheus-main"}}
	took = eventually(g.t, time.Minute, func() error {
		if err := g.get(set); err != nil {
			return err
		}
		if has := set.Spec.VolumeClaimTemplates[0].Spec.Resources.Requests[corev1.ResourceStorage]; has.Cmp(size) != 0 {
			return fmt.Errorf("the StatefulSet still makes claims of %s", has.String())
		}
		return nil
	})
	g.t.Logf("the StatefulSet makes such claims after another %s", took)
	g.await(30*time.Second, ps, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	eventually(g.t, 10*time.Second, func() error {
		if err := g.get(ps); err != nil {
			return err
		}
		if s := ps.Status.Storage; len(s) != 1 || s[0].Capacity == nil || s[0].Capacity.Cmp(size) != 0 {
			return fmt.Errorf("status.storage is %s", text(s))
		}
		return nil
	})
	g.t.Logf("status.storage %s", text(ps.Status.Storage))
}

func (g *ground) retention(server prometheus) string {
	g.t.Helper()
	var info struct{ StorageRetention string }
	eventually(g.t, 10*time.Second, func() error { return server.api(g.t.Context(), "/api/v1/status/runtimeinfo", nil, &info) })
	return info.StorageRetention
}

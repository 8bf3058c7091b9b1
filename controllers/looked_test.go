package controllers

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/admission"
	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// TestLooksAtWhatChanged: after any number of changes, looking at those alone comes to the same as looking at everything.
func TestLooksAtWhatChanged(t *testing.T) {
	c := newCluster(t)
	r := &PrometheusServerReconciler{Client: c.manager.GetClient(), Verdicts: NewVerdicts(&admission.Recent{})}
	drain(t, r.Verdicts)
	random := rand.New(rand.NewPCG(1, 2))
	there := map[string]bool{}
	for round := range 12 {
		for range 4 {
			c.change(t, r.Verdicts, fmt.Sprintf("rules-%d", random.IntN(8)), there, random.IntN(3))
		}
		before := r.looked.all
		kept := fmt.Sprint(before)
		some, err := r.alertRules(t.Context())
		must(t, err)
		all, err := r.lookAtAll(t.Context())
		must(t, err)
		same := []cmp.Option{cmp.AllowUnexported(bundle.Content{}), cmpopts.EquateEmpty()}
		if diff := cmp.Diff(ours(c, all), ours(c, some), same...); diff != "" {
			t.Fatalf("round %d: -all +changed:\n%s", round, diff)
		}
		if fmt.Sprint(before) != kept {
			t.Fatalf("round %d: what other servers hold was changed", round)
		}
	}
}

// ours are those of the test's namespace: other tests may be at work in theirs.
func ours(c *cluster, all []*stack.AlertRule) []*stack.AlertRule {
	var out []*stack.AlertRule
	for _, ar := range all {
		if ar.Namespace == c.namespace {
			out = append(out, ar)
		}
	}
	return out
}

// drain takes the events that nobody waits for here.
func drain(t *testing.T, v *Verdicts) {
	go func() {
		for {
			select {
			case <-v.Events():
			case <-t.Context().Done():
				return
			}
		}
	}()
}

// change makes, relabels or deletes an AlertRule, as one of three, and notes it as the reconcilers do.
func (c *cluster) change(t *testing.T, v *Verdicts, name string, there map[string]bool, what int) {
	t.Helper()
	ar := &v1alpha1.AlertRule{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: groups("vector(1)")}
	key := client.ObjectKey{Namespace: c.namespace, Name: name}
	gone := func() error {
		if err := c.manager.GetClient().Get(t.Context(), key, &v1alpha1.AlertRule{}); client.IgnoreNotFound(err) != nil || err == nil {
			return fmt.Errorf("%s is still in the cache: %w", name, err)
		}
		return nil
	}
	switch {
	case !there[name]:
		c.create(t, ar)
	case what == 0:
		ar.Namespace = c.namespace
		must(t, c.api.Delete(t.Context(), ar))
		eventually(t, gone)
		v.TouchRule(ar)
		there[name] = false
		return
	default:
		c.get(t, name, ar)
		ar.Labels = map[string]string{"round": fmt.Sprint(time.Now().UnixNano())}
		if what == 1 {
			ar.Spec = groups(fmt.Sprintf("vector(%d)", time.Now().UnixNano()))
		}
		must(t, c.api.Update(t.Context(), ar))
	}
	there[name] = true
	cached := &v1alpha1.AlertRule{}
	eventually(t, func() error {
		err := c.manager.GetClient().Get(t.Context(), key, cached)
		if err == nil && cached.ResourceVersion != ar.ResourceVersion {
			err = fmt.Errorf("%s is not in the cache yet", name)
		}
		return err
	})
	v.TouchRule(cached)
	must(t, unpack(cached))
	v.Set(t.Context(), cached, v.Judge(cached))
}

func TestChangesAreForgottenAloud(t *testing.T) {
	var c changes
	for i := range uint64(3 * maxChanges) {
		c.note(i+1, types.NamespacedName{Name: fmt.Sprint(i + 1)})
	}
	newest, known := c.since(3*maxChanges - 2)
	if !known || len(newest) != 2 {
		t.Errorf("of the last two: %v, %t", newest, known)
	}
	if _, known := c.since(c.forgotten - 1); known || c.forgotten == 0 {
		t.Errorf("what was forgotten at %d is said to be known", c.forgotten)
	}
	if list, known := c.since(c.forgotten); !known || uint64(len(list)) != 3*maxChanges-c.forgotten {
		t.Errorf("%d since %d, %t", len(list), c.forgotten, known)
	}
}

// TestOneStatusForARevision: one that arrives soon is said once, one that does not is said to be on its way.
func TestOneStatusForARevision(t *testing.T) {
	at := time.Unix(1e9, 0)
	of := func(ready metav1.ConditionStatus, loaded string) v1alpha1.PrometheusServerStatus {
		return v1alpha1.PrometheusServerStatus{Conditions: []metav1.Condition{
			{Type: v1alpha1.ConditionReady, Status: ready}, {Type: v1alpha1.ConditionLoaded, Reason: loaded}}}
	}
	server := &v1alpha1.PrometheusServer{Status: of(metav1.ConditionTrue, v1alpha1.ReasonLoaded)}
	loading, loaded := of(metav1.ConditionTrue, v1alpha1.ReasonLoading), of(metav1.ConditionTrue, v1alpha1.ReasonLoaded)
	var a arriving
	for _, step := range []struct {
		what   string
		status v1alpha1.PrometheusServerStatus
		after  time.Duration
		want   time.Duration
	}{
		{"published", loading, 0, settleTime},
		{"a moment later", loading, time.Second, settleTime - time.Second},
		{"loaded", loaded, time.Second, 0},
		{"the next one", loading, time.Minute, settleTime},
		{"that takes its time", loading, settleTime, 0},
		{"and more come", loading, time.Second, settleTime - time.Second},
		{"the server is not ready any more", of(metav1.ConditionFalse, v1alpha1.ReasonLoading), 0, 0},
		{"it is refused", of(metav1.ConditionTrue, v1alpha1.ReasonLoadFailed), 0, 0},
	} {
		at = at.Add(step.after)
		if got := a.wait(server, step.status, at); max(got, 0) != step.want {
			t.Errorf("%s: wait %s, want %s", step.what, got, step.want)
		}
	}
	edited := server.DeepCopy()
	edited.Generation++
	if got := new(arriving).wait(edited, loading, at); got > 0 {
		t.Errorf("another spec: wait %s", got)
	}
}

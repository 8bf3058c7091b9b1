package stack_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/stack/stacktest"
)

// TestSpread: more shards get their part of the targets once all of them are up, and fewer give theirs back at once.
func TestSpread(t *testing.T) {
	published := func(shards int32) *bundle.Manifest { return &bundle.Manifest{Revision: 3, Shards: shards} }
	for name, c := range map[string]struct {
		declared  int32
		published *bundle.Manifest
		up        []int32
		want      int32
	}{
		"one":                             {1, published(0), nil, 1},
		"new, and so nothing is scraped":  {3, nil, nil, 3},
		"more, and none of them is up":    {3, published(0), []int32{0}, 1},
		"more, and one of them is up":     {3, published(0), []int32{0, 2}, 1},
		"more, and all of them are up":    {3, published(0), []int32{0, 1, 2}, 3},
		"still more, and the last is not": {4, published(2), []int32{0, 1, 2}, 2},
		"the first one is away":           {3, published(0), []int32{1, 2}, 3},
		"one went away later":             {3, published(3), []int32{0}, 3},
		"fewer":                           {2, published(3), []int32{0}, 2},
		"one again":                       {1, published(3), nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			ps := &v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "main"}}
			ps.Spec.Shards = &c.declared
			in := stack.Inputs{Server: ps, Images: stacktest.Images(), ShardsUp: c.up}
			in.Published.Manifest = c.published
			s, errs := stack.Resolve(in)
			if len(errs) > 0 {
				t.Fatal(errs.ToAggregate())
			}
			if s.Spread != c.want || s.Shards != c.declared {
				t.Errorf("targets of %d shards are distributed over %d, want %d", s.Shards, s.Spread, c.want)
			}
		})
	}
}

func TestShardNames(t *testing.T) {
	if got, want := []string{stack.ShardBase("main", 0), stack.ShardBase("main", 12)}, []string{"prometheus-main", "prometheus-main-shard-12"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	type of struct {
		Shard int32
		OK    bool
	}
	for pod, want := range map[string]of{
		"prometheus-main-0":              {0, true},
		"prometheus-main-11":             {0, true},
		"prometheus-main-shard-1-0":      {1, true},
		"prometheus-main-shard-12-3":     {12, true},
		"prometheus-main":                {},
		"prometheus-main-":               {},
		"prometheus-main-shard-1":        {},
		"prometheus-main-shard-0-0":      {}, // that has another name
		"prometheus-main-shard-x-0":      {},
		"prometheus-main-other-0":        {},
		"prometheus-main-shard-1-2-3":    {},
		"prometheus-mainly-0":            {},
		"prometheus-other-0":             {},
		"data-prometheus-main-shard-1-0": {},
	} {
		shard, ok := stack.ShardOfPod("prometheus-main", pod)
		if diff := cmp.Diff(want, of{shard, ok}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", pod, diff)
		}
	}
}

// TestShardLabel: it is there with shards, and can be done without.
func TestShardLabel(t *testing.T) {
	ps := &v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "main"}}
	labels := func() string {
		t.Helper()
		s, errs := stack.Resolve(stack.Inputs{Server: ps, Images: stacktest.Images()})
		if len(errs) > 0 {
			t.Fatal(errs.ToAggregate())
		}
		return s.Global.ExternalLabels["shard"]
	}
	if got := labels(); got != "" {
		t.Errorf("without shards it is %q", got)
	}
	ps.Spec.Shards = new(int32(2))
	if got := labels(); got != stack.ShardNumber {
		t.Errorf("with shards it is %q", got)
	}
	ps.Spec.ExternalLabels = map[string]string{"shard": ""}
	if got := labels(); got != "" {
		t.Errorf("taken away, it is %q", got)
	}
}

package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// maxChanges is how many changes of AlertRules are remembered one by one. Who missed more of them looks at all.
const maxChanges = 1024

// changes is which AlertRules were judged or touched, in order. Of ten thousand, an edit is about one.
type changes struct {
	list []ruleChange
	// forgotten is the newest version of which the change is no longer in the list.
	forgotten uint64
}

type ruleChange struct {
	version uint64
	rule    types.NamespacedName
}

func (c *changes) note(version uint64, rule types.NamespacedName) {
	if len(c.list) == maxChanges {
		c.forgotten = c.list[maxChanges/2-1].version
		c.list = slices.Delete(c.list, 0, maxChanges/2)
	}
	c.list = append(c.list, ruleChange{version, rule})
}

// since are the rules that changed after a version, and whether that is known.
func (c *changes) since(version uint64) ([]types.NamespacedName, bool) {
	if version < c.forgotten {
		return nil, false
	}
	var out []types.NamespacedName
	for i := len(c.list) - 1; i >= 0 && c.list[i].version > version; i-- {
		out = append(out, c.list[i].rule)
	}
	return out, true
}

// looked is what the last look at all AlertRules has seen, for all servers.
type looked struct {
	mu      sync.Mutex
	version uint64
	// all is by namespace and name, and never changed: servers resolve it beside each other. It is nil before the first look.
	all []*stack.AlertRule
}

// alertRules are all there are, with the verdicts on them, by namespace and name. Only what has changed since the last look
// is looked at again. A generation without a verdict changes nothing yet: what was known of the AlertRule before it stays.
func (r *PrometheusServerReconciler) alertRules(ctx context.Context) ([]*stack.AlertRule, error) {
	l := &r.looked
	l.mu.Lock()
	defer l.mu.Unlock()
	// Before anything is read, so that what changes meanwhile is looked at again.
	version := r.Verdicts.Version()
	changed, known := r.Verdicts.ChangedSince(l.version)
	var err error
	all := l.all
	switch {
	case all == nil || !known:
		all, err = r.lookAtAll(ctx)
	case len(changed) > 0:
		all, err = r.lookAtSome(ctx, all, changed)
	}
	if err != nil {
		return nil, err
	}
	l.all, l.version = all, version
	return all, nil
}

// lookAtAll copies nothing of the cache.
func (r *PrometheusServerReconciler) lookAtAll(ctx context.Context) ([]*stack.AlertRule, error) {
	var list v1alpha1.AlertRuleList
	if err := r.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list AlertRules: %w", err)
	}
	out := r.Verdicts.Judged(list.Items)
	slices.SortFunc(out, func(a, b *stack.AlertRule) int {
		return compareNames(a, client.ObjectKey{Namespace: b.Namespace, Name: b.Name})
	})
	return out, nil
}

func (r *PrometheusServerReconciler) lookAtSome(ctx context.Context, all []*stack.AlertRule, changed []types.NamespacedName) ([]*stack.AlertRule, error) {
	all = slices.Clone(all)
	for _, rule := range changed {
		var ar v1alpha1.AlertRule
		err := r.Get(ctx, rule, &ar, client.UnsafeDisableDeepCopy)
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("get AlertRule %s: %w", rule, err)
		}
		var now []*stack.AlertRule // none, if it is gone or on its way out
		if err == nil {
			now = r.Verdicts.Judged([]v1alpha1.AlertRule{ar})
		}
		i, found := slices.BinarySearchFunc(all, rule, compareNames)
		end := i
		if found {
			end++
		}
		all = slices.Replace(all, i, end, now...)
	}
	return all, nil
}

func compareNames(ar *stack.AlertRule, rule types.NamespacedName) int {
	return cmp.Or(cmp.Compare(ar.Namespace, rule.Namespace), cmp.Compare(ar.Name, rule.Name))
}

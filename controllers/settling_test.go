package controllers

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/status"
)

// The status of one AlertRule is written when it has arrived, or when it takes long. In a burst those that have arrived leave
// what their statuses cost to the others, until these have arrived too.
func TestSettling(t *testing.T) {
	rule := func(i int) *v1alpha1.AlertRule {
		return &v1alpha1.AlertRule{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprint("rule-", i)}}
	}
	underway := status.Rule{Servers: []status.RuleServer{{Name: "main"}}}
	arrived := status.Rule{Servers: []status.RuleServer{{Name: "main", Loaded: true}}}
	between := func(what string, got, least, most time.Duration) {
		t.Helper()
		if got < least || got > most {
			t.Errorf("%s waits %s, want %s to %s", what, got, least, most)
		}
	}
	var s settling
	between("one that was loaded before", s.wait(rule(0), arrived), 0, 0)
	between("one on its way", s.wait(rule(0), underway), settleTime-time.Second, settleTime)
	between("one that has arrived", s.wait(rule(0), arrived), 0, 0)
	s.wait(rule(0), underway)
	s.since[client.ObjectKeyFromObject(rule(0))] = onItsWay{since: time.Now().Add(-time.Minute)}
	between("one that takes long", s.wait(rule(0), underway), -time.Hour, 0)
	s.forget(client.ObjectKeyFromObject(rule(0)))

	const burst = 3 * settleMany
	for i := range burst {
		s.wait(rule(i), underway)
	}
	between("one of a burst", s.wait(rule(0), underway), 4*settleTime-time.Second, 4*settleTime)
	between("one of a burst that has arrived", s.wait(rule(0), arrived), 3*settleTime-time.Second, 3*settleTime)
	between("another, which was no part of it", s.wait(rule(burst), arrived), 0, 0)
	for i := range burst - 10 {
		s.wait(rule(i), arrived)
	}
	between("the first, when few are left", s.wait(rule(0), arrived), 0, 0)
	for i := range burst {
		between("the end", s.wait(rule(i), arrived), 0, 0)
	}
	if len(s.since) != 0 || s.many != 0 {
		t.Errorf("%d are remembered, %d on their way", len(s.since), s.many)
	}
}

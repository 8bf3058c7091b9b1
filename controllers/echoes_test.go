package controllers

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

// at is an object in one version.
func at(version string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{UID: "u", ResourceVersion: version}}
}

// eachEcho runs steps, each with echoes of its own. comes says whether the event of an update passes.
func eachEcho(t *testing.T, all map[string]func(e *echoes, comes func(version string) bool)) {
	t.Helper()
	for name, steps := range all {
		t.Run(name, func(t *testing.T) {
			var e echoes
			others := e.others()
			steps(&e, func(version string) bool {
				return others.Update(event.UpdateEvent{ObjectOld: at("0"), ObjectNew: at(version)})
			})
			if !others.Delete(event.DeleteEvent{Object: at("9")}) || len(e.writes) > 0 {
				t.Error("that it was deleted is no news, or it is remembered")
			}
		})
	}
}

// TestEchoesAreNoNews: an own write is none when it comes back, and what others write is.
func TestEchoesAreNoNews(t *testing.T) {
	eachEcho(t, map[string]func(e *echoes, comes func(version string) bool){
		"never written": func(e *echoes, comes func(string) bool) {
			if stale, _ := e.wait(at("1")); stale || !comes("1") || !comes("2") {
				t.Error("what nobody wrote is waited for, or not heard")
			}
		},
		"written and heard": func(e *echoes, comes func(string) bool) {
			e.wrote(at("5"))
			if comes("5") || !comes("6") {
				t.Error("the own write is news, or the next one of somebody else is not")
			}
			if stale, _ := e.wait(at("6")); stale {
				t.Error("a newer object is taken for an old one")
			}
		},
		"somebody else's comes between": func(e *echoes, comes func(string) bool) {
			e.wrote(at("5"))
			if !comes("4") || comes("5") {
				t.Error("another write is taken for the own one")
			}
		},
		"heard before the answer": func(e *echoes, comes func(string) bool) {
			if !comes("5") {
				t.Error("it is nobody's yet, and no news")
			}
			e.wrote(at("5"))
			if stale, _ := e.wait(at("5")); stale {
				t.Error("waits for what has come already")
			}
		},
		"written without a change": func(e *echoes, comes func(string) bool) {
			e.wrote(at("5"))
			comes("5")
			e.wrote(at("5"))
			if stale, _ := e.wait(at("5")); stale || !comes("6") {
				t.Error("waits for an event that never comes")
			}
		},
	})
	var none *echoes
	none.wrote(at("1"))
}

// TestEchoesAreWaitedFor: no reconcile starts from what was there before a write, and none is turned away without being begun
// again.
func TestEchoesAreWaitedFor(t *testing.T) {
	eachEcho(t, map[string]func(e *echoes, comes func(version string) bool){
		"turned away": func(e *echoes, comes func(string) bool) {
			e.wrote(at("10"))
			if stale, result := e.wait(at("9")); !stale || result.RequeueAfter != 0 {
				t.Errorf("9 is behind 10, and what comes begins it again: %t, %v", stale, result)
			}
			if !comes("10") || !comes("11") {
				t.Error("who was turned away is not called again")
			}
		},
		"read before, heard since": func(e *echoes, comes func(string) bool) {
			e.wrote(at("5"))
			comes("5")
			if stale, result := e.wait(at("4")); !stale || result.RequeueAfter == 0 {
				t.Errorf("nothing begins this reconcile again: %t, %v", stale, result)
			}
		},
		"written twice": func(e *echoes, comes func(string) bool) {
			e.wrote(at("5"))
			e.wrote(at("6"))
			if stale, _ := e.wait(at("5")); !stale {
				t.Error("5 is behind 6")
			}
			if !comes("5") || !comes("6") {
				t.Error("who was turned away is not called again")
			}
		},
	})
}

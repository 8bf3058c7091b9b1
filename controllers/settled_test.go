package controllers

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestSameObject: a part of a configuration that is wanted otherwise in anything is seen, and one that is wanted the same is not.
func TestSameObject(t *testing.T) {
	part := func() *corev1.ConfigMap {
		return &corev1.ConfigMap{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
			ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "b", Labels: map[string]string{"c": "d"}},
			Data:       map[string]string{"e": "f"}, BinaryData: map[string][]byte{"g": []byte("h")},
		}
	}
	before := part()
	if !sameObject(before, part()) || !sameObject(&corev1.Service{}, &corev1.Service{}) {
		t.Error("the same is not the same")
	}
	immutable := true
	for what, change := range map[string]func(*corev1.ConfigMap){
		"name":        func(c *corev1.ConfigMap) { c.Name = "x" },
		"label":       func(c *corev1.ConfigMap) { c.Labels["c"] = "x" },
		"annotations": func(c *corev1.ConfigMap) { c.Annotations = map[string]string{"c": "d"} },
		"data":        func(c *corev1.ConfigMap) { c.Data["e"] = "x" },
		"key":         func(c *corev1.ConfigMap) { c.BinaryData["x"] = nil },
		"bytes":       func(c *corev1.ConfigMap) { c.BinaryData["g"] = []byte("x") },
		"immutable":   func(c *corev1.ConfigMap) { c.Immutable = &immutable },
	} {
		now := part()
		if change(now); sameObject(before, now) {
			t.Errorf("another %s is the same", what)
		}
	}
	if before.Labels == nil || before.Data == nil || sameObject(before, &corev1.Service{}) {
		t.Error("comparing changes what is compared, or takes another kind for the same")
	}
}

package main

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/bundle"
)

// observer watches what is written, as the operator and the reloader do, and notes when it hears of it.
type observer struct {
	mu       sync.Mutex
	manifest bundle.Manifest
	at       map[string]time.Time // of the last event: rule, bucket, manifest
	writes   map[string]int       // by kind, those of the bench itself among them
	rules    map[string]int64     // generations
}

func observe(ctx context.Context, api client.WithWatch) (*observer, error) {
	o := &observer{at: map[string]time.Time{}, writes: map[string]int{}, rules: map[string]int64{}}
	for _, list := range []client.ObjectList{&corev1.ConfigMapList{}, &v1alpha1.AlertRuleList{}, &v1alpha1.PrometheusServerList{}} {
		if err := o.follow(ctx, api, list); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func (o *observer) follow(ctx context.Context, api client.WithWatch, list client.ObjectList) error {
	fresh, ok := list.DeepCopyObject().(client.ObjectList)
	if !ok {
		return errors.New("a list is no list")
	}
	w, err := api.Watch(ctx, fresh, client.InNamespace(namespace))
	if err != nil {
		return err
	}
	go func() {
		for ctx.Err() == nil {
			for e := range w.ResultChan() {
				o.note(e)
			}
			// The API ends a watch after a while. What is there already comes as added, and is not counted.
			if w, err = api.Watch(ctx, fresh, client.InNamespace(namespace)); err != nil {
				return
			}
		}
	}()
	return nil
}

func (o *observer) note(e watch.Event) {
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	switch object := e.Object.(type) {
	case *corev1.ConfigMap:
		what := "bucket"
		if strings.HasSuffix(object.Name, "-config") {
			what = "manifest"
			if m, err := bundle.ParseManifest([]byte(object.Data[bundle.ManifestKey])); err == nil {
				o.manifest = m
			}
		}
		o.at[what] = now
		o.count(e, what)
	case *v1alpha1.AlertRule:
		if o.rules[object.Name] == object.Generation && e.Type == watch.Modified {
			o.count(e, "AlertRule status")
			return
		}
		o.rules[object.Name] = object.Generation
		o.at["rule"] = now
	case *v1alpha1.PrometheusServer:
		o.count(e, "PrometheusServer status")
	}
}

func (o *observer) count(e watch.Event, what string) {
	if e.Type == watch.Modified {
		o.writes[what]++
	}
}

func (o *observer) published() bundle.Manifest {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.manifest
}

func (o *observer) times() map[string]time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.at)
}

func (o *observer) written() map[string]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.writes)
}

package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/hearth-monitoring/hearth/internal/bundle"
)

// What an Observer calls what is published.
const (
	Part     = "part"
	Manifest = "manifest"
)

// Observer watches what is written, as the operator and the reloader do, and notes when it hears of it.
type Observer struct {
	api client.WithWatch

	mu       sync.Mutex
	manifest bundle.Manifest
	at       map[string]time.Time // of the last event, by kind
	events   []time.Time          // of all kinds, in order
	writes   map[string]int       // by kind
	known    map[string]int64     // generations, by kind and name
}

// Observe watches what is published in the bench's namespace, and the server's status.
func (c *Cluster) Observe(ctx context.Context, servers client.ObjectList) error {
	o := &Observer{api: c.API, at: map[string]time.Time{}, writes: map[string]int{}, known: map[string]int64{}}
	c.Seen = o
	return errors.Join(o.Follow(ctx, &corev1.ConfigMapList{}, client.InNamespace(c.Namespace)), o.Follow(ctx, servers, client.InNamespace(c.Namespace)))
}

// Follow watches these objects too. A write of one that makes no new generation is a write of its status. Of ten thousand only the
// metadata are read: a client that is too slow for what is written is cut off by the API server, and costs it more than all others.
func (o *Observer) Follow(ctx context.Context, list client.ObjectList, where ...client.ListOption) error {
	gvk, err := apiutil.GVKForObject(list, o.api.Scheme())
	if err != nil {
		return err
	}
	kind := strings.TrimSuffix(gvk.Kind, "List")
	if _, whole := list.(*corev1.ConfigMapList); !whole {
		metadata := &metav1.PartialObjectMetadataList{}
		metadata.SetGroupVersionKind(gvk)
		list = metadata
	}
	w, err := o.api.Watch(ctx, list, where...)
	if err != nil {
		return err
	}
	go func() {
		for ctx.Err() == nil {
			version := o.follow(w, kind)
			// The API ends a watch after a while. Where it can't go on, what is there comes as added, and is not counted.
			if w, err = o.api.Watch(ctx, list, append(where, &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: version}})...); err != nil {
				return
			}
		}
	}()
	return nil
}

// follow notes events until there are no more, and returns the version of the last object, empty if that is too old to go on from.
func (o *Observer) follow(w watch.Interface, kind string) (version string) {
	for e := range w.ResultChan() {
		object, ok := e.Object.(client.Object)
		if !ok {
			return ""
		}
		version = object.GetResourceVersion()
		o.note(e.Type, kind, object)
	}
	return version
}

func (o *Observer) note(event watch.EventType, kind string, object client.Object) {
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, now)
	if cm, is := object.(*corev1.ConfigMap); is {
		what := Part
		if strings.HasSuffix(cm.Name, "-config") {
			what = Manifest
			if m, err := bundle.ParseManifest([]byte(cm.Data[bundle.ManifestKey])); err == nil {
				o.manifest = m
			}
		}
		o.at[what] = now
		o.count(event, what)
		return
	}
	key := fmt.Sprintf("%s %s/%s", kind, object.GetNamespace(), object.GetName())
	if generation, known := o.known[key]; known && generation == object.GetGeneration() && event == watch.Modified {
		o.count(event, kind+" status")
		return
	}
	o.known[key] = object.GetGeneration()
	o.at[kind] = now
	if event == watch.Deleted {
		delete(o.known, key)
	}
}

func (o *Observer) count(event watch.EventType, what string) {
	if event == watch.Modified {
		o.writes[what]++
	}
}

// Published is the newest manifest.
func (o *Observer) Published() bundle.Manifest {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.manifest
}

// Times are when a declaration of each kind, a part and the manifest last changed.
func (o *Observer) Times() map[string]time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.at)
}

// Written is how often each kind of status, the parts and the manifest were written.
func (o *Observer) Written() map[string]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.writes)
}

// heard are when something was heard of between two times, in order.
func (o *Observer) heard(from, to time.Time) []time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	first, _ := slices.BinarySearchFunc(o.events, from, time.Time.Compare)
	end, _ := slices.BinarySearchFunc(o.events, to, time.Time.Compare)
	return slices.Clone(o.events[first:end])
}

// Settled waits until nothing was written for this long.
func (o *Observer) Settled(ctx context.Context, limit, quiet time.Duration) error {
	last, since := o.Written(), time.Now()
	return Until(ctx, limit, "nothing is written", func(context.Context) error {
		now := o.Written()
		if !maps.Equal(last, now) {
			last, since = now, time.Now()
		}
		if time.Since(since) < quiet {
			return fmt.Errorf("written so far: %v", now)
		}
		return nil
	})
}

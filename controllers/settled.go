package controllers

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// settled are children of one owner that were found as they are wanted, by kind and name. One that is still wanted the same
// and still has the resourceVersion it had then is so still: comparing it again, field by field, would cost milliseconds for
// each of a hundred buckets of rules. A nil map remembers nothing.
type settled map[string]settledChild

type settledChild struct {
	wanted  client.Object
	uid     types.UID
	version string
}

// note remembers a child that is as it is wanted.
func (s settled) note(c *child) {
	if s != nil {
		s[c.gvk.Kind+"/"+c.object.GetName()] = settledChild{wanted: c.wanted, uid: c.live.GetUID(), version: c.live.GetResourceVersion()}
	}
}

// open are those objects of which it is not known that they are settled. What is no longer wanted is forgotten.
func (a *applier) open(ctx context.Context, owner client.Object, desired []client.Object) ([]client.Object, error) {
	var open []client.Object
	seen := make(map[string]bool, len(desired))
	for _, object := range desired {
		key, err := a.key(object)
		if err != nil {
			return nil, err
		}
		if seen[key] {
			return nil, fmt.Errorf("%s is wanted twice", key)
		}
		seen[key] = true
		is, err := a.isSettled(ctx, owner.GetNamespace(), key, object)
		if err != nil {
			return nil, err
		}
		if !is {
			open = append(open, object)
		}
	}
	for key := range a.settled {
		if !seen[key] {
			delete(a.settled, key)
		}
	}
	return open, nil
}

func (a *applier) isSettled(ctx context.Context, namespace, key string, object client.Object) (bool, error) {
	known, ok := a.settled[key]
	if !ok || !sameObject(known.wanted, object) {
		return false, nil
	}
	live, ok := reflect.New(reflect.TypeOf(object).Elem()).Interface().(client.Object)
	if !ok {
		return false, nil
	}
	err := a.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: object.GetName()}, live, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("get %s: %w", key, err)
	}
	return live.GetUID() == known.uid && live.GetResourceVersion() == known.version, nil
}

// sameObject says whether both are wanted the same. Most of a server's children are parts of its configuration, and those are compared in
// no time: where nothing has changed, both are the same bytes in memory.
func sameObject(a, b client.Object) bool {
	part, ok := a.(*corev1.ConfigMap)
	other, both := b.(*corev1.ConfigMap)
	if !ok || !both {
		return reflect.DeepEqual(a, b)
	}
	if !maps.Equal(part.Labels, other.Labels) || !maps.Equal(part.Data, other.Data) || !maps.EqualFunc(part.BinaryData, other.BinaryData, bytes.Equal) {
		return false
	}
	rest, otherRest := *part, *other
	for _, c := range []*corev1.ConfigMap{&rest, &otherRest} {
		c.Labels, c.Data, c.BinaryData = nil, nil, nil
	}
	return reflect.DeepEqual(rest, otherRest)
}

// key names an object among the children of one owner.
func (a *applier) key(object client.Object) (string, error) {
	gvk, err := apiutil.GVKForObject(object, a.client.Scheme())
	if err != nil {
		return "", err
	}
	return gvk.Kind + "/" + object.GetName(), nil
}

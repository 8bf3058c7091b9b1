package controllers

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

// note remembers a child that is, in live, as it is wanted.
func (s settled) note(c *child, live metav1.Object) {
	if s != nil {
		s[c.gvk.Kind+"/"+c.object.GetName()] = settledChild{wanted: c.wanted, uid: live.GetUID(), version: live.GetResourceVersion()}
	}
}

// open are those objects of which it is not known that they are settled; live is what the owner has, by kind and name. What is
// no longer wanted is forgotten.
func (a *applier) open(desired []client.Object, live map[string]client.Object) (open []client.Object, wanted map[string]bool, err error) {
	wanted = make(map[string]bool, len(desired))
	for _, object := range desired {
		key, err := a.key(object)
		if err != nil {
			return nil, nil, err
		}
		if wanted[key] {
			return nil, nil, fmt.Errorf("%s is wanted twice", key)
		}
		wanted[key] = true
		known, ok := a.settled[key]
		now := live[key]
		if !ok || now == nil || now.GetUID() != known.uid || now.GetResourceVersion() != known.version || !sameObject(known.wanted, object) {
			open = append(open, object)
		}
	}
	for key := range a.settled {
		if !wanted[key] {
			delete(a.settled, key)
		}
	}
	return open, wanted, nil
}

// sameObject says whether both are wanted the same. Most of a server's children are parts of its configuration, and those are compared in
// no time: where nothing has changed, both are the very same object, or at least the same bytes in memory.
func sameObject(a, b client.Object) bool {
	if a == b {
		return true
	}
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

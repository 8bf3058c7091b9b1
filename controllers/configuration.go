package controllers

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/hearth-monitoring/hearth/internal/stack"
)

// child is one object that an owner wants, and what there is of it.
type child struct {
	gvk    schema.GroupVersionKind
	wanted client.Object              // as its builder made it
	object client.Object              // the same with Hearth's marks
	config *unstructured.Unstructured // what is sent: object without what nobody set, plus the hash
	hash   string                     // of config, without the hash itself
	live   client.Object              // as the cluster has it; nil if it does not exist
}

func (c *child) String() string { return fmt.Sprintf("%s %q", c.gvk.Kind, c.object.GetName()) }

// newChild marks a copy of object as the owner's and works out its apply configuration.
func newChild(scheme *runtime.Scheme, owner, object client.Object) (*child, error) {
	ownerGVK, err := apiutil.GVKForObject(owner, scheme)
	if err != nil {
		return nil, err
	}
	c, err := newMarked(scheme, owner, object)
	if err != nil {
		return nil, err
	}
	if ns := c.object.GetNamespace(); ns != "" && ns != owner.GetNamespace() {
		return nil, fmt.Errorf("%s is for namespace %s, its owner is in %s", c, ns, owner.GetNamespace())
	}
	c.object.SetNamespace(owner.GetNamespace())
	c.object.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(owner, ownerGVK)})
	return c, c.configure()
}

// newBinding is newChild for a binding where no owner reference reaches. Its name has to say whose it is.
func newBinding(scheme *runtime.Scheme, owner, object client.Object) (*child, error) {
	c, err := newMarked(scheme, owner, object)
	if err != nil {
		return nil, err
	}
	namespace, name, ok := stack.BoundTo(object.GetName())
	if !ok || namespace != owner.GetNamespace() || name != owner.GetName() || object.GetNamespace() == owner.GetNamespace() {
		return nil, fmt.Errorf("%s in namespace %q is not for %s/%s", c, object.GetNamespace(), owner.GetNamespace(), owner.GetName())
	}
	return c, c.configure()
}

// newMarked is a copy of object with Hearth's labels.
func newMarked(scheme *runtime.Scheme, owner, object client.Object) (*child, error) {
	gvk, err := apiutil.GVKForObject(object, scheme)
	if err != nil {
		return nil, err
	}
	wanted := object
	object, ok := object.DeepCopyObject().(client.Object)
	if !ok {
		return nil, fmt.Errorf("a copy of %T is not an object", object)
	}
	object.GetObjectKind().SetGroupVersionKind(gvk)
	object.SetLabels(with(object.GetLabels(), map[string]string{
		stack.LabelManagedBy: stack.ManagedBy,
		stack.LabelOwnerUID:  string(owner.GetUID()),
	}))
	return &child{gvk: gvk, wanted: wanted, object: object}, nil
}

// kindOf is the kind of an object that its client may have left out.
func kindOf(scheme *runtime.Scheme, object client.Object) string {
	gvk, err := apiutil.GVKForObject(object, scheme)
	if err != nil {
		return fmt.Sprintf("%T", object)
	}
	return gvk.Kind
}

// configure works out config and hash from object.
func (c *child) configure() error {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(c.object)
	if err != nil {
		return fmt.Errorf("convert %s: %w", c, err)
	}
	dropUnset(reflect.ValueOf(c.object), fields)
	delete(fields, "status")
	text, err := json.Marshal(fields)
	if err != nil {
		return fmt.Errorf("hash %s: %w", c, err)
	}
	sum := sha256.Sum256(text)
	c.hash = hex.EncodeToString(sum[:16])
	c.config = &unstructured.Unstructured{Object: fields}
	c.config.SetAnnotations(with(c.config.GetAnnotations(), map[string]string{stack.AnnotationApplied: c.hash}))
	return nil
}

// dropUnset removes from out, which is the JSON form of v, what is there only because Go writes every struct that is not a
// pointer, set or not: `resources: {}`, `status: {...}`, `creationTimestamp: null`, `targetPort: 0`. Sent, these would be
// owned by Hearth, and defaulted by the API they would look like drift for ever. What is empty behind a pointer
// (`emptyDir: {}`, an empty selector) or is an element of a list was set by somebody and stays.
func dropUnset(v reflect.Value, out any) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			dropUnset(v.Elem(), out)
		}
	case reflect.Slice:
		if list, ok := out.([]any); ok { // a []byte is a string in out
			for i := range list {
				dropUnset(v.Index(i), list[i])
			}
		}
	case reflect.Map:
		if fields, ok := out.(map[string]any); ok {
			for entries := v.MapRange(); entries.Next(); {
				dropUnset(entries.Value(), fields[entries.Key().String()])
			}
		}
	case reflect.Struct:
		if fields, ok := out.(map[string]any); ok { // a Quantity, Time or IntOrString is a scalar in out
			dropUnsetFields(v, fields)
		}
	}
}

func dropUnsetFields(v reflect.Value, fields map[string]any) {
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" && field.Anonymous {
			dropUnset(value, fields)
			continue
		}
		out, ok := fields[name]
		if !ok {
			continue
		}
		dropUnset(value, out)
		if isUnset(value, out) {
			delete(fields, name)
		}
	}
}

func isUnset(v reflect.Value, out any) bool {
	if out == nil {
		return true
	}
	if v.Kind() != reflect.Struct {
		return false
	}
	fields, ok := out.(map[string]any)
	return v.IsZero() || ok && len(fields) == 0
}

// with returns a copy of m in which extra prevails.
func with(m, extra map[string]string) map[string]string {
	merged := make(map[string]string, len(m)+len(extra))
	for k, v := range m {
		merged[k] = v
	}
	for k, v := range extra {
		merged[k] = v
	}
	return merged
}

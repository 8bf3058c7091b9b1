package controllers

import (
	"encoding/json"
	"fmt"

	"github.com/klauspost/compress/s2"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// CacheOptions limits what the operator holds in memory to what it made: of the kinds it writes, and of pods and claims,
// only objects labelled as Hearth's. Its own three kinds are held whole, AlertRules packed. A foreign ConfigMap or Pod
// never gets in; an object that might exist without the label is looked up by name through the uncached reader.
func CacheOptions() cache.Options {
	hearths := labels.SelectorFromSet(labels.Set{stack.LabelManagedBy: stack.ManagedBy})
	byObject := map[client.Object]cache.ByObject{
		&corev1.Pod{}: {Label: hearths, Transform: trimPod},
		// Nobody asks who wrote which field of a claim, and these entries are a good part of its size.
		&corev1.PersistentVolumeClaim{}: {Label: hearths, Transform: cache.TransformStripManagedFields()},
		&v1alpha1.AlertRule{}:           {Transform: pack},
		&corev1.Node{}:                  {Transform: trimNode},
		definitions():                   {Transform: trimDefinition},
	}
	for _, obj := range append(ownedTypes(), &rbacv1.ClusterRoleBinding{}) {
		// The field managers stay here: belongsTo reads them.
		byObject[obj] = cache.ByObject{Label: hearths}
	}
	return cache.Options{ByObject: byObject}
}

// definitions are CustomResourceDefinitions, of which only the names matter.
func definitions() *metav1.PartialObjectMetadata {
	out := &metav1.PartialObjectMetadata{}
	out.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	return out
}

func trimDefinition(in any) (any, error) {
	if d, ok := in.(*metav1.PartialObjectMetadata); ok {
		d.Labels, d.Annotations, d.ManagedFields = nil, nil, nil
	}
	return in, nil
}

// packedSpec is where a cached AlertRule has its spec. The API takes no annotation of such a name, so it is nobody else's.
const packedSpec = "packed spec"

// lastApplied is the whole object once more.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

var _ toolscache.TransformFunc = pack

// pack packs the spec of an AlertRule. A spec is read once for each of its generations, and ten thousand of them as Go structs take
// ten times the memory.
func pack(in any) (any, error) {
	ar, ok := in.(*v1alpha1.AlertRule)
	if !ok {
		return in, nil
	}
	if _, packed := ar.Annotations[packedSpec]; packed {
		return in, nil // a cache may hand the same object in twice
	}
	text, err := json.Marshal(ar.Spec)
	if err != nil {
		return nil, fmt.Errorf("pack AlertRule %s/%s: %w", ar.Namespace, ar.Name, err)
	}
	if ar.Annotations == nil {
		ar.Annotations = map[string]string{}
	}
	delete(ar.Annotations, lastApplied)
	ar.Annotations[packedSpec] = string(s2.Encode(nil, text))
	ar.ManagedFields, ar.Spec = nil, v1alpha1.AlertRuleSpec{}
	return ar, nil
}

// unpack gives a copy of a cached AlertRule its spec back. Until then its spec is empty.
func unpack(ar *v1alpha1.AlertRule) error {
	packed, ok := ar.Annotations[packedSpec]
	if !ok {
		return nil
	}
	delete(ar.Annotations, packedSpec)
	text, err := s2.Decode(nil, []byte(packed))
	if err == nil {
		err = json.Unmarshal(text, &ar.Spec)
	}
	if err != nil {
		return fmt.Errorf("unpack AlertRule %s/%s: %w", ar.Namespace, ar.Name, err)
	}
	return nil
}

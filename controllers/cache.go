package controllers

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/internal/stack"
)

// CacheOptions limits what the operator holds in memory to what it made: of the kinds it writes, and of pods and claims,
// only objects labelled as Hearth's. Its own three kinds are held whole. A foreign ConfigMap or Pod never gets in; an
// object that might exist without the label is looked up by name through the uncached reader.
func CacheOptions() cache.Options {
	hearths := labels.SelectorFromSet(labels.Set{stack.LabelManagedBy: stack.ManagedBy})
	byObject := map[client.Object]cache.ByObject{
		// Nobody asks who wrote which field of a pod or a claim, and these entries are a good part of their size.
		&corev1.Pod{}:                   {Label: hearths, Transform: cache.TransformStripManagedFields()},
		&corev1.PersistentVolumeClaim{}: {Label: hearths, Transform: cache.TransformStripManagedFields()},
	}
	for _, obj := range ownedTypes() {
		// The field managers stay here: belongsTo reads them.
		byObject[obj] = cache.ByObject{Label: hearths}
	}
	return cache.Options{ByObject: byObject}
}

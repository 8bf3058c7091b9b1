package controllers

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

// Namespaces knows the labels of every namespace. They are put together again only after one has changed: whoever asks for
// each of ten thousand objects gets the same map.
type Namespaces struct {
	mu     sync.Mutex
	labels map[string]map[string]string
}

// Labels are those of every namespace, by its name. They must not be changed.
func (n *Namespaces) Labels(ctx context.Context, from client.Reader) (map[string]map[string]string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.labels == nil {
		labels, err := namespaceLabels(ctx, from)
		if err != nil {
			return nil, err
		}
		n.labels = labels
	}
	return n.labels, nil
}

// changes are the events of namespaces that can change a selection. The labels are forgotten before anybody is told.
func (n *Namespaces) changes() predicate.Predicate {
	return noticed(selectable(), func(client.Object) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.labels = nil
	})
}

// namespaceLabels are the labels of every namespace, by its name, as the cache has them.
func namespaceLabels(ctx context.Context, from client.Reader) (map[string]map[string]string, error) {
	var list metav1.PartialObjectMetadataList
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	if err := from.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list namespaces: %w", err)
	}
	out := make(map[string]map[string]string, len(list.Items))
	for i := range list.Items {
		out[list.Items[i].Name] = list.Items[i].Labels
	}
	return out, nil
}

// Package manifests is the objects: what a declaration becomes on the cluster, one file per object. What a Build function
// does not return is pruned.
package manifests

import (
	"fmt"
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/hearth-monitoring/hearth/internal/promconfig"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// Object is any object of the API with its metadata.
type Object interface {
	metav1.Object
	runtime.Object
}

// Server is what a Builder without memories makes.
func Server(s *stack.Stack, files promconfig.Files, alertmanager *promconfig.Files) ([]Object, error) {
	return new(Builder).Server(s, files, alertmanager)
}

// Server lists the objects of a PrometheusServer in the order in which they are applied: the parts before the manifest
// that names them, and all that a pod needs before the pods.
//
// The files of the Alertmanager are nil for a server without one.
func (b *Builder) Server(s *stack.Stack, files promconfig.Files, alertmanager *promconfig.Files) ([]Object, error) {
	published, err := b.server.objects(serverMeta, s, s.Names.Base, files)
	if err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	objects := []Object{
		serverAccount(s),
		serverRole(s, files),
		serverRoleBinding(s),
		podsService(s),
	}
	objects = append(objects, homeBindings(s)...)
	objects = append(objects, stateMetrics(s)...)
	objects = append(objects, published...)
	for _, shard := range s.AllShards() {
		objects = append(objects, serverService(s, shard), statefulSet(s, shard))
		if s.Replicas > 1 {
			objects = append(objects, disruptionBudget(s, shard))
		}
	}
	if s.Alertmanager == nil || alertmanager == nil {
		return objects, nil
	}
	more, err := b.alertmanagerObjects(s, *alertmanager)
	if err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	return append(objects, more...), nil
}

func serverMeta(s *stack.Stack, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: s.Namespace, Name: name, Labels: maps.Clone(s.Labels)}
}

// merged is the union of maps; a later one wins.
func merged(all ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range all {
		maps.Copy(out, m)
	}
	return out
}

package manifests

import (
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/internal/promconfig"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// alertmanagerObjects lists the objects of a server's Alertmanager in the order in which they are applied.
func (b *Builder) alertmanagerObjects(s *stack.Stack, files promconfig.Files) ([]Object, error) {
	am := s.Alertmanager
	published, err := b.alertmanager.objects(alertmanagerMeta, s, am.Names.Base, files)
	if err != nil {
		return nil, err
	}
	meta := func() metav1.ObjectMeta { return alertmanagerMeta(s, am.Names.Base) }
	objects := []Object{
		account(meta()),
		reloaderRole(meta(), files),
		roleBinding(meta()),
		alertmanagerService(s),
		alertmanagerPodsService(s),
	}
	objects = append(objects, published...)
	objects = append(objects, alertmanagerStatefulSet(s))
	if am.Mesh() {
		objects = append(objects, oneAtATime(meta(), am.Selector))
	}
	return objects, nil
}

func alertmanagerMeta(s *stack.Stack, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: s.Namespace, Name: name, Labels: maps.Clone(s.Alertmanager.Labels)}
}

package manifests

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/promconfig"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// publishedObjects are the ConfigMaps that the reloader fetches, the manifest last.
func publishedObjects(meta func(*stack.Stack, string) metav1.ObjectMeta, s *stack.Stack, prefix string, files promconfig.Files) ([]Object, error) {
	var out []Object
	for _, name := range files.Manifest.Names() {
		out = append(out, &corev1.ConfigMap{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
			ObjectMeta: meta(s, name),
			BinaryData: map[string][]byte{bundle.PartKey: files.Parts[name]},
		})
	}
	text, err := files.Manifest.Marshal()
	if err != nil {
		return nil, err
	}
	return append(out, &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: meta(s, bundle.ManifestName(prefix)),
		Data:       map[string]string{bundle.ManifestKey: string(text)},
	}), nil
}

package manifests

import (
	"bytes"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/promconfig"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// Builder makes the objects of one server, and remembers those that the reloaders fetch: a hundred of them are the same from one
// time to the next, and are then the very same ones, which nobody has to compare. They must not be changed, therefore. The
// zero value is ready.
type Builder struct{ server, alertmanager published }

// published are the ConfigMaps that one reloader fetches, as they were made last.
type published struct {
	// meta is that of the manifest; what the others have differs from it by the name alone.
	meta  metav1.ObjectMeta
	parts map[string]*corev1.ConfigMap
	// text is that of manifest.
	manifest bundle.Manifest
	text     *corev1.ConfigMap
}

// objects are the ConfigMaps that the reloader fetches, the manifest last.
func (p *published) objects(meta func(*stack.Stack, string) metav1.ObjectMeta, s *stack.Stack, prefix string, files promconfig.Files) ([]Object, error) {
	if now := meta(s, bundle.ManifestName(prefix)); !reflect.DeepEqual(now, p.meta) {
		*p = published{meta: now}
	}
	out := make([]Object, 0, len(files.Manifest.Objects)+1)
	parts := make(map[string]*corev1.ConfigMap, len(files.Manifest.Objects))
	for _, name := range files.Manifest.Names() {
		part := p.parts[name]
		if part == nil || !bytes.Equal(part.BinaryData[bundle.PartKey], files.Parts[name]) {
			part = configMap(meta(s, name), nil)
			part.BinaryData = map[string][]byte{bundle.PartKey: files.Parts[name]}
		}
		parts[name] = part
		out = append(out, part)
	}
	p.parts = parts
	if p.text == nil || !reflect.DeepEqual(p.manifest, files.Manifest) {
		text, err := files.Manifest.Marshal()
		if err != nil {
			return nil, err
		}
		p.manifest, p.text = files.Manifest, configMap(p.meta, map[string]string{bundle.ManifestKey: string(text)})
	}
	return append(out, p.text), nil
}

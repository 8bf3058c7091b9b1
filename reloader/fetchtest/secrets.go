package fetchtest

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

type secret struct {
	data    map[string][]byte
	granted bool
}

// PutSecret writes a Secret, nil data: takes it away. It says whether the reader may get it.
func (a *API) PutSecret(namespace, name string, data map[string][]byte, granted bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.secrets[namespace+"/"+name] = &secret{data: data, granted: granted}
}

// PutConfigMap writes a ConfigMap of another namespace, which the reader may get.
func (a *API) PutConfigMap(namespace, name string, text map[string]string, binary map[string][]byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.configMaps[namespace+"/"+name] = &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: text, BinaryData: binary,
	}
}

// serveSecret answers a get of a Secret, or of another namespace's ConfigMap; a.mu is held. What may not be read is forbidden whether
// it exists or not.
func (a *API) serveSecret(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/api/v1/namespaces/"), "/")
	if len(parts) != 3 {
		http.NotFound(w, r)
		return
	}
	namespace, name, resource := parts[0], parts[2], schema.GroupResource{Resource: parts[1]}
	id := namespace + "/" + name
	a.gets[id]++
	s := a.secrets[id]
	switch configMap := a.configMaps[id]; {
	case resource.Resource == "configmaps" && configMap != nil:
		_ = json.NewEncoder(w).Encode(configMap)
	case resource.Resource == "configmaps":
		refuse(w, apierrors.NewForbidden(resource, name, errors.New("the reloader may not get it")))
	case s == nil || !s.granted:
		refuse(w, apierrors.NewForbidden(resource, name, errors.New("the reloader may not get it")))
	case s.data == nil:
		refuse(w, apierrors.NewNotFound(resource, name))
	default:
		_ = json.NewEncoder(w).Encode(&corev1.Secret{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Data:       s.data,
		})
	}
}

func refuse(w http.ResponseWriter, err *apierrors.StatusError) {
	status := err.Status()
	status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	w.WriteHeader(int(status.Code))
	_ = json.NewEncoder(w).Encode(status)
}

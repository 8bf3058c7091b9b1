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

// serveSecret answers a get; a.mu is held. What may not be read is forbidden whether it exists or not.
func (a *API) serveSecret(w http.ResponseWriter, r *http.Request) {
	id := strings.Replace(strings.TrimPrefix(r.URL.Path, "/api/v1/namespaces/"), "/secrets/", "/", 1)
	namespace, name, _ := strings.Cut(id, "/")
	a.gets[id]++
	resource := schema.GroupResource{Resource: "secrets"}
	s := a.secrets[id]
	switch {
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

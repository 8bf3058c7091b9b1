// Package fetchtest is as much of a Kubernetes API as the reloader uses, for tests: ConfigMaps of one namespace, to list
// and watch by name and to get, and Secrets of any, to get.
package fetchtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/hearth-monitoring/hearth/internal/bundle"
)

// Namespace is where everything is.
const Namespace = "monitoring"

// Prefix is what the published objects' names begin with.
const Prefix = "prometheus-main"

// API is the server.
type API struct {
	t      *testing.T
	server *httptest.Server

	mu       sync.Mutex
	away     bool
	uid      types.UID
	version  int
	objects  map[string]*corev1.ConfigMap
	written  map[string]int // at which version
	watchers map[chan *corev1.ConfigMap]string
	gets     map[string]int
	last     *bundle.Manifest
	secrets  map[string]*secret
	// configMaps are those of other namespaces.
	configMaps map[string]*corev1.ConfigMap
}

// New starts an API that ends with the test.
func New(t *testing.T) *API {
	a := &API{t: t, uid: "uid-1", objects: map[string]*corev1.ConfigMap{}, written: map[string]int{}, watchers: map[chan *corev1.ConfigMap]string{}, gets: map[string]int{}, secrets: map[string]*secret{}, configMaps: map[string]*corev1.ConfigMap{}}
	a.server = httptest.NewServer(a)
	t.Cleanup(func() {
		a.SetAway(true)
		a.server.CloseClientConnections()
		a.server.Close()
	})
	return a
}

// Config is how to reach it.
func (a *API) Config() *rest.Config { return &rest.Config{Host: a.server.URL} }

// URL is where it is.
func (a *API) URL() string { return a.server.URL }

// SetAway ends or resumes answers.
func (a *API) SetAway(away bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.away = away
	if away {
		for c := range a.watchers {
			close(c)
		}
		clear(a.watchers)
	}
}

// Gets is how often an object was got.
func (a *API) Gets(name string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.gets[name]
}

// Recreate makes the manifest another object, whose revisions count from the start.
func (a *API) Recreate() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.uid += "x"
	a.last = nil
}

// Publish writes a configuration the way the operator does: parts first, manifest last.
func (a *API) Publish(config, rules map[string][]byte) bundle.Manifest {
	m := a.PublishParts(config, rules)
	a.PublishManifest(m)
	return m
}

// PublishParts leaves the manifest out.
func (a *API) PublishParts(config, rules map[string][]byte) bundle.Manifest {
	a.t.Helper()
	a.mu.Lock()
	prev := a.last
	a.mu.Unlock()
	m, objects, err := bundle.Publish(prev, Prefix, config, rules, len(rules))
	if err != nil {
		a.t.Fatal(err)
	}
	for name, packed := range objects {
		a.put(name, &corev1.ConfigMap{BinaryData: map[string][]byte{bundle.PartKey: packed}})
	}
	return m
}

// PublishManifest writes the manifest.
func (a *API) PublishManifest(m bundle.Manifest) {
	a.t.Helper()
	text, err := m.Marshal()
	if err != nil {
		a.t.Fatal(err)
	}
	a.put(bundle.ManifestName(Prefix), &corev1.ConfigMap{Data: map[string]string{bundle.ManifestKey: string(text)}})
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = &m
}

func (a *API) put(name string, cm *corev1.ConfigMap) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	cm.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}
	cm.ObjectMeta = metav1.ObjectMeta{Name: name, Namespace: Namespace, UID: a.uid, ResourceVersion: fmt.Sprint(a.version)}
	a.objects[name], a.written[name] = cm, a.version
	for c, selected := range a.watchers {
		if selected == name {
			c <- cm
		}
	}
}

// ServeHTTP answers list, watch and get.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	base := "/api/v1/namespaces/" + Namespace + "/configmaps"
	selected := strings.TrimPrefix(r.URL.Query().Get("fieldSelector"), "metadata.name=")
	w.Header().Set("Content-Type", "application/json")
	a.mu.Lock()
	if a.away {
		a.mu.Unlock()
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if strings.Contains(r.URL.Path, "/secrets/") || !strings.HasPrefix(r.URL.Path, base) {
		defer a.mu.Unlock()
		a.serveSecret(w, r)
		return
	}
	objects, version := maps.Clone(a.objects), a.version
	if r.URL.Path == base && r.URL.Query().Get("watch") != "" {
		c := make(chan *corev1.ConfigMap, 1000)
		a.watchers[c] = selected
		// What happened since the list.
		since, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
		if cm := objects[selected]; cm != nil && a.written[selected] > since {
			c <- cm
		}
		a.mu.Unlock()
		a.watch(w, r, c)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, base+"/")
	a.gets[name]++
	a.mu.Unlock()
	if r.URL.Path == base {
		list := corev1.ConfigMapList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMapList"}, ListMeta: metav1.ListMeta{ResourceVersion: fmt.Sprint(version)}}
		if cm := objects[selected]; cm != nil {
			list.Items = append(list.Items, *cm)
		}
		_ = json.NewEncoder(w).Encode(list)
		return
	}
	if cm := objects[name]; cm != nil {
		_ = json.NewEncoder(w).Encode(cm)
		return
	}
	w.WriteHeader(http.StatusNotFound)
}

func (a *API) watch(w http.ResponseWriter, r *http.Request, c chan *corev1.ConfigMap) {
	flush := http.NewResponseController(w)
	_ = flush.Flush()
	for {
		select {
		case <-r.Context().Done():
			a.mu.Lock()
			delete(a.watchers, c)
			a.mu.Unlock()
			return
		case cm, open := <-c:
			if !open {
				return
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"type": "MODIFIED", "object": cm})
			_ = flush.Flush()
		}
	}
}

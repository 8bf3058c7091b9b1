package controllers

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/hearth-monitoring/hearth/internal/monitors"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// +kubebuilder:rbac:groups=monitoring.coreos.com,resources=servicemonitors;podmonitors,verbs=get;list;watch
// Their kinds may be installed at any time.
// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,verbs=get;list;watch

const (
	// gatherMonitors is how long after a change of a monitor the next one waits to be told, so that of many at once several
	// are told together.
	gatherMonitors = 200 * time.Millisecond
	// servedSoon is how often it is looked whether a kind that was just installed is served.
	servedSoon = time.Second
)

// monitorKinds are those that are read where they are, by the names of their CustomResourceDefinitions.
func monitorKinds() map[string]monitors.Kind {
	return map[string]monitors.Kind{
		monitoringv1.ServiceMonitorName + "." + monitoringv1.SchemeGroupVersion.Group: monitors.ServiceMonitorKind,
		monitoringv1.PodMonitorName + "." + monitoringv1.SchemeGroupVersion.Group:     monitors.PodMonitorKind,
	}
}

// Monitors knows what the ServiceMonitors and PodMonitors of the cluster become. Of each only that is kept. Their kinds are
// somebody else's: they are watched from when they are installed until they are not any more.
type Monitors struct {
	client dynamic.Interface
	cache  cache.Cache
	events chan event.GenericEvent
	// changed and kinds have something in them when there is something to tell, or to look at.
	changed, kinds chan struct{}

	mu sync.Mutex
	// known is true once it is known which kinds are installed.
	known  bool
	stores map[monitors.Kind]*monitorStore
}

// NewMonitors reads through client and learns from the caches which kinds are installed.
func NewMonitors(client dynamic.Interface, from cache.Cache) *Monitors {
	return &Monitors{client: client, cache: from, events: make(chan event.GenericEvent, 1),
		changed: make(chan struct{}, 1), kinds: make(chan struct{}, 1), stores: map[monitors.Kind]*monitorStore{}}
}

// Events has something whenever a monitor is another one than before. Whose it is it does not say.
func (m *Monitors) Events() <-chan event.GenericEvent { return m.events }

// All are the monitors of the kinds that are wanted, by kind, namespace and name. They must not be changed. Until all of a
// kind have been listed it is not known what there is, and the error says so: that comes by itself, and Events tells.
func (m *Monitors) All(wanted func(monitors.Kind) bool) ([]stack.Monitor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []stack.Monitor
	for _, kind := range slices.Sorted(maps.Values(monitorKinds())) {
		if !wanted(kind) {
			continue
		}
		if !m.known {
			return nil, &UnlistedError{Kind: kind}
		}
		store := m.stores[kind]
		if store == nil {
			continue // not installed
		}
		if !store.listed {
			return nil, &UnlistedError{Kind: kind, Err: store.err}
		}
		begin := len(out)
		for _, entry := range store.entries {
			out = append(out, entry.Monitor)
		}
		slices.SortFunc(out[begin:], func(a, b stack.Monitor) int {
			return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
		})
	}
	return out, nil
}

// UnlistedError says that it is not known yet which monitors there are.
type UnlistedError struct {
	Kind monitors.Kind
	// Err is why, nil if it has only not been long enough.
	Err error
}

func (e *UnlistedError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("cannot list %ss, and what is published stays until they can be: %v", e.Kind, e.Err)
	}
	return fmt.Sprintf("%ss are being listed", e.Kind)
}

// Start follows the kinds until ctx ends.
func (m *Monitors) Start(ctx context.Context) error {
	informer, err := m.cache.GetInformer(ctx, definitions())
	if err != nil {
		return fmt.Errorf("watch CustomResourceDefinitions: %w", err)
	}
	look := func(any) { poke(m.kinds) }
	if _, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{AddFunc: look, DeleteFunc: look}); err != nil {
		return fmt.Errorf("watch CustomResourceDefinitions: %w", err)
	}
	go m.tell(ctx)
	poke(m.kinds)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-m.kinds:
		}
		if err := m.look(ctx); err != nil {
			return err
		}
	}
}

// look begins and ends watches, as kinds come and go.
func (m *Monitors) look(ctx context.Context) error {
	var definitions metav1.PartialObjectMetadataList
	definitions.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinitionList"))
	if err := m.cache.List(ctx, &definitions); err != nil {
		return fmt.Errorf("list CustomResourceDefinitions: %w", err)
	}
	installed := map[monitors.Kind]types.UID{}
	for i := range definitions.Items {
		d := &definitions.Items[i]
		if kind, ours := monitorKinds()[d.Name]; ours && d.DeletionTimestamp == nil {
			installed[kind] = d.UID
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, kind := range monitorKinds() {
		uid, is := installed[kind]
		if store := m.stores[kind]; store != nil && (!is || store.definition != uid) {
			store.stop()
			delete(m.stores, kind)
		}
		if is && m.stores[kind] == nil {
			m.follow(ctx, kind, uid)
		}
	}
	m.known = true
	poke(m.changed)
	return nil
}

// follow begins to watch one kind.
func (m *Monitors) follow(ctx context.Context, kind monitors.Kind, definition types.UID) {
	ctx, stop := context.WithCancel(ctx)
	store := &monitorStore{all: m, kind: kind, definition: definition, stop: stop, entries: map[types.NamespacedName]monitorEntry{}}
	m.stores[kind] = store
	resource := monitoringv1.SchemeGroupVersion.WithResource(monitoringv1.ServiceMonitorName)
	if kind == monitors.PodMonitorKind {
		resource.Resource = monitoringv1.PodMonitorName
	}
	client := m.client.Resource(resource)
	go func() {
		if !store.served(ctx, client) {
			return
		}
		reflector := toolscache.NewReflectorWithOptions(&toolscache.ListWatch{
			ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
				list, err := client.List(ctx, o)
				store.note(err)
				return list, err
			},
			WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
				return client.Watch(ctx, o)
			},
		}, nil, store, toolscache.ReflectorOptions{Name: string(kind)})
		reflector.RunWithContext(ctx)
	}()
}

// served waits until a kind that is installed is served too, which takes the API server a moment.
func (s *monitorStore) served(ctx context.Context, client dynamic.NamespaceableResourceInterface) bool {
	for wait := servedSoon; ; wait = min(2*wait, time.Minute) {
		_, err := client.List(ctx, metav1.ListOptions{Limit: 1})
		if err == nil {
			return true
		}
		if !apierrors.IsNotFound(err) {
			s.note(err)
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait):
		}
	}
}

// note remembers why nothing could be listed.
func (s *monitorStore) note(err error) {
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	if (err == nil) == (s.err == nil) {
		return
	}
	s.err = err
	if err != nil && !s.listed {
		ctrl.Log.WithName("monitors").Error(err, "cannot list", "kind", s.kind)
		poke(s.all.changed)
	}
}

// tell sends an event for the changes that there were, and lets some come together before the next.
func (m *Monitors) tell(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.changed:
		}
		select {
		case <-ctx.Done():
			return
		case m.events <- event.GenericEvent{Object: &metav1.PartialObjectMetadata{}}:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(gatherMonitors):
		}
	}
}

// poke leaves word, unless word was left already.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

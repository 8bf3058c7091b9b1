package controllers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
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

// +kubebuilder:rbac:groups=monitoring.coreos.com,resources=servicemonitors;podmonitors;probes;scrapeconfigs;prometheusrules,verbs=get;list;watch
// Their kinds may be installed at any time.
// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,verbs=get;list;watch

const (
	// gatherMonitors is how long after a change of a monitor the next one waits to be told, so that of many at once several
	// are told together.
	gatherMonitors = 200 * time.Millisecond
	// servedSoon is how often it is looked whether a kind that was just installed is served.
	servedSoon = time.Second
)

// foreignKinds are those that are read where they are: their resources, by which their CustomResourceDefinitions are named.
func foreignKinds() map[monitors.Kind]schema.GroupVersionResource {
	return map[monitors.Kind]schema.GroupVersionResource{
		monitors.ServiceMonitorKind: monitoringv1.SchemeGroupVersion.WithResource(monitoringv1.ServiceMonitorName),
		monitors.PodMonitorKind:     monitoringv1.SchemeGroupVersion.WithResource(monitoringv1.PodMonitorName),
		monitors.ProbeKind:          monitoringv1.SchemeGroupVersion.WithResource(monitoringv1.ProbeName),
		monitors.ScrapeConfigKind:   monitoringv1alpha1.SchemeGroupVersion.WithResource(monitoringv1alpha1.ScrapeConfigName),
		monitors.PrometheusRuleKind: monitoringv1.SchemeGroupVersion.WithResource(monitoringv1.PrometheusRuleName),
	}
}

// Monitors knows what the objects of monitoring.coreos.com become. Of each only that is kept. Their kinds are somebody
// else's: one is watched from when it is installed and a server selects it, until it is not installed any more.
type Monitors struct {
	client   dynamic.Interface
	cache    cache.Cache
	verdicts *Verdicts
	events   chan event.GenericEvent
	// changed and kinds have something in them when there is something to tell, or to look at.
	changed, kinds chan struct{}
	announcer      announcer
	// strayed has something in it when it is to be looked what no server selects; version counts what there is to look at.
	strayed chan struct{}
	version atomic.Int64

	mu sync.Mutex
	// known is true once it is known which kinds are installed.
	known bool
	// wanted are the kinds that a server has selected, and installed those that can be watched.
	wanted    map[monitors.Kind]bool
	installed map[monitors.Kind]types.UID
	stores    map[monitors.Kind]foreignStore
}

// foreignStore is where a watch leaves the objects of one kind.
type foreignStore interface {
	toolscache.ReflectorStore
	base() *watching
}

// watching is the watch of one kind.
type watching struct {
	all        *Monitors
	kind       monitors.Kind
	definition types.UID // of the CustomResourceDefinition
	stop       context.CancelFunc

	// These are behind all.mu.
	listed bool
	err    error
}

func (w *watching) base() *watching { return w }

// NewMonitors reads through client and learns from the caches which kinds are installed. The verdicts are told that
// something of PrometheusRules has changed.
func NewMonitors(client dynamic.Interface, from cache.Cache, verdicts *Verdicts) *Monitors {
	return &Monitors{client: client, cache: from, verdicts: verdicts, events: make(chan event.GenericEvent, 1),
		changed: make(chan struct{}, 1), kinds: make(chan struct{}, 1), strayed: make(chan struct{}, 1),
		wanted: map[monitors.Kind]bool{}, stores: map[monitors.Kind]foreignStore{}}
}

// Events has something whenever an object is another one than before. Whose it is it does not say.
func (m *Monitors) Events() <-chan event.GenericEvent { return m.events }

// All are the monitors of the kinds that are wanted, by kind, namespace and name. They must not be changed. Until all of a
// kind have been listed it is not known what there is, and the error says so: that comes by itself, and Events tells.
func (m *Monitors) All(wanted func(monitors.Kind) bool) ([]*stack.Monitor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*stack.Monitor
	for _, kind := range slices.Sorted(maps.Keys(foreignKinds())) {
		if kind == monitors.PrometheusRuleKind || !wanted(kind) {
			continue
		}
		found, err := m.store(kind)
		if err != nil {
			return nil, err
		}
		store, ok := found.(*monitorStore)
		if !ok {
			continue // not installed
		}
		out = append(out, store.monitors()...)
	}
	return out, nil
}

// PrometheusRules are all there are, with the verdicts on them, as All has monitors.
func (m *Monitors) PrometheusRules() ([]*stack.AlertRule, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found, err := m.store(monitors.PrometheusRuleKind)
	store, ok := found.(*ruleStore)
	if err != nil || !ok {
		return nil, err
	}
	return store.rules(), nil
}

// store has what there is of a kind, nil where it is not installed. From the first time on it is watched.
func (m *Monitors) store(kind monitors.Kind) (foreignStore, error) {
	if !m.wanted[kind] {
		m.wanted[kind] = true
		poke(m.kinds)
	}
	_, installed := m.installed[kind]
	store := m.stores[kind]
	switch {
	case !m.known, installed && store == nil:
		return nil, &UnlistedError{Kind: kind}
	case store == nil:
		return nil, nil
	case !store.base().listed:
		return nil, &UnlistedError{Kind: kind, Err: store.base().err}
	}
	return store, nil
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
	installed, err := m.definitions(ctx)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for kind := range foreignKinds() {
		uid, is := installed[kind]
		if store := m.stores[kind]; store != nil && (!is || store.base().definition != uid) {
			store.base().stop()
			delete(m.stores, kind)
		}
		if is && m.wanted[kind] && m.stores[kind] == nil {
			m.follow(ctx, kind, uid)
		}
	}
	m.known, m.installed = true, installed
	m.verdicts.Touch()
	poke(m.changed)
	return nil
}

// definitions are those of the kinds that are installed.
func (m *Monitors) definitions(ctx context.Context) (map[monitors.Kind]types.UID, error) {
	var list metav1.PartialObjectMetadataList
	list.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinitionList"))
	if err := m.cache.List(ctx, &list); err != nil {
		return nil, fmt.Errorf("list CustomResourceDefinitions: %w", err)
	}
	out := map[monitors.Kind]types.UID{}
	for kind, resource := range foreignKinds() {
		for i := range list.Items {
			if d := &list.Items[i]; d.Name == resource.GroupResource().String() && d.DeletionTimestamp == nil {
				out[kind] = d.UID
			}
		}
	}
	return out, nil
}

// follow begins to watch one kind.
func (m *Monitors) follow(ctx context.Context, kind monitors.Kind, definition types.UID) {
	ctx, stop := context.WithCancel(ctx)
	watching := watching{all: m, kind: kind, definition: definition, stop: stop}
	var store foreignStore
	if kind == monitors.PrometheusRuleKind {
		store = newRuleStore(ctx, watching)
	} else {
		store = &monitorStore{watching: watching, entries: map[types.NamespacedName]monitorEntry{}}
	}
	m.stores[kind] = store
	w, client := store.base(), m.client.Resource(foreignKinds()[kind])
	go func() {
		if !w.served(ctx, client) {
			return
		}
		reflector := toolscache.NewReflectorWithOptions(&toolscache.ListWatch{
			ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
				list, err := client.List(ctx, o)
				w.note(err)
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
func (w *watching) served(ctx context.Context, client dynamic.NamespaceableResourceInterface) bool {
	for wait := servedSoon; ; wait = min(2*wait, time.Minute) {
		_, err := client.List(ctx, metav1.ListOptions{Limit: 1})
		if err == nil {
			return true
		}
		if !apierrors.IsNotFound(err) {
			w.note(err)
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait):
		}
	}
}

// note remembers why nothing could be listed.
func (w *watching) note(err error) {
	w.all.mu.Lock()
	defer w.all.mu.Unlock()
	if (err == nil) == (w.err == nil) {
		return
	}
	w.err = err
	if err != nil && !w.listed {
		ctrl.Log.WithName("monitors").Error(err, "cannot list", "kind", w.kind)
		poke(w.all.changed)
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
		m.version.Add(1)
		poke(m.strayed)
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

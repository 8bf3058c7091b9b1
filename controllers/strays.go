package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/monitors"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// Events on objects that no server selects are few: where another operator has its objects beside ours there may be hundreds
// that are not meant for us. What is beyond their budget is not told later either: the status of the server that comes closest
// counts all of them.
const (
	// strayNews is for how long an object or a server is new. At its start the operator tells only those that have to do with
	// something new: the others were told when they were, and the cluster keeps events for an hour.
	strayNews = 10 * time.Minute
	// strayRest is the time between two looks.
	strayRest = 5 * time.Second
)

// strays looks for objects of monitoring.coreos.com that no server selects, and tells those objects, and the server that comes
// closest to each, what keeps them from it.
type strays struct {
	monitors   *Monitors
	client     client.Reader
	namespaces *Namespaces
	recorder   events.EventRecorder
	now        func() time.Time
	rest       time.Duration
	// news has a server that has to write its status.
	news chan event.GenericEvent

	mu      sync.Mutex
	servers map[types.NamespacedName]stack.Strays // nil before the first look

	// What follows is the looking goroutine's own.
	seen   string
	looked map[monitors.Kind]bool
	told   map[types.UID]uint64
	budget budget
}

func newStrays(r *PrometheusServerReconciler) *strays {
	return &strays{monitors: r.Monitors, client: r.Client, namespaces: r.Namespaces, recorder: r.Events, now: time.Now, rest: strayRest,
		news: make(chan event.GenericEvent), looked: map[monitors.Kind]bool{}, told: map[types.UID]uint64{}}
}

// of are those that come closest to a server, nil while that is not known.
func (s *strays) of(server types.NamespacedName) *stack.Strays {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.servers == nil {
		return nil
	}
	found := s.servers[server]
	return &found
}

// wake has it looked again, because a server is another one than before.
func (s *strays) wake() {
	if s != nil {
		poke(s.monitors.strayed)
	}
}

// Start looks whenever there is something to see, until ctx ends.
func (s *strays) Start(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.monitors.strayed:
		}
		if err := s.look(ctx); err != nil && ctx.Err() == nil {
			ctrl.LoggerFrom(ctx).Error(err, "look for what no server selects")
		}
		sleep(ctx, s.rest)
	}
}

// candidate is an object that a server may select.
type candidate struct {
	foreignObject
	uid     types.UID
	labels  map[string]string
	created time.Time
}

// candidates are all there are of a kind.
func (m *Monitors) candidates(kind monitors.Kind) ([]candidate, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found, err := m.store(kind)
	if err != nil {
		return nil, err
	}
	var out []candidate
	switch store := found.(type) {
	case *monitorStore:
		for name, e := range store.entries {
			out = append(out, candidate{foreignObject{kind, name}, e.uid, e.Labels, e.created})
		}
	case *ruleStore:
		rules := store.rules()
		out = make([]candidate, len(rules))
		for i, r := range rules {
			out[i] = candidate{foreignObject{kind, types.NamespacedName{Namespace: r.Namespace, Name: r.Name}}, types.UID(r.UID), r.Labels, r.Created.Time}
		}
	}
	return out, nil
}

func (s *strays) look(ctx context.Context) error {
	var servers v1alpha1.PrometheusServerList
	if err := s.client.List(ctx, &servers, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list PrometheusServers: %w", err)
	}
	namespaces, err := s.namespaces.Labels(ctx, s.client)
	if err != nil {
		return err
	}
	seen := fmt.Sprint(s.monitors.version.Load(), reflect.ValueOf(namespaces).Pointer())
	for i := range servers.Items {
		seen += fmt.Sprint(servers.Items[i].UID, servers.Items[i].Generation, servers.Items[i].DeletionTimestamp != nil)
	}
	if seen == s.seen {
		return nil
	}
	finder := stack.NewFinder(servers.Items, namespaces)
	found := map[types.NamespacedName]stack.Strays{}
	told := map[types.UID]uint64{}
	var news []strayNote
	for _, kind := range finder.Kinds() {
		all, err := s.monitors.candidates(kind)
		if unlisted := (*UnlistedError)(nil); errors.As(err, &unlisted) {
			return nil // in a moment, or when it can be listed, there is word of it
		}
		news = append(news, s.take(finder, all, found, told)...)
	}
	s.seen, s.told = seen, told
	for _, kind := range finder.Kinds() {
		s.looked[kind] = true
	}
	s.tell(news)
	s.publish(ctx, found)
	return nil
}

// strayNote is an event to be made.
type strayNote struct {
	candidate
	text string
	// nearest is the server that is named first: without it the next text would be taken for the same event.
	nearest *v1alpha1.PrometheusServer
}

// take adds the strays of a kind to those of the servers, and returns those of which there is something new to say.
func (s *strays) take(finder *stack.Finder, all []candidate, found map[types.NamespacedName]stack.Strays, told map[types.UID]uint64) []strayNote {
	var news []strayNote
	for _, c := range all {
		if !finder.IsStray(c.Kind, c.labels, c.Namespace) {
			continue
		}
		server, stray, texts := finder.Nearest(c.Kind, c.labels, c.Namespace, c.Name)
		if server == nil {
			continue
		}
		key := client.ObjectKeyFromObject(server)
		of := found[key]
		of.Add(stray)
		found[key] = of
		text := "no PrometheusServer selects this " + string(c.Kind) + ": " + strings.Join(texts, "; ")
		sum := fnv.New64a()
		sum.Write([]byte(text))
		told[c.uid] = sum.Sum64()
		isNew := func(at time.Time) bool { return s.now().Sub(at) < strayNews }
		known, before := s.told[c.uid]
		if before && known != told[c.uid] || !before && (s.looked[c.Kind] || isNew(c.created) || isNew(server.CreationTimestamp.Time)) {
			news = append(news, strayNote{c, text, server})
		}
	}
	return news
}

// tell makes the events, those on the youngest objects first, as far as there may be some.
func (s *strays) tell(news []strayNote) {
	slices.SortFunc(news, func(a, b strayNote) int {
		return cmp.Or(b.created.Compare(a.created), strings.Compare(a.String(), b.String()))
	})
	for _, n := range news {
		if !s.budget.take(s.now()) {
			return
		}
		s.recorder.Eventf(regarding(n.foreignObject, n.uid), n.nearest, corev1.EventTypeWarning, v1alpha1.ReasonNotSelected, "Select", "%s", note(n.text))
	}
}

// publish lets the servers know for which something is different now.
func (s *strays) publish(ctx context.Context, found map[types.NamespacedName]stack.Strays) {
	s.mu.Lock()
	before, first := s.servers, s.servers == nil
	s.servers = found
	s.mu.Unlock()
	all := maps.Clone(found)
	maps.Copy(all, before)
	for server := range all {
		if !first && reflect.DeepEqual(before[server], found[server]) {
			continue
		}
		object := &v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Namespace: server.Namespace, Name: server.Name}}
		select {
		case s.news <- event.GenericEvent{Object: object}:
		case <-ctx.Done():
			return
		}
	}
}

package controllers

import (
	"maps"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"

	"github.com/hearth-monitoring/hearth/internal/monitors"
	"github.com/hearth-monitoring/hearth/internal/status"
)

const (
	// maxNote is how many bytes an event can say.
	maxNote = 1000
	// maxNews bounds the events of one reconcile: whoever breaks ten thousand objects at once reads the status.
	maxNews = 100
)

// foreignObject names an object of monitoring.coreos.com.
type foreignObject struct {
	Kind monitors.Kind
	types.NamespacedName
}

// announcer makes events on objects whose statuses are somebody else's, once for each text.
type announcer struct {
	mu   sync.Mutex
	told map[types.NamespacedName]map[foreignObject]string
}

// rejections are what is said of the objects that a server selects and does not take.
func rejections(o *status.Server) map[foreignObject]string {
	out := map[foreignObject]string{}
	for _, v := range o.Foreign {
		if v.Problem != "" {
			out[foreignObject{monitors.PrometheusRuleKind, types.NamespacedName{Namespace: v.Namespace, Name: v.Name}}] = status.RuleMessage(v)
		}
	}
	for _, v := range o.Monitors.Verdicts {
		if v.Problem != "" {
			out[foreignObject{v.Kind, types.NamespacedName{Namespace: v.Namespace, Name: v.Name}}] = status.MonitorMessage(v)
		}
	}
	return out
}

// news are those of what a server says now that it has not said before.
func (a *announcer) news(server types.NamespacedName, now map[foreignObject]string) []foreignObject {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []foreignObject
	for object, text := range now {
		if before, said := a.told[server][object]; !said || before != text {
			out = append(out, object)
		}
	}
	if a.told == nil {
		a.told = map[types.NamespacedName]map[foreignObject]string{}
	}
	if a.told[server] = maps.Clone(now); len(now) == 0 {
		delete(a.told, server)
	}
	slices.SortFunc(out, func(a, b foreignObject) int { return strings.Compare(a.String(), b.String()) })
	return out[:min(len(out), maxNews)]
}

// announce makes an event on each object of which a server says something that it has not said before.
func (m *Monitors) announce(recorder events.EventRecorder, server types.NamespacedName, now map[foreignObject]string) {
	for _, object := range m.announcer.news(server, now) {
		if regarding := m.object(object); regarding != nil {
			note := "PrometheusServer " + server.String() + ": " + now[object]
			if len(note) > maxNote {
				note = strings.ToValidUTF8(note[:maxNote], "") + "..."
			}
			recorder.Eventf(regarding, nil, corev1.EventTypeWarning, "Rejected", "Select", "%s", note)
		}
	}
}

// object is what an event on an object names, nil if there is none.
func (m *Monitors) object(o foreignObject) *metav1.PartialObjectMetadata {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := &metav1.PartialObjectMetadata{}
	switch store := m.stores[o.Kind].(type) {
	case *monitorStore:
		out.UID = store.entries[o.NamespacedName].uid
	case *ruleStore:
		if entry := store.entries[o.NamespacedName]; entry != nil {
			out.UID = types.UID(entry.rule.UID)
		}
	}
	if out.UID == "" {
		return nil
	}
	out.SetGroupVersionKind(foreignKinds()[o.Kind].GroupVersion().WithKind(string(o.Kind)))
	out.Namespace, out.Name = o.Namespace, o.Name
	return out
}

package controllers

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/monitors"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/status"
)

const (
	// maxNote is how many bytes an event can say.
	maxNote        = 1000
	reasonRejected = "Rejected"
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
	told map[types.NamespacedName]map[foreignObject]remark
	// begun are the servers of which something was said, or nothing, since the process was started.
	begun map[types.NamespacedName]bool
	// budget is that of events on monitors without a target.
	budget budget
}

// remark is what is said of an object: the reason and the text of an event.
type remark struct {
	reason, text string
	// calm is true if nothing is wrong with the object.
	calm bool
}

// differs: Prometheus' text of what fails names series, in any order.
func (r remark) differs(before remark) bool {
	if r.reason == v1alpha1.ConditionEvaluationFailing {
		return before.reason != r.reason
	}
	return r.text != before.text
}

// remarked are what the status of a server has of its remarks. Its texts are cut where these are.
func remarked(s *v1alpha1.PrometheusServerStatus) map[foreignObject]remark {
	out := map[foreignObject]remark{}
	say := func(kind, namespace, name string, r remark) {
		object := foreignObject{monitors.Kind(kind), types.NamespacedName{Namespace: namespace, Name: name}}
		if _, said := out[object]; !said {
			out[object] = r
		}
	}
	for _, r := range s.Rules.Rejections {
		say(r.Kind, r.Namespace, r.Name, remark{reason: reasonRejected, text: r.Message})
	}
	for _, r := range s.Rules.Failing {
		say(r.Kind, r.Namespace, r.Name, remark{reason: v1alpha1.ConditionEvaluationFailing, text: r.Message})
	}
	if s.Monitors != nil {
		for _, r := range s.Monitors.Rejections {
			say(r.Kind, r.Namespace, r.Name, remark{reason: reasonRejected, text: r.Message})
		}
	}
	if s.Targets != nil {
		// By name, which is the order in which they are said; the status has them in another one.
		for _, j := range slices.SortedFunc(slices.Values(s.Targets.Jobs), func(a, b v1alpha1.JobStatus) int { return strings.Compare(a.Name, b.Name) }) {
			a, none := status.NoTarget(j)
			if of, ok := monitors.OfJob(j.Name); ok && none {
				say(string(of.Kind), of.Namespace, of.Name, noTargets(a))
			}
		}
	}
	return out
}

// remarks are what is said of the objects that a server selects and does not take, cannot evaluate or finds no target for.
func remarks(o *status.Server) map[foreignObject]remark {
	out := map[foreignObject]remark{}
	say := func(kind monitors.Kind, namespace, name, reason, text string) {
		object := foreignObject{kind, types.NamespacedName{Namespace: namespace, Name: name}}
		if _, said := out[object]; !said && text != "" {
			out[object] = remark{reason: reason, text: status.Bound(text)}
		}
	}
	for _, v := range o.Foreign {
		if v.Problem != "" {
			say(monitors.PrometheusRuleKind, v.Namespace, v.Name, reasonRejected, status.RuleMessage(v))
		}
	}
	for _, v := range o.Monitors.Verdicts {
		if v.Problem != "" {
			say(v.Kind, v.Namespace, v.Name, reasonRejected, status.MonitorMessage(v))
		}
	}
	failing(o.Pods, say)
	for _, a := range o.Awaited {
		if of, ok := monitors.OfJob(a.Job); ok {
			object := foreignObject{of.Kind, types.NamespacedName{Namespace: of.Namespace, Name: of.Name}}
			if _, said := out[object]; !said {
				out[object] = noTargets(a)
			}
		}
	}
	return out
}

// failing says which PrometheusRules a replica cannot evaluate.
func failing(pods []status.Pod, say func(kind monitors.Kind, namespace, name, reason, text string)) {
	for _, p := range pods {
		if p.Report == nil {
			continue
		}
		for _, r := range p.Report.PrometheusRules {
			namespace, name, _ := strings.Cut(r.Name, "/")
			say(monitors.PrometheusRuleKind, namespace, name, v1alpha1.ConditionEvaluationFailing, r.Error)
		}
	}
}

// noTargets is what is said of a monitor that yields no target.
func noTargets(a stack.Awaited) remark {
	return remark{reason: v1alpha1.ReasonNoTargets, text: status.Bound(a.Job + " has no target: " + a.Why), calm: a.Idle}
}

// news are those of what a server says now that it has not said before. What its status says when the process begins, the one
// before has said.
func (a *announcer) news(server types.NamespacedName, now, said map[foreignObject]remark) []foreignObject {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.told == nil {
		a.told, a.begun = map[types.NamespacedName]map[foreignObject]remark{}, map[types.NamespacedName]bool{}
	}
	if a.begun[server] {
		said = a.told[server]
	}
	a.begun[server] = true
	var out []foreignObject
	for object, remark := range now {
		if before, is := said[object]; !is || remark.differs(before) {
			out = append(out, object)
		}
	}
	if a.told[server] = maps.Clone(now); len(now) == 0 {
		delete(a.told, server)
	}
	slices.SortFunc(out, func(a, b foreignObject) int { return strings.Compare(a.String(), b.String()) })
	// Where a monitor has no target its Prometheus is well, and the status says it too.
	out = slices.DeleteFunc(out, func(o foreignObject) bool {
		return now[o].reason == v1alpha1.ReasonNoTargets && !a.budget.take(time.Now())
	})
	return out[:min(len(out), maxNews)]
}

// budget is how many events there can be of a sort: so many at once, and then one in so long.
type budget struct {
	spent float64
	at    time.Time
}

const (
	budgetBurst = 30
	budgetEvery = 6 * time.Second
)

// take says whether there can be one more now.
func (b *budget) take(now time.Time) bool {
	b.spent = max(0, b.spent-float64(now.Sub(b.at))/float64(budgetEvery))
	b.at = now
	if b.spent > budgetBurst-1 {
		return false
	}
	b.spent++
	return true
}

// forget is told when a server is gone.
func (a *announcer) forget(server types.NamespacedName) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.told, server)
	delete(a.begun, server)
}

// announce makes an event on each object of which a server says something that it has not said before.
//
// The recorder takes for one event, with the text of the first, what differs in its note alone. So related names the server: what
// two of them say are two events. It names it as it was, which is another version when the next text comes: the one before is in
// its status.
func (m *Monitors) announce(recorder events.EventRecorder, ps *v1alpha1.PrometheusServer, now, said map[foreignObject]remark) {
	server := client.ObjectKeyFromObject(ps)
	for _, object := range m.announcer.news(server, now, said) {
		if subject := m.object(object); subject != nil {
			said := now[object]
			text := note("PrometheusServer " + server.String() + ": " + said.text)
			kind := corev1.EventTypeWarning
			if said.calm {
				kind = corev1.EventTypeNormal
			}
			recorder.Eventf(subject, ps, kind, said.reason, "Select", "%s", text)
		}
	}
}

// note is as much of a text as an event can say.
func note(text string) string {
	if len(text) > maxNote {
		return strings.ToValidUTF8(text[:maxNote], "") + "..."
	}
	return text
}

// object is what an event on an object names, nil if there is none.
func (m *Monitors) object(o foreignObject) *metav1.PartialObjectMetadata {
	m.mu.Lock()
	defer m.mu.Unlock()
	var uid types.UID
	switch store := m.stores[o.Kind].(type) {
	case *monitorStore:
		uid = store.entries[o.NamespacedName].uid
	case *ruleStore:
		if entry := store.entries[o.NamespacedName]; entry != nil {
			uid = types.UID(entry.rule.UID)
		}
	}
	if uid == "" {
		return nil
	}
	return regarding(o, uid)
}

func regarding(o foreignObject, uid types.UID) *metav1.PartialObjectMetadata {
	out := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{UID: uid}}
	out.SetGroupVersionKind(foreignKinds()[o.Kind].GroupVersion().WithKind(string(o.Kind)))
	out.Namespace, out.Name = o.Namespace, o.Name
	return out
}

package status

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// maxRejections bounds the rejections in a status; the AlertRules themselves say the rest.
const maxRejections = 20

// maxClaims bounds the claims in a status. There can be more than replicas: claims are kept when a server shrinks.
const maxClaims = 64

// Server is what was observed of a PrometheusServer.
type Server struct {
	// Replicas is the number of pods that should run, of all shards, and Revision the configuration they should have loaded.
	Replicas int32
	// Shards is the number of those that should run, 0 where there is no such thing, and Spread over how many of them targets
	// are distributed.
	Shards, Spread int32
	Revision       int64
	// Updated is the number of pods that are of the current pod template.
	Updated int32
	Pods    []Pod
	Claims  []Claim
	// Verdicts are those on the selected AlertRules, and Foreign those on the selected PrometheusRules.
	Verdicts, Foreign []stack.Verdict
	// Strays are the objects of monitoring.coreos.com that no server selects, and this one comes closest to; nil while that is
	// not known.
	Strays *stack.Strays
	// Monitors are what became of the selected monitors.
	Monitors stack.Monitors
	// Home is the server's namespace, and Account its pods' ServiceAccount in it.
	Home, Account string
	// Awaited are the scrape jobs that ought to have targets, and Withheld what was left out of them.
	Awaited  []stack.Awaited
	Withheld []stack.Withheld
	// Alerts is where its alerts should go.
	Alerts AlertPath
	// ExistingGrafana is what became of telling one that others run, nil where none is declared.
	ExistingGrafana *ExistingGrafana
	// Asking is true while a pod that is ready has not had the time to report. A status would be premature.
	Asking bool

	// Grafana is what became of each way in which people look at the server.
	Grafana []GrafanaPart
	// Agent is true for one that only sends samples, to RemoteWrites.
	Agent        bool
	RemoteWrites stack.RemoteWrites
	// Alertmanager is what was observed of the server's own, nil if it has none.
	Alertmanager *Server
	// Set is the name of the StatefulSet; empty: the server's.
	Set string
	// Needs are Secrets without which the pods do not start, beside those of spec.web.
	Needs []string
	// Problem is why a newer configuration could not be made; what is published stays.
	Problem string
}

// Pod is one replica.
type Pod struct {
	Name  string
	Shard int32
	Ready bool
	// Waiting is why the pod is not ready, as far as its own status says.
	Waiting string
	// Report is what its reloader says, nil while it says nothing.
	Report *replica.Report
}

// Claim is the volume claim of one replica.
type Claim struct {
	Name      string
	Requested resource.Quantity
	// Capacity is nil until the claim is bound.
	Capacity *resource.Quantity
}

// OfServer is the status of a PrometheusServer. Where nothing was observed, because of err, what is known of before stays:
// it is what still runs.
func OfServer(ps *v1alpha1.PrometheusServer, observed *Server, err error) v1alpha1.PrometheusServerStatus {
	out := *ps.Status.DeepCopy()
	out.ObservedGeneration = ps.Generation
	if observed == nil {
		out.Conditions = carried(out.Conditions, failed(err).conditions())
		return out
	}
	o := *observed
	out.Replicas, out.ReadyReplicas = int32(len(o.Pods)), readyPods(o.Pods)
	out.Ready = fmt.Sprintf("%d/%d", out.ReadyReplicas, o.Replicas)
	out.Configuration = configuration(o)
	out.Rules, out.Monitors = rulesStatus(o), monitorsStatus(o)
	if o.Strays != nil {
		out.Unselected = unselected(o.Strays)
	}
	out.Claimed, out.Storage = claimed(o.Claims), storage(o.Claims)
	facts(&out, o)
	out.Alertmanager = alertmanagerStatus(o.Alertmanager)
	v := withAlerting(ps, serverVerdict(ps, o), o)
	if err != nil {
		v = failed(err)
	}
	out.Conditions = append(v.conditions(), loadedCondition(ps, o), targetsCondition(out.Targets, o))
	if !o.Agent {
		out.Conditions = append(out.Conditions, rulesCondition(o))
	}
	out.Conditions = append(out.Conditions, monitorsConditions(o)...)
	out.Conditions = append(out.Conditions, remoteWriteConditions(o)...)
	out.Conditions = append(out.Conditions, alertPathCondition(o.Pods, o.Alerts)...)
	out.Conditions = append(out.Conditions, alertmanagerConditions(ps, o.Alertmanager)...)
	out.Conditions = append(out.Conditions, grafanaConditions(ps, o)...)
	return out
}

func readyPods(pods []Pod) int32 {
	n := int32(0)
	for _, p := range pods {
		if p.Ready {
			n++
		}
	}
	return n
}

func configuration(o Server) v1alpha1.ConfigurationStatus {
	out := v1alpha1.ConfigurationStatus{Published: o.Revision}
	if o.Shards > 1 {
		out.Shards = o.Spread
	}
	for i, p := range o.Pods {
		r := v1alpha1.ReplicaStatus{Pod: p.Name, Shard: p.Shard, Message: p.Waiting}
		if p.Report != nil {
			r.Loaded = p.Report.Loaded
			r.Message = firstText(p.Report.Error, p.Waiting, p.Report.ReadyReason)
		}
		out.Replicas = append(out.Replicas, r)
		if i == 0 || r.Loaded < out.Loaded {
			out.Loaded = r.Loaded
		}
	}
	return out
}

func rulesStatus(o Server) v1alpha1.RulesStatus {
	out := v1alpha1.RulesStatus{Selected: int32(len(o.Verdicts) + len(o.Foreign))}
	reject(&out, kindAlertRule, o.Verdicts)
	reject(&out, kindPrometheusRule, o.Foreign)
	return out
}

func reject(out *v1alpha1.RulesStatus, kind string, verdicts []stack.Verdict) {
	for _, v := range verdicts {
		if v.Problem == "" {
			continue
		}
		if out.Rejected++; len(out.Rejections) < maxRejections {
			out.Rejections = append(out.Rejections, v1alpha1.Rejection{Kind: kind, Namespace: v.Namespace, Name: v.Name, Message: Bound(RuleMessage(v))})
		}
	}
}

// RuleMessage is what is said of a rule object that is rejected.
func RuleMessage(v stack.Verdict) string {
	if v.LastGood {
		return v.Problem + " (its last good version stays loaded)"
	}
	return v.Problem
}

// claimed is the most that a claim asks for, nil if there is none.
func claimed(claims []Claim) *resource.Quantity {
	var out *resource.Quantity
	for _, c := range claims {
		if out == nil || c.Requested.Cmp(*out) > 0 {
			out = &c.Requested
		}
	}
	return out
}

func storage(claims []Claim) []v1alpha1.ClaimStatus {
	var out []v1alpha1.ClaimStatus
	for _, c := range claims[:min(len(claims), maxClaims)] {
		out = append(out, v1alpha1.ClaimStatus{Claim: c.Name, Requested: c.Requested, Capacity: c.Capacity})
	}
	return out
}

func serverVerdict(ps *v1alpha1.PrometheusServer, o Server) verdict {
	if o.Replicas == 0 && len(o.Pods) == 0 {
		return verdict{ready, v1alpha1.ReasonScaledToZero, "replicas is 0: nothing runs, the claims are kept"}
	}
	for _, p := range o.Pods {
		if why := p.loadFailure(ps, o.Revision); why != "" {
			return verdict{reconciling, v1alpha1.ReasonLoadFailed, why}
		}
	}
	if waiting := waitingFor(ps, o); len(waiting) > 0 {
		if !allUp(o) || o.Loaded() == o.Revision {
			return verdict{reconciling, v1alpha1.ReasonProgressing, strings.Join(waiting, "; ")}
		}
		if !wasReady(ps) {
			return verdict{reconciling, v1alpha1.ReasonLoading, strings.Join(waiting, "; ")}
		}
		// An edit of a rule does not make a server unready that runs as it is declared. Loaded says what is on its way.
		return verdict{ready, v1alpha1.ReasonReady, fmt.Sprintf("%s, revision %d on its way", o.running(), o.Revision)}
	}
	return verdict{ready, v1alpha1.ReasonReady, fmt.Sprintf("%s, revision %d loaded", o.running(), o.Revision) + o.keptOfShards(ps)}
}

// wasReady says that the server was as this generation of its spec declares it.
func wasReady(ps *v1alpha1.PrometheusServer) bool {
	return ps.Status.ObservedGeneration == ps.Generation && meta.IsStatusConditionTrue(ps.Status.Conditions, v1alpha1.ConditionReady)
}

// allUp says that every replica runs, so that what is waited for is a moment's work on the side.
func allUp(o Server) bool {
	for _, p := range o.Pods {
		if !p.Ready || p.Report == nil {
			return false
		}
	}
	return len(o.Pods) == int(o.Replicas) && o.Updated >= o.Replicas
}

// unsaid is in Prometheus' answer where it could read a configuration and one of its parts refused it. Which, and why, is in
// its log alone.
const unsaid = "one or more errors occurred while applying"

// loadFailure is why a replica can't load the revision, empty if it can or has not tried. A server that is not ready is
// an obstacle as well, but one that passes, and the report's own reason says so.
func (p Pod) loadFailure(ps *v1alpha1.PrometheusServer, revision int64) string {
	if !p.fails(revision) {
		return ""
	}
	r := p.Report
	runs := "has no other"
	if r.Loaded != 0 {
		runs = fmt.Sprintf("goes on with revision %d", r.Loaded)
	}
	text := fmt.Sprintf("%s cannot load revision %d and %s: %s", p.Name, r.Published, runs, r.Error)
	if strings.Contains(r.Error, unsaid) {
		text += fmt.Sprintf("; its log has them: kubectl -n %s logs %s -c prometheus", ps.Namespace, p.Name)
	}
	return text
}

func (p Pod) fails(revision int64) bool {
	r := p.Report
	return r != nil && r.Error != "" && r.Error != r.ReadyReason && r.Published >= revision
}

// Refused says that a replica can't load the revision.
func (o *Server) Refused() bool {
	return slices.ContainsFunc(o.Pods, func(p Pod) bool { return p.fails(o.Revision) })
}

// waitingFor lists what is not yet as it should be.
func waitingFor(ps *v1alpha1.PrometheusServer, o Server) []string {
	var out []string
	switch n := len(o.Pods); {
	case n < int(o.Replicas):
		out = append(out, fmt.Sprintf("%d of %s created (kubectl -n %s describe statefulset %s shows what is in the way)",
			n, count(int(o.Replicas), "pod"), ps.Namespace, o.lacking(ps)))
	case n > int(o.Replicas):
		out = append(out, count(n-int(o.Replicas), "pod")+" too many, being stopped")
	}
	for _, p := range o.Pods {
		if text := p.waitingFor(ps, o); text != "" {
			out = append(out, text)
		}
	}
	if len(out) == 0 && o.Updated < o.Replicas {
		out = append(out, fmt.Sprintf("%d of %s updated", o.Updated, count(int(o.Replicas), "pod")))
	}
	for _, c := range o.Claims {
		if c.Capacity != nil && c.Capacity.Cmp(c.Requested) < 0 {
			out = append(out, fmt.Sprintf("claim %s is growing from %s to %s (kubectl -n %s describe pvc %s shows how far it is)",
				c.Name, c.Capacity.String(), c.Requested.String(), ps.Namespace, c.Name))
		}
	}
	return append(out, o.spreading(len(out) > 0)...)
}

// set is the name of the StatefulSet.
func (o Server) set(ps *v1alpha1.PrometheusServer) string {
	return firstText(o.Set, stack.NamesOf(ps.Name).Base)
}

func (p Pod) waitingFor(ps *v1alpha1.PrometheusServer, o Server) string {
	switch {
	case !p.Ready:
		reason := p.Waiting
		if p.Report != nil {
			reason = firstText(p.Report.ReadyReason, reason)
		}
		return p.Name + " is not ready: " + firstText(reason, p.starting(ps, o))
	case p.Report == nil && p.Waiting != "":
		return p.Name + ": " + p.Waiting
	case p.Report == nil:
		return fmt.Sprintf("%s is ready, but its reloader has not answered the operator yet (port %d, which a NetworkPolicy must let through)", p.Name, replica.Port)
	case p.Report.Loaded != o.Revision:
		return fmt.Sprintf("%s is loading revision %d", p.Name, o.Revision)
	}
	return ""
}

// starting is said of a pod that the cluster gives no reason for. It gives none for a missing Secret either, and the
// operator reads no Secrets, so what has to exist before the first container starts is named.
func (p Pod) starting(ps *v1alpha1.PrometheusServer, o Server) string {
	text := "it is starting"
	secrets := o.Needs
	if o.Set == "" {
		secrets = append(mounted(ps.Spec.Web), secrets...)
	}
	if p.Report == nil && len(secrets) > 0 {
		text += ", which takes " + strings.Join(secrets, " and ")
	}
	return fmt.Sprintf("%s (kubectl -n %s describe pod %s shows what it waits for)", text, ps.Namespace, p.Name)
}

// mounted names the Secrets without which a pod does not start.
func mounted(web *v1alpha1.Web) []string {
	var out []string
	if web != nil && web.TLS != nil {
		out = append(out, fmt.Sprintf("Secret %q with tls.crt and tls.key", web.TLS.SecretName))
	}
	if web != nil && web.BasicAuth != nil {
		out = append(out, fmt.Sprintf("Secret %q with username and password", web.BasicAuth.SecretName))
	}
	return out
}

func firstText(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

// count writes a number with its noun, as in 1 replica and 2 replicas.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Loaded is the oldest revision that a replica runs, 0 if there is none or one has not said.
func (o *Server) Loaded() int64 {
	return configuration(*o).Loaded
}

// NotLoaded is what a replica says keeps it from the newest revision, empty if none says anything.
func (o *Server) NotLoaded() string {
	for _, p := range o.Pods {
		if p.Report != nil && p.Report.Error != "" {
			return p.Report.Error
		}
	}
	return ""
}

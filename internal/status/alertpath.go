package status

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/replica"
)

// AlertPath is where a server's alerts should go, and what the Alertmanagers there say.
type AlertPath struct {
	// Server is namespace/name of the PrometheusServer.
	Server string
	// Shards is true where each shard has a Watchdog of its own.
	Shards bool
	// Targets is the number of addresses to which each replica should send.
	Targets int
	// Missing says of each Alertmanager that was declared and can't be had why.
	Missing []string
	// HasOwn is true if the server has an Alertmanager of its own, and Own are its pods.
	HasOwn bool
	Own    []Pod
}

// hop is a place where alerts are stuck.
type hop struct{ reason, message string }

// alertPathCondition follows the server's Watchdog from its rule to the receivers and says which hop is broken; nothing of a
// server that sends its alerts nowhere.
func alertPathCondition(pods []Pod, path AlertPath) []metav1.Condition {
	const kind = v1alpha1.ConditionAlertPathHealthy
	if path.Targets == 0 && len(path.Missing) == 0 {
		return nil
	}
	if !slices.ContainsFunc(pods, answers) {
		return []metav1.Condition{unknown(kind, "no replica is ready, so nothing is known of its alerts")}
	}
	hops := path.fromPrometheus(pods)
	if len(hops) == 0 {
		hops = path.intoAlertmanager(pods)
	}
	if len(hops) == 0 {
		hops = path.outOfAlertmanager()
	}
	if len(hops) == 0 {
		text := "the Watchdog fires and arrives at the Alertmanager"
		if !path.HasOwn {
			text = "the Watchdog fires and the Alertmanagers take it; how it goes on from there they know"
		}
		return []metav1.Condition{condition(kind, true, v1alpha1.ReasonArriving, text)}
	}
	texts := make([]string, len(hops))
	for i, h := range hops {
		texts[i] = h.message
	}
	return []metav1.Condition{condition(kind, false, hops[0].reason, strings.Join(texts, "; "))}
}

func answers(p Pod) bool { return p.Report != nil && p.Report.Ready }

// fromPrometheus looks at the rule, its evaluation and the sending, replica by replica.
func (path AlertPath) fromPrometheus(pods []Pod) []hop {
	var out []hop
	for _, why := range path.Missing {
		out = append(out, hop{v1alpha1.ReasonNoAlertmanager, why})
	}
	for _, p := range pods {
		if !answers(p) || p.Report.Alerting == nil {
			continue // what is wrong with a pod that says nothing, Ready says
		}
		a := p.Report.Alerting
		switch {
		case !a.Watchdog:
			out = append(out, hop{v1alpha1.ReasonWatchdogSilent, fmt.Sprintf(
				"%s does not fire the Watchdog: its configuration is not loaded, or it evaluates no rules (Loaded and its own page /rules say more)", p.Name)})
		case a.Alertmanagers == 0 && path.Targets > 0:
			out = append(out, hop{v1alpha1.ReasonNoAlertmanager, fmt.Sprintf(
				"%s knows no Alertmanager to send to, though %s declared: its log says why", p.Name, isOrAre(path.Targets))})
		case len(a.Unreachable) > 0:
			out = append(out, hop{v1alpha1.ReasonAlertmanagerUnreachable, fmt.Sprintf(
				"%s cannot send to %s: see whether that runs and whether a NetworkPolicy is in between; the log of %s has the error",
				p.Name, strings.Join(a.Unreachable, ", "), p.Name)})
		}
	}
	return out
}

func isOrAre(n int) string {
	if n == 1 {
		return "1 is"
	}
	return fmt.Sprintf("%d are", n)
}

// intoAlertmanager asks the server's own Alertmanager whether the alerts are there: one, or one for each shard that answers.
func (path AlertPath) intoAlertmanager(pods []Pod) []hop {
	var out []hop
	heard := !path.HasOwn
	for _, p := range path.Own {
		if !answers(p) || p.Report.Alertmanager == nil {
			continue
		}
		heard = true
		for _, shard := range path.shards(pods) {
			if arrives(p.Report.Alertmanager.Watchdogs, path.Server, shard) {
				continue
			}
			from := path.Server
			if shard != "" {
				from = "shard " + shard + " of " + from
			}
			out = append(out, hop{v1alpha1.ReasonWatchdogMissing, fmt.Sprintf(
				"%s does not have the Watchdog of %s, or has had no news of it for minutes, though Prometheus sends it: see the log of %s", p.Name, from, p.Name)})
		}
	}
	if !heard {
		out = append(out, hop{v1alpha1.ReasonAlertmanagerUnreachable, "no replica of the Alertmanager answers: " + path.waiting()})
	}
	return out
}

// shards are what tells the Watchdogs of a server apart, which is nothing where there is one.
func (path AlertPath) shards(pods []Pod) []string {
	if !path.Shards {
		return []string{""}
	}
	var out []string
	for _, shard := range slices.Sorted(maps.Keys(answering(pods))) {
		out = append(out, strconv.Itoa(int(shard)))
	}
	return out
}

func arrives(all []replica.Watchdog, server, shard string) bool {
	return slices.ContainsFunc(all, func(w replica.Watchdog) bool { return w.Server == server && w.Shard == shard && w.Arriving })
}

func (path AlertPath) waiting() string {
	for _, p := range path.Own {
		text := p.Waiting
		if p.Report != nil {
			text = firstText(p.Report.Error, p.Report.ReadyReason, text)
		}
		if text != "" {
			return p.Name + ": " + text
		}
	}
	return "its pods are starting"
}

// outOfAlertmanager are the receivers that can't be notified.
func (path AlertPath) outOfAlertmanager() []hop {
	var out []hop
	seen := map[string]bool{}
	for _, p := range path.Own {
		if !answers(p) || p.Report.Alertmanager == nil {
			continue
		}
		for _, f := range p.Report.Alertmanager.Failing {
			what := fmt.Sprintf("receiver %s cannot be notified by %s (%s)", f.Receiver, f.Integration, f.Reason)
			if f.Receiver == "" {
				what = fmt.Sprintf("nobody can be notified by %s (%s)", f.Integration, f.Reason)
			}
			if !seen[what] && len(out) < maxRulesNamed {
				seen[what] = true
				out = append(out, hop{v1alpha1.ReasonNotificationsFail, fmt.Sprintf("%s: the log of %s has the error", what, p.Name)})
			}
		}
	}
	return out
}

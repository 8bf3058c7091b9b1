package status

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// maxRemotesNamed bounds the remotes that the condition speaks of.
const maxRemotesNamed = 5

// logKept is for how long a Prometheus has in its log what could not be sent.
const logKept = 7200

// remoteWriteConditions say of each place to which samples are sent whether they arrive; nothing of a server that sends none.
func remoteWriteConditions(o Server) []metav1.Condition {
	const kind = v1alpha1.ConditionRemoteWriteHealthy
	if len(o.RemoteWrites.Remotes) == 0 {
		return nil
	}
	var hops []hop
	var arrives, waits []string
	for i := range o.RemoteWrites.Remotes {
		r := &o.RemoteWrites.Remotes[i]
		stuck, sent := stuckAt(o, r)
		switch {
		case stuck != nil:
			hops = append(hops, hop{stuck.reason, r.Name + ": " + stuck.message})
		case sent:
			arrives = append(arrives, r.Name)
		default:
			waits = append(waits, r.Name)
		}
	}
	switch {
	case len(hops) > 0:
		texts := make([]string, 0, len(hops))
		for _, h := range hops {
			texts = append(texts, h.message)
		}
		return []metav1.Condition{condition(kind, false, hops[0].reason, strings.Join(few(texts), "; "))}
	case !slices.ContainsFunc(o.Pods, answers):
		return []metav1.Condition{unknown(kind, "no replica is ready, so nothing is known of what it sends")}
	case len(waits) > 0:
		return []metav1.Condition{unknown(kind, "nothing was sent yet to "+strings.Join(few(waits), ", "))}
	}
	return []metav1.Condition{condition(kind, true, v1alpha1.ReasonArriving, "samples arrive at "+strings.Join(few(arrives), ", "))}
}

// few are at most as many texts as are named.
func few(texts []string) []string {
	if more := len(texts) - maxRemotesNamed; more > 0 {
		return append(slices.Clone(texts[:maxRemotesNamed]), fmt.Sprintf("and %d more", more))
	}
	return texts
}

// stuckAt is what keeps samples from a remote, nil if nothing is known to, and whether every replica has sent something.
func stuckAt(o Server, r *stack.Remote) (stuck *hop, sent bool) {
	if r.Refusal != "" {
		return &hop{v1alpha1.ReasonNotTaken, r.Refusal}, false
	}
	sent = true
	for _, p := range o.Pods {
		if !answers(p) {
			continue // what is wrong with a pod that says nothing, Ready says
		}
		if stuck := secretsOf(p, r); stuck != nil {
			return stuck, false
		}
		i := slices.IndexFunc(p.Report.Remotes, func(said replica.Remote) bool { return said.Name == r.Name })
		if i < 0 {
			sent = false // it has not loaded it yet
			continue
		}
		if stuck := stuckIn(p, o.Home, &p.Report.Remotes[i], r); stuck != nil {
			return stuck, false
		}
		sent = sent && p.Report.Remotes[i].Sent
	}
	return nil, sent
}

// secretsOf are the Secrets that a remote needs and a pod does not have.
func secretsOf(p Pod, r *stack.Remote) *hop {
	var missing []string
	for _, s := range p.Report.Mounted {
		if s.Problem != "" && slices.Contains(r.Secrets, s.Name) {
			missing = append(missing, fmt.Sprintf("Secret %q in namespace %s: %s", s.Name, s.Namespace, s.Problem))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &hop{v1alpha1.ReasonSecretsMissing, fmt.Sprintf("%s, as %s sees it, which may take the cluster a minute or two; what it had before, it goes on with",
		strings.Join(missing, ", "), p.Name)}
}

// stuckIn is what a replica says keeps its samples.
func stuckIn(p Pod, namespace string, said *replica.Remote, r *stack.Remote) *hop {
	log := fmt.Sprintf("kubectl -n %s logs %s -c prometheus has the error", namespace, p.Name)
	switch {
	case said.Failing:
		text := fmt.Sprintf("%s cannot send to %s and tries again", p.Name, hostOf(r.URL))
		if said.Behind > 0 {
			text += fmt.Sprintf("; it is %s or more behind", seconds(said.Behind))
		}
		return &hop{v1alpha1.ReasonSendingFails, text + lateness(said) + ": " + log}
	case said.Lost > 0:
		return &hop{v1alpha1.ReasonSamplesLost, fmt.Sprintf(
			"%s refused %d or more samples of %s for good, or they were too old to be sent, in the last minutes: %s", hostOf(r.URL), said.Lost, p.Name, log)}
	case said.Behind > 0:
		text := fmt.Sprintf("what %s sends to %s is %s or more behind", p.Name, hostOf(r.URL), seconds(said.Behind))
		if said.Saturated {
			text += ", and it would send with more shards: raise queue.maxShards of " + r.Field + ", or see whether the receiver is slow"
		}
		return &hop{v1alpha1.ReasonSendingBehind, text + lateness(said)}
	}
	return nil
}

// lateness says what comes of being late.
func lateness(said *replica.Remote) string {
	if said.Behind >= logKept {
		return "; what is older than two hours may be lost"
	}
	return ""
}

func seconds(n int64) string { return model.Duration(time.Duration(n) * time.Second).String() }

// hostOf is the part of an address that says which it is, and can hold no password.
func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return u.Host
	}
	return "an address that cannot be read"
}

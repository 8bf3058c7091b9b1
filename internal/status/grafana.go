package status

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// GrafanaPart is what became of one way in which people look at a server.
type GrafanaPart struct {
	// Way is the field below spec.grafana that declares it.
	Way string
	OK  bool
	// Reason is one of the reason constants of the API; none is needed where it is OK.
	Reason, Message string
}

// GrafanaFailed is that of an error, if there is one.
func GrafanaFailed(way string, err error) GrafanaPart {
	if err == nil {
		return GrafanaPart{Way: way, OK: true}
	}
	v := failed(err)
	return GrafanaPart{Way: way, Reason: v.reason, Message: v.message}
}

// grafanaConditions is empty where nothing is declared. The server's own readiness has nothing to do with it.
func grafanaConditions(ps *v1alpha1.PrometheusServer, o Server) []metav1.Condition {
	parts, existing := o.Grafana, o.ExistingGrafana
	if len(parts) == 0 {
		return existingGrafanaConditions(ps, existing)
	}
	allRight := !slices.ContainsFunc(parts, func(p GrafanaPart) bool { return !p.OK })
	switch {
	case existing == nil:
	case existing.Reason != "":
		parts = append(slices.Clone(parts), GrafanaPart{Way: "existing", OK: existing.OK, Reason: existing.Reason, Message: existing.Message})
	case allRight:
		return []metav1.Condition{notAsked(ps)}
	}
	return []metav1.Condition{joinedParts(parts)}
}

// joinedParts is the condition that says all of it.
func joinedParts(parts []GrafanaPart) metav1.Condition {
	reason := v1alpha1.ReasonReady
	var wrong, right []string
	for _, p := range parts {
		text := p.Way + ": " + p.Message
		if p.OK {
			right = append(right, text)
			continue
		}
		if len(wrong) == 0 {
			reason = p.Reason
		}
		wrong = append(wrong, text)
	}
	// What is wrong comes first: messages are read from their beginnings.
	return condition(v1alpha1.ConditionGrafanaReady, len(wrong) == 0, reason, strings.Join(append(wrong, right...), "; "))
}

// GrafanaDeployment is what was observed of a server's own Grafana.
type GrafanaDeployment struct {
	Namespace, Name string
	// Available is true when the newest pod answers.
	Available bool
	Pods      []Pod
	// Claim is the one that its database is on, nil while there is none.
	Claim *Claim
	// Secrets are those without which its pod does not start, the administrator's first.
	Secrets []string
	Port    int32
}

// Part is the verdict on it.
func (d GrafanaDeployment) Part() GrafanaPart {
	out := GrafanaPart{Way: "deploy", Reason: v1alpha1.ReasonGrafanaNotReady}
	if d.Available {
		out.OK = true
		out.Message = fmt.Sprintf("Grafana runs behind Service %s, port %d; kubectl -n %s get secret %s -o go-template='{{.data.password|base64decode}}' prints its administrator's first password",
			d.Name, d.Port, d.Namespace, d.Secrets[0])
		return out
	}
	if len(d.Pods) == 0 {
		out.Reason = v1alpha1.ReasonProgressing
		out.Message = fmt.Sprintf("no pod of Grafana is there yet (kubectl -n %s describe deployment %s shows what is in the way)", d.Namespace, d.Name)
		return out
	}
	var waiting []string
	for _, p := range d.Pods {
		if p.Ready {
			continue
		}
		if p.Waiting == "" {
			out.Reason = v1alpha1.ReasonProgressing
		}
		waiting = append(waiting, p.Name+" is not ready: "+firstText(p.Waiting, d.starting(p)))
	}
	out.Message = firstText(strings.Join(waiting, "; "), "another pod of Grafana is on its way")
	return out
}

// starting is said of a pod that the cluster gives no reason for, as for a server's.
func (d GrafanaDeployment) starting(p Pod) string {
	takes := "Secret " + strings.Join(d.Secrets, ", Secret ")
	switch {
	case d.Claim == nil:
		takes += " and claim " + d.Name + ", which is not there"
	case d.Claim.Capacity == nil:
		takes += " and claim " + d.Claim.Name + ", which is not bound yet"
	}
	return fmt.Sprintf("it is starting, which takes %s (kubectl -n %s describe pod %s shows what it waits for)", takes, d.Namespace, p.Name)
}

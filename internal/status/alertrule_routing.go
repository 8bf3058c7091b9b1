package status

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/amconfig"
)

const (
	// maxRoutes and maxReceivers bound status.routes, as the API does.
	maxRoutes    = 64
	maxReceivers = 16
	// maxRoutedMessage bounds the message of Routed, in bytes; commands that grant Secrets have to fit.
	maxRoutedMessage = 8 << 10
)

// RuleRouting is what becomes of an AlertRule's receivers and notify on one server.
type RuleRouting struct {
	Namespace, Name string
	// Contributes is true if the AlertRule has receivers or notify.
	Contributes bool
	// Problems are why not all of them are in force.
	Problems []string
	// Loading is why the server's Alertmanager doesn't have them yet, empty if it does.
	Loading string
	// Alerts has where each alert goes, if the server has an Alertmanager.
	Alerts []AlertDestinations
}

// AlertDestinations is where one alert goes.
type AlertDestinations struct {
	Group, Alert string
	To           []amconfig.Destination
}

// ruleRouted is Routed, where there is something to say.
func ruleRouted(ar *v1alpha1.AlertRule, servers []RuleRouting) []metav1.Condition {
	if servers == nil {
		// Not known yet, as right after a start of the operator: what was said of this generation holds.
		was := meta.FindStatusCondition(ar.Status.Conditions, v1alpha1.ConditionRouted)
		if was == nil || ar.Status.ObservedGeneration != ar.Generation {
			return nil
		}
		return []metav1.Condition{{Type: was.Type, Status: was.Status, Reason: was.Reason, Message: was.Message}}
	}
	contributes, problems, loading := inTheWay(servers)
	switch {
	case !contributes:
		return nil
	case len(problems)+len(loading) == 0:
		return []metav1.Condition{condition(v1alpha1.ConditionRouted, true, v1alpha1.ReasonRouted, "receivers and notify are in force as declared: the Alertmanager has loaded them")}
	case len(problems) == 0:
		return []metav1.Condition{condition(v1alpha1.ConditionRouted, false, v1alpha1.ReasonLoading, strings.Join(loading, "\n"))}
	}
	return []metav1.Condition{condition(v1alpha1.ConditionRouted, false, v1alpha1.ReasonNotRouted, cut(strings.Join(problems, "\n"), maxRoutedMessage))}
}

// inTheWay is what keeps receivers and notify from being in force: for good, or until they are loaded.
func inTheWay(servers []RuleRouting) (contributes bool, problems, loading []string) {
	for _, s := range servers {
		contributes = contributes || s.Contributes
		on := ""
		if len(servers) > 1 {
			on = fmt.Sprintf("on %s/%s: ", s.Namespace, s.Name)
		}
		for _, p := range s.Problems {
			problems = append(problems, on+p)
		}
		if s.Contributes && s.Loading != "" {
			loading = append(loading, on+s.Loading)
		}
	}
	return contributes, problems, loading
}

func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n-len("…")], "") + "…"
}

// ruleRoutes is status.routes.
func ruleRoutes(ar *v1alpha1.AlertRule, servers []RuleRouting) []v1alpha1.AlertRoute {
	if servers == nil {
		if ar.Status.ObservedGeneration != ar.Generation {
			return nil
		}
		return ar.Status.Routes
	}
	var out []v1alpha1.AlertRoute
	for _, s := range servers {
		for _, a := range s.Alerts {
			if len(out) == maxRoutes {
				return out
			}
			route := v1alpha1.AlertRoute{Server: s.Namespace + "/" + s.Name, Group: a.Group, Alert: a.Alert}
			for _, d := range a.To[:min(len(a.To), maxReceivers)] {
				route.Receivers = append(route.Receivers, v1alpha1.RoutedReceiver{Receiver: d.Receiver, When: d.When})
			}
			out = append(out, route)
		}
	}
	return out
}

package status

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// monitorsStatus says what became of the monitors, nil where a server selects none.
func monitorsStatus(o Server) *v1alpha1.MonitorsStatus {
	if !o.Monitors.Selects {
		return nil
	}
	out := &v1alpha1.MonitorsStatus{Selected: int32(len(o.Monitors.Verdicts))}
	for _, v := range o.Monitors.Verdicts {
		if v.Problem == "" {
			continue
		}
		if out.Rejected++; len(out.Rejections) < maxRejections {
			out.Rejections = append(out.Rejections, v1alpha1.MonitorRejection{
				Kind: string(v.Kind), Namespace: v.Namespace, Name: v.Name, Message: Bound(MonitorMessage(v)),
			})
		}
	}
	return out
}

// MonitorMessage is what is said of a monitor that is rejected.
func MonitorMessage(v stack.MonitorVerdict) string {
	if v.LastGood {
		return v.Problem + " (an earlier version is still scraped, until the operator restarts)"
	}
	return v.Problem
}

func monitorsConditions(o Server) []metav1.Condition {
	if !o.Monitors.Selects {
		return nil
	}
	const kind = v1alpha1.ConditionMonitorsAccepted
	var rejected []string
	for _, v := range o.Monitors.Verdicts {
		if v.Problem != "" {
			rejected = append(rejected, fmt.Sprintf("%s %s/%s", v.Kind, v.Namespace, v.Name))
		}
	}
	selected := count(len(o.Monitors.Verdicts), "monitor")
	if len(rejected) > 0 {
		named := strings.Join(rejected[:min(len(rejected), maxRulesNamed)], ", ")
		if more := len(rejected) - maxRulesNamed; more > 0 {
			named += fmt.Sprintf(" and %d more", more)
		}
		return []metav1.Condition{condition(kind, false, v1alpha1.ReasonMonitorsRejected,
			fmt.Sprintf("%d of %s selected rejected: %s; status.monitors.rejections says why", len(rejected), selected, named))}
	}
	if missing := o.missingSecrets(); missing != "" {
		return []metav1.Condition{condition(kind, false, v1alpha1.ReasonSecretsMissing, missing)}
	}
	return []metav1.Condition{condition(kind, true, v1alpha1.ReasonAllAccepted, selected+" selected, none rejected")}
}

// missingSecrets says which of the Secrets that monitors name a replica could not read, and what to do about it.
func (o Server) missingSecrets() string {
	for _, p := range o.Pods {
		if p.Report == nil {
			continue
		}
		var problems []replica.Secret
		for _, s := range p.Report.Secrets {
			if s.Problem != "" {
				problems = append(problems, s)
			}
		}
		if len(problems) == 0 {
			continue
		}
		s, kind := problems[0], "Secret"
		if s.ConfigMap {
			kind = "ConfigMap"
		}
		text := fmt.Sprintf("the %s %s/%s, which a monitor names: %s", kind, s.Namespace, s.Name, s.Problem)
		if s.Forbidden {
			text = fmt.Sprintf("this server may not read the %s %s of namespace %s, which a monitor names. Grant it with\n%s",
				kind, s.Name, s.Namespace, stack.GrantCommands(bundle.WantedSecret{Namespace: s.Namespace, Name: s.Name, ConfigMap: s.ConfigMap}, o.Home, o.Account))
		}
		if n := len(problems); n > 1 {
			// In front, because what is at the end is pasted into a shell.
			text = fmt.Sprintf("the first of %d missing Secrets and ConfigMaps: %s", n, text)
		}
		return text
	}
	return ""
}

// maxStrays bounds those that a status names.
const maxStrays = 5

// unselected says what no server selects and this one comes closest to, nil for nothing.
func unselected(s *stack.Strays) *v1alpha1.UnselectedStatus {
	if s.Count == 0 {
		return nil
	}
	out := &v1alpha1.UnselectedStatus{Count: int32(s.Count)}
	for _, stray := range s.Nearest[:min(len(s.Nearest), maxStrays)] {
		out.Nearest = append(out.Nearest, v1alpha1.MonitorRejection{
			Kind: string(stray.Kind), Namespace: stray.Namespace, Name: stray.Name, Message: Bound(stray.Miss),
		})
	}
	return out
}

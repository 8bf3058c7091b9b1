package status

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// maxFailing bounds the failing receivers in a status.
const maxFailing = 20

// alertmanagerStatus is nil for a server that has none.
func alertmanagerStatus(o *Server) *v1alpha1.AlertmanagerStatus {
	if o == nil {
		return nil
	}
	out := &v1alpha1.AlertmanagerStatus{
		Ready:         fmt.Sprintf("%d/%d", readyPods(o.Pods), o.Replicas),
		Configuration: configuration(*o),
	}
	failing := map[v1alpha1.FailingReceiver]bool{}
	for _, p := range o.Pods {
		if p.Report == nil || p.Report.Alertmanager == nil || !p.Report.Ready {
			continue
		}
		out.Version = p.Report.Version
		if out.Alerts == nil {
			out.Alerts = &v1alpha1.AlertmanagerAlerts{}
		}
		// Replicas have the same alerts, and those that one has not got yet are on their way.
		out.Alerts.Active = max(out.Alerts.Active, int32(p.Report.Alertmanager.Active))
		out.Alerts.Suppressed = max(out.Alerts.Suppressed, int32(p.Report.Alertmanager.Suppressed))
		// Replicas take turns in notifying, so each of them knows of other failures.
		for _, f := range p.Report.Alertmanager.Failing {
			failing[v1alpha1.FailingReceiver{Receiver: f.Receiver, Integration: f.Integration, Reason: f.Reason}] = true
		}
	}
	for f := range failing {
		out.Failing = append(out.Failing, f)
	}
	slices.SortFunc(out.Failing, func(a, b v1alpha1.FailingReceiver) int {
		return strings.Compare(a.Receiver+"\x00"+a.Integration+"\x00"+a.Reason, b.Receiver+"\x00"+b.Integration+"\x00"+b.Reason)
	})
	out.Failing = out.Failing[:min(len(out.Failing), maxFailing)]
	return out
}

// alertmanagerVerdict is the verdict on the server's Alertmanager alone.
func alertmanagerVerdict(ps *v1alpha1.PrometheusServer, o Server) verdict {
	if o.Problem != "" {
		return verdict{reconciling, v1alpha1.ReasonLoadFailed, o.Problem}
	}
	return serverVerdict(ps, o)
}

// withAlerting is the verdict on a server with what it sends its alerts to. A server whose alerts reach nobody is not as it
// was declared, however well it evaluates them; its own troubles are told first.
func withAlerting(ps *v1alpha1.PrometheusServer, v verdict, o Server) verdict {
	if v.state != ready {
		return v
	}
	if o.Alertmanager != nil {
		if am := alertmanagerVerdict(ps, *o.Alertmanager); am.state != ready {
			return verdict{am.state, v1alpha1.ReasonAlertmanagerNotReady, "the Alertmanager: " + am.message}
		}
	}
	if len(o.Alerts.Missing) > 0 {
		return verdict{reconciling, v1alpha1.ReasonAlertmanagerMissing, "alerts are not sent where they should be: " + strings.Join(o.Alerts.Missing, "; ")}
	}
	return v
}

// alertmanagerConditions is empty for a server that has no Alertmanager.
func alertmanagerConditions(ps *v1alpha1.PrometheusServer, o *Server) []metav1.Condition {
	if o == nil {
		return nil
	}
	v := alertmanagerVerdict(ps, *o)
	return []metav1.Condition{condition(v1alpha1.ConditionAlertmanagerReady, v.state == ready, v.reason, v.message)}
}

package status_test

import (
	"strings"
	"testing"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/internal/status"
)

// sender is a replica of the server that says this of its alerts.
func sender(a replica.Alerting) status.Pod {
	return status.Pod{Name: "prometheus-main-0", Ready: true, Report: &replica.Report{Ready: true, Published: 3, Loaded: 3, Alerting: &a}}
}

func manager(a replica.Alertmanager) status.Pod {
	return status.Pod{Name: "alertmanager-main-0", Ready: true, Report: &replica.Report{Ready: true, Alertmanager: &a}}
}

var (
	sends    = sender(replica.Alerting{Watchdog: true, Alertmanagers: 1})
	arrives  = []replica.Watchdog{{Server: "monitoring/main", Arriving: true}}
	receives = manager(replica.Alertmanager{Watchdogs: arrives})
)

var pathCases = map[string]struct {
	pods []status.Pod
	path status.AlertPath
	want string
}{
	"no alerting":          {[]status.Pod{sends}, status.AlertPath{}, ""},
	"all the way":          {[]status.Pod{sends}, status.AlertPath{Targets: 1, Own: []status.Pod{receives}}, "True Arriving: the Watchdog fires and arrives at the Alertmanager"},
	"to somebody else's":   {[]status.Pod{sends}, status.AlertPath{Targets: 1}, "True Arriving: the Watchdog fires and the Alertmanagers take it; how it goes on from there they know"},
	"nobody says anything": {[]status.Pod{{Name: "prometheus-main-0"}}, status.AlertPath{Targets: 1}, "Unknown Unknown: no replica is ready, so nothing is known of its alerts"},
	"the rule does not fire": {[]status.Pod{sender(replica.Alerting{Alertmanagers: 1})}, status.AlertPath{Targets: 1, Own: []status.Pod{receives}},
		"False WatchdogSilent: prometheus-main-0 does not fire the Watchdog: its configuration is not loaded, or it evaluates no rules (Loaded and its own page /rules say more)"},
	"nowhere to send": {[]status.Pod{sender(replica.Alerting{Watchdog: true})}, status.AlertPath{Targets: 3, Own: []status.Pod{receives}},
		"False NoAlertmanager: prometheus-main-0 knows no Alertmanager to send to, though 3 are declared: its log says why"},
	"one that does not exist": {[]status.Pod{sends}, status.AlertPath{Targets: 1, Missing: []string{"PrometheusServer a/b does not exist"}},
		"False NoAlertmanager: PrometheusServer a/b does not exist"},
	"it cannot be reached": {[]status.Pod{sender(replica.Alerting{Watchdog: true, Alertmanagers: 1, Unreachable: []string{"am-0:9093"}})}, status.AlertPath{Targets: 1, Own: []status.Pod{{Name: "alertmanager-main-0"}}},
		"False AlertmanagerUnreachable: prometheus-main-0 cannot send to am-0:9093: see whether that runs and whether a NetworkPolicy is in between; the log of prometheus-main-0 has the error"},
	"it says nothing": {[]status.Pod{sends}, status.AlertPath{Targets: 1, Own: []status.Pod{{Name: "alertmanager-main-0", Waiting: "container alertmanager: ErrImagePull"}}},
		"False AlertmanagerUnreachable: no replica of the Alertmanager answers: alertmanager-main-0: container alertmanager: ErrImagePull"},
	"it does not have it": {[]status.Pod{sends}, status.AlertPath{Targets: 1, Own: []status.Pod{manager(replica.Alertmanager{Watchdogs: []replica.Watchdog{{Server: "other/main", Arriving: true}}})}},
		"False WatchdogMissing: alertmanager-main-0 does not have the Watchdog of monitoring/main, or has had no news of it for minutes, though Prometheus sends it: see the log of alertmanager-main-0"},
	"it is late": {[]status.Pod{sends}, status.AlertPath{Targets: 1, Own: []status.Pod{manager(replica.Alertmanager{Watchdogs: []replica.Watchdog{{Server: "monitoring/main", LastSeen: 7}}})}},
		"False WatchdogMissing: alertmanager-main-0 does not have the Watchdog of monitoring/main, or has had no news of it for minutes, though Prometheus sends it: see the log of alertmanager-main-0"},
	"a receiver fails": {[]status.Pod{sends}, status.AlertPath{Targets: 1, Own: []status.Pod{manager(replica.Alertmanager{Watchdogs: arrives, Failing: []replica.Failing{{Receiver: "team", Integration: "slack", Reason: "clientError"}}})}},
		"False NotificationsFail: receiver team cannot be notified by slack (clientError): the log of alertmanager-main-0 has the error"},
}

func TestAlertPath(t *testing.T) {
	for name, c := range pathCases {
		t.Run(name, func(t *testing.T) {
			c.path.Server, c.path.HasOwn = "monitoring/main", c.path.Own != nil
			got := status.OfServer(server(), &status.Server{Replicas: 1, Revision: 3, Updated: 1, Pods: c.pods, Alerts: c.path}, nil)
			said := ""
			for _, condition := range got.Conditions {
				if condition.Type == v1alpha1.ConditionAlertPathHealthy {
					said = strings.Join([]string{string(condition.Status), condition.Reason + ":", condition.Message}, " ")
				}
			}
			if said != c.want {
				t.Errorf("got:  %s\nwant: %s", said, c.want)
			}
		})
	}
}

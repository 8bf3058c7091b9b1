package status_test

import (
	"testing"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/replica"
	"github.com/hearth-monitoring/hearth/internal/stack"
	"github.com/hearth-monitoring/hearth/internal/status"
)

// writer is a replica that says this of what it sends.
func writer(name string, remotes ...replica.Remote) status.Pod {
	return status.Pod{Name: name, Ready: true, Report: &replica.Report{Ready: true, Published: 3, Loaded: 3, Remotes: remotes}}
}

func withMounted(p status.Pod, secrets ...replica.Secret) status.Pod {
	p.Report.Mounted = secrets
	return p
}

var (
	central = stack.Remote{Name: "central/0", Field: "spec.remoteWrite[0]", URL: "http://central-0.monitoring.svc:9090/api/v1/write?token=s3cret", Secrets: []string{"login"}}
	cloud   = stack.Remote{Name: "cloud", Field: "spec.remoteWrite[1]", URL: "https://metrics.example.org/push"}
)

var remoteCases = map[string]struct {
	remotes []stack.Remote
	pods    []status.Pod
	want    string
}{
	"none":        {nil, []status.Pod{writer("a")}, ""},
	"nobody says": {[]stack.Remote{central}, nil, "Unknown Unknown: no replica is ready, so nothing is known of what it sends"},
	"not loaded":  {[]stack.Remote{central}, []status.Pod{writer("a")}, "Unknown Unknown: nothing was sent yet to central/0"},
	"nothing yet": {[]stack.Remote{central, cloud}, []status.Pod{writer("a", replica.Remote{Name: "central/0", Sent: true}, replica.Remote{Name: "cloud"})},
		"Unknown Unknown: nothing was sent yet to cloud"},
	"one replica has sent nothing": {[]stack.Remote{cloud}, []status.Pod{writer("a", replica.Remote{Name: "cloud", Sent: true}), writer("b", replica.Remote{Name: "cloud"})},
		"Unknown Unknown: nothing was sent yet to cloud"},
	"arrives": {[]stack.Remote{central, cloud}, []status.Pod{writer("a", replica.Remote{Name: "central/0", Sent: true}, replica.Remote{Name: "cloud", Sent: true})},
		"True Arriving: samples arrive at central/0, cloud"},
	"fails": {[]stack.Remote{central}, []status.Pod{writer("a", replica.Remote{Name: "central/0", Sent: true, Failing: true})},
		"False SendingFails: central/0: a cannot send to central-0.monitoring.svc:9090 and tries again: kubectl -n monitoring logs a -c prometheus has the error"},
	"fails for long": {[]stack.Remote{central}, []status.Pod{writer("a", replica.Remote{Name: "central/0", Failing: true, Behind: 7200})},
		"False SendingFails: central/0: a cannot send to central-0.monitoring.svc:9090 and tries again; it is 2h or more behind; what is older than two hours may be lost: kubectl -n monitoring logs a -c prometheus has the error"},
	"refused for good": {[]stack.Remote{cloud}, []status.Pod{writer("a", replica.Remote{Name: "cloud", Sent: true, Lost: 1000})},
		"False SamplesLost: cloud: metrics.example.org refused 1000 or more samples of a for good, or they were too old to be sent, in the last minutes: kubectl -n monitoring logs a -c prometheus has the error"},
	"behind": {[]stack.Remote{cloud}, []status.Pod{writer("a", replica.Remote{Name: "cloud", Sent: true, Behind: 300, Saturated: true})},
		"False SendingBehind: cloud: what a sends to metrics.example.org is 5m or more behind, and it would send with more shards: raise queue.maxShards of spec.remoteWrite[1], or see whether the receiver is slow"},
	"the Secret is missing": {[]stack.Remote{central}, []status.Pod{withMounted(writer("a", replica.Remote{Name: "central/0", Failing: true}),
		replica.Secret{Namespace: "monitoring", Name: "login", Problem: "it has no key password"}, replica.Secret{Namespace: "monitoring", Name: "other", Problem: "x"})},
		`False SecretsMissing: central/0: Secret "login" in namespace monitoring: it has no key password, as a sees it, which may take the cluster a minute or two; what it had before, it goes on with`},
	"not taken": {[]stack.Remote{{Name: "later/0", Refusal: "spec.remoteWrite[0].server: there is no PrometheusServer later in namespace monitoring"}, cloud},
		[]status.Pod{writer("a", replica.Remote{Name: "later/0", Failing: true}, replica.Remote{Name: "cloud", Failing: true})},
		"False NotTaken: later/0: spec.remoteWrite[0].server: there is no PrometheusServer later in namespace monitoring; " +
			"cloud: a cannot send to metrics.example.org and tries again: kubectl -n monitoring logs a -c prometheus has the error"},
}

func TestRemoteWrite(t *testing.T) {
	for name, c := range remoteCases {
		t.Run(name, func(t *testing.T) {
			got := status.OfServer(server(), &status.Server{Replicas: 1, Revision: 3, Updated: 1, Home: "monitoring", Pods: c.pods,
				RemoteWrites: stack.RemoteWrites{Remotes: c.remotes}}, nil)
			said := ""
			for _, condition := range got.Conditions {
				if condition.Type == v1alpha1.ConditionRemoteWriteHealthy {
					said = string(condition.Status) + " " + condition.Reason + ": " + condition.Message
				}
			}
			if said != c.want {
				t.Errorf("got  %s\nwant %s", said, c.want)
			}
		})
	}
}

// An agent has targets, and neither rules nor alerts.
func TestAgent(t *testing.T) {
	pod := writer("prometheus-main-0", replica.Remote{Name: "cloud", Sent: true})
	pod.Report.Jobs = []replica.Job{{Name: "prometheus", Up: 1}}
	got := status.OfServer(server(), &status.Server{Replicas: 1, Revision: 3, Updated: 1, Agent: true, Pods: []status.Pod{pod},
		RemoteWrites: stack.RemoteWrites{Remotes: []stack.Remote{cloud}}}, nil)
	if got.Targets == nil || got.Targets.Summary != "1/1" || got.Alerts != nil {
		t.Errorf("targets %+v, alerts %+v", got.Targets, got.Alerts)
	}
	var types []string
	for _, c := range got.Conditions {
		types = append(types, c.Type+" "+string(c.Status))
	}
	want := []string{"Ready True", "Loaded True", "TargetsHealthy True", "RemoteWriteHealthy True"}
	if len(types) != len(want) {
		t.Fatalf("conditions %q, want %q", types, want)
	}
	for i := range want {
		if types[i] != want[i] {
			t.Errorf("conditions %q, want %q", types, want)
		}
	}
}

package promconfig

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/internal/monitors"
	"github.com/hearth-monitoring/hearth/internal/stack"
)

// monitored is a ServiceMonitor as people write them; what is scraped differs with the edit.
func monitored(t testing.TB, i, edit int) *stack.Monitor {
	t.Helper()
	name := fmt.Sprintf("service-%04d", i)
	compiled, errs := monitors.OfServiceMonitor(&monitoringv1.ServiceMonitor{
		ObjectMeta: metav1.ObjectMeta{Namespace: fmt.Sprintf("team-%d", i%20), Name: name},
		Spec: monitoringv1.ServiceMonitorSpec{
			Selector: metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}, TargetLabels: []string{"app"},
			Endpoints: []monitoringv1.Endpoint{{
				Port: "metrics", Path: fmt.Sprintf("/metrics/%d", edit),
				MetricRelabelConfigs: []monitoringv1.RelabelConfig{{Action: "drop", SourceLabels: []monitoringv1.LabelName{"__name__"}, Regex: "go_gc_.*"}},
			}},
		},
	})
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	return &stack.Monitor{Kind: monitors.ServiceMonitorKind, Namespace: fmt.Sprintf("team-%d", i%20), Name: name, Compiled: compiled}
}

// resolved is a server that selects these monitors, after one that selected others.
func resolved(t testing.TB, all []*stack.Monitor, before *stack.Stack) *stack.Stack {
	t.Helper()
	labels := map[string]map[string]string{"monitoring": {stack.LabelReach: stack.ReachCluster}}
	for i := range 20 {
		labels[fmt.Sprintf("team-%d", i)] = nil
	}
	everything := &v1alpha1.ObjectSelector{Selector: &metav1.LabelSelector{}, NamespaceSelector: &metav1.LabelSelector{}}
	ps := &v1alpha1.PrometheusServer{ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "main", UID: "1"}}
	ps.Spec.Targets = &v1alpha1.Targets{MonitorTargets: v1alpha1.MonitorTargets{ServiceMonitors: everything}}
	s, errs := stack.Resolve(stack.Inputs{Server: ps, NamespaceLabels: labels, Monitors: all, Before: before})
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	return s
}

// The file is what it would be if it were written anew, whatever came and went before, and what did not change is not
// written again.
func TestJobsAreWrittenOnce(t *testing.T) {
	t.Parallel()
	var r Renderer
	var before *stack.Stack
	all := []*stack.Monitor{monitored(t, 0, 0), monitored(t, 1, 0), monitored(t, 2, 0)}
	render := func(what string) {
		t.Helper()
		s := resolved(t, all, before)
		before = s
		if _, err := r.Render(s); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		want, err := monitors.Text(s.Monitors.Jobs)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(r.jobsText)); diff != "" {
			t.Errorf("%s (-anew +got):\n%s", what, diff)
		}
	}
	render("three")
	kept, whole := r.jobTexts["serviceMonitor/team-1/service-0001/0"].text, r.jobsText
	render("the same three")
	if &whole[0] != &r.jobsText[0] {
		t.Error("nothing has changed, and the file was written again")
	}
	all[0] = monitored(t, 0, 1)
	render("one was edited")
	all = append(all, monitored(t, 3, 0))
	render("one was made")
	all = slices.Delete(all, 2, 3)
	render("one was deleted")
	if again := r.jobTexts["serviceMonitor/team-1/service-0001/0"].text; &again[0] != &kept[0] {
		t.Error("a job that was not touched was written again")
	}
	all[0], all[1] = monitored(t, 5, 0), monitored(t, 6, 0)
	render("as many, but others")
	all = nil
	if _, err := r.Render(resolved(t, all, before)); err != nil || len(r.jobTexts) > 0 {
		t.Errorf("none is left, but %d are remembered: %v", len(r.jobTexts), err)
	}
}

// TestClients: what is a client of OAuth2 is in a file of its own, which the reloader finishes, and Prometheus is told to read that only
// where there is one.
func TestClients(t *testing.T) {
	t.Parallel()
	all := []*stack.Monitor{monitored(t, 0, 0), monitored(t, 1, 0)}
	client, errs := monitors.OfPodMonitor(&monitoringv1.PodMonitor{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-2", Name: "client"},
		Spec: monitoringv1.PodMonitorSpec{PodMetricsEndpoints: []monitoringv1.PodMetricsEndpoint{{HTTPConfigWithProxy: monitoringv1.HTTPConfigWithProxy{
			HTTPConfig: monitoringv1.HTTPConfig{HTTPConfigWithoutTLS: monitoringv1.HTTPConfigWithoutTLS{OAuth2: &monitoringv1.OAuth2{
				ClientID:     monitoringv1.SecretOrConfigMap{Secret: keyOf("id")},
				ClientSecret: *keyOf("secret"), TokenURL: "http://t",
			}}},
		}}}},
	})
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	var r Renderer
	rendered := func() (config string, files map[string][]byte) {
		t.Helper()
		s := resolved(t, all, nil)
		text, err := Configuration(s)
		if err != nil {
			t.Fatal(err)
		}
		if files, err = r.monitorFiles(s); err != nil {
			t.Fatal(err)
		}
		return string(text), files
	}
	for _, named := range []bool{false, true, false} {
		if named {
			all = append(all, &stack.Monitor{Kind: monitors.ServiceMonitorKind, Namespace: "team-2", Name: "client", Compiled: client})
		} else {
			all = all[:2]
		}
		config, files := rendered()
		if got := strings.Contains(config, "- /etc/prometheus/granted/oauth2.yml\n"); got != named {
			t.Errorf("Prometheus is told to read what the reloader makes: %v, want %v\n%s", got, named, config)
		}
		if got := strings.Count(string(files[MonitorsFile]), "job_name: serviceMonitor/"); got != 2 || strings.Contains(string(files[MonitorsFile]), "oauth2") {
			t.Errorf("of 2 jobs that are no clients, %d are in\n%s", got, files[MonitorsFile])
		}
		text := string(files[bundle.ClientsName])
		if got := strings.Count(text, "client_id: /etc/prometheus/granted/team-2/login/id\n"); named != (got == 1) || !named && text != "" {
			t.Errorf("clients:\n%s", text)
		}
	}
}

func keyOf(key string) *corev1.SecretKeySelector {
	return &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "login"}, Key: key}
}

// What Prometheus would refuse in the file is refused before it is published: two jobs of one name, a file of the pod's.
func TestJobsAreRefused(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func([]monitors.Job){
		"there are two jobs serviceMonitor/team-0/service-0000/0": func(jobs []monitors.Job) { jobs[1] = jobs[0] },
		"which is no granted Secret of namespace": func(jobs []monitors.Job) {
			jobs[1].Authorization = &monitors.Authorization{CredentialsFile: "/etc/passwd"}
		},
		"prometheus refuses the rendered monitors.yml": func(jobs []monitors.Job) { jobs[1].ScrapeTimeout = "never" },
	} {
		s := resolved(t, []*stack.Monitor{monitored(t, 0, 0), monitored(t, 1, 0)}, nil)
		var r Renderer
		if _, err := r.Render(s); err != nil {
			t.Fatal(err)
		}
		s.Monitors.Jobs = slices.Clone(s.Monitors.Jobs)
		change(s.Monitors.Jobs)
		if _, err := r.Render(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// BenchmarkMonitors is what an edit of one monitor among a thousand takes before it is written to the API, and what a
// reconcile takes that finds nothing new.
func BenchmarkMonitors(b *testing.B) {
	all := make([]*stack.Monitor, 1000)
	for i := range all {
		all[i] = monitored(b, i, 0)
	}
	for _, what := range []string{"edit", "nothing new"} {
		b.Run(what, func(b *testing.B) {
			var r Renderer
			s := resolved(b, all, nil)
			if _, err := r.Render(s); err != nil {
				b.Fatal(err)
			}
			edit, published := 0, (*bundle.Manifest)(nil)
			for b.Loop() {
				if edit++; what == "edit" {
					all[edit%1000] = monitored(b, edit%1000, edit)
				}
				s = resolved(b, all, s)
				s.Published.Manifest = published
				files, err := r.Render(s)
				if err != nil {
					b.Fatal(err)
				}
				published = &files.Manifest
			}
		})
	}
}

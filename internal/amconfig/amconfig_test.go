package amconfig

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"sigs.k8s.io/yaml"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// TestConfined shows that the walker over the final text sees a file that is not a Secret's, and leaves data alone.
func TestConfined(t *testing.T) {
	for text, outside := range map[string]bool{
		"receivers: [{slack_configs: [{api_url_file: /etc/alertmanager/secrets/a/b}]}]":                                    false,
		"receivers: [{slack_configs: [{api_url_file: /etc/alertmanager/granted/ns/a/b}]}]":                                 false,
		"receivers: [{slack_configs: [{api_url_file: /etc/passwd}]}]":                                                      true,
		"receivers: [{slack_configs: [{api_url_file: /etc/alertmanager/secretsx/a}]}]":                                     true,
		"receivers: [{slack_configs: [{api_url_file: relative}]}]":                                                         true,
		"receivers: [{webhook_configs: [{http_config: {authorization: {credentials_file: /var/run/secrets/x}}}]}]":         true,
		"receivers: [{webhook_configs: [{http_config: {tls_config: {ca_file: /etc/alertmanager/secrets/../../passwd}}}]}]": true,
		"global: {slack_api_url_file: /x}":                                                                                 true,
		"receivers: [{pagerduty_configs: [{details: {some_file: /x}}]}]":                                                   false,
		"receivers: [{jira_configs: [{fields: {some_file: {a_file: /x}}}]}]":                                               false,
		"receivers: [{email_configs: [{headers: {X_file: y}}]}]":                                                           false,
	} {
		if err := confined([]byte(text)); (err != nil) != outside {
			t.Errorf("%s: %v", text, err)
		}
	}
}

const previewed = `
spec:
  groups:
  - name: g
    labels: {team: infra, severity: warning}
    rules:
    - {alert: Critical, expr: up, labels: {severity: critical}}
    - {alert: Warning, expr: up}
    - {alert: Templated, expr: up, labels: {severity: "{{ $labels.severity }}"}}
    - {record: "a:b", expr: up}
  notify:
  - {receiver: pager, matchers: ['severity="critical"'], continue: true}
  - {receiver: cluster, matchers: ['cluster="a"', 'severity!="info"']}
  - {receiver: night, matchers: ['severity="warning"'], muteTimeIntervals: [day], activeTimeIntervals: [week]}
`

func tree(t *testing.T) (*Tree, []Alert) {
	t.Helper()
	ar := &v1alpha1.AlertRule{}
	if err := yaml.UnmarshalStrict([]byte(previewed), ar); err != nil {
		t.Fatal(err)
	}
	ar.Namespace, ar.Name = "team-a", "api"
	rule := RuleRoute{Namespace: "team-a", Name: "api"}
	for _, n := range ar.Spec.Notify {
		rule.Entries = append(rule.Entries, entry(t, n))
	}
	root := RootRoute{Receiver: "default", Entries: []Entry{
		entry(t, v1alpha1.Notify{Receiver: "log", Matchers: []v1alpha1.Matcher{`team="infra"`}, Continue: true}),
	}}
	out, err := NewTree(root, rule)
	if err != nil {
		t.Fatal(err)
	}
	return out, Alerts(ar)
}

func entry(t *testing.T, n v1alpha1.Notify) Entry {
	t.Helper()
	out, err := NewEntry(n)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPreview(t *testing.T) {
	tree, alerts := tree(t)
	got := map[string][]string{}
	for _, a := range alerts {
		for _, d := range tree.Preview(a) {
			got[a.Name] = append(got[a.Name], strings.TrimSuffix(d.Receiver+" if "+d.When, " if "))
		}
	}
	want := map[string][]string{
		"Critical": {"pager", `cluster if cluster="a"`, `log if unless cluster="a"`},
		"Warning":  {`cluster if cluster="a"`, `night if unless cluster="a", during week, not during day`},
		"Templated": {
			`pager if severity="critical"`,
			`cluster if cluster="a", severity!="info"`,
			`night if unless cluster="a" and severity!="info", severity="warning", during week, not during day`,
			`log if unless cluster="a" and severity!="info", unless severity="warning"`,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestPreviewIsWhatAlertmanagerDoes compares the preview with Alertmanager's own Match, over every way in which the labels
// that are unknown can turn out.
func TestPreviewIsWhatAlertmanagerDoes(t *testing.T) {
	tree, alerts := tree(t)
	compared := 0
	for _, a := range alerts {
		for _, cluster := range []string{"", "a", "b"} {
			for _, severity := range []string{"", "critical", "warning", "info"} {
				final := Alert{Labels: map[string]string{"cluster": cluster, "severity": severity}}
				set := model.LabelSet{"cluster": model.LabelValue(cluster), "severity": model.LabelValue(severity)}
				for name, value := range a.Labels {
					final.Labels[name] = value
					set[model.LabelName(name)] = model.LabelValue(value)
				}
				var want, got []string
				for _, r := range tree.root.Match(set) {
					want = append(want, r.RouteOpts.Receiver)
				}
				for _, d := range tree.Preview(final) {
					got = append(got, d.Receiver)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s with cluster=%q severity=%q: %s", a.Name, cluster, severity, diff)
				}
				possible := map[string]bool{}
				for _, d := range tree.Preview(a) {
					possible[d.Receiver] = true
				}
				for _, name := range want {
					if !possible[name] {
						t.Errorf("%s with cluster=%q severity=%q goes to %s, which its preview does not say", a.Name, cluster, severity, name)
					}
				}
				compared++
			}
		}
	}
	t.Logf("%d sets of labels compared", compared)
}

package amconfig

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/common/model"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// Alertmanager's own routing says who hears of the Watchdog.
func TestWatchdogGoesToWhomNamesIt(t *testing.T) {
	for name, c := range map[string]struct {
		matchers []v1alpha1.Matcher // of a route of the server to the receiver beat
		alert    model.LabelSet
		want     []string
	}{
		"nobody names it":              {nil, watchdogOf("monitoring/main"), []string{Nobody}},
		"a route for everything":       {[]v1alpha1.Matcher{`alertname!="Other"`}, watchdogOf("monitoring/main"), []string{Nobody}},
		"a route that names it":        {[]v1alpha1.Matcher{`alertname="Watchdog"`}, watchdogOf("monitoring/main"), []string{"beat"}},
		"a route that names another's": {[]v1alpha1.Matcher{`alertname="Watchdog"`, `prometheus="a/b"`}, watchdogOf("monitoring/main"), []string{Nobody}},
		"somebody's own of that name":  {nil, model.LabelSet{"alertname": "Watchdog", "severity": "none", "hearth_alertrule": "team/rules"}, []string{"all"}},
		"any other alert":              {nil, model.LabelSet{"alertname": "Down", "hearth_alertrule": "team/rules"}, []string{"all"}},
	} {
		t.Run(name, func(t *testing.T) {
			root := RootRoute{Receiver: "all"}
			if c.matchers != nil {
				e, err := NewEntry(v1alpha1.Notify{Receiver: "beat", Matchers: c.matchers})
				if err != nil {
					t.Fatal(err)
				}
				root.Entries = []Entry{e}
			}
			text, err := configuration{Route: root.write(nil), Receivers: []receiver{{Name: "all"}, {Name: "beat"}, {Name: Nobody}}}.text()
			if err != nil {
				t.Fatal(err)
			}
			loaded, err := config.Load(string(text))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range dispatch.NewRoute(loaded.Route, nil).Match(c.alert) {
				got = append(got, r.RouteOpts.Receiver)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s\n%s", diff, text)
			}
		})
	}
}

func watchdogOf(server string) model.LabelSet {
	return model.LabelSet{"alertname": "Watchdog", "severity": "none", "prometheus": model.LabelValue(server)}
}
